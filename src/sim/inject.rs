//! Faults on single calls, for those who test what becomes of a program when one call goes wrong.
//!
//! What it is for: refusing, losing or delaying the n-th call of a kind, with or without its effect.
//! What it must not do: change the world itself; what is wrong with the world is a scenario.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::call::Call;
use super::route::is_mutating;
use super::world::lock;
use super::{Inner, Sim};
use crate::domain::ids::Region;

/// A fault on calls of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct InjectedFault {
    /// Service by SigV4 name; `*` for any.
    pub service: String,
    /// Operation; `*` for any, `mutating` for any that would change something.
    pub operation: String,
    /// Region of the call's signature; any when absent.
    pub region: Option<Region>,
    /// Which matching call it strikes, counted from 1 since it was injected; 0 for every one.
    pub nth: u32,
    /// What happens.
    pub kind: FaultKind,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// It is refused with an AWS error, without effect.
    Refuse {
        /// HTTP status.
        status: u16,
        /// The code on the wire.
        code: String,
    },
    /// It takes effect, and an AWS error is answered.
    ErrorAfter {
        /// HTTP status.
        status: u16,
        /// The code on the wire.
        code: String,
    },
    /// It is never answered, without effect.
    Hang,
    /// It takes effect, and is never answered.
    HangAfter,
    /// It is over the rate limit, in the service's words.
    Throttle,
    /// The credentials that signed it have expired, for this and all later calls.
    ExpireCredentials,
    /// It sees the world as it was so long ago. For reads; a deed is still done now.
    Stale(SignedDuration),
}

impl InjectedFault {
    /// A fault on the next call of an operation, in any region.
    pub fn next(service: &str, operation: &str, kind: FaultKind) -> Self {
        Self { service: service.to_owned(), operation: operation.to_owned(), region: None, nth: 1, kind }
    }

    /// The same in one region.
    pub fn within(self, region: &str) -> Self {
        Self { region: Some(Region::new(region)), ..self }
    }

    /// The same on the n-th call; 0 for every one.
    pub fn on(self, nth: u32) -> Self {
        Self { nth, ..self }
    }

    fn strikes(&self, call: &Call, operation: &str) -> bool {
        (self.service == "*" || self.service == call.service)
            && (self.operation == "*"
                || self.operation == operation
                || self.operation == "mutating" && is_mutating(operation))
            && self.region.as_ref().is_none_or(|region| region.as_str() == call.region)
    }
}

/// Faults that were injected, and whose credentials have expired.
#[derive(Clone, Debug, Default)]
pub(super) struct Injected {
    faults: Vec<Counted>,
    expired: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Counted {
    fault: InjectedFault,
    seen: u32,
    fired: u32,
}

/// Names an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(usize);

impl Sim {
    /// Injects a fault; the first one that strikes a call decides.
    pub fn inject(&self, fault: InjectedFault) -> FaultId {
        let mut injected = lock(&self.inner.injected);
        injected.faults.push(Counted { fault, seen: 0, fired: 0 });
        FaultId(injected.faults.len() - 1)
    }

    /// How often a fault has struck.
    pub fn fired(&self, id: FaultId) -> u32 {
        lock(&self.inner.injected).faults.get(id.0).map_or(0, |counted| counted.fired)
    }

    /// Takes all faults away. Credentials that have expired stay so: [`Sim::credentials`] gives new ones.
    pub fn clear_faults(&self) {
        for counted in &mut lock(&self.inner.injected).faults {
            counted.seen = u32::MAX;
        }
    }
}

impl Inner {
    /// What strikes a call, if anything does.
    pub(super) fn struck(&self, call: &Call, operation: &str) -> Option<FaultKind> {
        let mut injected = lock(&self.injected);
        let mut struck = None;
        for counted in &mut injected.faults {
            if counted.seen == u32::MAX || !counted.fault.strikes(call, operation) {
                continue;
            }
            counted.seen += 1;
            let now = counted.fault.nth == 0 || counted.fault.nth == counted.seen;
            if now && struck.is_none() {
                counted.fired += 1;
                struck = Some(counted.fault.kind.clone());
            }
        }
        if struck == Some(FaultKind::ExpireCredentials) {
            injected.expired.insert(call.access_key.clone());
        }
        struck
    }

    /// Whether an access key has expired by a fault.
    pub(super) fn key_expired(&self, key: &str) -> bool {
        lock(&self.injected).expired.contains(key)
    }

    /// How many access keys have expired by faults.
    pub(super) fn keys_expired(&self) -> usize {
        lock(&self.injected).expired.len()
    }
}
