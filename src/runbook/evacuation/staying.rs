//! Clients who stay, whatever is done about the records that lead them.
//!
//! What it is for: a name that reaches a region by a CNAME, which no method moves, and records that go by the client's
//! place without a default elsewhere, for which Route 53 has no other answer. Both look evacuated and are not.
//! What it must not do: speak of what was not read.

use super::Target;
use crate::domain::ids::{HostName, Region};
use crate::domain::text::Text;
use crate::domain::topology::RoutingPolicy;
use crate::runbook::fact::{Fact, Known};
use crate::runbook::situation::View;

/// What Route 53 calls the record for everybody else.
const DEFAULT: &str = "*";

/// Public names that lead to `region` by a CNAME.
pub(super) fn by_cname(view: &View<'_>, region: &Region) -> Vec<Text> {
    let topology = view.topology;
    let balancers = topology.region(region).map_or(&[][..], |entry| &entry.load_balancers);
    let leads_here = |value: &Text| {
        let name = HostName::normalized(value.as_str());
        let plain = name.as_str().strip_prefix("dualstack.").unwrap_or(name.as_str());
        balancers.iter().any(|balancer| balancer.dns_name.as_str() == plain)
    };
    let mut found: Vec<Text> = Vec::new();
    for (fact, seen) in view.facts.iter() {
        let (Fact::Records(..), Some(Known::Records(sets))) = (fact, seen.value()) else { continue };
        for set in sets {
            let public = topology.hostnames.iter().any(|host| host.name == set.name);
            if public && set.record_type.as_str() == "CNAME" && set.values.iter().any(leads_here) {
                let words = format!("{} CNAME: a CNAME to a load balancer is moved by no method", set.name);
                if !found.iter().any(|known| known.as_str() == words) {
                    found.push(words.into());
                }
            }
        }
    }
    found
}

/// Records by place or network whose clients no record of another region takes over. An unhealthy one is then answered
/// all the same, and a deleted one leaves them without an answer.
pub(super) fn without_default(view: &View<'_>, targets: &[Target]) -> Vec<Text> {
    let mut found = Vec::new();
    for target in targets {
        let Some(live) = &target.live else { continue };
        if !matches!(live.policy, RoutingPolicy::Geolocation | RoutingPolicy::IpBased) {
            continue;
        }
        let place = live.selector.as_ref().map_or(DEFAULT, Text::as_str);
        // `US-CA` falls back on `US`; which continent a country lies in is AWS's to know.
        let wider = place.split_once('-').map(|(country, _)| country);
        let sets = view.facts.records(&Fact::Records(target.zone.clone(), target.name.clone()));
        let taken_over = sets.into_iter().flatten().any(|set| {
            let alike = set.name == target.name && set.record_type == target.record_type;
            let ours = targets.iter().any(|own| own.live.as_ref() == Some(set));
            let selector = set.selector.as_ref().map(Text::as_str);
            alike && !ours && (selector == Some(DEFAULT) || selector.is_some() && selector == wider)
        });
        if !taken_over {
            let words = format!(
                "{}: it goes by place ({place}), and no default record ({DEFAULT}) leads elsewhere",
                target.label()
            );
            found.push(words.into());
        }
    }
    found
}
