//! Shell words.
//!
//! What it is for: any string becomes one word of a POSIX shell, or one line of a comment.
//! What it must not do: trust that a name is harmless because AWS would not allow it.

use crate::domain::text;

/// The string as one word: as it is where that is safe, else in single quotes.
pub(crate) fn quoted(raw: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '%' | '+' | '=' | ':' | ',' | '.' | '/' | '-')
    };
    if !raw.is_empty() && raw.chars().all(plain) {
        raw.to_owned()
    } else {
        format!("'{}'", raw.replace('\'', "'\\''"))
    }
}

/// The string as the text of a comment: whatever could end the line is replaced.
pub(crate) fn comment(raw: &str) -> String {
    text::clean(raw).to_string()
}

/// The string as JMESPath writes it, `"x"` in back ticks; `None` for one that would need escapes in two languages.
pub(crate) fn literal(raw: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '`' | '"' | '\\') || c == ' ';
    raw.chars().all(plain).then(|| format!("`\"{raw}\"`"))
}
