//! Synthetic requests: what a runbook sends through the public name to prove that users are served.
//!
//! What it is for: the settings of a read and, where the operator wants one, of a write that carries a token of its
//! own, so that "writes work again" is proven and not assumed. A topology that names no write is never written to.
//! What it must not do: send anything.

use serde::{Deserialize, Serialize};

use super::text::Text;

/// What is replaced by a token that no other write has.
pub const TOKEN: &str = "{token}";

/// `[synthetic]` of the topology.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticSettings {
    /// Path of the read; that of our own requests when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The write; absent: runbooks write nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<SyntheticWrite>,
}

/// `[synthetic.write]`: one small write that does no harm, made by drain and failover at their end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticWrite {
    /// `POST`, `PUT` or `PATCH`.
    pub method: String,
    /// Path; `{token}` in it is replaced.
    pub path: String,
    /// Body; `{token}` in it is replaced.
    pub body: String,
    /// Content-Type of the body.
    pub content_type: String,
    /// The status that counts as written; any from 200 to 299 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u64>,
    /// Path that must show the token afterwards; absent: the status is the proof. With `{token}` in it, a failover
    /// writes around its promotion and finds out here what was lost; `404` and a page without the token say that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_back: Option<String>,
}

/// What came of one synthetic write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The token that was written.
    pub token: Text,
    /// Status of the answer to the write.
    pub status: u16,
    /// True when that is the status that counts as written.
    pub accepted: bool,
    /// Whether the token was shown afterwards; `None` when nothing asks for that, or the write was not accepted.
    pub shown: Option<bool>,
}

impl SyntheticWrite {
    /// True for a status that counts as written.
    pub fn accepts(&self, status: u16) -> bool {
        match self.status {
            Some(wanted) => u64::from(status) == wanted,
            None => (200..300).contains(&status),
        }
    }

    /// The statuses that count, in words.
    pub fn wanted(&self) -> String {
        self.status.map_or_else(|| "2XX".to_owned(), |status| status.to_string())
    }
}
