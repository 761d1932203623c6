//! Where credentials come from, end to end: the built program with a home of its own, its real loader, and servers on
//! loopback that stand for the portal of IAM Identity Center, the sign-in service of `aws login`, STS, a container's
//! and an instance's credentials. Behind them a simulated AWS, which refuses a key whose token does not come with it.
//!
//! Real time, since processes live in it. Nothing leaves the machine: what would go to a real host meets a closed proxy.

mod aws;
mod lasting;
mod refused;
mod roles;
mod sources;
