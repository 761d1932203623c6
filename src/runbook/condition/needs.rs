//! The facts that a condition is judged on.
//!
//! What it is for: the engine and a plan's reader ask for exactly these, each once, in the order in which the
//! condition names them. What it must not do: say what they mean.

use super::Condition;
use crate::runbook::fact::Fact;

impl Condition {
    /// Every fact that [`judge`](Self::judge) looks at, once, in order. Where several regions may be asked,
    /// all of them are named: which one answers is not known beforehand.
    pub fn facts(&self) -> Vec<Fact> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect(&self, found: &mut Vec<Fact>) {
        let mut add = |fact: Fact| {
            if !found.contains(&fact) {
                found.push(fact);
            }
        };
        match self {
            Self::Always | Self::Elapsed { .. } | Self::EndpointMoved { .. } => {}
            Self::All { of } | Self::Any { of } => {
                for part in of {
                    part.collect(found);
                }
            }
            Self::HealthCheckFlags { check, .. } => add(Fact::HealthCheck(check.clone())),
            Self::RoutingControls { controls, .. } => {
                controls.iter().cloned().map(Fact::RoutingControl).for_each(add);
            }
            Self::Flag { fact, .. } | Self::Gone { fact, .. } => add(fact.clone()),
            Self::Record { zone, name, .. } => add(Fact::Records(zone.clone(), name.clone())),
            Self::Scaling { region, service, .. } => add(Fact::Scaling(region.clone(), service.clone())),
            Self::Desired { region, service, .. } | Self::Stopped { region, service } => {
                add(Fact::Service(region.clone(), service.clone()));
            }
            Self::Serving { region, service, groups, .. } => {
                add(Fact::Service(region.clone(), service.clone()));
                for group in groups {
                    add(Fact::Targets(region.clone(), group.clone()));
                }
            }
            Self::Alive { region, groups } | Self::AliveFor { region, groups, .. } => {
                for group in groups {
                    add(Fact::Targets(region.clone(), group.clone()));
                }
                add(Fact::Probe(region.clone()));
            }
            Self::Writer { ask, global, .. }
            | Self::GlobalIdle { ask, global }
            | Self::Synchronized { ask, global }
            | Self::Detached { ask, global, .. } => {
                for region in ask {
                    add(Fact::GlobalCluster(region.clone(), global.clone()));
                }
            }
            Self::RpoLag { region, cluster, .. } => add(Fact::RpoLag(region.clone(), cluster.clone())),
            Self::AnswersOmit { names, .. } | Self::AnswersInclude { names, .. } => {
                names.iter().cloned().map(Fact::Answers).for_each(add);
            }
            Self::TrafficBelow { region, .. } => add(Fact::Requests(region.clone())),
            Self::ErrorsBelow { region, .. } => add(Fact::Errors(region.clone())),
            Self::Synthetic { name } => add(Fact::Synthetic(name.clone())),
            Self::SyntheticWrite { name } => add(Fact::SyntheticWrite(name.clone())),
            Self::Owned { region, arn, .. } => add(Fact::Tags(region.clone(), arn.clone())),
            Self::NoReplica { ask, table, .. } => add(Fact::Table(ask.clone(), table.clone())),
        }
    }
}
