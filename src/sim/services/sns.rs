//! SNS.

use super::{XmlResult, unknown_action};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::{Params, page};
use crate::sim::wire::xml::Xml;
use crate::sim::world::fleet::{ACCOUNT, Fleet};
use crate::sim::world::removal::Thing;
use crate::sim::world::stores::Message;
use crate::sim::world::{World, noise};

pub(super) fn answer(world: &World, call: &Call, operation: &str, params: &Params) -> XmlResult {
    match operation {
        "ListTopics" => list(world, call, params),
        "DeleteTopic" => delete(world, call, params),
        "ListTagsForResource" => tags(world, call, params),
        "Publish" => publish(world, call, params),
        "GetTopicAttributes" => attributes(world, call, params),
        "ListSubscriptionsByTopic" => subscriptions(world, call, params),
        _ => Err(unknown_action(operation)),
    }
}

fn bad_token() -> Fault {
    Fault::sender("InvalidParameter", "Invalid parameter: NextToken Reason: invalid token")
}

/// The topic of a region, where there is one: in every region of the application, and in us-east-1 for
/// the alarms on Route 53.
fn topic(world: &World, call: &Call) -> Option<String> {
    let there = world.fleet.site(&call.region).is_some() || call.region == "us-east-1";
    let arn = there.then(|| Fleet::topic(&call.region))?;
    (!world.is_gone(&Thing::Topic(arn.clone()), call.now)).then_some(arn)
}

fn named<'a>(world: &World, call: &Call, params: &'a Params) -> Result<&'a str, Fault> {
    let arn = params.text("TopicArn").or_else(|| params.text("TargetArn")).unwrap_or_default();
    let parts: Vec<&str> = arn.split(':').collect();
    if parts.len() != 6 || parts[2] != "sns" {
        return Err(Fault::sender(
            "InvalidParameter",
            "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
        ));
    }
    if parts[3] != call.region {
        return Err(Fault::sender("InvalidParameter", "Invalid parameter: TopicArn"));
    }
    if parts[4] != ACCOUNT {
        let operation = params.text("Action").unwrap_or_default();
        return Err(Fault::with_status(
            403,
            "AuthorizationError",
            format!(
                "User: {} is not authorized to perform: SNS:{operation} on resource: {arn}",
                crate::sim::IDENTITY_ARN
            ),
        ));
    }
    if topic(world, call).as_deref() != Some(arn) {
        return Err(Fault::with_status(404, "NotFound", "Topic does not exist"));
    }
    Ok(arn)
}

fn list(world: &World, call: &Call, params: &Params) -> XmlResult {
    let topics: Vec<String> = topic(world, call).into_iter().collect();
    let (page, next) = page(&topics, params.text("NextToken"), 100, bad_token)?;
    let mut xml = Xml::new();
    xml.list("Topics", "member", page, |xml, arn| {
        xml.leaf("TopicArn", arn);
    });
    xml.maybe("NextToken", next);
    Ok(xml)
}

fn attributes(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn = named(world, call, params)?;
    let list = [
        ("TopicArn", arn),
        ("Owner", ACCOUNT),
        ("DisplayName", ""),
        ("SubscriptionsConfirmed", "1"),
        ("SubscriptionsPending", "0"),
        ("SubscriptionsDeleted", "0"),
    ];
    let mut xml = Xml::new();
    xml.list("Attributes", "entry", list, |xml, (key, value)| {
        xml.leaf("key", key).leaf("value", value);
    });
    Ok(xml)
}

fn subscriptions(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn = named(world, call, params)?;
    let all = [arn];
    let (page, next) = page(&all, params.text("NextToken"), 100, bad_token)?;
    let mut xml = Xml::new();
    xml.list("Subscriptions", "member", page, |xml, arn| {
        xml.leaf("SubscriptionArn", format!("{arn}:{}", noise::uuid(world.seed, arn)));
        xml.leaf("Owner", ACCOUNT).leaf("Protocol", "https");
        xml.leaf("Endpoint", "https://pager.example.net/integration/orders").leaf("TopicArn", arn);
    });
    xml.maybe("NextToken", next);
    Ok(xml)
}

/// Deletes a topic with its subscriptions; one that is gone is no error.
fn delete(world: &World, call: &Call, params: &Params) -> XmlResult {
    match named(world, call, params) {
        Ok(arn) => world.remove(call.served, Thing::Topic(arn.to_owned()), 0.0),
        Err(fault) if fault.code == "NotFound" => {}
        Err(fault) => return Err(fault),
    }
    Ok(Xml::new())
}

fn tags(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn = params.text("ResourceArn").unwrap_or_default();
    if topic(world, call).as_deref() != Some(arn) {
        return Err(Fault::with_status(404, "ResourceNotFound", "Resource does not exist"));
    }
    let mut xml = Xml::new();
    xml.list("Tags", "member", world.tags(arn), |xml, (key, value)| {
        xml.leaf("Key", key).leaf("Value", value);
    });
    Ok(xml)
}

/// Largest message, bytes.
const LARGEST_MESSAGE: usize = 256 * 1024;

fn publish(world: &World, call: &Call, params: &Params) -> XmlResult {
    let topic = named(world, call, params)?;
    let text = params.text("Message").ok_or_else(|| {
        Fault::sender("InvalidParameter", "Invalid parameter: Message Reason: Empty message")
    })?;
    if text.len() > LARGEST_MESSAGE {
        return Err(Fault::sender("InvalidParameter", "Invalid parameter: Message too long"));
    }
    let subject = params.text("Subject");
    if subject.is_some_and(|subject| subject.len() > 100 || subject.contains('\n')) {
        return Err(Fault::sender("InvalidParameter", "Invalid parameter: Subject"));
    }
    world.stores.publish(Message {
        at: call.served,
        topic: topic.to_owned(),
        subject: subject.map(str::to_owned),
        text: text.to_owned(),
    });
    let mut xml = Xml::new();
    xml.leaf("MessageId", noise::uuid(world.seed, &format!("message/{}", call.request_id)));
    Ok(xml)
}
