//! What survivors must be able to carry.
//!
//! What it is for: the tasks that each service of a survivor needs once a region is out of service, from the peaks of
//! the last fourteen days and from what is wanted now. What it must not do: ever ask for less than is there.

use super::View;
use crate::domain::ids::{Arn, Region, ServiceKey};
use crate::domain::observation::Reading;
use crate::domain::snapshot::ScalableTarget;
use crate::domain::topology::Service;
use crate::runbook::fact::{Fact, Known};

/// The need of one service in one survivor.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// The survivor.
    pub region: Region,
    /// The service there.
    pub service: ServiceKey,
    /// Its target groups.
    pub groups: Vec<Arn>,
    /// Desired tasks, as last seen.
    pub desired: Option<i32>,
    /// Its scalable target, as last seen; `None` inside when it has none.
    pub scaling: Option<Option<ScalableTarget>>,
    /// True when both are known now, not from long ago.
    pub fresh: bool,
    /// Tasks that it must be able to run; `None` when nothing is known of it.
    pub tasks: Option<i32>,
    /// True when nothing was known of the evacuated region's service, so that it was taken to be like this one.
    pub assumed: bool,
}

impl View<'_> {
    /// What each service of each survivor must carry when `out` is gone, survivors in the given order. With three or
    /// more regions each must carry all of the evacuated one, unless the policy lets them share.
    pub fn needs(&self, out: &Region, survivors: &[Region]) -> Vec<Need> {
        let share = if self.topology.policy.survivors_share { survivors.len().max(1) as i32 } else { 1 };
        let mut needs = Vec::new();
        for survivor in survivors {
            for service in self.services(survivor) {
                let Some(twin) = twin(self.services(out), service) else { continue };
                let own = self.figure(survivor, &service.key);
                let evacuated = self.figure(out, &twin.key);
                let carried = evacuated.or(own).map(|tasks| (tasks + share - 1) / share);
                let service_fact = Fact::Service(survivor.clone(), service.key.clone());
                let scaling_fact = Fact::Scaling(survivor.clone(), service.key.clone());
                needs.push(Need {
                    region: survivor.clone(),
                    service: service.key.clone(),
                    groups: service.target_groups.clone(),
                    desired: self.facts.service(&service_fact).map(|state| state.desired),
                    scaling: self.facts.scaling(&scaling_fact).cloned(),
                    fresh: self.is_fresh(&service_fact) && self.is_fresh(&scaling_fact),
                    tasks: own.zip(carried).map(|(own, carried)| own + carried),
                    assumed: evacuated.is_none(),
                });
            }
        }
        needs
    }

    /// Services of `out` that a survivor has nothing of the same name for.
    pub fn missing_services(&self, out: &Region, survivor: &Region) -> Vec<ServiceKey> {
        let here = self.services(survivor);
        let lost = self.services(out).iter().filter(|service| twin(here, service).is_none());
        lost.map(|service| service.key.clone()).collect()
    }

    /// The services of a region, in the topology's order.
    pub fn services(&self, region: &Region) -> &[Service] {
        self.topology.region(region).map_or(&[], |entry| &entry.services)
    }

    /// The most that a service ran in fourteen days, or what is wanted of it now where that is more.
    fn figure(&self, region: &Region, service: &ServiceKey) -> Option<i32> {
        let peak = self.situation.peaks.tasks.get(&(region.clone(), service.clone())).copied();
        let fact = Fact::Service(region.clone(), service.clone());
        let desired = self.facts.service(&fact).map(|state| state.desired);
        peak.into_iter().chain(desired).max()
    }

    /// A service's desired count as last seen.
    pub fn desired(&self, region: &Region, service: &ServiceKey) -> Option<&Reading<Known>> {
        self.facts.reading(&Fact::Service(region.clone(), service.clone()))
    }
}

/// The service of the same cluster and name, or of the same name where clusters are named by region.
fn twin<'s>(among: &'s [Service], service: &Service) -> Option<&'s Service> {
    among.iter().find(|other| other.key == service.key).or_else(|| {
        let mut same = among.iter().filter(|other| other.key.service == service.key.service);
        let first = same.next()?;
        same.next().is_none().then_some(first)
    })
}
