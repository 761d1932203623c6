//! The lease table: items with conditions, as DynamoDB tests and words them.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::sim::Sim;

use super::{code, config, world};

const TABLE: &str = "switchtower-lease";

fn client(sim: &Sim) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&config(sim, "us-west-2"))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key() -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".into(), text("orders")), ("sk".into(), text("lease"))])
}

fn item(holder: &str, fencing: i64) -> HashMap<String, AttributeValue> {
    let mut item = key();
    item.extend([("holder".into(), text(holder)), ("fencing".into(), number(fencing))]);
    item
}

#[tokio::test(start_paused = true)]
async fn of_two_who_race_for_a_lease_one_wins() {
    let sim = world("calm");
    let take = |holder: &'static str| {
        client(&sim)
            .put_item()
            .table_name(TABLE)
            .set_item(Some(item(holder, 1)))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    let (one, other) = tokio::join!(take("alice"), take("bob"));
    assert_ne!(one.is_ok(), other.is_ok());
    let lost = one.err().or(other.err()).unwrap();
    let SdkError::ServiceError(refused) = lost else { panic!("{lost:?}") };
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(refused) =
        refused.into_err()
    else {
        panic!()
    };
    let winner = refused.item().unwrap()["holder"].as_s().unwrap().clone();
    let read =
        client(&sim).get_item().table_name(TABLE).set_key(Some(key())).consistent_read(true).send().await;
    assert_eq!(read.unwrap().item().unwrap()["holder"].as_s().unwrap(), &winner);
}

#[tokio::test(start_paused = true)]
async fn conditions_compare_combine_and_negate() {
    let sim = world("calm");
    let client = client(&sim);
    client.put_item().table_name(TABLE).set_item(Some(item("alice", 7))).send().await.unwrap();
    let cases = [
        ("holder = :alice", true),
        ("holder <> :alice", false),
        ("missing <> :alice", true),
        ("missing = :alice", false),
        ("fencing < :ten AND fencing >= :seven", true),
        ("fencing > :ten", false),
        ("fencing <= :nine", true),
        // As text, ten would come before seven.
        ("NOT fencing < :ten", false),
        ("(holder = :bob OR fencing = :seven) AND attribute_exists(sk)", true),
        ("holder = :bob OR fencing = :seven AND attribute_not_exists(sk)", false),
        ("attribute_not_exists(#h) OR #h = :alice", true),
        ("fencing BETWEEN :seven AND :ten", true),
        ("holder IN (:bob, :alice)", true),
        ("begins_with(holder, :al) and size(holder) = :five", true),
        ("contains(holder, :al)", true),
        // A number is in no order with a text.
        ("holder > :seven", false),
    ];
    for (condition, holds) in cases {
        let names = condition.contains("#h").then(|| HashMap::from([("#h".to_owned(), "holder".to_owned())]));
        let all = [
            (":alice", text("alice")),
            (":al", text("al")),
            (":bob", text("bob")),
            (":five", number(5)),
            (":seven", number(7)),
            (":nine", AttributeValue::N("9.0".into())),
            (":ten", number(10)),
        ];
        let wanted =
            |name: &str| condition.split(|c: char| !c.is_alphanumeric() && c != ':').any(|word| word == name);
        let values: HashMap<String, AttributeValue> = all
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let sent = client
            .update_item()
            .table_name(TABLE)
            .set_key(Some(key()))
            .update_expression("SET seen = if_not_exists(seen, :zero) + :one")
            .condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(Some(values))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .send()
            .await;
        assert_eq!(sent.is_ok(), holds, "{condition}: {sent:?}");
        if !holds {
            assert_eq!(code(sent), "ConditionalCheckFailedException");
        }
    }
    let read = client.get_item().table_name(TABLE).set_key(Some(key())).send().await.unwrap();
    assert_eq!(read.item().unwrap()["seen"], number(10));
}

#[tokio::test(start_paused = true)]
async fn updates_set_remove_and_add() {
    let sim = world("calm");
    let client = client(&sim);
    let update = |expression: &str| {
        client
            .update_item()
            .table_name(TABLE)
            .set_key(Some(key()))
            .update_expression(expression)
            .return_values(ReturnValue::AllNew)
    };
    let made = update("SET holder = :h ADD fencing :one")
        .expression_attribute_values(":h", text("alice"))
        .expression_attribute_values(":one", number(1))
        .send()
        .await
        .unwrap();
    assert_eq!(made.attributes().unwrap()["fencing"], number(1));
    let again = update("SET fencing = fencing + :one, host = :h REMOVE holder")
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":h", text("bastion"))
        .send()
        .await
        .unwrap();
    let now = again.attributes().unwrap();
    assert_eq!(now["fencing"], number(2));
    assert!(!now.contains_key("holder"));
    let missing =
        update("SET fencing = nothing + :one").expression_attribute_values(":one", number(1)).send().await;
    assert_eq!(code(missing), "ValidationException");
    let gone = client
        .delete_item()
        .table_name(TABLE)
        .set_key(Some(key()))
        .condition_expression("fencing = :n")
        .expression_attribute_values(":n", number(2))
        .return_values(ReturnValue::AllOld)
        .send()
        .await
        .unwrap();
    assert_eq!(gone.attributes().unwrap()["host"], text("bastion"));
    let read = client.get_item().table_name(TABLE).set_key(Some(key())).send().await.unwrap();
    assert!(read.item().is_none());
}

#[tokio::test(start_paused = true)]
async fn wrong_expressions_and_keys_are_refused() {
    let sim = world("calm");
    let client = client(&sim);
    for (condition, named) in [
        ("status = :v", "reserved keyword: status"),
        ("holder = :v AND", "Syntax error"),
        ("holder ~ :v", "Syntax error"),
        ("holder = :other", ":other"),
        ("#n = :v", "#n"),
        ("exists(holder)", "Invalid function name"),
        ("attribute_exists(holder)", "unused in expressions"),
    ] {
        let sent = client
            .put_item()
            .table_name(TABLE)
            .set_item(Some(item("alice", 1)))
            .condition_expression(condition)
            .expression_attribute_values(":v", text("x"))
            .send()
            .await;
        let words = format!("{:?}", sent.as_ref().unwrap_err());
        assert!(words.contains(named), "{condition}: {words}");
        assert_eq!(code(sent), "ValidationException");
    }
    let half = client.get_item().table_name(TABLE).key("pk", text("orders")).send().await;
    assert_eq!(code(half), "ValidationException");
    let moved = client
        .update_item()
        .table_name(TABLE)
        .set_key(Some(key()))
        .update_expression("SET sk = :v")
        .expression_attribute_values(":v", text("x"))
        .send()
        .await;
    assert_eq!(code(moved), "ValidationException");
    let elsewhere = aws_sdk_dynamodb::Client::new(&config(&sim, "eu-west-1"));
    let read = elsewhere.get_item().table_name(TABLE).set_key(Some(key())).send().await;
    assert_eq!(code(read), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_read_in_order_and_in_pages() {
    let sim = world("calm");
    let client = client(&sim);
    for run in ["run#3", "run#1", "lease", "run#2"] {
        let mut item = key();
        item.insert("sk".into(), text(run));
        client.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
    }
    let pages: Vec<_> = client
        .query()
        .table_name(TABLE)
        .key_condition_expression("pk = :p AND begins_with(sk, :s)")
        .expression_attribute_values(":p", text("orders"))
        .expression_attribute_values(":s", text("run#"))
        .limit(2)
        .into_paginator()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    let keys = |page: &aws_sdk_dynamodb::operation::query::QueryOutput| {
        page.items().iter().map(|item| item["sk"].as_s().unwrap().clone()).collect::<Vec<_>>()
    };
    assert_eq!(pages.iter().map(keys).collect::<Vec<_>>(), [vec!["run#1", "run#2"], vec!["run#3"]]);
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_there_while_the_application_is_dark() {
    let sim = world("calm");
    for region in ["us-east-1", "eu-west-1"] {
        sim.black_out(&Region::new(region), SignedDuration::ZERO, None);
    }
    let client = client(&sim);
    let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(table.key_schema()[0].attribute_name(), "pk");
    client.put_item().table_name(TABLE).set_item(Some(item("alice", 1))).send().await.unwrap();
    sim.black_out(&Region::new("us-west-2"), SignedDuration::ZERO, Some(SignedDuration::from_mins(1)));
    let clock = sim.clock();
    let dark = clock.timeout(
        std::time::Duration::from_secs(10),
        client.get_item().table_name(TABLE).set_key(Some(key())).send(),
    );
    assert!(!matches!(dark.await, Ok(Ok(_))));
    super::pass(&sim, 60).await;
    let read = client.get_item().table_name(TABLE).set_key(Some(key())).send().await.unwrap();
    assert_eq!(read.item().unwrap()["holder"], text("alice"));
}
