//! The fence: nothing in the failed region writes on, as far as that region can be told anything.
//!
//! What it is for: stopping what may come back and write beside the new writer, with auto scaling held first.
//! What it must not do: be waited for, or need anything that the failed region would have to answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Draft;
use crate::domain::ids::{Region, ServiceKey};
use crate::domain::snapshot::ScalableTarget;
use crate::domain::text::Text;
use crate::runbook::condition::Condition;
use crate::runbook::evacuation::held_at_zero;
use crate::runbook::fact::Fact;
use crate::runbook::operation::{Operation, Suspended};
use crate::runbook::plan::{Step, StepId};
use crate::runbook::situation::{View, words};

/// How long each of the two steps of a fence may take: half a minute for a region that may answer nothing.
const FENCE: Duration = Duration::from_secs(15);

impl Draft {
    /// Best effort: nothing in the failed region writes on. Auto scaling is held first, or it starts the tasks again a
    /// minute later; where it cannot be held the tasks are stopped all the same, and the steps say which came about.
    pub(super) fn fence(&mut self, view: &View<'_>, region: &Region, pin: &StepId) {
        let mut known = Known::new();
        for service in view.services(region) {
            let key = &service.key;
            let place = format!("{region}/{key}");
            let facts =
                [Fact::Service(region.clone(), key.clone()), Fact::Scaling(region.clone(), key.clone())];
            let desired = view.facts.service(&facts[0]).map(|state| state.desired);
            let scaling = view.facts.scaling(&facts[1]);
            let saved = scaling.and_then(Option::as_ref);
            // Limits that were never read hold nothing up: of a target that exists, Min and suspension can be set alone.
            let scales = scaling.map_or(service.scalable, Option::is_some);
            let mut after = vec![pin.clone()];
            if scales {
                let step = hold(view, region, key, saved).after(after);
                after = vec![step.id.clone()];
                self.steps.push(step);
            }
            let set =
                |desired| Operation::SetDesired { region: region.clone(), service: key.clone(), desired };
            let zero = Condition::Desired {
                region: region.clone(),
                service: key.clone(),
                tasks: 0,
                at_least: false,
            };
            let title = format!("fence {key} in {region}, best effort");
            let undo = desired.map(set).into_iter().collect();
            let step = Step::act(format!("fence/{place}"), title, vec![set(0)], undo, zero, FENCE);
            let was = desired.map_or_else(|| "not known".to_owned(), |desired| desired.to_string());
            let lasting = if scales { "; lasts only where auto scaling could be held" } else { "" };
            let step = step.changing(format!("desired {was} -> 0{lasting}"));
            self.steps.push(step.at(region).after(after).passing());
            known_of(view, key, &facts, scales, &mut known);
        }
        let line = |((what, told), keys): ((&str, String), Vec<ServiceKey>)| {
            Text::from(format!("{what} of {} in {region}: {told}", words::list(keys)))
        };
        self.notes.extend(known.into_iter().map(line));
    }
}

/// Auto scaling is told to leave a service of the failed region at zero.
fn hold(view: &View<'_>, region: &Region, key: &ServiceKey, saved: Option<&ScalableTarget>) -> Step {
    let fact = Fact::Scaling(region.clone(), key.clone());
    // Max is not written back from an older reading: somebody may have raised it since.
    let read = view.facts.reading(&fact).is_some_and(|reading| !reading.saved);
    let read = read && view.facts.error(&fact).is_none();
    let (call, release) = held_at_zero(region, key, saved, read);
    let held = Condition::Scaling {
        region: region.clone(),
        service: key.clone(),
        min: 0,
        max: saved.filter(|_| read).map(|saved| saved.max),
        at_least: false,
        suspended: Some(Suspended::ALL),
    };
    let was = saved.map_or_else(|| "not known".to_owned(), |saved| saved.min.to_string());
    let title = format!("auto scaling leaves {key} in {region} alone, best effort");
    let undo = release.into_iter().collect();
    let step = Step::act(format!("hold/{region}/{key}"), title, vec![call], undo, held, FENCE);
    step.at(region).passing().changing(format!("min {was} -> 0, scaling suspended"))
}

/// What a restore will know of fenced services, where that was not read just now: services by what is told of them.
type Known = BTreeMap<(&'static str, String), Vec<ServiceKey>>;

fn known_of(view: &View<'_>, key: &ServiceKey, facts: &[Fact; 2], scales: bool, known: &mut Known) {
    for (fact, what) in facts.iter().zip(["tasks", "scaling limits"]).take(if scales { 2 } else { 1 }) {
        let told = match view.facts.reading(fact) {
            Some(_) if view.is_fresh(fact) => continue,
            Some(reading) => format!("a restore goes by what was seen {}", words::age(reading, view.now)),
            None => "never read, and no restore brings them back".to_owned(),
        };
        known.entry((what, told)).or_default().push(key.clone());
    }
}
