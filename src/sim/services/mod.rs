//! The services: one file each, from a call to a reply.
//!
//! What it is for: answering each operation as AWS does, from the world's truth.
//! What it must not do: rate limits, credentials and faults, which come before (`sim::route`).

mod cloudformation;
mod dynamodb;
mod dynamodb_removal;
mod ec2;
mod ecs;
mod ecs_changes;
mod ecs_removal;
mod elbv2;
mod elbv2_removal;
mod expression;
mod items;
mod quotas;
mod rds;
mod rds_changes;
mod rds_removal;
mod recovery;
mod route53;
mod route53_changes;
mod s3;
mod s3_removal;
mod scaling;
mod sns;
mod sts;
mod updates;

pub(super) use cloudformation::STACK;
pub(super) use rds::global_arn as aurora_arn;
pub(super) use recovery::{ENDPOINT_REGIONS, control_arn, endpoint, rule_arn};

use super::call::{Call, Fault, Reply};
use super::cloudwatch;
use super::wire::{self, Protocol};
use super::world::World;

/// What an operation answers: the members of an awsJson answer.
type JsonResult = Result<serde_json::Value, Fault>;
/// What an operation answers: XML.
type XmlResult = Result<wire::xml::Xml, Fault>;

/// The operation that a call names, before anything is known of its validity; empty when it names none.
pub fn operation(call: &Call) -> String {
    match wire::protocol(&call.service) {
        Some(Protocol::Json(_)) => target(call).unwrap_or_default(),
        Some(Protocol::Query(_) | Protocol::Ec2(_)) => {
            wire::query::params(call).text("Action").unwrap_or_default().to_owned()
        }
        Some(Protocol::CloudWatch) => cloudwatch::operation(call),
        Some(Protocol::Route53) => route53::operation(call).to_owned(),
        Some(Protocol::S3) => s3::operation(call).to_owned(),
        None => String::new(),
    }
}

fn target(call: &Call) -> Option<String> {
    call.header("x-amz-target").and_then(|target| target.rsplit_once('.')).map(|(_, name)| name.to_owned())
}

/// Lets the service answer.
pub fn answer(world: &World, call: &Call, operation: &str) -> Reply {
    let outcome = match wire::protocol(&call.service) {
        Some(Protocol::Json(version)) => {
            let result = match call.service.as_str() {
                "ecs" => ecs::answer(world, call, operation),
                "dynamodb" => dynamodb::answer(world, call, operation),
                "route53-recovery-cluster" => recovery::answer(world, call, operation),
                "servicequotas" => quotas::answer(world, call, operation),
                _ => scaling::answer(world, call, operation),
            };
            result.map(|body| wire::json::reply(version, operation, &body))
        }
        Some(Protocol::Query(namespace)) => {
            let params = wire::query::params(call);
            let result = match call.service.as_str() {
                "sts" => sts::answer(world, call, operation, &params),
                "elasticloadbalancing" => elbv2::answer(world, call, operation, &params),
                "cloudformation" => cloudformation::answer(world, call, operation, &params),
                "rds" => rds::answer(world, call, operation, &params),
                _ => sns::answer(world, call, operation, &params),
            };
            result.map(|body| wire::query::reply(call, namespace, operation, &body))
        }
        Some(Protocol::Ec2(namespace)) => {
            let params = wire::query::params(call);
            let result = ec2::answer(world, call, operation, &params);
            result.map(|body| wire::query::plain(call, namespace, operation, &body))
        }
        Some(Protocol::Route53) => {
            route53::answer(world, call, operation).map(|body| wire::xml::reply(operation, &body))
        }
        Some(Protocol::S3) => s3::answer(world, call, operation),
        Some(Protocol::CloudWatch) => Ok(cloudwatch::answer(world, call)),
        None => Err(Fault::with_status(
            501,
            "NotImplemented",
            format!("This simulation has no service called {}.", call.service),
        )),
    };
    outcome.unwrap_or_else(|fault| wire::error(call, operation, &fault))
}

/// An operation that a query service does not know, or this simulation does not do.
fn unknown_action(operation: &str) -> Fault {
    Fault::with_status(
        400,
        "InvalidAction",
        format!("The action {operation} is not valid for this web service, or not simulated."),
    )
}

/// The same for awsJson.
fn unknown_target(operation: &str) -> Fault {
    Fault::sender("UnknownOperationException", format!("{operation} is not simulated"))
}
