//! Text that came from outside: AWS answers, files, environment.
//!
//! What it is for: one place that makes hostile strings safe to paint and to log.
//! What it must not do: shorten, translate or interpret the text.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A cheap-to-clone string that holds no control character and no invisible formatting character.
///
/// Terminals execute control characters, and bidirectional overrides let a name read as another
/// name; both are replaced by U+FFFD, so that the operator sees that something was there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Arc<str>);

impl Text {
    /// Takes any string; unsafe characters are replaced, nothing else changes.
    pub fn new(raw: impl AsRef<str>) -> Self {
        Self(clean(raw.as_ref()))
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Replaces every character that a terminal or a log reader would act on.
pub fn clean(raw: &str) -> Arc<str> {
    // Nearly every name is letters, digits and signs of ASCII.
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    if !raw.as_bytes().iter().all(plain) && raw.chars().any(is_unsafe) {
        raw.chars().map(|c| if is_unsafe(c) { '\u{FFFD}' } else { c }).collect::<String>().into()
    } else {
        raw.into()
    }
}

/// Control characters, bidirectional overrides and isolates, zero-width and other invisible marks.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}')
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(raw)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
