//! What is wrong with the APIs themselves.
//!
//! What it is for: deciding, before a service sees a call, whether it hangs, fails, is refused or throttled.
//! What it must not do: know a wire protocol.

use jiff::{SignedDuration, Timestamp};

use super::scenario::{Effect, Mode};
use super::{World, noise};

impl World {
    /// How the API of a service fails in a region, if it does; `token` decides for partial failures.
    pub fn api_down(&self, service: &str, region: &str, at: Timestamp, token: u64) -> Option<Mode> {
        let timeline = self.timeline();
        timeline.at(region, at).find_map(|active| match active.effect {
            Effect::ApiDown { services, mode, fraction } if named(services, service) => {
                (noise::unit(token, 0) < *fraction).then_some(*mode)
            }
            _ => None,
        })
    }

    /// The rate that remains of a service's limit, calls a second, when somebody else uses it up.
    pub fn throttled_rate(&self, service: &str, region: &str, at: Timestamp) -> Option<f64> {
        let timeline = self.timeline();
        timeline.at(region, at).find_map(|active| match active.effect {
            Effect::Throttle { services, rate } if named(services, service) => Some(*rate),
            _ => None,
        })
    }

    /// Whether the session token has expired.
    pub fn expired(&self, region: &str, at: Timestamp) -> bool {
        let timeline = self.timeline();
        timeline.at(region, at).any(|active| *active.effect == Effect::CredentialsExpired)
    }

    /// Whether the identity may not make a call.
    pub fn denied(&self, service: &str, operation: &str, region: &str, at: Timestamp) -> bool {
        let timeline = self.timeline();
        timeline.at(region, at).any(|active| match active.effect {
            Effect::Denied { calls } => calls.iter().any(|call| {
                call.split_once(':').is_some_and(|(s, o)| s == service && (o == "*" || o == operation))
            }),
            _ => false,
        })
    }

    /// How far AWS's clock is ahead of ours.
    pub fn skew(&self, at: Timestamp) -> SignedDuration {
        let timeline = self.timeline();
        let region = self.fleet.sites.first().map_or("", |site| site.region.as_str());
        timeline
            .at(region, at)
            .find_map(|active| match active.effect {
                Effect::ClockSkew { seconds } => Some(SignedDuration::from_secs(*seconds)),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// How much later than usual CloudWatch shows what it has.
    pub fn metric_delay(&self, region: &str, at: Timestamp) -> SignedDuration {
        let timeline = self.timeline();
        timeline
            .at(region, at)
            .find_map(|active| match active.effect {
                Effect::LateMetrics { minutes } => Some(SignedDuration::from_mins(*minutes)),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// Whether our own network reaches nothing outside.
    pub fn our_network_down(&self, at: Timestamp) -> bool {
        let timeline = self.timeline();
        let region = self.fleet.sites.first().map_or("", |site| site.region.as_str());
        timeline.at(region, at).any(|active| *active.effect == Effect::OurNetworkDown)
    }
}

fn named(services: &[String], service: &str) -> bool {
    services.iter().any(|one| one == "*" || one == service)
}
