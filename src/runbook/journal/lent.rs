//! Days on which survivors carried another region's users.
//!
//! What it is for: what a region wanted on such a day is no measure of what it carries by itself. A plan that took it for
//! that would ask for more with every evacuation, and a drill a week would outgrow every quota.
//! What it must not do: read journals; the list of runs tells enough.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::listing::RunSummary;
use crate::domain::ids::Region;
use crate::runbook::event::Outcome;

/// For so long after users are back, auto scaling takes capacity away again.
const SCALING_IN: SignedDuration = SignedDuration::from_hours(1);

/// The days (UTC) from the beginning of each evacuation of these regions until it was restored or undone, or until now.
pub fn lent_days(runs: &[RunSummary], regions: &[&Region], now: Timestamp) -> BTreeSet<Date> {
    let mut days = BTreeSet::new();
    for run in runs {
        let Some((region, began)) = about(run, &["drain", "failover"]) else { continue };
        if !regions.contains(&region) {
            continue;
        }
        let undone = (run.outcome == Some(Outcome::Undone)).then(|| ended(run)).flatten();
        let restored = runs.iter().filter(|other| other.outcome == Some(Outcome::Done));
        let restored = restored.filter(|other| {
            about(other, &["restore"]).is_some_and(|(back, at)| back == region && at >= began)
        });
        let until = undone.into_iter().chain(restored.filter_map(ended)).min();
        let until = until.map_or(now, |until| (until + SCALING_IN).min(now));
        let mut day = day_of(began);
        while day <= day_of(until) {
            days.insert(day);
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
    }
    days
}

/// The region that a run of one of these runbooks is about, and when it began.
fn about<'r>(run: &'r RunSummary, books: &[&str]) -> Option<(&'r Region, Timestamp)> {
    let opening = run.opening.as_ref().filter(|opening| books.contains(&opening.runbook.as_str()))?;
    Some((opening.params.region.as_ref()?, run.began?))
}

fn ended(run: &RunSummary) -> Option<Timestamp> {
    run.last.as_ref().map(|entry| entry.at)
}

fn day_of(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}
