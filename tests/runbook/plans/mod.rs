//! Plans of drain and failover, from outside: golden plans, guards, ways out of DNS, and random fleets.

mod golden;
mod guards;
mod lent;
mod random;
mod show;
mod stage;
mod ways;
