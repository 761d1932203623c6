//! Replication between regions: DynamoDB, Aurora, S3.
//!
//! What it is for: how far behind each copy is, at any time.
//! What it must not do: format metrics; that is `metrics`.

use jiff::Timestamp;

use super::fleet::{GlobalTable, Rule};
use super::scenario::{Direction, Effect};
use super::tasks::listed;
use super::{World, geography, minutes, minutes_since, noise};

/// How S3 replication of one rule stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backlog {
    /// Seconds behind.
    pub latency: f64,
    /// Bytes waiting.
    pub bytes: f64,
    /// Operations waiting.
    pub operations: f64,
    /// Operations that failed in the last minute.
    pub failed: f64,
}

impl World {
    /// DynamoDB's replication latency from one site to another, milliseconds.
    pub fn table_latency(&self, table: &GlobalTable, from: usize, to: usize, at: Timestamp) -> f64 {
        let (source, target) = (&self.fleet.sites[from], &self.fleet.sites[to]);
        let salt = self.salt(&format!("replication/{}/{}/{}", table.name, source.region, target.region));
        let far = geography::distance(source.at, target.at);
        let mut latency = 420.0 + 3.2 * far + 90.0 * noise::smooth(salt, minutes(at) / 2.0);
        let timeline = self.timeline();
        let mut add = |region: &str, this_way: Direction| {
            for active in timeline.at(region, at) {
                let Effect::ReplicationLatency { tables, direction, ms, growth } = active.effect else {
                    continue;
                };
                if listed(tables, &table.name) && (*direction == this_way || *direction == Direction::Both) {
                    latency += ms + growth * minutes_since(active.from, at);
                }
            }
        };
        add(&source.region, Direction::ToOthers);
        add(&target.region, Direction::FromOthers);
        latency
    }

    /// Writes that a table refuses in a minute.
    pub fn write_throttles(&self, table: &GlobalTable, site: usize, at: Timestamp) -> f64 {
        let timeline = self.timeline();
        timeline
            .at(&self.fleet.sites[site].region, at)
            .filter_map(|active| match active.effect {
                Effect::WriteThrottles { tables, per_minute } if listed(tables, &table.name) => {
                    Some(*per_minute)
                }
                _ => None,
            })
            .sum()
    }

    /// ReplicaStatus of a table in a site, and since when when it is not ACTIVE.
    pub fn replica_status(
        &self,
        table: &GlobalTable,
        site: usize,
        at: Timestamp,
    ) -> (String, Option<Timestamp>) {
        let timeline = self.timeline();
        let found = timeline.at(&self.fleet.sites[site].region, at).find_map(|active| match active.effect {
            Effect::ReplicaStatus { tables, status } if listed(tables, &table.name) => {
                Some((status.clone(), Some(active.from)))
            }
            _ => None,
        });
        found.unwrap_or_else(|| ("ACTIVE".into(), None))
    }

    /// Aurora's lag of a secondary, milliseconds; `None` for the writer, for one that is rebuilt, and for sites
    /// without a member.
    pub fn aurora_lag(&self, site: usize, at: Timestamp) -> Option<f64> {
        let database = self.database(at)?;
        let writer = database.writer;
        if site == writer || !database.members.contains(&site) || database.rebuilding.contains(&site) {
            return None;
        }
        let (primary, secondary) = (&self.fleet.sites[writer], &self.fleet.sites[site]);
        let salt = self.salt(&format!("aurora/{}", secondary.region));
        let far = geography::distance(primary.at, secondary.at);
        let mut lag = 60.0 + 1.1 * far + 18.0 * noise::smooth(salt, minutes(at));
        let timeline = self.timeline();
        for region in [&primary.region, &secondary.region] {
            for active in timeline.at(region, at) {
                if let Effect::AuroraLag { ms, growth } = active.effect {
                    lag += ms + growth * minutes_since(active.from, at);
                }
            }
        }
        Some(lag)
    }

    /// How replication of a rule stands.
    pub fn backlog(&self, rule: &Rule, at: Timestamp) -> Backlog {
        let (source, target) = (&self.fleet.sites[rule.from], &self.fleet.sites[rule.to]);
        let salt = self.salt(&format!("s3/{}/{}", source.region, target.region));
        let calm = 0.5 + 0.5 * noise::smooth(salt, minutes(at) / 3.0);
        let mut backlog = Backlog {
            latency: 6.0 + 18.0 * calm,
            bytes: (2_400_000.0 * calm).round(),
            operations: (14.0 * calm).round(),
            failed: 0.0,
        };
        let timeline = self.timeline();
        // An ill source sends nothing, an ill destination takes nothing; either way it piles up.
        for region in [&source.region, &target.region] {
            for active in timeline.at(region, at) {
                let Effect::ReplicationBacklog { bytes_per_minute, failed_per_minute } = active.effect else {
                    continue;
                };
                let passed = minutes_since(active.from, at);
                backlog.latency += 60.0 * passed;
                backlog.bytes += (bytes_per_minute * passed).round();
                backlog.operations += (bytes_per_minute / 250_000.0 * passed).round();
                backlog.failed += failed_per_minute.round();
            }
        }
        backlog
    }
}
