//! Ways out of DNS: which calls, in which order, and which are refused.
