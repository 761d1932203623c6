//! Cleanup: what the topology names and carries the owner tag is deleted, one resource at a time.
//!
//! What it is for: the order and the waits of aws-facts section 8, for one region of several or for everything, with
//! every protection lifted by a step of its own and a proof of what is left at the end.
//! What it must not do: touch anything without the owner tag, the hosted zone, a network that no stack of ours
//! made, or a region that serves traffic.

mod chain;
mod data;
mod edge;
mod wants;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use self::chain::Chain;
use super::known::{guarded, identities, known, listed, why_not};
use super::{PlanError, Runbook, RunbookSpec, Situation};
use crate::domain::Topology;
use crate::domain::derive::{self, AlarmSubject};
use crate::domain::ids::{AlarmName, Arn, HealthCheckId, Region, ServiceKey};
use crate::domain::observation::Observed;
use crate::domain::snapshot::AlarmState;
use crate::domain::text::Text;
use crate::domain::topology::{DNS_REGION, RegionEntry, SwitchWire};
use crate::runbook::condition::Condition;
use crate::runbook::evacuation;
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::params::Params;
use crate::runbook::plan::{Plan, Step};
use crate::runbook::situation::{InDns, names_of};

const PROVING: Duration = Duration::from_mins(15);

/// The runbook.
#[derive(Clone, Copy, Debug)]
pub struct Cleanup;

static SPEC: RunbookSpec = RunbookSpec {
    id: "cleanup",
    title: "Delete the application",
    doc: "Deletes what the topology names and carries its owner tag, in the order that AWS wants: records and checks, \
          alarms and topics, services and clusters, load balancers and target groups, Aurora, tables, buckets, stacks. \
          Protections are lifted one by one, final snapshots are taken unless declined. Never while a region serves \
          traffic, and never the hosted zone. With a region it takes that one out of several; without, everything. The \
          application's name is typed to confirm. Ends with a proof of what is left and still billed.",
    key: 'X',
    emergency: false,
    needs_region: false,
    options: &["region", "skip-snapshots"],
};

/// What is taken down.
struct Scope<'a> {
    topology: &'a Topology,
    /// Regions that go, in the topology's order.
    regions: Vec<&'a RegionEntry>,
    /// True when everything goes.
    whole: bool,
    snapshots: bool,
    /// For the names of snapshots.
    day: Text,
    /// Alarms in regions that go, which watch what stays, and what that is.
    watching: BTreeMap<(Region, AlarmName), Text>,
    /// Alarms on health checks that live in us-east-1, which is no region that goes, with the checks that they watch.
    watchers: Vec<Watcher>,
}

/// An alarm on health checks.
struct Watcher {
    name: AlarmName,
    /// `None`: nobody could read what it watches.
    checks: Option<Vec<HealthCheckId>>,
}

impl Scope<'_> {
    fn has(&self, region: &Region) -> bool {
        self.regions.iter().any(|entry| &entry.name == region)
    }
}

impl Runbook for Cleanup {
    fn spec(&self) -> &'static RunbookSpec {
        &SPEC
    }

    fn wants(&self, topology: &Topology, params: &Params) -> Vec<Fact> {
        let mut wants = identities(topology);
        wants.extend(wants::wants(topology, params.region.as_ref()));
        wants
    }

    fn confirmed_by(
        &self,
        topology: &Topology,
        params: &Params,
        _: Timestamp,
    ) -> Result<Vec<Text>, PlanError> {
        regions(topology, params)?;
        Ok(vec![topology.application.clone()])
    }

    fn plan(&self, situation: &Situation<'_>, params: &Params) -> Result<Plan, PlanError> {
        let topology = situation.topology;
        let scope = scope(situation, params)?;
        let wants = self.wants(topology, params);
        let facts = known(situation, &wants);
        let mut plan = Plan {
            runbook: SPEC.id.into(),
            application: topology.application.clone(),
            params: params.clone(),
            confirm: topology.application.clone(),
            made_at: situation.now,
            summary: summary(&scope),
            steps: Vec::new(),
            shaped_by: Facts::new(),
            findings: Vec::new(),
            data_at_risk: Vec::new(),
            irreversible: Vec::new(),
            notes: Vec::new(),
        };
        let Some((key, value)) = owner(topology) else {
            let words =
                "the topology names no owner tag, so that nothing can be told to be the application's own";
            let finding = GuardFinding::block(GuardId::Runbook, SPEC.emergency, words);
            let next = "set owner_tag and owner_value under [cleanup] in the topology, and tag what is yours";
            plan.findings.push(GuardFinding { may_override: false, ..finding.next(next) });
            guarded(situation, &mut plan, &SPEC, None, Vec::new());
            return Ok(plan);
        };
        let view = situation.view();
        for entry in &scope.regions {
            plan.findings.extend(quiet(&scope, &facts, entry, view.in_dns(&entry.name)));
        }
        let mut chain = Chain::new(&facts, key, value);
        edge::records(&mut chain, &scope);
        edge::forgotten(&mut chain, &scope);
        edge::checks(&mut chain, &scope);
        edge::alarms(&mut chain, &scope);
        edge::services(&mut chain, &scope);
        edge::balancers(&mut chain, &scope);
        data::aurora(&mut chain, &scope);
        data::tables(&mut chain, &scope);
        data::buckets(&mut chain, &scope);
        data::stacks(&mut chain, &scope);
        finish(&mut plan, chain, &scope)?;
        let shaping = wants.into_iter().filter(|fact| shapes(fact) && !elsewhere(&scope, fact)).collect();
        guarded(situation, &mut plan, &SPEC, params.region.as_ref(), shaping);
        Ok(plan)
    }
}

/// Alarms on health checks live in us-east-1, whichever region's users the checks steer: who takes us-east-1 away leaves
/// the others theirs. Of an alarm there that nobody could read it is not known whom it watches.
fn watching(situation: &Situation<'_>, regions: &[&RegionEntry]) -> BTreeMap<(Region, AlarmName), Text> {
    let view = situation.view();
    let mut watching = BTreeMap::new();
    for entry in regions {
        for row in derive::alarms(situation.topology, view.fleet(), &entry.name) {
            let words = match &row.subject {
                AlarmSubject::HealthCheck(about) if about != &entry.name => {
                    format!("which watches the health check of {about}")
                }
                _ if entry.name.as_str() == DNS_REGION && row.state.value().is_none() => {
                    "of which it is not known what it watches".to_owned()
                }
                _ => continue,
            };
            watching.insert((row.home, row.name), words.into());
        }
    }
    watching
}

/// Alarms of us-east-1 on health checks, where only another region goes; and those of which nothing could be read.
fn watchers(situation: &Situation<'_>, regions: &[&RegionEntry]) -> Vec<Watcher> {
    let view = situation.view();
    let home = Region::new(DNS_REGION);
    let stays = !regions.iter().any(|entry| entry.name == home);
    let own = situation.topology.region(&home).filter(|_| stays).map(|entry| &entry.alarms);
    let seen = view.fleet().region(&home).map(|seen| &seen.alarms);
    let own = own.into_iter().flatten().map(|name| (name, seen.and_then(|seen| seen.get(name))));
    let global = &view.fleet().dns.alarms;
    let global = situation.topology.dns.alarms.iter().map(|name| (name, global.get(name)));
    let watcher = |(name, seen): (&AlarmName, Option<&Observed<AlarmState>>)| {
        let Some(state) = seen.and_then(Observed::value) else {
            return Some(Watcher { name: name.clone(), checks: None });
        };
        let checks = state.dimensions.iter().map(|value| HealthCheckId::new(value.as_str())).collect();
        let on_checks = state.watches.as_str().starts_with("AWS/Route53/");
        on_checks.then(|| Watcher { name: name.clone(), checks: Some(checks) })
    };
    own.chain(global).filter_map(watcher).collect()
}

/// The regions that are taken away.
fn regions<'a>(topology: &'a Topology, params: &Params) -> Result<Vec<&'a RegionEntry>, PlanError> {
    Ok(match &params.region {
        None => topology.regions.iter().collect(),
        Some(region) => {
            let entry = topology
                .region(region)
                .ok_or_else(|| PlanError::Params(format!("the topology names no region {region}").into()))?;
            if topology.regions.len() == 1 {
                let words = format!("{region} is the only region; to delete everything, name none");
                return Err(PlanError::Params(words.into()));
            }
            vec![entry]
        }
    })
}

fn scope<'a>(situation: &Situation<'a>, params: &Params) -> Result<Scope<'a>, PlanError> {
    let topology = situation.topology;
    let regions = regions(topology, params)?;
    let (watching, watchers) = if params.region.is_some() {
        (watching(situation, &regions), watchers(situation, &regions))
    } else {
        (BTreeMap::new(), Vec::new())
    };
    Ok(Scope {
        topology,
        regions,
        watching,
        watchers,
        whole: params.region.is_none(),
        snapshots: !params.skip_snapshots,
        day: situation.now.strftime("%Y-%m-%d").to_string().into(),
    })
}

fn summary(scope: &Scope<'_>) -> Text {
    let application = &scope.topology.application;
    let regions = listed(scope.regions.iter().map(|entry| &entry.name));
    let what = if scope.whole { "everything of" } else { "what lies there of" };
    format!("Delete in {regions} {what} {application} that carries its owner tag.").into()
}

/// Key and value of the owner tag; the value is the application's name unless the topology says otherwise.
fn owner(topology: &Topology) -> Option<(Text, Text)> {
    let cleanup = topology.cleanup.as_ref()?;
    let key = cleanup.owner_tag.clone().filter(|key| !key.is_empty())?;
    Some((key, cleanup.owner_value.clone().unwrap_or_else(|| topology.application.clone())))
}

/// Facts on which the plan's shape depends, beside numbers that change by themselves.
fn shapes(fact: &Fact) -> bool {
    !matches!(
        fact,
        Fact::Requests(_) | Fact::Bucket(..) | Fact::Identity(_) | Fact::Answers(_) | Fact::Network(..)
    )
}

/// Tables of regions that stay: they are only asked whether they are there, and may be dark. And alarms of us-east-1, of
/// which those that watch what goes are looked at again before they go.
fn elsewhere(scope: &Scope<'_>, fact: &Fact) -> bool {
    match fact {
        Fact::Table(region, _) => !scope.has(region),
        Fact::Alarm(region, _) => !scope.whole && !scope.has(region),
        Fact::Tags(region, arn) => !scope.whole && !scope.has(region) && is_alarm(arn),
        _ => false,
    }
}

fn is_alarm(arn: &Arn) -> bool {
    arn.as_str().starts_with("arn:aws:cloudwatch:")
}

/// Whether no service of a region has, or wants, a task.
fn is_stopped(facts: &Facts, entry: &RegionEntry) -> bool {
    let idle = |key: &ServiceKey| {
        let fact = Fact::Service(entry.name.clone(), key.clone());
        let none = facts.service(&fact).is_some_and(|state| state.desired == 0 && state.running == 0);
        none && facts.error(&fact).is_none() || facts.is_absent(&fact)
    };
    !entry.services.is_empty() && entry.services.iter().all(|service| idle(&service.key))
}

/// A region that serves traffic is never taken down.
fn quiet(scope: &Scope<'_>, facts: &Facts, entry: &RegionEntry, in_dns: InDns) -> Option<GuardFinding> {
    if entry.load_balancers.is_empty() || is_stopped(facts, entry) {
        return None;
    }
    let region = &entry.name;
    let never = |words: String| {
        let finding = GuardFinding::block(GuardId::Runbook, SPEC.emergency, words);
        let next = "drain the region first, and wait until its users are gone";
        GuardFinding { may_override: false, ..finding.next(next) }
    };
    let fact = Fact::Requests(region.clone());
    let minutes = facts.numbers(&fact).filter(|_| facts.error(&fact).is_none());
    let Some(newest) = minutes.filter(|minutes| !minutes.is_empty()) else {
        let words = format!("whether {region} serves traffic is not known: {}", why_not(facts, &fact));
        return Some(GuardFinding::block(GuardId::Runbook, SPEC.emergency, words));
    };
    let most = newest.iter().rev().take(evacuation::QUIET_MINUTES).fold(0.0_f64, |most, one| most.max(*one));
    let led = match in_dns {
        InDns::Yes => " and is in DNS",
        InDns::No => " although DNS sends nobody there",
        InDns::Unknown => ", and whether DNS sends them is not known",
    };
    if most >= evacuation::checkers(scope.topology, facts, region) {
        return Some(never(format!("{region} serves {most:.0} requests a minute{led}")));
    }
    // A quiet night is no empty region: who comes next is sent here as long as DNS says so. When everything goes, there
    // is nobody else to be sent to, and the few are told by their requests alone.
    match in_dns {
        _ if scope.whole || names_of(scope.topology, region).is_empty() => None,
        InDns::No => None,
        InDns::Yes => Some(never(format!("{region} is in DNS: whoever comes next is sent there"))),
        InDns::Unknown => Some(GuardFinding {
            may_override: true,
            ..never(format!("whether DNS sends users to {region} is not known"))
        }),
    }
}

/// The proof at the end, and everything that the operator should read before.
fn finish(plan: &mut Plan, chain: Chain<'_>, scope: &Scope<'_>) -> Result<(), PlanError> {
    let Chain { facts, mut steps, gone, mut left, findings, data_at_risk, notes, .. } = chain;
    if steps.is_empty() && findings.is_empty() {
        return Err(PlanError::Impossible("nothing is left that carries the owner tag".into()));
    }
    plan.irreversible = steps
        .iter()
        .filter(|step| {
            step.ways.iter().flat_map(|way| &way.calls).any(crate::runbook::Operation::is_irreversible)
        })
        .map(|step| step.title.clone())
        .collect();
    left.extend(always_left(scope, facts));
    // The file is the operator's own: nothing here edits it.
    let then = (!scope.whole).then(|| {
        let regions = listed(scope.regions.iter().map(|entry| &entry.name));
        Text::from(format!(
            "the topology file still names {regions}, which the console then calls failing: `init` writes it anew"
        ))
    });
    if !gone.is_empty() {
        let after: Vec<_> = steps.last().map(|step: &Step| step.id.clone()).into_iter().collect();
        let mut proof = Step::wait(
            "proof",
            "prove what is gone, and tell what is left and still billed",
            Condition::All { of: gone },
            PROVING,
        )
        .after(after);
        proof.changes = left.iter().map(|line| Text::from(format!("left: {line}"))).collect();
        proof.changes.extend(then.clone().map(|then| Text::from(format!("then: {then}"))));
        steps.push(proof);
    }
    plan.steps = steps;
    plan.findings.extend(findings);
    plan.data_at_risk = data_at_risk;
    plan.notes = notes;
    plan.notes.extend(left.into_iter().map(|line| Text::from(format!("Left alone: {line}."))));
    plan.notes.extend(then.map(|then| Text::from(format!("Afterwards {then}."))));
    Ok(())
}

/// What no cleanup of this program takes.
fn always_left(scope: &Scope<'_>, facts: &Facts) -> Vec<Text> {
    let topology = scope.topology;
    let mut left: Vec<Text> = topology
        .zones()
        .iter()
        .map(|zone| format!("hosted zone {zone}, billed at about 0.50 USD a month").into())
        .collect();
    let stacks = topology.cleanup.iter().flat_map(|cleanup| &cleanup.stacks);
    let made: Vec<&Region> = stacks.map(|stack| &stack.region).collect();
    for entry in scope.regions.iter().filter(|entry| !made.contains(&&entry.name)) {
        let behind = listed(entry.load_balancers.iter().map(|lb| &lb.name));
        let told = entry
            .load_balancers
            .iter()
            .filter_map(|lb| facts.word(&Fact::Network(entry.name.clone(), lb.arn.clone())));
        let mut named: Vec<String> = Vec::new();
        for network in told.map(|network| format!("the VPC {network} of {}", entry.name)) {
            if !named.contains(&network) {
                named.push(network);
            }
        }
        if named.is_empty() {
            named.push(format!("the VPC of {} (its id could not be read)", entry.name));
        }
        left.push(
            format!(
                "{} behind {behind}, which no stack of ours made, with its NAT gateways (about 0.045 USD an hour each) and addresses",
                listed(&named)
            )
            .into(),
        );
    }
    for switch in topology.switches.iter().filter(|switch| scope.has(&switch.region)) {
        if let SwitchWire::Object { bucket, key } = &switch.wire {
            left.push(
                format!("the switch of {} at s3://{bucket}/{key} in {}", switch.region, switch.home).into(),
            );
        }
    }
    if scope.whole {
        // The dearest thing that an application may leave behind.
        left.extend(topology.arc.iter().map(|_| {
            "the ARC cluster of the routing controls, billed at 2.50 USD an hour until it is deleted by hand".into()
        }));
        left.extend(topology.lease.iter().map(|lease| {
            format!(
                "the lease table {} in {}, which holds copies of this run's record",
                lease.table, lease.region
            )
            .into()
        }));
    }
    if scope.snapshots && !topology.aurora.is_empty() {
        left.push("the final Aurora snapshots, billed by their size until they are deleted".into());
    }
    left.push("dashboards (3 USD a month each), log groups, secrets, certificates, images and roles, which the topology does not name".into());
    left
}
