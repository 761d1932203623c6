//! Judging: what a condition says of what was observed.
//!
//! What it is for: from facts and a moment to a judgement, purely, so that the engine, a plan's dialog and a test
//! come to the same one. What it must not do: take "not known" for "no", or "no" for "never".

use std::time::Duration;

use super::proof::{Proof, all, any, holds, missing, never, not_yet, so_far, strange};
use super::words::{thing, time};
use super::{Condition, Judgement, Moment};
use crate::domain::text::Text;
use crate::runbook::fact::{Fact, Facts, Known};

impl Condition {
    /// What the condition says now. A fact that was not asked for, whose last attempt failed or whose reading
    /// is older than the moment allows proves nothing; only "not found" is an answer where absence is wanted.
    pub fn judge(&self, facts: &Facts, moment: &Moment<'_>) -> Judgement {
        match self {
            Self::All { of } => return all(&each(of, facts, moment)),
            Self::Any { of } => return any(&each(of, facts, moment)),
            _ => {}
        }
        let proof = Proof { facts, moment };
        let ruling = match self {
            Self::Always | Self::All { .. } | Self::Any { .. } => Ok(holds("nothing is asked for")),
            Self::HealthCheckFlags { check, inverted, disabled } => {
                proof.health_check_flags(check, *inverted, *disabled)
            }
            Self::RoutingControls { controls, on } => Ok(proof.routing_controls(controls, *on)),
            Self::Flag { fact, is, name } => proof.flag(fact, *is, name),
            Self::Record { zone, name, record_type, set_identifier, is } => {
                proof.record(zone, name, record_type, set_identifier.as_ref(), is.as_ref())
            }
            Self::Scaling { region, service, min, max, at_least, suspended } => {
                let fact = Fact::Scaling(region.clone(), service.clone());
                proof.scaling(&fact, service, (*min, *max), *at_least, *suspended)
            }
            Self::Desired { region, service, tasks, at_least } => {
                let fact = Fact::Service(region.clone(), service.clone());
                proof.desired(&fact, service, *tasks, *at_least)
            }
            Self::Serving { region, service, groups, tasks } => {
                proof.serving(region, service, groups, *tasks)
            }
            Self::Stopped { region, service } => {
                proof.stopped(&Fact::Service(region.clone(), service.clone()), service)
            }
            Self::Alive { region, groups } => Ok(proof.alive(region, groups)),
            Self::AliveFor { region, groups, span } => Ok(proof.alive_for(region, groups, *span)),
            Self::Writer { ask, global, cluster } => proof.writer(ask, global, cluster),
            Self::GlobalIdle { ask, global } => proof.global_idle(ask, global),
            Self::Synchronized { ask, global } => proof.synchronized(ask, global),
            Self::EndpointMoved { global, settled } => Ok(proof.endpoint_moved(global, *settled)),
            Self::Detached { ask, global, cluster } => proof.detached(ask, global, cluster),
            Self::RpoLag { region, cluster, at_most } => proof.rpo_lag(region, cluster, *at_most),
            Self::AnswersOmit { names, region } => Ok(proof.answers_omit(names, region)),
            Self::AnswersInclude { names, region } => Ok(proof.answers_include(names, region)),
            Self::TrafficBelow { region, before, percent, minutes } => {
                proof.traffic_below(region, *before, *percent, *minutes)
            }
            Self::ErrorsBelow { region, percent } => proof.errors_below(region, *percent),
            Self::Elapsed { span, name } => Ok(elapsed(moment, *span, name)),
            Self::Synthetic { name } => proof.request(&Fact::Synthetic(name.clone())),
            Self::SyntheticWrite { name } => proof.written(&Fact::SyntheticWrite(name.clone())),
            Self::Gone { fact, name } => proof.gone(fact, name),
            Self::Owned { region, arn, key, value } => {
                proof.owned(&Fact::Tags(region.clone(), arn.clone()), key, value)
            }
            Self::NoReplica { ask, table, replica } => proof.no_replica(ask, table, replica),
        };
        // An early end is a judgement like any other; `?` only made the rules shorter.
        ruling.unwrap_or_else(|early| early)
    }
}

fn each(parts: &[Condition], facts: &Facts, moment: &Moment<'_>) -> Vec<Judgement> {
    parts.iter().map(|part| part.judge(facts, moment)).collect()
}

fn elapsed(moment: &Moment<'_>, span: Duration, name: &Text) -> Judgement {
    let since = Duration::try_from(moment.now.duration_since(moment.began)).unwrap_or_default();
    match span.checked_sub(since) {
        None | Some(Duration::ZERO) => holds(format!("{name}: {} have passed", time(span))),
        Some(left) => so_far(
            format!("{name}: {} of {}, {} to go", time_down(since), time(span), time(left)),
            since.as_secs_f64(),
            span.as_secs_f64(),
        ),
    }
}

/// A span that has passed, whole seconds only.
pub(super) fn time_down(span: Duration) -> String {
    time(Duration::from_secs(span.as_secs()))
}

impl Proof<'_> {
    /// The thing does not exist: by AWS's words, or because nothing of it is left.
    fn gone(&self, fact: &Fact, name: &Text) -> super::proof::Ruling {
        if self.absent(fact) {
            return Ok(holds(format!("{name} does not exist")));
        }
        let gone = || holds(format!("{name} is gone"));
        let still = |what: &str| not_yet(format!("{name} {what}"));
        Ok(match self.known(fact)? {
            Known::Absent | Known::Scaling(None) => gone(),
            // A deleted service is told as INACTIVE for some time, with its old counts.
            Known::Service(service) => match service.status.as_str() {
                "INACTIVE" => gone(),
                status => still(&format!("is {status}, {} tasks running", service.running)),
            },
            Known::Names(left) if left.is_empty() => gone(),
            Known::Names(left) => still(&format!("has {} left", super::words::joined(left, ", "))),
            Known::Records(left) if left.is_empty() => gone(),
            Known::Records(left) => {
                still(&format!("has {} left", super::words::counted(left.len(), "record set")))
            }
            Known::Word(word) => match word.as_str() {
                "DELETE_COMPLETE" | "INACTIVE" => gone(),
                word if word.starts_with("DELETE_FAILED") => {
                    let why = word.split_once(": ").map_or_else(|| thing(fact), |(_, why)| why.to_owned());
                    never(format!("deleting {name} failed: {why}"))
                }
                word => still(&format!("is {word}")),
            },
            Known::Flag(false) if matches!(fact, Fact::SwitchObject(..)) => gone(),
            Known::Flag(true) if matches!(fact, Fact::Balancer(..)) => {
                still("is there, protected from deletion")
            }
            Known::Number(versions) if matches!(fact, Fact::Bucket(..)) => {
                still(&format!("is there, with at least {versions:.0} object versions"))
            }
            Known::Table(table) => still(&format!("is {}", table.status)),
            Known::DbCluster(cluster) => {
                still(&format!("is {}, {} instances", cluster.status, cluster.instances))
            }
            Known::GlobalCluster(global) => {
                still(&format!("is {}, {} members", global.status, global.members.len()))
            }
            Known::Present
            | Known::Identity(_)
            | Known::Scaling(Some(_))
            | Known::Targets(_)
            | Known::HealthCheck(_)
            | Known::Flag(_)
            | Known::Number(_)
            | Known::Numbers(_)
            | Known::Probe(_)
            | Known::Written(_)
            | Known::Answers(_)
            | Known::Dependencies(_)
            | Known::RdsEvents(_)
            | Known::TaskSize(_)
            | Known::Subnets(_)
            | Known::Tags(_) => still("is still there"),
        })
    }

    /// The owner tag is there with the wanted value. A tag does not appear by waiting.
    fn owned(&self, fact: &Fact, key: &Text, value: &Text) -> super::proof::Ruling {
        Ok(match self.known(fact)? {
            Known::Absent => missing(fact),
            Known::Tags(tags) => match tags.get(key.as_str()) {
                Some(seen) if seen == value.as_str() => holds(format!("tag {key}={value}")),
                Some(seen) => never(format!("{}: {key} is {seen}, not {value}", thing(fact))),
                None => never(format!("{}: there is no tag {key}", thing(fact))),
            },
            _ => strange(fact),
        })
    }
}
