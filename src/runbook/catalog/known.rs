//! What is known at the moment of planning, of exactly the facts that a runbook wants.
//!
//! What it is for: one bag of facts per plan: what was read for it, and where that lacks a value, the
//! console's snapshot with the time at which it was so. What it must not do: judge, or forget an error: a
//! failed attempt keeps the older reading and says why there is no newer one.

use super::Situation;
use crate::domain::FleetSnapshot;
use crate::domain::ids::Region;
use crate::domain::metric::{Metric, SeriesKey};
use crate::domain::observation::{Observed, ProbeError};
use crate::domain::snapshot::RecordSet;
use crate::domain::text::Text;
use crate::runbook::fact::{Fact, Facts, Known};

/// The wanted facts, as far as anybody knows them.
pub(super) fn known(situation: &Situation<'_>, wants: &[Fact]) -> Facts {
    let mut facts = Facts::new();
    for fact in wants {
        if let Some(observed) = seen(situation.fleet, fact)
            && !observed.is_pending()
        {
            facts.insert(fact.clone(), observed);
        }
    }
    facts.absorb(situation.facts.only(wants));
    facts
}

/// What the console's snapshot says of a fact.
fn seen(fleet: &FleetSnapshot, fact: &Fact) -> Option<Observed<Known>> {
    match fact {
        Fact::Service(region, key) => {
            Some(fleet.region(region)?.services.get(key)?.map(|state| Known::Service(state.clone())))
        }
        Fact::Scaling(region, key) => {
            Some(fleet.region(region)?.scaling.get(key)?.map(|limits| Known::Scaling(limits.clone())))
        }
        Fact::Targets(region, arn) => {
            Some(fleet.region(region)?.target_groups.get(arn)?.map(|targets| Known::Targets(targets.clone())))
        }
        Fact::HealthCheck(check) => {
            Some(fleet.dns.health_checks.get(check)?.map(|config| Known::HealthCheck(config.clone())))
        }
        Fact::Records(zone, name) => Some(fleet.dns.records.get(name)?.map(|sets| {
            let here = |set: &&RecordSet| &set.zone_id == zone;
            Known::Records(sets.iter().filter(here).cloned().collect())
        })),
        Fact::GlobalCluster(region, id) => {
            let state = fleet.region(region)?.global_clusters.get(id)?;
            Some(state.map(|state| Known::GlobalCluster(state.clone())))
        }
        Fact::DbCluster(region, id) => {
            Some(fleet.region(region)?.db_clusters.get(id)?.map(|state| Known::DbCluster(state.clone())))
        }
        Fact::Table(region, name) => {
            Some(fleet.region(region)?.tables.get(name)?.map(|state| Known::Table(state.clone())))
        }
        Fact::RpoLag(region, id) => {
            let series =
                fleet.region(region)?.metrics.get(&SeriesKey::new(Metric::AuroraRpoLag, &[id.as_str()]))?;
            let point = series.value()?.last()?;
            Some(Observed::seen(series.source().clone(), Known::Number(point.value), point.at))
        }
        Fact::Probe(region) => {
            let probe = fleet.region(region)?.probes.first()?;
            Some(probe.result.map(|result| Known::Probe(result.clone())))
        }
        _ => None,
    }
}

/// Why a fact has no value, in words.
pub(super) fn why_not(facts: &Facts, fact: &Fact) -> Text {
    facts.error(fact).map_or_else(|| "it was not read".into(), |error| short(error).into())
}

fn short(error: &ProbeError) -> String {
    let place = error.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
    format!("{}{place}: {}", error.call, error.message)
}

/// Words joined with commas and an "and".
pub(super) fn listed(words: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `ask` first, then the other regions, each once.
pub(super) fn ask_first(first: &Region, others: impl IntoIterator<Item = Region>) -> Vec<Region> {
    let mut ask = vec![first.clone()];
    for region in others {
        if !ask.contains(&region) {
            ask.push(region);
        }
    }
    ask
}
