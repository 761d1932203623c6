//! The guards: one function each, over a view and the plan in the making.
//!
//! What it is for: the interlocks of every runbook, in the order in which they are shown. What it must not do: block an
//! emergency by the emergency ([`GuardFinding::block`] weakens), or want anything fresh of a failing region.

mod addresses;
mod data;
mod drift;
mod means;
mod starts;
mod who;

use std::time::Duration;

use super::catalog::RunbookSpec;
use super::fact::{Fact, Facts};
use super::guard::GuardFinding;
use super::plan::{Plan, Step, StepId};
use super::situation::{Candidate, InDns, Liveness, Need, View, groups_of, names_of, shape, words};
use crate::domain::derive;
use crate::domain::ids::{GlobalClusterId, Region};

pub use data::{at_risk, lag_words};
pub use drift::drift;

/// What the guards examine beside the world.
pub struct Subject<'p> {
    /// The runbook.
    pub spec: &'static RunbookSpec,
    /// The region that is acted on.
    pub region: Option<&'p Region>,
    /// True when the plan takes that region out of DNS.
    pub evacuates: bool,
    /// True when the region is not expected to answer.
    pub dark: bool,
    /// Regions that carry its users afterwards.
    pub survivors: &'p [Region],
    /// What they must carry.
    pub needs: &'p [Need],
    /// Databases whose writer moves.
    pub moves: &'p [Move<'p>],
    /// The steps so far.
    pub steps: &'p [Step],
    /// What shaped them.
    pub shaped_by: &'p Facts,
}

/// A database whose writer moves.
pub struct Move<'p> {
    /// Global cluster.
    pub global: GlobalClusterId,
    /// Its new writer.
    pub to: Candidate<'p>,
    /// True when nothing may be lost.
    pub planned: bool,
}

/// One guard.
pub type Guard = fn(&View<'_>, &Subject<'_>) -> Vec<GuardFinding>;

/// All but `drift`, which compares a plan with the world at its confirmation.
pub const GUARDS: [Guard; 11] = [
    who::armed,
    who::identity,
    who::endpoint,
    survivors,
    fresh,
    means::headroom,
    starts::starts,
    data::data_at_risk,
    means::dependency,
    who::lease,
    who::freeze,
];

/// What all guards find.
pub fn examine(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    GUARDS.iter().flat_map(|guard| guard(view, subject)).collect()
}

/// What is examined anew when a run is taken up: who acts, and where the calls would go. Its record is no proof of either,
/// and whoever takes it up may sit in another shell. Everything else each step looks at right before it acts.
pub fn taken_up(view: &View<'_>, plan: &Plan) -> Vec<GuardFinding> {
    let Some(book) = super::catalog::by_id(plan.runbook.as_str()) else { return Vec::new() };
    let subject = Subject {
        spec: book.spec(),
        region: plan.params.region.as_ref(),
        evacuates: false,
        dark: book.spec().emergency,
        survivors: &[],
        needs: &[],
        moves: &[],
        steps: &plan.steps,
        shaped_by: &plan.shaped_by,
    };
    [who::identity, who::endpoint].iter().flat_map(|guard| guard(view, &subject)).collect()
}

impl Subject<'_> {
    fn emergency(&self) -> bool {
        self.spec.emergency
    }

    /// How long the plan takes, along its longest chain of steps.
    pub fn expected(&self) -> Duration {
        let mut ends: Vec<(&StepId, Duration)> = Vec::new();
        for step in self.steps {
            let begins = ends.iter().filter(|(id, _)| step.after.contains(id)).map(|(_, end)| *end).max();
            ends.push((&step.id, begins.unwrap_or_default() + step.expected()));
        }
        ends.into_iter().map(|(_, end)| end).max().unwrap_or_default()
    }
}

/// After the change somebody alive must be in DNS. Never overridden. A region whose life or whose place in DNS is not
/// known does not block, and is said.
pub fn survivors(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    use super::guard::GuardId::Survivors;
    let Some(region) = subject.region.filter(|_| subject.evacuates) else { return Vec::new() };
    let without = view.without(region);
    let others: Vec<(Region, Liveness, InDns)> = view
        .others(region)
        .into_iter()
        .map(|other| {
            let (life, in_dns) = (view.liveness(&other), view.in_dns_without(&without, &other));
            (other, life, in_dns)
        })
        .collect();
    let tell = |(other, life, in_dns): &(Region, Liveness, InDns)| {
        let place = match in_dns {
            InDns::Yes => "in DNS",
            InDns::No if view.is_pinned(other) => "pinned out of DNS",
            InDns::No => "not in DNS",
            InDns::Unknown => "perhaps in DNS",
        };
        format!("{other} is {} and {place}", life.word())
    };
    let mut findings = Vec::new();
    let certain = |(_, life, in_dns): &&(Region, Liveness, InDns)| life.serves() && *in_dns == InDns::Yes;
    let possible =
        |(_, life, in_dns): &&(Region, Liveness, InDns)| *life != Liveness::Dead && *in_dns != InDns::No;
    if others.iter().any(|other| certain(&other)) {
        for other in others.iter().filter(|other| other.1 == Liveness::Degraded && other.2 != InDns::No) {
            findings.push(GuardFinding::warn(Survivors, tell(other)));
        }
    } else if others.iter().any(|other| possible(&other)) {
        let told = words::list(others.iter().map(tell));
        findings.push(
            GuardFinding::warn(
                Survivors,
                format!("no region is known to be alive and in DNS without {region}: {told}"),
            )
            .next("look at the survivors' targets and ask them yourself before going on"),
        );
    } else {
        let told = if others.is_empty() {
            "there is no other".to_owned()
        } else {
            words::list(others.iter().map(tell))
        };
        let message = format!("without {region} no living region would be in DNS: {told}");
        findings.push(
            GuardFinding::block(Survivors, subject.emergency(), message)
                .next("restore another region first; users of this one would have nowhere to go"),
        );
    }
    let blocked = findings.iter().any(|finding| finding.force == super::guard::Force::Block);
    if !blocked && derive::in_dns(view.topology, &without, region).value() == Some(&true) {
        let message = format!(
            "Route 53 calls every other record of a name unhealthy too: it would go on answering with {region}"
        );
        // Then taking it out does nothing, which a planned run must not pretend; in an emergency it does no harm.
        findings.push(if subject.emergency() {
            GuardFinding::warn(Survivors, message)
        } else {
            GuardFinding::block(Survivors, false, message)
        });
    }
    let elsewhere: Vec<_> =
        view.others(region).iter().flat_map(|other| names_of(view.topology, other)).collect();
    for name in names_of(view.topology, region).into_iter().filter(|name| !elsewhere.contains(name)) {
        let message = format!("{name} has records of {region} only: its users stay there");
        findings.push(GuardFinding::warn(Survivors, message));
    }
    findings
}

/// Inputs of the plan must be younger than their limits; those of a dark region need not be, and are only told.
pub fn fresh(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    use super::guard::GuardId::Fresh;
    let mut asked: Vec<Fact> = subject.shaped_by.iter().map(|(fact, _)| fact.clone()).collect();
    for survivor in subject.survivors.iter().filter(|_| subject.evacuates) {
        asked.extend(
            groups_of(view.topology, survivor)
                .into_iter()
                .map(|group| Fact::Targets(survivor.clone(), group)),
        );
        asked.push(Fact::Probe(survivor.clone()));
    }
    let mut told: Vec<(String, GuardFinding)> = Vec::new();
    for fact in asked {
        // A global cluster counts as read when any of its members has just told it.
        if view.is_fresh(&fact) || is_told_elsewhere(view, &fact) {
            continue;
        }
        let Some(seen) = view.facts.get(&fact) else {
            if let Fact::Probe(region) | Fact::Targets(region, _) = &fact {
                let about = format!("target health or probe of {region}");
                told.push((about.clone(), GuardFinding::warn(Fresh, format!("{about} was never read"))));
            }
            continue;
        };
        // Whom nobody may ask has nothing to say: where AWS is not AWS, our own requests go nowhere by choice.
        if view.facts.is_unasked(&fact) {
            continue;
        }
        let dark = subject.dark && fact.region().is_some() && fact.region() == subject.region;
        let about = match fact.region() {
            Some(region) => format!("{} of {region}", seen.source().kind.label()),
            None => seen.source().kind.label().to_owned(),
        };
        let age = match seen.reading() {
            Some(reading) => format!("last seen {}", words::age(reading, view.now)),
            None => "never read".to_owned(),
        };
        let why = seen.error().map(|error| format!(" ({})", error.kind.label())).unwrap_or_default();
        let message = format!("{about}: {age}{why}");
        let finding = if dark {
            GuardFinding::warn(Fresh, message)
        } else {
            GuardFinding::block(Fresh, subject.emergency(), message)
        };
        told.push((about, finding));
    }
    // One line about each source and region; the oldest reading is no worse than the first.
    let mut findings: Vec<GuardFinding> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for (about, finding) in told {
        if !known.contains(&about) {
            known.push(about);
            findings.push(finding);
        }
    }
    findings
}

fn is_told_elsewhere(view: &View<'_>, fact: &Fact) -> bool {
    let Fact::GlobalCluster(_, id) = fact else { return false };
    view.topology.aurora.iter().filter(|global| &global.id == id).any(|global| {
        global
            .members
            .iter()
            .any(|member| view.is_fresh(&Fact::GlobalCluster(member.region.clone(), id.clone())))
    })
}

/// The facts that shape a plan, without what changes by itself. What is not known shapes nothing. A global cluster
/// stands under the region that it was asked for, whichever told it last, so that the same world gives one digest.
pub fn shaped_by(view: &View<'_>, facts: impl IntoIterator<Item = Fact>) -> Facts {
    let mut shaped = Facts::new();
    for fact in facts {
        let seen = match &fact {
            Fact::GlobalCluster(_, id) => {
                let global = view.topology.aurora.iter().find(|global| &global.id == id);
                let told = global.and_then(|global| view.global(global));
                told.zip(view.facts.get(&fact).or_else(|| any_global(view, id))).map(
                    |((_, reading), seen)| {
                        crate::domain::Observed::from_parts(
                            seen.source().clone(),
                            Some(reading.clone()),
                            None,
                        )
                    },
                )
            }
            _ => view.facts.get(&fact).cloned(),
        };
        if let Some(seen) = seen.filter(|seen| seen.value().is_some()) {
            shaped.insert(fact, seen.map(shape));
        }
    }
    shaped
}

fn any_global<'v>(
    view: &'v View<'_>,
    id: &GlobalClusterId,
) -> Option<&'v crate::domain::Observed<super::fact::Known>> {
    view.facts.iter().find_map(|(fact, seen)| match fact {
        Fact::GlobalCluster(_, known) if known == id => Some(seen),
        _ => None,
    })
}
