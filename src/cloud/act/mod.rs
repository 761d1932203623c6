//! Acting: what runbooks observe, and the calls that they send.
//!
//! What it is for: the [`Executor`] of the engine, made of the same clients and credentials that watching uses.
//! What it must not do: decide anything, repeat a changing call, or send one that the approval does not cover.
//!
//! | file | what it is |
//! |---|---|
//! | `observe` | every fact, batched, each with a deadline of its own |
//! | `reads`, `services`, `metrics` | calls that watching does not make |
//! | `requests` | our own requests and writes |
//! | `answers`, `tested`, `subnets` | what DNS tells clients elsewhere |
//! | `routing` | routing controls, on any of five endpoints |
//! | `apply` | every operation, as one call |
//! | `records`, `bucket` | the operations that need more than one line |
//! | `failure` | what became of a call that was not accepted |

mod answers;
mod apply;
mod bucket;
mod failure;
mod metrics;
mod observe;
mod reads;
mod records;
mod requests;
mod routing;
mod services;
mod subnets;
mod tested;

use std::sync::Arc;
use std::time::Duration;

use super::Cloud;
use crate::domain::ids::{Arn, Region};
use crate::domain::text::Text;
use crate::domain::topology::Topology;
use crate::ports::{BoxFuture, DnsLookup, HttpsProbe};
use crate::runbook::{ActFailure, Approval, Executor, Fact, Facts, Operation, Receipt};

/// How long the answer to a changing call is waited for; after it nobody knows.
const ATTEMPT: Duration = Duration::from_secs(15);

/// How long a notification may take.
const PUBLISHING: Duration = Duration::from_secs(5);

/// Longest subject that SNS takes.
const SUBJECT: usize = 99;

/// The hands and eyes of runbooks.
pub struct Acting {
    cloud: Cloud,
    topology: Arc<Topology>,
    probe: Arc<dyn HttpsProbe>,
    dns: Option<Arc<dyn DnsLookup>>,
    memory: answers::Memory,
    records: records::Written,
}

impl Cloud {
    /// What runbooks of this application observe and act with. Without `dns` there is no proof of what clients
    /// elsewhere are told, and those facts say so.
    pub fn acting(
        &self,
        topology: Arc<Topology>,
        probe: Arc<dyn HttpsProbe>,
        dns: Option<Arc<dyn DnsLookup>>,
    ) -> Acting {
        Acting {
            cloud: self.clone(),
            topology,
            probe,
            dns,
            memory: answers::Memory::default(),
            records: records::Written::default(),
        }
    }
}

impl Executor for Acting {
    fn observe<'a>(&'a self, facts: &'a [Fact]) -> BoxFuture<'a, Facts> {
        Box::pin(self.observe_all(facts))
    }

    fn observe_each<'a>(
        &'a self,
        facts: &'a [Fact],
        dark: Option<&'a Region>,
        told: &'a (dyn Fn(Facts) + Send + Sync),
    ) -> BoxFuture<'a, ()> {
        Box::pin(self.observe_as_told(facts, dark, told))
    }

    fn apply<'a>(
        &'a self,
        operation: &'a Operation,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<Receipt, ActFailure>> {
        Box::pin(async move {
            if !approval.covers(operation) {
                let why = "not sent: the approved plan does not hold this call";
                return Err(ActFailure::Refused { why: why.into() });
            }
            self.send(operation).await
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a Arn,
        subject: &'a Text,
        message: &'a str,
        _approval: &'a Approval,
    ) -> BoxFuture<'a, Result<(), Text>> {
        Box::pin(async move {
            let Some(region) = topic.region() else {
                return Err(Text::new(format!("{topic} names no region")));
            };
            let place = self.cloud.at(&region);
            let client = aws_sdk_sns::Client::new(&place.once(PUBLISHING).await);
            let request = client.publish().topic_arn(topic.as_str()).subject(line(subject)).message(message);
            let sent = place.ask("sns:Publish", request.send()).await;
            sent.map(|_| ()).map_err(|error| Text::new(error.to_string()))
        })
    }
}

/// SNS takes one line of plain ASCII as a subject, and no empty one.
fn line(subject: &Text) -> String {
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '-' };
    let line: String = subject.as_str().trim().chars().map(plain).take(SUBJECT).collect();
    if line.is_empty() { "switchtower".to_owned() } else { line }
}
