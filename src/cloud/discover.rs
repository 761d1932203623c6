//! From hostnames to a topology.
