//! What survivors must be able to carry.
//!
//! What it is for: the tasks that each service of a survivor needs once a region is out of service, from the peaks of
//! the last fourteen days and from what is wanted now: its own users and those of the region that goes, each once.
//! What it must not do: ever ask for less than is there, or leave users out because nobody can tell whose they are:
//! then they count twice, and the plan says so.

use super::{InDns, View, words};
use crate::domain::ids::{Arn, Region, ServiceKey};
use crate::domain::observation::Reading;
use crate::domain::snapshot::ScalableTarget;
use crate::domain::text::Text;
use crate::domain::topology::Service;
use crate::runbook::fact::{Fact, Known};

/// The load of a region is that of its busiest minute among so many of the newest.
const RECENT_MINUTES: usize = 5;

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
    /// Whether what it wants now holds tasks for another region's users, and how those were counted.
    pub lent: Lent,
}

/// How a need counts users of other regions for whom a survivor runs tasks already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lent {
    /// There are none, or it makes no difference.
    Nothing,
    /// Once: what the survivor needs for its own users is known.
    Once(Vec<Region>),
    /// Once more than they are there: nothing tells them from the own ones of the first region, which is the survivor or
    /// the one that goes.
    Again(Region, Vec<Region>),
}

/// Which regions' users are served elsewhere now.
struct Away {
    /// DNS leads nobody there.
    gone: Vec<Region>,
    /// The same, or nobody knows.
    doubtful: Vec<Region>,
}

impl View<'_> {
    /// What each service of each survivor must carry when `out` is gone, survivors in the given order. With three or
    /// more regions each must carry all of the evacuated one, unless the policy lets them share.
    pub fn needs(&self, out: &Region, survivors: &[Region]) -> Vec<Need> {
        let share = if self.topology.policy.survivors_share { survivors.len().max(1) as i32 } else { 1 };
        let away = self.away();
        let mut needs = Vec::new();
        for survivor in survivors {
            for service in self.services(survivor) {
                let Some(twin) = twin(self.services(out), service) else { continue };
                let service_fact = Fact::Service(survivor.clone(), service.key.clone());
                let scaling_fact = Fact::Scaling(survivor.clone(), service.key.clone());
                let mut need = Need {
                    region: survivor.clone(),
                    service: service.key.clone(),
                    groups: service.target_groups.clone(),
                    desired: self.facts.service(&service_fact).map(|state| state.desired),
                    scaling: self.facts.scaling(&scaling_fact).cloned(),
                    fresh: self.is_fresh(&service_fact) && self.is_fresh(&scaling_fact),
                    tasks: None,
                    assumed: false,
                    lent: Lent::Nothing,
                };
                self.count(&mut need, out, &twin.key, &away, share);
                needs.push(need);
            }
        }
        needs
    }

    /// Fills in the tasks: the survivor's own and the evacuated region's, each once where that can be told.
    fn count(&self, need: &mut Need, out: &Region, twin: &ServiceKey, away: &Away, share: i32) {
        let (survivor, key) = (&need.region, &need.service);
        let part = |tasks: i32| (tasks + share - 1) / share;
        let own = self.figure(survivor, key);
        let evacuated = self.own_measure(out, twin, away).or_else(|| self.figure(out, twin));
        need.assumed = evacuated.is_none();
        let all = own.zip(evacuated.or(own)).map(|(own, carried)| own + part(carried));
        need.tasks = all;
        let lenders = self.lenders(survivor, away);
        if self.is_unclear(out, twin, away) {
            need.lent = Lent::Again(out.clone(), self.lenders(out, away));
        }
        if lenders.is_empty() || all.is_none() {
            return;
        }
        // By its own peak, when its load is none that it did not carry before, and by those of all who are not served
        // where they belong; or by what the run asked of it that took the region out.
        let by_peak = self.peak(survivor, key).and_then(|own| {
            let mut tasks = own + part(evacuated.unwrap_or(own));
            for other in away.doubtful.iter().filter(|other| *other != survivor && *other != out) {
                if let Some(twin) = self::twin(self.services(other), self.service(survivor, key)?) {
                    tasks += part(self.figure(other, &twin.key)?);
                }
            }
            Some(tasks)
        });
        let by_run = self.carried(survivor, key, out, &lenders, away);
        let known = by_run.is_some() || self.own_measure(survivor, key, away).is_some();
        if known {
            let once = by_peak.into_iter().chain(by_run).chain(need.desired).max();
            need.assumed &= by_run.is_none();
            if once < all {
                need.lent = Lent::Once(lenders);
            }
            need.tasks = once;
        } else {
            need.tasks = all.max(by_peak);
            if self.is_unclear(survivor, key, away) {
                need.lent = Lent::Again(survivor.clone(), lenders);
            }
        }
    }

    fn away(&self) -> Away {
        let regions = || self.topology.regions.iter().map(|entry| &entry.name);
        let stands = |wanted: &dyn Fn(InDns) -> bool| -> Vec<Region> {
            regions().filter(|region| wanted(self.in_dns(region))).cloned().collect()
        };
        Away { gone: stands(&|dns| dns == InDns::No), doubtful: stands(&|dns| dns != InDns::Yes) }
    }

    /// Regions whose users may be in what another one wants now: they are out of DNS, or a run of ours moved them a
    /// short while ago.
    fn lenders(&self, to: &Region, away: &Away) -> Vec<Region> {
        let moved = &self.situation.peaks.lent.regions;
        let lends =
            |region: &&Region| *region != to && (away.gone.contains(region) || moved.contains(*region));
        self.topology.regions.iter().map(|entry| &entry.name).filter(lends).cloned().collect()
    }

    /// What a service needs for its own region's users, where what is wanted of it holds others' too: its peak of days on
    /// which it carried nobody else, as long as its load is not above the peaks of all whom it may carry.
    fn own_measure(&self, region: &Region, service: &ServiceKey, away: &Away) -> Option<i32> {
        if self.lenders(region, away).is_empty() {
            return None;
        }
        let peaks = &self.situation.peaks.requests;
        let others = away.gone.iter().filter(|gone| *gone != region);
        let most: f64 =
            others.chain([region]).map(|region| peaks.get(region).copied()).sum::<Option<f64>>()?;
        let fact = Fact::Requests(region.clone());
        let minutes = self.facts.numbers(&fact).filter(|_| self.is_fresh(&fact))?;
        let newest = &minutes[minutes.len().saturating_sub(RECENT_MINUTES)..];
        let load = newest.iter().copied().max_by(f64::total_cmp)? / 60.0;
        if load <= most { self.peak(region, service) } else { None }
    }

    /// True when more is wanted than it ever needed for its own users, and whose tasks those are nobody can tell.
    fn is_unclear(&self, region: &Region, service: &ServiceKey, away: &Away) -> bool {
        let wanted = self.facts.service(&Fact::Service(region.clone(), service.clone()));
        !self.lenders(region, away).is_empty()
            && self.own_measure(region, service, away).is_none()
            && wanted.map(|state| state.desired) > self.peak(region, service)
    }

    /// What the run asked of a survivor that took `out` out, while nobody else's users have moved since.
    fn carried(
        &self,
        survivor: &Region,
        service: &ServiceKey,
        out: &Region,
        lenders: &[Region],
        away: &Away,
    ) -> Option<i32> {
        if !away.gone.contains(out) || lenders != [out.clone()] {
            return None;
        }
        self.situation.peaks.lent.carried.get(&(survivor.clone(), service.clone())).copied()
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
        let fact = Fact::Service(region.clone(), service.clone());
        let desired = self.facts.service(&fact).map(|state| state.desired);
        self.peak(region, service).into_iter().chain(desired).max()
    }

    fn peak(&self, region: &Region, service: &ServiceKey) -> Option<i32> {
        self.situation.peaks.tasks.get(&(region.clone(), service.clone())).copied()
    }

    fn service(&self, region: &Region, key: &ServiceKey) -> Option<&Service> {
        self.services(region).iter().find(|service| &service.key == key)
    }

    /// A service's desired count as last seen.
    pub fn desired(&self, region: &Region, service: &ServiceKey) -> Option<&Reading<Known>> {
        self.facts.reading(&Fact::Service(region.clone(), service.clone()))
    }
}

/// What a plan says of users who are served elsewhere already, a line for each survivor.
pub fn lent_words(needs: &[Need]) -> Vec<Text> {
    let mut said: Vec<Text> = Vec::new();
    for need in needs {
        let region = &need.region;
        let line = match &need.lent {
            Lent::Nothing => continue,
            Lent::Once(lenders) => format!(
                "{region} runs tasks for users of {} already, or did a short while ago: they are counted once",
                words::list(lenders)
            ),
            Lent::Again(region, lenders) => format!(
                "{region} may run tasks for users of {} already, or still; nothing tells how many, so they are counted \
                 once more: rather too much than too little",
                words::list(lenders)
            ),
        };
        let line = Text::from(line);
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said
}

/// The service of the same cluster and name, or of the same name where clusters are named by region.
fn twin<'s>(among: &'s [Service], service: &Service) -> Option<&'s Service> {
    among.iter().find(|other| other.key == service.key).or_else(|| {
        let mut same = among.iter().filter(|other| other.key.service == service.key.service);
        let first = same.next()?;
        same.next().is_none().then_some(first)
    })
}
