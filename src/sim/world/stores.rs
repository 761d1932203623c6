//! What callers stored and may read again at once: objects, values of custom metrics, published messages.
//!
//! What it is for: the parts of the world that need no time to take effect, and so no history.
//! What it must not do: let anything follow from what it holds; what changes the world is a deed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use super::{copied, lock};
use crate::domain::metric::floor_minute;
use crate::sim::cloudwatch::source::{Datum, MetricId, Samples};

/// How long a custom metric is listed after its last value.
const LISTED: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Everything stored.
#[derive(Debug, Default)]
pub struct Stores {
    /// Items of the lease table.
    pub items: super::items::Items,
    objects: Mutex<BTreeMap<(String, String), Object>>,
    metrics: Mutex<Vec<(String, Datum)>>,
    messages: Mutex<Vec<Message>>,
    deleted: Mutex<BTreeMap<String, BTreeSet<usize>>>,
}

impl Clone for Stores {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
            objects: copied(&self.objects),
            metrics: copied(&self.metrics),
            messages: copied(&self.messages),
            deleted: copied(&self.deleted),
        }
    }
}

/// Versions and delete markers that each of the application's buckets holds.
pub const VERSIONS: usize = 1_500;

/// An object in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Content type.
    pub kind: String,
    /// When it was put.
    pub at: Timestamp,
}

/// A message that was published to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When.
    pub at: Timestamp,
    /// The topic's ARN.
    pub topic: String,
    /// Subject.
    pub subject: Option<String>,
    /// Text.
    pub text: String,
}

impl Stores {
    /// Puts an object.
    pub fn put_object(&self, bucket: &str, key: &str, object: Object) {
        lock(&self.objects).insert((bucket.to_owned(), key.to_owned()), object);
    }

    /// An object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Object> {
        lock(&self.objects).get(&(bucket.to_owned(), key.to_owned())).cloned()
    }

    /// Deletes an object, if it is there.
    pub fn delete_object(&self, bucket: &str, key: &str) {
        lock(&self.objects).remove(&(bucket.to_owned(), key.to_owned()));
    }

    /// Numbers of the versions that a bucket still holds.
    pub fn versions(&self, bucket: &str) -> impl Iterator<Item = usize> + use<> {
        let deleted = lock(&self.deleted).get(bucket).cloned().unwrap_or_default();
        (0..VERSIONS).filter(move |number| !deleted.contains(number))
    }

    /// Deletes versions of a bucket for good.
    pub fn delete_versions(&self, bucket: &str, numbers: &[usize]) {
        lock(&self.deleted).entry(bucket.to_owned()).or_default().extend(numbers);
    }

    /// Publishes a message.
    pub fn publish(&self, message: Message) {
        lock(&self.messages).push(message);
    }

    /// The messages so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.messages).clone()
    }

    /// Puts values of a custom metric.
    pub fn put_metric(&self, region: &str, datum: Datum) {
        lock(&self.metrics).push((region.to_owned(), datum));
    }

    /// Adds the custom metrics of a region to a list.
    pub fn metric_ids(&self, region: &str, now: Timestamp, ids: &mut Vec<MetricId>) {
        for (place, datum) in lock(&self.metrics).iter() {
            if place == region && datum.at >= now - LISTED && !ids.contains(&datum.metric) {
                ids.push(datum.metric.clone());
            }
        }
    }

    /// What a custom metric measured in a minute.
    pub fn samples(
        &self,
        region: &str,
        metric: &MetricId,
        minute: Timestamp,
        now: Timestamp,
    ) -> Option<Samples> {
        let metrics = lock(&self.metrics);
        let mut all: Option<Samples> = None;
        for (place, datum) in metrics.iter() {
            let fits = place == region && datum.at <= now && floor_minute(datum.at) == minute;
            if fits && same(&datum.metric, metric) {
                let samples = all.get_or_insert_with(|| Samples { values: Vec::new(), unit: datum.unit });
                samples.values.extend_from_slice(&datum.values);
            }
        }
        all
    }
}

/// Metrics are told apart by namespace, name and the set of their dimensions.
fn same(a: &MetricId, b: &MetricId) -> bool {
    a.namespace == b.namespace
        && a.name == b.name
        && a.dimensions.len() == b.dimensions.len()
        && a.dimensions.iter().all(|dimension| b.dimensions.contains(dimension))
}
