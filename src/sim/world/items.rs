//! Items of a DynamoDB table, in memory.
//!
//! What it is for: one place where a condition is tested and the item written in one piece.
//! What it must not do: know expressions, schemas or a wire protocol.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Map, Value};

use super::{copied, lock};

/// An item: attribute names with AttributeValues as awsJson writes them.
pub type Item = Map<String, Value>;

/// Items by their primary key: table, partition key, sort key, the latter two as awsJson writes them.
#[derive(Debug, Default)]
pub struct Items(Mutex<BTreeMap<(String, String, String), Item>>);

impl Clone for Items {
    fn clone(&self) -> Self {
        Self(copied(&self.0))
    }
}

impl Items {
    /// An item.
    pub fn get(&self, key: &(String, String, String)) -> Option<Item> {
        lock(&self.0).get(key).cloned()
    }

    /// Lets `write` look at an item and say what it becomes; nobody else sees or writes it meanwhile.
    pub fn change<T, E>(
        &self,
        key: (String, String, String),
        write: impl FnOnce(Option<&Item>) -> Result<(Option<Item>, T), E>,
    ) -> Result<T, E> {
        let mut items = lock(&self.0);
        let (item, result) = write(items.get(&key))?;
        match item {
            Some(item) => items.insert(key, item),
            None => items.remove(&key),
        };
        Ok(result)
    }

    /// The items of a table, by key.
    pub fn all(&self, table: &str) -> Vec<Item> {
        let items = lock(&self.0);
        items.iter().filter(|((of, ..), _)| of == table).map(|(_, item)| item.clone()).collect()
    }
}
