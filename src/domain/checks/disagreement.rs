//! Three witnesses of one region that tell different stories.
//!
//! Target health (what the load balancer sees), Route 53's verdict (what the internet sees) and the
//! region's alarms (what CloudWatch computed) usually agree. Where they do not, one of them is wrong or
//! late, and the operator must know which one the next decision leans on.

use super::{Fleet, RegionRows};
use crate::domain::derive::AlarmSubject;
use crate::domain::health::{Finding, Severity};
use crate::domain::text::Text;

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    fleet.regions.iter().filter_map(|rows| region(fleet, rows)).collect()
}

fn region(fleet: &Fleet<'_>, rows: &RegionRows) -> Option<Finding> {
    let stories = [
        targets(fleet, rows)
            .map(|good| (good, if good { "targets are healthy" } else { "targets are unhealthy" })),
        verdict(fleet, rows)
            .map(|good| (good, if good { "Route 53 says healthy" } else { "Route 53 says unhealthy" })),
        alarms(fleet, rows).map(|good| (good, if good { "no alarm fires" } else { "an alarm fires" })),
    ];
    let told: Vec<(bool, &str)> = stories.into_iter().flatten().collect();
    let agree = told.iter().all(|(good, _)| *good) || told.iter().all(|(good, _)| !*good);
    if told.len() < 2 || agree {
        return None;
    }
    let side = |wanted: bool| {
        told.iter()
            .filter(|(good, _)| *good == wanted)
            .map(|(_, words)| *words)
            .collect::<Vec<_>>()
            .join(", ")
    };
    Some(Finding::new(
        "region.disagreement",
        Severity::Warning,
        Some(&rows.region),
        "",
        format!("different stories: {}, but {}", side(true), side(false)),
    ))
}

/// True while most targets of every group are healthy; groups without targets count as ill.
pub(super) fn targets(fleet: &Fleet<'_>, rows: &RegionRows) -> Option<bool> {
    let mut known = None;
    for (_, targets) in rows.alb.iter().flat_map(|row| &row.groups) {
        let targets = fleet.fresh(targets)?;
        let healthy = targets.iter().filter(|target| target.state.as_str() == "healthy").count();
        known = Some(known.unwrap_or(true) && healthy > 0 && healthy * 2 >= targets.len());
    }
    known
}

/// A disabled check has no verdict of its own: it says what it was told to say.
pub(super) fn verdict(fleet: &Fleet<'_>, rows: &RegionRows) -> Option<bool> {
    let verdicts: Vec<bool> = rows
        .route53
        .iter()
        .filter(|row| row.disabled.value() != Some(&true))
        .filter_map(|row| fleet.fresh(&row.verdict).copied())
        .collect();
    (!verdicts.is_empty()).then(|| verdicts.iter().all(|healthy| *healthy))
}

/// Only alarms on what the region serves: replication has a story of its own, and Route 53 is a witness
/// already.
fn alarms(fleet: &Fleet<'_>, rows: &RegionRows) -> Option<bool> {
    let serving = rows.alarms.iter().filter(|row| row.subject == AlarmSubject::Serving);
    let states: Vec<&str> = serving.filter_map(|row| fleet.fresh(&row.state)).map(Text::as_str).collect();
    let mut judged = states.iter().filter(|state| matches!(**state, "OK" | "ALARM")).peekable();
    judged.peek()?;
    Some(judged.all(|state| *state == "OK"))
}
