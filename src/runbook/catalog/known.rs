//! What is known at the moment of planning, of exactly the facts that a runbook wants.
//!
//! What it is for: one bag of facts per plan: what was read for it, and where that lacks a value, the
//! console's snapshot with the time at which it was so. What it must not do: judge, forget an error, or take
//! what was saved for what is so now.

use super::Situation;
use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::domain::observation::ProbeError;
use crate::domain::text::Text;
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::guard::GuardFinding;
use crate::runbook::guards::{self, Subject};
use crate::runbook::plan::Plan;
use crate::runbook::situation::scopes;

/// What is said where DNS cannot be asked.
pub(super) const UNASKED: &str =
    "where DNS leads cannot be asked here (not configured): answers prove nothing";

/// The wanted facts, as far as anybody has read them in this session.
pub(super) fn known(situation: &Situation<'_>, wants: &[Fact]) -> Facts {
    let mut facts = Facts::of_fleet(situation.fleet, situation.topology);
    facts.absorb(situation.facts.clone());
    let mut present = Facts::new();
    for (fact, observed) in facts.only(wants).iter() {
        if observed.reading().is_none_or(|reading| !reading.saved) {
            present.insert(fact.clone(), observed.clone());
        }
    }
    present
}

/// Who we are, everywhere: every runbook asks.
pub(super) fn identities(topology: &Topology) -> Vec<Fact> {
    scopes(topology).into_iter().map(Fact::Identity).collect()
}

/// Adds what shaped a plan and what the interlocks that all runbooks share find, in front of the runbook's own
/// findings. `evacuates` is the region that leaves DNS by the plan, if one does.
pub(super) fn guarded(
    situation: &Situation<'_>,
    plan: &mut Plan,
    spec: &'static super::RunbookSpec,
    evacuates: Option<&Region>,
    shaping: Vec<Fact>,
) {
    let view = situation.view();
    plan.shaped_by = guards::shaped_by(&view, shaping);
    let subject = Subject {
        spec,
        region: evacuates.or(plan.params.region.as_ref()),
        evacuates: evacuates.is_some(),
        dark: false,
        survivors: &[],
        needs: &[],
        moves: &[],
        steps: &plan.steps,
        shaped_by: &plan.shaped_by,
    };
    let mut findings: Vec<GuardFinding> = guards::examine(&view, &subject);
    findings.append(&mut plan.findings);
    plan.findings = findings;
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
