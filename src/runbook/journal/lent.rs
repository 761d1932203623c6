//! Times at which survivors carried another region's users.
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

const EVACUATIONS: &[&str] = &["drain", "failover"];

/// For so long after users are back, auto scaling takes capacity away again.
const SCALING_IN: SignedDuration = SignedDuration::from_hours(1);

/// The days (UTC) from the beginning of each evacuation of these regions until it was restored or undone, or until now.
pub fn lent_days(runs: &[RunSummary], regions: &[&Region], now: Timestamp) -> BTreeSet<Date> {
    let mut days = BTreeSet::new();
    for (_, began, until) in spans(runs, regions) {
        let until = until.map_or(now, |until| until.min(now));
        let mut day = day_of(began);
        while day <= day_of(until) {
            days.insert(day);
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
    }
    days
}

/// Those of these regions whose users others may carry now.
pub fn lent_now(runs: &[RunSummary], regions: &[&Region], now: Timestamp) -> BTreeSet<Region> {
    let present = spans(runs, regions).filter(|(_, _, until)| until.is_none_or(|until| until >= now));
    present.map(|(region, ..)| region.clone()).collect()
}

/// The newest run that took a region out to its end, unless anything was begun since to bring it back.
pub fn in_force<'r>(runs: &'r [RunSummary], region: &Region) -> Option<&'r RunSummary> {
    let of =
        |run: &RunSummary, books| about(run, books).filter(|(name, _)| *name == region).map(|(_, at)| at);
    let done = runs.iter().filter(|run| run.outcome == Some(Outcome::Done));
    let (run, began) =
        done.filter_map(|run| Some((run, of(run, EVACUATIONS)?))).max_by_key(|(_, began)| *began)?;
    let back = runs.iter().filter_map(|run| of(run, &["restore", "cleanup"])).any(|at| at >= began);
    (!back).then_some(run)
}

/// Each evacuation of these regions: from its beginning until auto scaling has taken away again what others had for it;
/// `None`: it holds still.
fn spans<'r>(
    runs: &'r [RunSummary],
    regions: &'r [&Region],
) -> impl Iterator<Item = (&'r Region, Timestamp, Option<Timestamp>)> {
    let evacuations = runs.iter().filter_map(|run| Some((run, about(run, EVACUATIONS)?)));
    evacuations.filter(|(_, (region, _))| regions.contains(region)).map(|(run, (region, began))| {
        let undone = (run.outcome == Some(Outcome::Undone)).then(|| ended(run)).flatten();
        let restored = runs.iter().filter(|other| other.outcome == Some(Outcome::Done));
        let restored = restored.filter(|other| {
            about(other, &["restore"]).is_some_and(|(back, at)| back == region && at >= began)
        });
        let back = undone.into_iter().chain(restored.filter_map(ended)).min();
        // Whether users had left when it was aborted nobody knows: what is wanted afterwards counts.
        let aborted = (run.outcome == Some(Outcome::Aborted)).then(|| ended(run)).flatten();
        (region, began, back.or(aborted).map(|until| until + SCALING_IN))
    })
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
