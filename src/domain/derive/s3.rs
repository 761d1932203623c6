//! S3 replication: rules from the source bucket, backlog from the destination region's metrics.

use super::S3Row;
use super::reading::{Metrics, absent, entry, unread};
use crate::domain::ids::Region;
use crate::domain::metric::{Metric, Series};
use crate::domain::observation::{ErrorKind, Observed, Reading, SourceKind};
use crate::domain::snapshot::FleetSnapshot;
use crate::domain::topology::{BucketReplication, Topology};

/// Rows of `region`: the rules of its own buckets, in the order of the topology.
pub fn s3(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<S3Row> {
    let Some(here) = snapshot.region(region) else { return Vec::new() };
    topology
        .replication
        .iter()
        .filter(|rule| &rule.source_region == region)
        .map(|rule| {
            let configured = entry(
                &here.buckets,
                &rule.source,
                SourceKind::Replication,
                "s3:GetBucketReplication",
                region,
            );
            let status = configured.and_then(|rules| {
                rules
                    .iter()
                    .find(|known| known.id == rule.rule && known.destination == rule.destination)
                    .map(|known| known.status.clone())
                    .ok_or_else(|| {
                        absent(
                            configured.source(),
                            ErrorKind::NotFound,
                            snapshot.now,
                            &format!(
                                "bucket {} has no rule {} to {}",
                                rule.source, rule.rule, rule.destination
                            ),
                        )
                    })
            });
            let there = snapshot.region(&rule.destination_region);
            let empty = std::collections::BTreeMap::new();
            let far = Metrics(there.map_or(&empty, |there| &there.metrics));
            let dimensions = [rule.source.as_str(), rule.destination.as_str(), rule.rule.as_str()];
            let read = |metric| {
                if rule.metrics {
                    far.latest(
                        metric,
                        &dimensions,
                        &rule.destination_region,
                        "no points: nothing was replicated",
                    )
                } else {
                    unpublished(metric, rule, snapshot)
                }
            };
            let flows = far.alive(Metric::S3OperationsPending, &dimensions)
                || far.alive(Metric::S3BytesPending, &dimensions);
            S3Row {
                bucket: rule.source.clone(),
                destination: rule.destination.clone(),
                destination_region: rule.destination_region.clone(),
                rule: rule.rule.clone(),
                status,
                latency_s: read(Metric::S3ReplicationLatency),
                pending_bytes: read(Metric::S3BytesPending),
                pending_operations: read(Metric::S3OperationsPending),
                failed_operations: if rule.metrics {
                    failed(
                        here.metrics.get(&crate::domain::metric::SeriesKey::new(
                            Metric::S3OperationsFailed,
                            &dimensions,
                        )),
                        &Metrics(&here.metrics),
                        &dimensions,
                        region,
                        flows,
                    )
                } else {
                    unpublished(Metric::S3OperationsFailed, rule, snapshot)
                },
                pending_history: far.history(Metric::S3BytesPending, &dimensions),
            }
        })
        .collect()
}

fn unpublished(metric: Metric, rule: &BucketReplication, snapshot: &FleetSnapshot) -> Observed<f64> {
    let pending: Observed<f64> = unread(metric, &rule.destination_region);
    let source = pending.source().clone();
    let error = absent(
        &source,
        ErrorKind::NotConfigured,
        snapshot.now,
        &format!("rule {} publishes no metrics (Metrics and RTC are off)", rule.rule),
    );
    Observed::failed(source, error)
}

/// Failures are reported when there are some; none is zero only while the backlog's metrics flow.
fn failed(
    series: Option<&Observed<Series>>,
    metrics: &Metrics<'_>,
    dimensions: &[&str],
    region: &Region,
    flows: bool,
) -> Observed<f64> {
    let latest = metrics.latest(
        Metric::S3OperationsFailed,
        dimensions,
        region,
        "no failures reported, and nothing proves that metrics flow",
    );
    match series.and_then(Observed::reading) {
        Some(window) if latest.value().is_none() && flows => Observed::from_parts(
            latest.source().clone(),
            Some(Reading { value: 0.0, as_of: window.as_of, saved: window.saved }),
            series.and_then(Observed::error).cloned(),
        ),
        _ => latest,
    }
}
