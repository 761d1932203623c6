//! Rows of a fleet from one snapshot to the next.
//!
//! What it is for: most of a snapshot is the one before. Rows are derived anew where something that they are made of
//! was answered since, and are the same ones elsewhere. What it must not do: judge, or look into answers to see
//! whether they differ; an answer that came is a change.

use std::sync::Arc;

use jiff::Timestamp;

use super::{RegionRows, rows_by};
use crate::domain::derive::{self, Healths};
use crate::domain::ids::Region;
use crate::domain::observation::Observed;
use crate::domain::shared::Shared;
use crate::domain::snapshot::{FleetSnapshot, RegionSnapshot};
use crate::domain::topology::Topology;

/// The rows of the newest snapshot, and what they were made of. Keep one for as long as one topology is watched.
#[derive(Default)]
pub struct Rows {
    known: Option<Known>,
}

struct Known {
    snapshot: FleetSnapshot,
    healths: Healths,
    rows: Vec<RegionRows>,
}

impl Rows {
    /// The rows of every region of `snapshot`, in its order.
    pub fn renew(&mut self, topology: &Topology, snapshot: &FleetSnapshot) -> &[RegionRows] {
        let healths = Healths::of(topology, snapshot);
        let rows = match self.known.take().filter(|known| known.fits(snapshot)) {
            None => first(topology, snapshot, &healths),
            Some(known) => known.renewed(topology, snapshot, &healths),
        };
        &self.known.insert(Known { snapshot: snapshot.clone(), healths, rows }).rows
    }
}

fn first(topology: &Topology, snapshot: &FleetSnapshot, healths: &Healths) -> Vec<RegionRows> {
    snapshot.regions.iter().map(|region| rows_by(topology, snapshot, &region.region, healths)).collect()
}

impl Known {
    fn fits(&self, snapshot: &FleetSnapshot) -> bool {
        let regions = |snapshot: &FleetSnapshot| -> Vec<Region> {
            snapshot.regions.iter().map(|region| region.region.clone()).collect()
        };
        regions(&self.snapshot) == regions(snapshot)
    }

    fn renewed(self, topology: &Topology, snapshot: &FleetSnapshot, healths: &Healths) -> Vec<RegionRows> {
        let pairs = || self.snapshot.regions.iter().zip(&snapshot.regions);
        let all =
            |same: fn(&RegionSnapshot, &RegionSnapshot) -> bool| pairs().all(|(old, new)| same(old, new));
        let clusters = all(|old, new| old.global_clusters.is(&new.global_clusters));
        let tables = all(|old, new| old.tables.is(&new.tables));
        // Route 53's rows look at every region's targets, but only at whether they are healthy.
        let dns = Arc::ptr_eq(&self.snapshot.dns, &snapshot.dns) && self.healths == *healths;
        // Alarms on health checks stand with the region that they are about.
        let (old_dns, new_dns) = (&self.snapshot.dns, &snapshot.dns);
        let global = old_dns.alarms.is(&new_dns.alarms) && old_dns.topics.is(&new_dns.topics);
        let moved: Vec<&Region> =
            pairs().filter(|(old, new)| !old.metrics.is(&new.metrics)).map(|(_, new)| &new.region).collect();
        let stamped = Stamped(self.snapshot.now);
        let mut rows = self.rows;
        for (rows, (old, new)) in rows.iter_mut().zip(self.snapshot.regions.iter().zip(&snapshot.regions)) {
            let region = &new.region;
            let series = old.metrics.is(&new.metrics);
            let told = new.tables.values().all(|table| table.value().is_some());
            let backlog = || {
                let rules = topology.replication.iter().filter(|rule| &rule.source_region == region);
                rules.map(|rule| &rule.destination_region).any(|there| moved.contains(&there))
            };
            let balancers = old.load_balancers.is(&new.load_balancers);
            if !(series && balancers && old.target_groups.is(&new.target_groups)) {
                rows.alb = derive::alb(topology, snapshot, region).into();
            }
            if stamped.ecs(rows)
                || !(series && old.services.is(&new.services) && old.scaling.is(&new.scaling))
            {
                rows.ecs = derive::ecs(topology, snapshot, region).into();
            }
            // What other regions say of a table counts only until this one says it.
            if stamped.dynamodb(rows) || !(series && old.tables.is(&new.tables) && (tables || told)) {
                rows.dynamodb = derive::dynamodb(topology, snapshot, region).into();
            }
            if stamped.aurora(rows) || !(series && old.db_clusters.is(&new.db_clusters) && clusters) {
                rows.aurora = derive::aurora(topology, snapshot, region).into();
            }
            if stamped.s3(rows) || !(series && old.buckets.is(&new.buckets)) || backlog() {
                rows.s3 = derive::s3(topology, snapshot, region).into();
            }
            if !(global && old.alarms.is(&new.alarms) && old.topics.is(&new.topics)) {
                rows.alarms = derive::alarms(topology, snapshot, region).into();
            }
            if old.probes != new.probes {
                rows.probe = derive::probe(topology, snapshot, region).into();
            }
            if stamped.route53(rows) || !dns {
                let route53 = derive::route53_by(topology, snapshot, region, healths);
                rows.in_dns = derive::in_dns_by(topology, region, &route53);
                rows.route53 = Shared::from(route53);
            }
        }
        rows
    }
}

/// Tells rows that carry the moment at which they were derived: why a value is absent is said as of now, and so said
/// anew for each snapshot.
struct Stamped(Timestamp);

impl Stamped {
    fn on<T>(&self, value: &Observed<T>) -> bool {
        value.error().is_some_and(|error| error.at == self.0)
    }

    fn ecs(&self, rows: &RegionRows) -> bool {
        rows.ecs.iter().any(|row| self.on(&row.rollout))
    }

    fn dynamodb(&self, rows: &RegionRows) -> bool {
        rows.dynamodb.iter().any(|row| {
            row.latency_ms.iter().any(|(_, latency, _)| self.on(latency))
                || row.replicas.iter().any(|replica| self.on(&replica.status))
        })
    }

    fn aurora(&self, rows: &RegionRows) -> bool {
        rows.aurora.iter().any(|row| self.on(&row.role) || self.on(&row.synchronization))
    }

    fn s3(&self, rows: &RegionRows) -> bool {
        rows.s3.iter().any(|row| self.on(&row.status) || self.on(&row.latency_s))
    }

    fn route53(&self, rows: &RegionRows) -> bool {
        rows.route53.iter().any(|row| self.on(&row.verdict) || self.on(&row.answers))
    }
}
