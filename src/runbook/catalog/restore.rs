//! Restore: an evacuated region comes back, with the values that it had before.
//!
//! What it is for: comparing what was saved, what the run left and what is there now, and bringing the region
//! back in stages: capacity, database, users, soak, and only then the survivors' limits.
//! What it must not do: put a default where a saved value is missing, overwrite without asking what someone
//! else changed meanwhile, or take capacity from a survivor that needs it.

pub(in crate::runbook) mod items;
mod proof;
mod stages;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use self::items::{Item, Subject, Told, Value, from_baseline, from_journal, groups, in_service, steering};
use self::stages::{Change, Stages};
use super::known::{guarded, identities, known, listed, why_not};
use super::{PlanError, Runbook, RunbookSpec, Situation};
use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::runbook::event::{Entry, Event, LeaseOutcome, RunId};
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::lease::Claim;
use crate::runbook::params::{Differing, Params};
use crate::runbook::plan::Plan;
use crate::runbook::situation::names_of;

/// The runbook.
#[derive(Clone, Copy, Debug)]
pub struct Restore;

static SPEC: RunbookSpec = RunbookSpec {
    id: "restore",
    title: "Restore a region",
    doc: "Brings an evacuated region back. Compares what was saved before the evacuation, what the evacuation left and \
          what is there now, and asks where somebody else changed a value meanwhile. Refused while the region is not \
          proven healthy or runs other images than its peers. First capacity, then the database in step, then users, a \
          soak, and last the survivors' limits, one at a time and never below the present need. With --to the writer \
          moves too. Without a journal it restores from the saved baseline, and says so.",
    key: 'R',
    emergency: false,
    needs_region: true,
    options: &["region", "to", "keep", "saved"],
};

impl Runbook for Restore {
    fn spec(&self) -> &'static RunbookSpec {
        &SPEC
    }

    fn wants(&self, topology: &Topology, params: &Params) -> Vec<Fact> {
        let Some(region) = &params.region else { return Vec::new() };
        let mut wants: Vec<Fact> = identities(topology);
        let steered = steering(topology, region).into_iter().map(|subject| subject.fact(region));
        for fact in steered {
            if !wants.contains(&fact) {
                wants.push(fact);
            }
        }
        for entry in &topology.regions {
            for service in &entry.services {
                wants.push(Fact::Service(entry.name.clone(), service.key.clone()));
                wants.push(Fact::Scaling(entry.name.clone(), service.key.clone()));
                wants.push(Fact::Dependencies(entry.name.clone(), service.key.clone()));
            }
            wants.extend(groups(Some(entry)).into_iter().map(|arn| Fact::Targets(entry.name.clone(), arn)));
        }
        for (global, _) in topology.aurora_in(region) {
            for member in &global.members {
                wants.push(Fact::GlobalCluster(member.region.clone(), global.id.clone()));
            }
        }
        for table in topology.tables_in(region) {
            wants.extend(table.regions.iter().map(|ask| Fact::Table(ask.clone(), table.name.clone())));
        }
        wants.push(Fact::Probe(region.clone()));
        wants.extend(names_of(topology, region).into_iter().map(Fact::Answers));
        wants
    }

    fn confirmed_by(
        &self,
        topology: &Topology,
        params: &Params,
        _: Timestamp,
    ) -> Result<Vec<Text>, PlanError> {
        Ok(vec![wished(topology, params)?.as_str().into()])
    }

    fn plan(&self, situation: &Situation<'_>, params: &Params) -> Result<Plan, PlanError> {
        let topology = situation.topology;
        let region = wished(topology, params)?;
        let mut wants = self.wants(topology, params);
        let (told, source) = told(situation, region)?;
        for item in &told.items {
            let fact = item.subject.fact(&item.region);
            if !wants.contains(&fact) {
                wants.push(fact);
            }
        }
        let facts = known(situation, &wants);
        known_items(&told, params)?;
        let started = told.items.iter().filter_map(|item| match (&item.subject, &item.saved) {
            (Subject::Desired(at, key), Some(Value::Desired(tasks))) if at == region && *tasks > 0 => {
                Some(key.clone())
            }
            _ => None,
        });
        let mut findings = proof::examine(situation, &facts, region, &started.collect());
        let mut notes = notes(situation, &told);
        if told.lossy {
            findings.push(lossy());
        }
        findings.extend(situation.journal.into_iter().flat_map(|entries| unheard(entries, region)));
        let mut changes = Vec::new();
        let mut differing = Vec::new();
        for item in &told.items {
            let item = remembered(situation, region, &facts, item, &mut notes);
            match weigh(&item, region, &facts, params, situation.journal.is_some()) {
                Weighed::Change(change) => changes.push(change),
                Weighed::Ask(words) => differing.push((item.subject.name(), words)),
                Weighed::Leave(words) => notes.push(words),
                Weighed::Blind(finding) => findings.push(finding),
                Weighed::Elsewhere => {}
            }
        }
        if !differing.is_empty() {
            return Err(ask(differing));
        }
        let stages = Stages { situation, facts: &facts, region, to: params.to.as_ref() };
        let (steps, more) = stages.steps(&changes)?;
        if steps.iter().all(|step| step.ways.is_empty()) {
            let words =
                format!("nothing to restore: every value of {region} is as it was before, by {source}");
            return Err(PlanError::Impossible(words.into()));
        }
        notes.extend(more);
        let shaping = wants
            .into_iter()
            .filter(|fact| {
                !matches!(fact, Fact::Targets(..) | Fact::Probe(_) | Fact::Identity(_) | Fact::Answers(_))
            })
            .collect();
        let mut plan = Plan {
            runbook: SPEC.id.into(),
            application: topology.application.clone(),
            params: params.clone(),
            confirm: region.as_str().into(),
            made_at: situation.now,
            summary: format!("Bring {region} back with the values of {source}.").into(),
            steps,
            shaped_by: Facts::new(),
            findings,
            data_at_risk: Vec::new(),
            irreversible: Vec::new(),
            notes,
        };
        guarded(situation, &mut plan, &SPEC, None, shaping);
        Ok(plan)
    }
}

/// The region that comes back, where the topology knows every region that was named.
fn wished<'a>(topology: &Topology, params: &'a Params) -> Result<&'a Region, PlanError> {
    let region =
        params.region.as_ref().ok_or_else(|| PlanError::Params("name the region to restore".into()))?;
    match [Some(region), params.to.as_ref()].into_iter().flatten().find(|one| topology.region(one).is_none())
    {
        None => Ok(region),
        Some(one) => Err(PlanError::Params(format!("the topology names no region {one}").into())),
    }
}

/// A choice about something that the run did not change was mistyped.
fn known_items(told: &Told, params: &Params) -> Result<(), PlanError> {
    let names: Vec<Text> = told.items.iter().map(|item| item.subject.name()).collect();
    match params.differing.keys().find(|item| !names.contains(item)) {
        None => Ok(()),
        Some(item) => Err(PlanError::Params(
            format!("there is no item {item} to restore; there are {}", listed(names)).into(),
        )),
    }
}

/// What is to be restored, and from what: the journal of the run, or else the baseline.
fn told(situation: &Situation<'_>, region: &Region) -> Result<(Told, String), PlanError> {
    let source = |entries: &[Entry]| {
        let runs: Vec<String> = entries
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Opened { opening, .. } => Some(opening.run.to_string()),
                _ => None,
            })
            .collect();
        if runs.is_empty() { "the journal".to_owned() } else { format!("run {}", listed(runs)) }
    };
    match (situation.journal, situation.baseline) {
        (Some(entries), _) => Ok((from_journal(entries, situation.facts), source(entries))),
        (None, Some(baseline)) => {
            let words = "the saved baseline, because no journal of an evacuation was found";
            Ok((from_baseline(situation.topology, region, baseline), words.to_owned()))
        }
        (None, None) => {
            let words = format!("neither a journal nor a baseline tells what {region} was like before");
            Err(PlanError::Impossible(words.into()))
        }
    }
}

/// The item with what else is known of it, where the journal tells nothing: a region that was dark when it was fenced could
/// not say what it was like. The baseline counts while it is older than the run; one that was saved since may hold what the
/// run left. On another host, which has none, the plan of the run tells what it knew then: what its undo would have set.
/// The most that a service ran in fourteen days is then the best guess of its tasks.
fn remembered<'i>(
    situation: &Situation<'_>,
    region: &Region,
    facts: &Facts,
    item: &'i Item,
    notes: &mut Vec<Text>,
) -> Cow<'i, Item> {
    let began = situation.journal.and_then(<[Entry]>::first).map(|entry| entry.at);
    let (Some(began), None) = (began, &item.saved) else { return Cow::Borrowed(item) };
    let baseline = || {
        let facts = situation.baseline?;
        let at = facts.reading(&item.subject.fact(&item.region))?.as_of;
        let value = item.subject.value(&item.region, facts).filter(|_| at < began)?;
        let value = in_service(situation.topology, &item.subject, value);
        Some((value, format!("the baseline of {}", at.strftime("%Y-%m-%d %H:%M:%SZ"))))
    };
    let planned = || {
        let (value, at) = items::planned(situation.journal?, &item.subject, facts)?;
        let value = in_service(situation.topology, &item.subject, value);
        Some((value, format!("what the plan of {} knew of it", at.strftime("%Y-%m-%d %H:%M:%SZ"))))
    };
    let peak = || {
        let Subject::Desired(at, key) = &item.subject else { return None };
        let tasks = situation.peaks.tasks.get(&(at.clone(), key.clone())).filter(|_| at == region)?;
        Some((Value::Desired(*tasks), "the peak of the last 14 days".to_owned()))
    };
    let Some((value, source)) = baseline().or_else(planned).or_else(peak) else { return Cow::Borrowed(item) };
    let (name, words) = (item.subject.name(), value.words());
    notes.push(format!("What {name} was before is not in the journal: taken from {source}, {words}.").into());
    Cow::Owned(Item { saved: Some(value), ..item.clone() })
}

/// What becomes of an item.
enum Weighed {
    Change(Change),
    Ask(Text),
    Leave(Text),
    Blind(GuardFinding),
    Elsewhere,
}

/// Saved, left and now, compared.
fn weigh(item: &Item, region: &Region, facts: &Facts, params: &Params, journaled: bool) -> Weighed {
    let name = item.subject.name();
    if item.subject.method().is_some() && &item.region != region {
        return Weighed::Elsewhere;
    }
    let fact = item.subject.fact(&item.region);
    let now = item
        .subject
        .value(&item.region, facts)
        .filter(|_| facts.error(&fact).is_none() || facts.is_absent(&fact));
    let Some(saved) = item.saved.clone() else {
        let words = format!("what {name} was before is not in the journal; it is left as it is");
        return Weighed::Blind(GuardFinding::warn(GuardId::Runbook, words).next("restore it by hand"));
    };
    let Some(now) = now else {
        let words = format!("{name} cannot be read: {}", why_not(facts, &fact));
        return Weighed::Blind(GuardFinding::block(GuardId::Runbook, SPEC.emergency, words));
    };
    if now == saved && !journaled {
        // A baseline names everything; only what changes is worth a line.
        return Weighed::Elsewhere;
    }
    if now == saved {
        return Weighed::Leave(format!("{name} is as it was before: {}", now.words()).into());
    }
    if item.left.as_ref().is_some_and(|left| *left != now) {
        match params.differing.get(&name) {
            Some(Differing::Saved) => {}
            Some(Differing::Keep) => {
                return Weighed::Leave(format!("{name} is kept as it is now: {}", now.words()).into());
            }
            None => {
                let left = item.left.as_ref().map(Value::words).unwrap_or_default();
                return Weighed::Ask(
                    format!("before: {}; we left: {left}; now: {}", saved.words(), now.words()).into(),
                );
            }
        }
    }
    let version = facts.health_check(&fact).map(|config| config.version);
    Weighed::Change(Change { item: Item { version, ..item.clone() }, saved, now })
}

/// The question about values that somebody else changed.
fn ask(differing: Vec<(Text, Text)>) -> PlanError {
    let question = match differing.len() {
        1 => "somebody changed one value since the run left it".to_owned(),
        many => format!("somebody changed {many} values since the run left them"),
    };
    PlanError::Choose {
        question: question.into(),
        flag: "--keep ITEM or --saved ITEM",
        choices: differing,
        proposed: None,
    }
}

/// A promotion that allowed data loss leaves writes behind.
fn lossy() -> GuardFinding {
    let words = "the run promoted with data loss allowed, or detached a cluster: writes that only the old writer had are \
                 missing from the new one";
    GuardFinding::warn(GuardId::DataAtRisk, words).next(
        "reconcile them from the snapshot rds:unplanned-global-failover-CLUSTER-TIME, and copy it before it expires",
    )
}

/// Evacuations of the region by other hosts that ours took over from, and whose records are not here: what they had changed
/// by then, ours found and saved as if it had been so before.
fn unheard(entries: &[Entry], region: &Region) -> Vec<GuardFinding> {
    let evacuates = |claim: &Claim| {
        ["drain", "failover"].iter().any(|runbook| claim.purpose.as_str() == format!("{runbook} {region}"))
    };
    let here = |run: &RunId| {
        entries.iter().any(|entry| match &entry.event {
            Event::Opened { opening, .. } => &opening.run == run,
            _ => false,
        })
    };
    let mut found: Vec<GuardFinding> = Vec::new();
    for entry in entries {
        let Event::Lease { outcome: LeaseOutcome::TakenOver { from, .. } } = &entry.event else { continue };
        let claim = &from.claim;
        if here(&claim.run) || !evacuates(claim) {
            continue;
        }
        let words = format!(
            "{} of {} on {} was taken over from, and its record is not here: what it had changed by then is taken for what \
             was there before",
            claim.purpose, claim.holder, claim.host
        );
        let finding = GuardFinding::block(GuardId::Runbook, SPEC.emergency, words)
            .next(format!("`switchtower runs import {}`, then plan again", claim.run));
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

fn notes(situation: &Situation<'_>, told: &Told) -> Vec<Text> {
    let mut notes: Vec<Text> = Vec::new();
    if situation.journal.is_none() {
        let saved =
            situation.baseline.into_iter().flat_map(Facts::iter).filter_map(|(_, seen)| seen.as_of()).max();
        let age = saved.map_or_else(|| "of unknown age".to_owned(), |at| format!("of {at}"));
        notes.push(
            format!(
                "No journal: the values come from the baseline {age}. It does not tell what an evacuation changed, so that changes by others since then cannot be told apart from ours. What it has as out of DNS is set to be in."
            )
            .into(),
        );
    }
    let by_region = told.items.iter().fold(BTreeMap::<&Region, usize>::new(), |mut count, item| {
        *count.entry(&item.region).or_default() += usize::from(matches!(item.subject, Subject::Limits(..)));
        count
    });
    if by_region.values().any(|count| *count > 0) {
        notes.push("Limits go back last: until then auto scaling cannot lower a service below what the evacuation needed.".into());
    }
    notes.push("Latency routing has no percentage: the whole share of users comes back at once, to cold caches. Watch the region for 15 minutes.".into());
    notes
}
