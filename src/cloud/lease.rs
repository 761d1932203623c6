//! The lease of runs, on one DynamoDB table in one region.
//!
//! What it is for: conditional writes that let one run at a time act on an application, with a number that only
//! grows, and copies of journals beside them.
//! What it must not do: write to more than one region, or take a lost answer for a refusal: after one, the table
//! is read before anything is said.
//!
//! An application is one partition (`pk` = `app#NAME`). Its lease is the item `lease`; entry 12 of a run is
//! `run#RUN#000000000012`, followed by `#01`, `#02`… where it is too long for one item.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_runtime_api::client::result::SdkError;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use super::{Cloud, LEASE_SCOPE, Place};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::text::Text;
use crate::domain::topology::LeaseSettings;
use crate::ports::BoxFuture;
use crate::runbook::{Claim, Entry, Lease, LeaseError, LeaseStore, LeaseView, RunId};

const GET_ITEM: &str = "dynamodb:GetItem";
const PUT_ITEM: &str = "dynamodb:PutItem";
const UPDATE_ITEM: &str = "dynamodb:UpdateItem";
const QUERY: &str = "dynamodb:Query";

/// How long one call is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the table is read for after an answer was lost.
const READ_BACK: Duration = Duration::from_secs(2);

/// How long "slow down" is obeyed before the one repetition.
const PAUSE: Duration = Duration::from_millis(250);

/// Bytes of an entry that one item holds; DynamoDB takes 400 kB, names and keys included.
const MOST: usize = 350_000;

/// Items that are written at once.
const AT_ONCE: usize = 8;

/// Runs that are listed, newest first.
const LISTED: usize = 100;

/// The sort key of the lease.
const LEASE: &str = "lease";

type Item = HashMap<String, AttributeValue>;

/// The table, for one application.
#[derive(Clone, Debug)]
pub struct LeaseTable {
    place: Place,
    table: String,
    application: Text,
}

/// What became of a conditional write.
enum Written {
    /// It holds; the item as it is now.
    Done(Item),
    /// The condition did not hold; the item as it is, if there is one.
    Refused(Option<Item>),
    /// Nobody knows.
    Lost(ProbeError),
}

impl Cloud {
    /// The lease of an application's runs.
    pub fn lease_table(&self, settings: &LeaseSettings, application: &Text) -> LeaseTable {
        LeaseTable {
            place: self.place(LEASE_SCOPE, &settings.region),
            table: settings.table.as_str().to_owned(),
            application: application.clone(),
        }
    }
}

impl LeaseTable {
    async fn client(&self, limit: Duration) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.place.once(limit).await)
    }

    fn now(&self) -> Timestamp {
        self.place.cloud().clock().now()
    }

    /// The lease item, by a consistent read.
    async fn read(&self, application: &Text, limit: Duration) -> Result<Option<Item>, ProbeError> {
        let client = self.client(limit).await;
        let mut again = true;
        loop {
            let request = client
                .get_item()
                .table_name(&self.table)
                .key("pk", partition(application))
                .key("sk", text(LEASE))
                .consistent_read(true);
            match self.place.ask(GET_ITEM, request.send()).await {
                Ok(answer) => return Ok(answer.item),
                Err(error) if error.kind == ErrorKind::Throttled && again => {
                    again = false;
                    self.place.cloud().clock().sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One conditional write to the lease item, repeated once when the table asks to slow down.
    async fn write(
        &self,
        application: &Text,
        shape: impl Fn(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder,
    ) -> Written {
        let client = self.client(PATIENCE).await;
        let mut again = true;
        loop {
            let request = client
                .update_item()
                .table_name(&self.table)
                .key("pk", partition(application))
                .key("sk", text(LEASE))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let error = match Box::pin(shape(request).send()).await {
                Ok(answer) => return Written::Done(answer.attributes.unwrap_or_default()),
                Err(error) => error,
            };
            if let SdkError::ServiceError(context) = &error
                && let UpdateItemError::ConditionalCheckFailedException(refused) = context.err()
            {
                return Written::Refused(refused.item().cloned());
            }
            let told = self.place.explained(UPDATE_ITEM, &error);
            if told.kind == ErrorKind::Throttled && again {
                again = false;
                self.place.cloud().clock().sleep(PAUSE).await;
                continue;
            }
            return Written::Lost(told);
        }
    }

    /// Takes the lease under a condition.
    async fn take(
        &self,
        claim: &Claim,
        condition: &str,
        extra: &[(&str, AttributeValue)],
        reason: Option<&Text>,
    ) -> Result<Lease, LeaseError> {
        let now = self.now();
        let values = [
            ("run", text(claim.run.as_str())),
            ("holder", text(claim.holder.as_str())),
            ("host", text(claim.host.as_str())),
            ("purpose", text(claim.purpose.as_str())),
            ("heartbeat", text(&now.to_string())),
            ("released", AttributeValue::Bool(false)),
            ("reason", text(reason.map_or("", Text::as_str))),
        ];
        let names =
            values.iter().map(|(name, _)| format!("#{name} = :{name}")).collect::<Vec<_>>().join(", ");
        let update = format!("SET {names} ADD #number :one");
        let written = self
            .write(&claim.application, |mut request| {
                for (name, value) in &values {
                    request = request
                        .expression_attribute_names(format!("#{name}"), *name)
                        .expression_attribute_values(format!(":{name}"), value.clone());
                }
                for (name, value) in extra {
                    request = request.expression_attribute_values(*name, value.clone());
                }
                request
                    .expression_attribute_names("#number", "number")
                    .expression_attribute_values(":one", number(1))
                    .update_expression(&update)
                    .condition_expression(condition)
            })
            .await;
        let ours = |item: &Item| {
            let view = view(&claim.application, item)?;
            // The heartbeat is the moment of this very write.
            (&view.claim == claim && view.heartbeat == now && !view.released).then_some(view.number)
        };
        match written {
            Written::Done(item) => match view(&claim.application, &item) {
                Some(view) => Ok(Lease { claim: claim.clone(), number: view.number }),
                None => Err(unreadable()),
            },
            Written::Refused(Some(item)) => Err(held(&claim.application, &item)),
            Written::Refused(None) => Err(LeaseError::Unreachable("the lease item is gone".into())),
            Written::Lost(error) => match self.read(&claim.application, READ_BACK).await {
                Ok(Some(item)) => match (ours(&item), view(&claim.application, &item)) {
                    (Some(number), _) => Ok(Lease { claim: claim.clone(), number }),
                    (None, Some(other)) if !other.released && other.claim.run != claim.run => {
                        Err(LeaseError::Held(Box::new(other)))
                    }
                    _ => Err(unreachable(&error)),
                },
                Ok(None) | Err(_) => Err(unreachable(&error)),
            },
        }
    }

    /// Changes a lease that is ours: the condition is our number.
    async fn change(
        &self,
        lease: &Lease,
        update: &str,
        name: &str,
        value: AttributeValue,
    ) -> Result<(), LeaseError> {
        let application = &lease.claim.application;
        let ours = |item: &Item| view(application, item).is_some_and(|view| view.number == lease.number);
        let written = self
            .write(application, |request| {
                request
                    .expression_attribute_names("#number", "number")
                    .expression_attribute_names(format!("#{name}"), name)
                    .expression_attribute_values(":number", number(lease.number))
                    .expression_attribute_values(format!(":{name}"), value.clone())
                    .update_expression(update)
                    .condition_expression("#number = :number")
            })
            .await;
        match written {
            Written::Done(_) => Ok(()),
            Written::Refused(Some(item)) => Err(held(application, &item)),
            Written::Refused(None) => Err(LeaseError::Unreachable("the lease item is gone".into())),
            Written::Lost(error) => match self.read(application, READ_BACK).await {
                Ok(Some(item)) if item.get(name) == Some(&value) && ours(&item) => Ok(()),
                Ok(Some(item)) if !ours(&item) => Err(held(application, &item)),
                _ => Err(unreachable(&error)),
            },
        }
    }

    async fn put(&self, run: &RunId, entry: &Entry) -> Result<(), LeaseError> {
        let body = serde_json::to_string(entry).map_err(|error| {
            LeaseError::Unreachable(Text::new(format!("entry {} cannot be written: {error}", entry.seq)))
        })?;
        let client = self.client(PATIENCE).await;
        for (part, piece) in pieces(&body).into_iter().enumerate() {
            let mut key = format!("{}{:012}", prefix(run), entry.seq);
            if part > 0 {
                let _ = write!(key, "#{part:02}");
            }
            let mut again = true;
            loop {
                let request = client
                    .put_item()
                    .table_name(&self.table)
                    .item("pk", partition(&self.application))
                    .item("sk", text(&key))
                    .item("entry", text(piece));
                match self.place.ask(PUT_ITEM, request.send()).await {
                    Ok(_) => break,
                    Err(error) if error.kind == ErrorKind::Throttled && again => {
                        again = false;
                        self.place.cloud().clock().sleep(PAUSE).await;
                    }
                    Err(error) => return Err(unreachable(&error)),
                }
            }
        }
        Ok(())
    }

    /// All pieces of a run, in order.
    async fn copied(&self, application: &Text, run: &RunId) -> Result<Vec<(u64, String)>, LeaseError> {
        let client = self.client(PATIENCE).await;
        let prefix = prefix(run);
        let mut found: Vec<(u64, String)> = Vec::new();
        let mut start = None;
        loop {
            let request = client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                .expression_attribute_values(":pk", partition(application))
                .expression_attribute_values(":sk", text(&prefix))
                .set_exclusive_start_key(start);
            let page = self.place.ask(QUERY, request.send()).await.map_err(|error| unreachable(&error))?;
            for item in page.items() {
                let key =
                    string(item, "sk").and_then(|sk| sk.strip_prefix(prefix.as_str())).unwrap_or_default();
                let (Ok(seq), Some(piece)) =
                    (key.split('#').next().unwrap_or_default().parse::<u64>(), string(item, "entry"))
                else {
                    return Err(unreadable());
                };
                match found.last_mut() {
                    Some((last, body)) if *last == seq => body.push_str(piece),
                    _ => found.push((seq, piece.to_owned())),
                }
            }
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}

impl LeaseStore for LeaseTable {
    fn acquire<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        let free = "attribute_not_exists(pk) OR #released = :yes OR (#run = :run AND #host = :host)";
        let extra = [(":yes", AttributeValue::Bool(true))];
        Box::pin(async move { self.take(claim, free, &extra, None).await })
    }

    fn take_over<'a>(
        &'a self,
        claim: &'a Claim,
        seen: &'a LeaseView,
        reason: &'a Text,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        let same = "#number = :seen AND #heartbeat = :beat";
        let extra = [(":seen", number(seen.number)), (":beat", text(&seen.heartbeat.to_string()))];
        Box::pin(async move { self.take(claim, same, &extra, Some(reason)).await })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), LeaseError>> {
        let beat = text(&self.now().to_string());
        Box::pin(self.change(lease, "SET #heartbeat = :heartbeat", "heartbeat", beat))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), LeaseError>> {
        let yes = AttributeValue::Bool(true);
        Box::pin(self.change(lease, "SET #released = :released", "released", yes))
    }

    fn holder<'a>(&'a self, application: &'a Text) -> BoxFuture<'a, Result<Option<LeaseView>, LeaseError>> {
        Box::pin(async move {
            match self.read(application, PATIENCE).await.map_err(|error| unreachable(&error))? {
                None => Ok(None),
                Some(item) => view(application, &item).map(Some).ok_or_else(unreadable),
            }
        })
    }

    fn copy<'a>(&'a self, run: &'a RunId, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), LeaseError>> {
        Box::pin(async move {
            let writes: Vec<BoxFuture<'_, _>> =
                entries.iter().map(|entry| Box::pin(self.put(run, entry)) as BoxFuture<'_, _>).collect();
            let written: Vec<_> = stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
            written.into_iter().collect()
        })
    }

    fn entries<'a>(
        &'a self,
        application: &'a Text,
        run: &'a RunId,
    ) -> BoxFuture<'a, Result<Vec<Entry>, LeaseError>> {
        Box::pin(async move {
            let copied = self.copied(application, run).await?;
            copied
                .into_iter()
                .map(|(seq, body)| {
                    serde_json::from_str(&body).map_err(|error| {
                        LeaseError::Unreachable(Text::new(format!(
                            "entry {seq} of {run} is damaged: {error}"
                        )))
                    })
                })
                .collect()
        })
    }

    fn runs<'a>(&'a self, application: &'a Text) -> BoxFuture<'a, Result<Vec<RunId>, LeaseError>> {
        Box::pin(async move {
            let client = self.client(PATIENCE).await;
            let mut runs: Vec<RunId> = Vec::new();
            // From the newest run to the one before it, and so on: entries in between are never read.
            let mut before = "run$".to_owned();
            while runs.len() < LISTED {
                let request = client
                    .query()
                    .table_name(&self.table)
                    .consistent_read(true)
                    .scan_index_forward(false)
                    .limit(1)
                    .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                    .expression_attribute_values(":pk", partition(application))
                    .expression_attribute_values(":from", text("run#"))
                    .expression_attribute_values(":to", text(&before));
                let page =
                    self.place.ask(QUERY, request.send()).await.map_err(|error| unreachable(&error))?;
                let named = page.items().first().and_then(|item| string(item, "sk"));
                let Some(name) = named.and_then(|sk| sk.strip_prefix("run#")?.split('#').next()) else {
                    break;
                };
                let run = RunId::parse(name).ok_or_else(unreadable)?;
                before = format!("run#{name}");
                runs.push(run);
            }
            Ok(runs)
        })
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn partition(application: &Text) -> AttributeValue {
    AttributeValue::S(format!("app#{application}"))
}

/// What the sort keys of a run's entries begin with.
fn prefix(run: &RunId) -> String {
    format!("run#{run}#")
}

/// A body in pieces that fit an item.
fn pieces(body: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while rest.len() > MOST {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(MOST));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The lease as an item tells it; `None` when it is not written as we write.
fn view(application: &Text, item: &Item) -> Option<LeaseView> {
    let word = |name: &str| string(item, name).map(Text::new);
    Some(LeaseView {
        claim: Claim {
            application: application.clone(),
            run: RunId::parse(string(item, "run")?)?,
            holder: word("holder")?,
            host: word("host")?,
            purpose: word("purpose")?,
        },
        number: item.get("number")?.as_n().ok()?.parse().ok()?,
        heartbeat: string(item, "heartbeat")?.parse().ok()?,
        released: *item.get("released")?.as_bool().ok()?,
    })
}

fn held(application: &Text, item: &Item) -> LeaseError {
    view(application, item).map_or_else(unreadable, |view| LeaseError::Held(Box::new(view)))
}

fn unreadable() -> LeaseError {
    LeaseError::Unreachable("the lease table holds an item that this program cannot read".into())
}

fn unreachable(error: &ProbeError) -> LeaseError {
    LeaseError::Unreachable(Text::new(error.to_string()))
}
