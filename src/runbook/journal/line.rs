//! One line of a journal.
//!
//! What it is for: writing an entry as a line with version, chain and hash, and reading one back with its flaw
//! named. What it must not do: know the lines around it; `reading` does.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::text::{Text, is_unsafe};
use crate::runbook::event::{Entry, Event};
use crate::runbook::fact::Facts;

/// The version of the shape of a line.
const VERSION: u64 = 1;

/// Hexadecimal digits of a hash.
const HASH: usize = 64;

/// Why a new segment of the chain begins with this line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Segment {
    /// What lies before was accepted as it is, on the operator's word.
    Accepted,
    /// What follows was copied from another host, and may have gaps.
    Imported,
}

/// What is wrong with a line, or between it and the lines before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// It is no line of a journal at all.
    Unreadable(Text),
    /// Its content does not give its hash.
    Altered,
    /// It is whole, but written by a newer version of this program.
    Newer(Text),
    /// It does not follow the line before: one was removed, exchanged or written over.
    Unchained,
    /// Entries are missing before it.
    Missing {
        /// First missing number.
        from: u64,
        /// Last missing number.
        to: u64,
    },
    /// Its number was there already.
    Repeated(u64),
    /// What lies before it was changed after the operator had accepted it.
    ChangedSince,
}

/// A whole line.
pub(super) struct Parsed {
    pub(super) entry: Entry,
    pub(super) segment: Option<Segment>,
    pub(super) prev: String,
    pub(super) hash: String,
}

/// What a line says beside its entry.
#[derive(Deserialize)]
struct Head {
    v: u64,
    #[serde(default)]
    segment: Option<Segment>,
}

/// SHA-256 in hexadecimal digits.
pub(super) fn hex(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(HASH), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The line of an entry, newline included, and its hash.
pub(super) fn encode(entry: &Entry, segment: Option<Segment>, prev: &str) -> (Vec<u8>, String) {
    let entry = escaped(readable(entry));
    let segment = match segment {
        Some(Segment::Accepted) => r#""segment":"accepted","#,
        Some(Segment::Imported) => r#""segment":"imported","#,
        None => "",
    };
    // The entry is an object with at least a number and a time in it.
    let inner = entry.get(1..entry.len().saturating_sub(1)).unwrap_or_default();
    let body = format!(r#"{{"v":{VERSION},{segment}{inner},"prev":"{prev}""#);
    let hash = hex(&Sha256::digest(body.as_bytes()));
    (format!("{body},\"hash\":\"{hash}\"}}\n").into_bytes(), hash)
}

/// The same JSON, safe to look at in a terminal: what JSON leaves as it is and a terminal would act on can only
/// stand within its strings.
fn escaped(json: String) -> String {
    use std::fmt::Write as _;
    if !json.chars().any(is_unsafe) {
        return json;
    }
    json.chars().fold(String::with_capacity(json.len()), |mut safe, c| {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
        safe
    })
}

/// The entry as JSON that is known to be read back. JSON has no word for a number that is none (0/0), and an
/// intent that cannot be read on resume would be worse than one without its saved values.
fn readable(entry: &Entry) -> String {
    let reads = |json: &String| serde_json::from_str::<Entry>(json).is_ok();
    let whole = serde_json::to_string(entry).unwrap_or_default();
    if reads(&whole) {
        return whole;
    }
    let mut entry = entry.clone();
    if let Event::Intent { saved, .. } = &mut entry.event {
        *saved = Facts::new();
        if let Some(json) = serde_json::to_string(&entry).ok().filter(reads) {
            return json;
        }
    }
    entry.event = Event::Noted { words: format!("kept as text, it cannot be read back: {whole}").into() };
    serde_json::to_string(&entry).unwrap_or_default()
}

/// Reads a line, given without its newline.
pub(super) fn decode(raw: &[u8]) -> Result<Parsed, Flaw> {
    let text = std::str::from_utf8(raw).map_err(|_| Flaw::Unreadable("it is not UTF-8".into()))?;
    let unreadable = |error: serde_json::Error| Flaw::Unreadable(error.to_string().into());
    let (body, hash) = last_field(text, "hash", "}").ok_or_else(|| {
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Flaw::Unreadable("it has no hash".into()),
            Err(error) => unreadable(error),
        }
    })?;
    if hex(&Sha256::digest(body.as_bytes())) != hash {
        return Err(Flaw::Altered);
    }
    let head: Head = serde_json::from_str(text).map_err(unreadable)?;
    if head.v != VERSION {
        return Err(Flaw::Newer(format!("version {}", head.v).into()));
    }
    // A line whose hash is right was written so: an event that is not known here is a newer program's.
    let entry = serde_json::from_str(text).map_err(|error| Flaw::Newer(error.to_string().into()))?;
    let (_, prev) = last_field(body, "prev", "").ok_or_else(|| Flaw::Unreadable("it has no prev".into()))?;
    Ok(Parsed { entry, segment: head.segment, prev: prev.to_owned(), hash: hash.to_owned() })
}

/// Splits `…,"name":"<64 digits>"end` into what is before and the digits.
fn last_field<'a>(text: &'a str, name: &str, end: &str) -> Option<(&'a str, &'a str)> {
    let rest = text.strip_suffix(end)?.strip_suffix('"')?;
    let (rest, value) = rest.split_at_checked(rest.len().checked_sub(HASH)?)?;
    let before = rest.strip_suffix(":\"")?.strip_suffix('"')?.strip_suffix(name)?.strip_suffix(",\"")?;
    Some((before, value))
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "it cannot be read ({why})"),
            Self::Altered => f.write_str("its content was changed after it was written"),
            Self::Newer(why) => write!(f, "it was written by a newer switchtower ({why})"),
            Self::Unchained => f.write_str("it does not follow the line before it"),
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing before it"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing before it"),
            Self::Repeated(seq) => write!(f, "entry {seq} was there already"),
            Self::ChangedSince => f.write_str("what lies before it was changed after it was accepted"),
        }
    }
}
