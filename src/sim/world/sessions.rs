//! Sessions of roles that callers took.
//!
//! What it is for: who an access key is, until when, and whether the token that came with it is its own.
//! What it must not do: know a wire protocol, or decide who may take which role.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;

use super::fleet::ACCOUNT;
use super::{copied, lock};
use crate::sim::IDENTITY_ARN;

/// Everybody who took a role, by access key id.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<BTreeMap<String, Session>>);

/// Somebody who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// ARN, as STS tells it.
    pub arn: String,
    /// Unique id of the role, a colon, and the session's name.
    pub id: String,
    /// Account of the role.
    pub account: String,
    /// The token that must come with the key; any when absent.
    pub token: Option<String>,
    /// When it ends; never when absent.
    pub expires: Option<Timestamp>,
}

/// Why a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its session has ended.
    Ended,
    /// It came without its token, or with another one.
    Foreign,
}

impl Clone for Sessions {
    fn clone(&self) -> Self {
        Self(copied(&self.0))
    }
}

impl Sessions {
    /// Keeps a new session.
    pub fn begin(&self, access_key: &str, session: Session) {
        lock(&self.0).insert(access_key.to_owned(), session);
    }

    /// Who a key is. A key that no session of this world was given is the world's one operator.
    pub fn of(&self, access_key: &str) -> Session {
        lock(&self.0).get(access_key).cloned().unwrap_or_else(|| Session {
            arn: IDENTITY_ARN.to_owned(),
            id: "AROASIMULATEDWORLD01:demo".to_owned(),
            account: ACCOUNT.to_owned(),
            token: None,
            expires: None,
        })
    }

    /// Whether a key is accepted with that token.
    pub fn check(&self, access_key: &str, token: Option<&str>, now: Timestamp) -> Result<(), Unfit> {
        match lock(&self.0).get(access_key) {
            Some(session) if session.token.as_deref() != token => Err(Unfit::Foreign),
            Some(session) if session.expires.is_some_and(|end| end <= now) => Err(Unfit::Ended),
            _ => Ok(()),
        }
    }
}
