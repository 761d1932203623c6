//! Trouble beside the scenario that is under way: regions that go dark, control planes that fail.
//!
//! What it is for: the events of a fault matrix, each at a time of its own.
//! What it must not do: end what is already wrong; starting a scenario does that.

use jiff::SignedDuration;

use super::Sim;
use super::world::scenario::{Direction, Effect, Mode, Scenario, Timed};
use crate::domain::ids::Region;

impl Sim {
    /// Lets a scenario begin after a while, beside whatever is under way. `region` may be any of AWS's.
    pub fn overlay(&self, scenario: &Scenario, region: &Region, after: SignedDuration) {
        let began = self.clock().now() + after;
        self.world().overlay(scenario, region.as_str(), began);
    }

    /// A region goes black after a while: its application, its databases and every API hang, and nothing
    /// replicates to it. It stays so for `lasting`, or for good.
    pub fn black_out(&self, region: &Region, after: SignedDuration, lasting: Option<SignedDuration>) {
        let api = Effect::ApiDown { services: vec!["*".into()], mode: Mode::Hang, fraction: 1.0 };
        let effects = vec![
            Effect::AppDown { mode: Mode::Hang },
            Effect::TargetsUnhealthy { services: Vec::new(), fraction: 1.0, reason: "Target.Timeout".into() },
            Effect::DatabaseDown,
            Effect::AuroraLag { ms: 1_000.0, growth: 60_000.0 },
            Effect::ReplicationLatency {
                tables: Vec::new(),
                direction: Direction::FromOthers,
                ms: 8_000.0,
                growth: 40_000.0,
            },
            api,
        ];
        self.trouble("black-out", effects, region, after, lasting);
    }

    /// APIs of a region (by SigV4 name, `*` for all) fail after a while; everything else goes on. Route 53's is
    /// `route53` in `us-east-1`.
    pub fn apis_down(
        &self,
        region: &Region,
        services: &[&str],
        mode: Mode,
        after: SignedDuration,
        lasting: Option<SignedDuration>,
    ) {
        let services = services.iter().map(|service| (*service).to_owned()).collect();
        let effect = Effect::ApiDown { services, mode, fraction: 1.0 };
        self.trouble("apis-down", vec![effect], region, after, lasting);
    }

    fn trouble(
        &self,
        name: &str,
        effects: Vec<Effect>,
        region: &Region,
        after: SignedDuration,
        lasting: Option<SignedDuration>,
    ) {
        let until = lasting.map(|lasting| lasting.as_secs());
        let timed = |effect| Timed { at: 0, until, place: "here".into(), effect };
        let scenario = Scenario {
            name: name.into(),
            description: String::new(),
            region: region.to_string(),
            lead_seconds: 0,
            effects: effects.into_iter().map(timed).collect(),
        };
        self.overlay(&scenario, region, after);
    }
}
