//! Data that would be lost or is behind.

use super::Subject;
use crate::domain::derive;
use crate::domain::ids::Region;
use crate::domain::observation::Reading;
use crate::domain::text::Text;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::situation::{Candidate, View, words};

/// A candidate's lag with its age: `my-db-eu-west-1 in eu-west-1 (RPO lag 240 ms, 40 s ago)`.
pub fn lag_words(view: &View<'_>, candidate: &Candidate<'_>) -> String {
    let member = candidate.member;
    let lag = match &candidate.lag {
        Some(lag) => format!("RPO lag {}, {}", words::millis(lag.value), words::age(lag, view.now)),
        None => "RPO lag never read".to_owned(),
    };
    format!("{} in {} ({lag})", member.id, member.region)
}

pub(super) fn data_at_risk(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    let mut findings = Vec::new();
    let limit = view.topology.policy.max_rpo_lag_ms;
    for change in subject.moves {
        let told = lag_words(view, &change.to);
        let lag = change.to.lag.as_ref().map(|lag| lag.value);
        if !change.planned {
            let message = format!("{}: writes that have not reached {told} are lost", change.global);
            findings.push(GuardFinding::warn(GuardId::DataAtRisk, message));
        } else if lag.is_some_and(|lag| lag > limit) {
            let message = format!("{}: {told}, the policy allows {}", change.global, words::millis(limit));
            findings.push(
                GuardFinding::block(GuardId::DataAtRisk, subject.emergency(), message)
                    .next("wait until the secondary has caught up"),
            );
        } else if lag.is_none() {
            findings.push(GuardFinding::warn(GuardId::DataAtRisk, format!("{}: {told}", change.global)));
        }
    }
    let Some(region) = subject.region.filter(|_| subject.evacuates) else { return findings };
    for (line, over) in behind(view, region) {
        if over {
            findings.push(GuardFinding::warn(GuardId::DataAtRisk, line));
        }
    }
    findings
}

/// What lies in a region alone, a line each: Aurora's lag when the writer is there, tables, buckets.
pub fn at_risk(view: &View<'_>, region: &Region) -> Vec<Text> {
    let mut lines = Vec::new();
    for global in &view.topology.aurora {
        match view.writer(global) {
            Some(writer) if &writer.member.region == region => {
                for candidate in view.candidates(global, region) {
                    lines.push(format!("{}: {}", global.id, lag_words(view, &candidate)).into());
                }
            }
            Some(_) => {}
            None => lines.push(format!("{}: where its writer is was never read", global.id).into()),
        }
    }
    lines.extend(behind(view, region).into_iter().map(|(line, _)| Text::from(line)));
    lines
}

/// Replication out of a region, a line each, and whether it is over its threshold.
fn behind(view: &View<'_>, region: &Region) -> Vec<(String, bool)> {
    let (fleet, thresholds) = (view.fleet(), &view.topology.thresholds);
    let mut lines = Vec::new();
    for row in derive::dynamodb(view.topology, fleet, region) {
        for (peer, latency, _) in &row.latency_ms {
            if let Some(reading) = latency.reading() {
                let words = words::millis(reading.value);
                let age = aged(view, reading);
                let line = format!(
                    "table {}: {words} behind in {peer} ({age}); it arrives when {region} returns",
                    row.table
                );
                lines.push((line, reading.value >= thresholds.replication_latency_ms.critical));
            }
        }
    }
    for row in derive::s3(view.topology, fleet, region) {
        if let Some(reading) = row.pending_bytes.reading() {
            let late =
                row.latency_s.value().is_some_and(|late| *late >= thresholds.s3_latency_seconds.critical);
            let age = aged(view, reading);
            let bytes = bytes(reading.value);
            let line = format!("bucket {}: {bytes} not yet in {} ({age})", row.bucket, row.destination);
            lines.push((line, late));
        }
    }
    lines
}

fn aged<T>(view: &View<'_>, reading: &Reading<T>) -> String {
    words::age(reading, view.now)
}

fn bytes(value: f64) -> String {
    match value {
        v if v < 1_000.0 => format!("{v:.0} B"),
        v if v < 1e6 => format!("{:.0} kB", v / 1e3),
        v if v < 1e9 => format!("{:.1} MB", v / 1e6),
        v => format!("{:.1} GB", v / 1e9),
    }
}
