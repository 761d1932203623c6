//! The stages of a restore: capacity, database, users, soak, survivors.
//!
//! What it is for: turning the values that go back into steps that wait for each other. What it must not do:
//! decide which values go back, or lower a survivor below the present need.

use std::time::Duration;

use super::items::{Item, Subject, Value, groups};
use crate::domain::evacuation::EvacuationMethod;
use crate::domain::ids::{Arn, HostName, Region, ServiceKey};
use crate::domain::text::Text;
use crate::domain::topology::{AuroraGlobal, AuroraMember};
use crate::runbook::catalog::known::{UNASKED, ask_first, listed};
use crate::runbook::catalog::{PlanError, Situation};
use crate::runbook::condition::Condition;
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::operation::Operation;
use crate::runbook::plan::{Step, StepId};

/// Tasks start, register and pass their checks.
const STARTING: Duration = Duration::from_mins(15);
const USUAL_START: Duration = Duration::from_secs(90);
/// A call that sets a value shows within seconds; Route 53 within a minute.
const SETTING: Duration = Duration::from_mins(5);
/// A secondary that was rebuilt may copy for long; a restore that waits longer is better asked for again.
const SYNCHRONISING: Duration = Duration::from_mins(30);
const ANSWERING: Duration = Duration::from_mins(10);
const SWITCHING: Duration = Duration::from_mins(20);

/// A value that goes back.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) item: Item,
    pub(super) saved: Value,
    pub(super) now: Value,
}

/// Everything that the stages are made from.
pub(super) struct Stages<'a> {
    pub(super) situation: &'a Situation<'a>,
    pub(super) facts: &'a Facts,
    pub(super) region: &'a Region,
    pub(super) to: Option<&'a Region>,
}

impl Stages<'_> {
    /// The steps, and what the operator should know of them.
    pub(super) fn steps(&self, changes: &[Change]) -> Result<(Vec<Step>, Vec<Text>), PlanError> {
        let (mut steps, mut notes) = (Vec::new(), Vec::new());
        self.capacity(changes, &mut steps, &mut notes);
        self.database(&mut steps);
        let ready: Vec<StepId> = steps.iter().map(|step: &Step| step.id.clone()).collect();
        let alive = self.alive(ready);
        let proven = alive.id.clone();
        steps.push(alive);
        let users = self.users(changes, &proven, &mut notes);
        let mut last = vec![proven];
        if !users.is_empty() {
            last = users.iter().map(|step| step.id.clone()).collect();
            steps.extend(users);
            for step in self.seen(&last, &mut notes) {
                last = vec![step.id.clone()];
                steps.push(step);
            }
        }
        if let Some(to) = self.to {
            let back = self.writer(to, &last)?;
            last.extend(back.iter().map(|step| step.id.clone()));
            steps.extend(back);
        }
        self.survivors(changes, last, &mut steps, &mut notes);
        Ok((steps, notes))
    }

    fn own_groups(&self) -> Vec<Arn> {
        groups(self.situation.topology.region(self.region))
    }

    /// Tasks first, then the limits, since every registration clamps the desired count into them.
    fn capacity(&self, changes: &[Change], steps: &mut Vec<Step>, notes: &mut Vec<Text>) {
        for change in changes.iter().filter(|change| change.item.region == *self.region) {
            let Subject::Desired(region, key) = &change.item.subject else { continue };
            let (Value::Desired(saved), Value::Desired(now)) = (&change.saved, &change.now) else { continue };
            if saved < now {
                notes.push(
                    format!("{key} in {region} keeps its {now} tasks; before there were {saved}").into(),
                );
                continue;
            }
            let serving = Condition::Serving {
                region: region.clone(),
                service: key.clone(),
                groups: self.groups_of(region, key),
                tasks: *saved,
            };
            steps.push(
                Step::act(
                    format!("capacity/{key}"),
                    format!("start {key} in {region} again"),
                    change.calls(&change.saved),
                    change.calls(&change.now),
                    serving,
                    STARTING,
                )
                .at(region)
                .changing(format!("desired {now} -> {saved}"))
                .usually(USUAL_START),
            );
        }
        for change in changes.iter().filter(|change| change.item.region == *self.region) {
            let Subject::Limits(region, key) = &change.item.subject else { continue };
            let id = StepId::new(format!("capacity/{key}"));
            let after: Vec<StepId> =
                steps.iter().filter(|step| step.id == id).map(|step| step.id.clone()).collect();
            steps.push(
                change
                    .step(format!("limits/{region}/{key}"), format!("give {key} in {region} its limits back"))
                    .after(after),
            );
        }
    }

    fn groups_of(&self, region: &Region, key: &ServiceKey) -> Vec<Arn> {
        let entry = self.situation.topology.region(region);
        let services = entry.into_iter().flat_map(|entry| &entry.services);
        services
            .filter(|service| &service.key == key)
            .flat_map(|service| service.target_groups.clone())
            .collect()
    }

    /// The region's database members follow their writer.
    fn database(&self, steps: &mut Vec<Step>) {
        for (global, member) in self.situation.topology.aurora_in(self.region) {
            let others = global.members.iter().map(|member| member.region.clone());
            let first = global.members.iter().find(|one| one.region != *self.region).unwrap_or(member);
            let ask = ask_first(&first.region, others);
            steps.push(
                Step::wait(
                    format!("database/{}", global.id),
                    format!("see {} synchronised", global.id),
                    Condition::All {
                        of: vec![
                            Condition::GlobalIdle { ask: ask.clone(), global: global.id.clone() },
                            Condition::Synchronized { ask, global: global.id.clone() },
                        ],
                    },
                    SYNCHRONISING,
                )
                .at(self.region),
            );
        }
    }

    /// The region serves, without a break, before users come.
    fn alive(&self, after: Vec<StepId>) -> Step {
        let span = Duration::from_mins(self.situation.topology.policy.survivors_healthy_minutes);
        let until = Condition::AliveFor { region: self.region.clone(), groups: self.own_groups(), span };
        Step::wait("proven", format!("see {} healthy without a break", self.region), until, span + STARTING)
            .at(self.region)
            .after(after)
            .usually(span)
    }

    /// Every switch that keeps users out goes back, side by side.
    fn users(&self, changes: &[Change], proven: &StepId, notes: &mut Vec<Text>) -> Vec<Step> {
        let mut steps = Vec::new();
        for change in changes {
            let Some(method) = change.item.subject.method() else { continue };
            if out(method, &change.saved) {
                let name = change.item.subject.name();
                notes.push(
                    format!("{name} kept users out before the run as well: {}", change.saved.words()).into(),
                );
            }
            let name = change.item.subject.name();
            let mut step =
                change.step(format!("unpin/{name}"), format!("let users back to {}: {name}", self.region));
            for way in &mut step.ways {
                way.method = Some(method);
            }
            let alive = Condition::Alive { region: self.region.clone(), groups: self.own_groups() };
            steps.push(step.at(self.region).when(alive).after([proven.clone()]));
        }
        steps
    }

    /// The names that lead users to the region.
    fn names(&self) -> Vec<HostName> {
        let topology = self.situation.topology;
        let here = |name: &HostName| {
            topology.records.iter().any(|record| &record.region == self.region && &record.name == name)
        };
        topology.hostnames.iter().map(|host| host.name.clone()).filter(here).collect()
    }

    /// Users are seen to come, and to be served, as far as anybody may be asked.
    fn seen(&self, after: &[StepId], notes: &mut Vec<Text>) -> Vec<Step> {
        let names = self.names();
        let mut steps = Vec::new();
        let mut last = after.to_vec();
        // Where nobody may be asked about DNS, for AWS is not AWS there, no answer could ever come.
        if names.iter().any(|name| self.facts.is_unasked(&Fact::Answers(name.clone()))) {
            notes.push(UNASKED.into());
        } else {
            let until = Condition::AnswersInclude { names, region: self.region.clone() };
            let title = format!("see {} in DNS answers", self.region);
            let step = Step::wait("answers", title, until, ANSWERING).at(self.region).after(last).passing();
            last = vec![step.id.clone()];
            steps.push(step);
        }
        let soak = self.soaking();
        if soak.is_zero() {
            notes
                .push("the policy wants nobody watched before survivors give back (soak_minutes = 0)".into());
        } else {
            steps.push(self.soak("soak", self.region, soak, &last));
        }
        steps
    }

    /// How long users are watched before the survivors give anything back.
    fn soaking(&self) -> Duration {
        Duration::from_secs(self.situation.topology.policy.soak_minutes.saturating_mul(60))
    }

    fn soak(&self, id: &str, region: &Region, span: Duration, after: &[StepId]) -> Step {
        let percent = self.situation.topology.thresholds.error_5xx_percent.warning;
        let name = format!("soak of {} minutes", span.as_secs() / 60);
        let mut of = vec![Condition::Elapsed { span, name: name.into() }];
        let mut watched = vec![self.region];
        if region != self.region {
            watched.push(region);
        }
        of.extend(watched.iter().map(|region| Condition::ErrorsBelow { region: (*region).clone(), percent }));
        let title = format!("watch {} for {} minutes", listed(watched), span.as_secs() / 60);
        Step::wait(id, title, Condition::All { of }, span * 3).at(region).after(after.to_vec()).usually(span)
    }

    /// The writer goes where the operator wants it, when it is not there.
    fn writer(&self, to: &Region, after: &[StepId]) -> Result<Vec<Step>, PlanError> {
        let mut steps = Vec::new();
        for global in &self.situation.topology.aurora {
            let target = global.members.iter().find(|member| member.region == *to);
            let Some(target) = target else {
                return Err(PlanError::Params(format!("{} has no cluster in {to}", global.id).into()));
            };
            let Some(from) = self.present_writer(global) else {
                return Err(PlanError::Impossible(
                    format!("no region tells who writes {}", global.id).into(),
                ));
            };
            if from.region == *to {
                continue;
            }
            let ask = ask_first(to, global.members.iter().map(|member| member.region.clone()));
            let writer = |member: &AuroraMember| Condition::Writer {
                ask: ask.clone(),
                global: global.id.clone(),
                cluster: member.arn.clone(),
            };
            let synchronized = Condition::Synchronized { ask: ask.clone(), global: global.id.clone() };
            let call = |from: &AuroraMember, to: &AuroraMember| {
                let (region, global) = (from.region.clone(), global.id.clone());
                vec![Operation::SwitchoverGlobalCluster { region, global, target: to.arn.clone() }]
            };
            let ready = Condition::All { of: vec![writer(from), synchronized.clone()] };
            steps.push(
                Step::act(
                    format!("switchover/{}", global.id),
                    format!("move the writer of {} to {to}", global.id),
                    call(from, target),
                    call(target, from),
                    Condition::All { of: vec![writer(target), synchronized] },
                    SWITCHING,
                )
                .at(to)
                .when(ready)
                .after(after.to_vec())
                .changing(format!("writer {} -> {}", from.id, target.id)),
            );
        }
        Ok(steps)
    }

    fn present_writer<'g>(&self, global: &'g AuroraGlobal) -> Option<&'g AuroraMember> {
        let told = |member: &AuroraMember| Fact::GlobalCluster(member.region.clone(), global.id.clone());
        let newest =
            global.members.iter().map(told).max_by_key(|fact| self.facts.reading(fact).map(|r| r.as_of))?;
        let state = self.facts.global_cluster(&newest)?;
        let arn = &state.members.iter().find(|member| member.is_writer)?.arn;
        global.members.iter().find(|member| &member.arn == arn)
    }

    /// One survivor after the other gives back what it was lent, while the restored region carries its share.
    fn survivors(
        &self,
        changes: &[Change],
        mut last: Vec<StepId>,
        steps: &mut Vec<Step>,
        notes: &mut Vec<Text>,
    ) {
        let topology = self.situation.topology;
        for entry in topology.regions.iter().filter(|entry| entry.name != *self.region) {
            let mut here = Vec::new();
            for change in changes.iter().filter(|change| change.item.region == entry.name) {
                let Some((change, words)) = self.kept(change, changes) else { continue };
                notes.extend(words);
                if change.saved == change.now {
                    continue;
                }
                let name = change.item.subject.name();
                let alive = |region: &Region| Condition::Alive {
                    region: region.clone(),
                    groups: groups(topology.region(region)),
                };
                let both = Condition::All { of: vec![alive(&entry.name), alive(self.region)] };
                let title =
                    format!("give {} in {} its value before back", key(&change.item.subject), entry.name);
                let step = change.step(name.as_str().to_owned(), title);
                here.push(step.when(both).after(last.clone()));
                last = here.last().map(|step| vec![step.id.clone()]).unwrap_or_default();
            }
            if here.is_empty() {
                continue;
            }
            steps.append(&mut here);
            // After each survivor for less long: nobody moves then.
            let settle = self.soaking() * 2 / 5;
            if !settle.is_zero() {
                let step = self.soak(&format!("settle/{}", entry.name), &entry.name, settle, &last);
                last = vec![step.id.clone()];
                steps.push(step);
            }
        }
    }

    /// What a survivor is set to: the saved value, but never less than it needs now.
    fn kept(&self, change: &Change, changes: &[Change]) -> Option<(Change, Option<Text>)> {
        let (Subject::Desired(region, key) | Subject::Limits(region, key)) = &change.item.subject else {
            return None;
        };
        let desired = self.desired(region, key)?;
        let mut kept = change.clone();
        let words = match (&mut kept.saved, &change.now) {
            (Value::Limits { max, .. }, Value::Limits { .. }) => {
                // A lower floor takes nothing away: what is wanted now stays until auto scaling finds that the load
                // is gone. A registration clamps the present count, though, which must not fall by it.
                let most = *max;
                *max = most.max(desired);
                (*max > most).then(|| {
                    format!(
                        "{key} in {region} gets max {max} instead of {most}: {desired} tasks are wanted there now"
                    )
                })
            }
            (Value::Desired(tasks), _) => {
                let before = *tasks;
                *tasks = before.max(self.need(region, key, desired, changes).min(desired));
                (*tasks > before).then(|| {
                    format!(
                        "{key} in {region} keeps {tasks} tasks instead of {before}: that is the present need"
                    )
                })
            }
            _ => None,
        };
        Some((kept, words.map(Text::from)))
    }

    fn desired(&self, region: &Region, key: &ServiceKey) -> Option<i32> {
        Some(self.facts.service(&Fact::Service(region.clone(), key.clone()))?.desired)
    }

    /// Tasks that a survivor needs once the restored region has taken its share back: what it wants now less its
    /// part of what the restored region runs then; never more than it ever ran in the last 14 days.
    fn need(&self, region: &Region, key: &ServiceKey, desired: i32, changes: &[Change]) -> i32 {
        let own = Subject::Desired(self.region.clone(), key.clone());
        let saved =
            changes.iter().find(|change| change.item.subject == own).map(|change| match change.saved {
                Value::Desired(tasks) => tasks,
                _ => 0,
            });
        let present = self.desired(self.region, key).unwrap_or(0);
        let taken = saved.unwrap_or(present).max(present);
        let all: i32 = self
            .situation
            .topology
            .regions
            .iter()
            .filter(|entry| entry.name != *self.region)
            .filter_map(|entry| self.desired(&entry.name, key))
            .sum();
        let part = if all > 0 { taken.saturating_mul(desired) / all } else { 0 };
        let need = (desired - part).max(0);
        let peak = self.situation.peaks.tasks.get(&(region.clone(), key.clone()));
        peak.map_or(need, |peak| need.min(*peak))
    }
}

/// The service of a setting.
fn key(subject: &Subject) -> String {
    match subject {
        Subject::Desired(_, key) | Subject::Limits(_, key) => key.to_string(),
        other => other.name().to_string(),
    }
}

/// Whether a value keeps users out.
fn out(method: EvacuationMethod, value: &Value) -> bool {
    match (method, value) {
        (EvacuationMethod::RoutingControl, Value::On(on)) => !on,
        (_, Value::On(on)) => *on,
        (_, Value::Flags { inverted, .. }) => *inverted,
        (_, Value::Record(record)) => record.is_none(),
        _ => false,
    }
}

impl Change {
    /// The call that sets a value; the version of a health check is read again right before.
    fn calls(&self, to: &Value) -> Vec<Operation> {
        let other = if *to == self.saved { &self.now } else { &self.saved };
        let call = self.item.subject.set(&self.item.region, to, Some(other), self.item.version);
        call.into_iter().collect()
    }

    /// A step that puts the saved value back, and whose undo puts the present one back.
    fn step(&self, id: String, title: String) -> Step {
        let holds = self.item.subject.holds(&self.item.region, &self.saved);
        Step::act(id, title, self.calls(&self.saved), self.calls(&self.now), holds, SETTING)
            .at(&self.item.region)
            .changing(format!("{} -> {}", self.now.words(), self.saved.words()))
    }
}
