//! Alarms that fire, and alarms that nobody would hear.

use super::reading::ago;
use super::{Fleet, RegionRows, aurora};
use crate::domain::derive::{AlarmRow, AlarmSubject};
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rows in &fleet.regions {
        for row in &rows.alarms {
            // Alarms on health checks live in us-east-1, whichever region they are about. Others that live
            // outside the application's regions are about none of them.
            let about = match &row.subject {
                AlarmSubject::HealthCheck(region) => Some(region),
                AlarmSubject::Serving | AlarmSubject::Link(_) | AlarmSubject::Other => {
                    Some(&rows.region).filter(|region| **region == row.home)
                }
            };
            let found = |code: &str, severity: Severity, message: String| {
                Finding::new(code, severity, about, row.name.as_str(), message)
            };
            let state = fleet.fresh(&row.state).map(crate::domain::text::Text::as_str);
            let since = match row.since.value() {
                Some(Some(since)) => format!(" for {}", ago(*since, fleet.snapshot.now)),
                _ => String::new(),
            };
            match state {
                Some("ALARM") => {
                    let mut finding =
                        found("alarms.firing", Severity::Warning, format!("alarm {} fires{since}", row.name));
                    if let Some(reason) = row.reason.value() {
                        finding = finding.because(reason.clone());
                    }
                    findings.push(match other_end(fleet, rows, row) {
                        Some(peer) => finding.link_to(peer),
                        None => finding,
                    });
                }
                Some("INSUFFICIENT_DATA") => findings.push(found(
                    "alarms.no_data",
                    Severity::Info,
                    format!("alarm {} has had no data{since}: it cannot fire", row.name),
                )),
                _ => {}
            }
            if let Some(Err(why)) = fleet.fresh(&row.reaches) {
                findings.push(found(
                    "alarms.unheard",
                    Severity::Info,
                    format!("nobody hears alarm {}: {why}", row.name),
                ));
            }
        }
    }
    findings
}

/// The other end of the link that an alarm is about. Lags of Aurora name only the reader's cluster; their
/// other end is the writer.
fn other_end<'a>(fleet: &'a Fleet<'_>, rows: &RegionRows, row: &'a AlarmRow) -> Option<&'a Region> {
    match &row.subject {
        AlarmSubject::Link(Some(peer)) => Some(peer),
        AlarmSubject::Link(None) => {
            rows.aurora.iter().find_map(|member| aurora::writer_of(fleet, &member.global_cluster))
        }
        AlarmSubject::Serving | AlarmSubject::HealthCheck(_) | AlarmSubject::Other => None,
    }
    .filter(|peer| **peer != rows.region)
}
