//! Addresses of subnets, which tasks take and which can run out.
//!
//! What it is for: whether a task finds an address in its subnet, and how many each subnet has left.
//! What it must not do: count anything but tasks; what else lives in a subnet is in its size already.

use jiff::Timestamp;

use super::World;
use super::tasks::repeats;

/// Subnets of a region, one a zone; places of a service go round them.
const SUBNETS: usize = 3;

impl World {
    /// Whether the task of a place finds an address. Places come in turns, the first of each service before the second
    /// of any.
    pub(super) fn finds_address(&self, site: usize, service: usize, place: usize, at: Timestamp) -> bool {
        let (services, addresses) = (self.fleet.services.len(), self.fleet.addresses as usize);
        if (place / SUBNETS + 1) * services <= addresses {
            return true;
        }
        let before: usize = (0..services)
            .map(|other| {
                let desired = self.desired(site, other, at).max(0) as usize;
                let turn = if other < service { place + 1 } else { place };
                in_subnet(place % SUBNETS, desired.min(turn))
            })
            .sum();
        before < addresses
    }

    /// Free addresses of a region's subnet.
    pub fn free_addresses(&self, site: usize, subnet: usize, at: Timestamp) -> u32 {
        let taken = (0..self.fleet.services.len()).flat_map(|service| {
            let slots = self.slots(site, service, at).into_iter();
            slots.filter(move |slot| {
                let has = !slot.wanted || self.finds_address(site, service, slot.index, at);
                slot.index % SUBNETS == subnet && has
            })
        });
        self.fleet.addresses.saturating_sub(taken.count() as u32)
    }

    /// What the scheduler tells about tasks that find no address, in no order.
    pub(super) fn crowding_events(
        &self,
        site: usize,
        service: usize,
        at: Timestamp,
    ) -> Vec<(Timestamp, String)> {
        let desired = self.desired(site, service, at).max(0) as usize;
        let crowded = (0..desired).any(|place| !self.finds_address(site, service, place, at));
        let grown = self.history(site, service, at).last().map(|moment| moment.at);
        let Some(from) = grown.filter(|_| crowded) else { return Vec::new() };
        let name = &self.fleet.services[service].name;
        let words = format!(
            "(service {name}) was unable to place a task. Reason: The specified subnet does not have enough free \
             addresses to satisfy the request."
        );
        repeats(from, 30, 60, at).map(|(when, _)| (when, words.clone())).collect()
    }
}

/// How many of a service's first `count` places lie in a subnet.
fn in_subnet(subnet: usize, count: usize) -> usize {
    (count + SUBNETS - 1 - subnet) / SUBNETS
}
