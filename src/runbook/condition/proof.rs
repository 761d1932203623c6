//! What an observation proves, and how judgements combine.
//!
//! What it is for: the one place that decides whether a fact may be believed at a moment, so that no rule can
//! forget to. What it must not do: know any condition.
//!
//! A call's answer is believed when it came at or after `not_before` and no later attempt failed. CloudWatch
//! tells a minute one to three minutes after its end, so an answer of this moment is about an earlier one. A
//! minute therefore counts when it ended after the step began, however late it is told. Replication lag and traffic
//! are asked for before a step acts, when no minute since its beginning can have been told: there a minute that ended
//! up to [`TOLD_AFTER`] before is believed, the newest that can be known; an older one proves nothing.

use jiff::{SignedDuration, Timestamp};

use super::words::thing;
use super::{Judgement, Moment};
use crate::domain::observation::ErrorKind;
use crate::domain::text::Text;
use crate::runbook::fact::{Fact, Facts, Known};

/// The newest complete minute of CloudWatch ended at most so long ago (aws-facts section 1).
const TOLD_AFTER: SignedDuration = SignedDuration::from_mins(4);

/// A rule's outcome while it can still end early with an unknown.
pub(super) type Ruling = Result<Judgement, Judgement>;

/// What is believed of a fact.
pub(super) struct Proof<'a> {
    /// The facts.
    pub(super) facts: &'a Facts,
    /// The moment.
    pub(super) moment: &'a Moment<'a>,
}

impl<'a> Proof<'a> {
    /// The value, when it proves something now; otherwise why it does not.
    pub(super) fn known(&self, fact: &Fact) -> Result<&'a Known, Judgement> {
        let Some(observed) = self.facts.get(fact) else {
            return Err(unknown(format!("{}: not asked yet", thing(fact))));
        };
        if let Some(error) = observed.error() {
            return Err(unknown(format!("{}: {error}", thing(fact))));
        }
        let Some(reading) = observed.reading() else {
            return Err(unknown(format!("{}: no answer yet", thing(fact))));
        };
        if reading.saved {
            return Err(unknown(format!("{}: known from the saved baseline only", thing(fact))));
        }
        if reading.as_of < self.earliest(fact) {
            return Err(unknown(format!(
                "{}: last seen {}, too long ago to prove anything",
                thing(fact),
                reading.as_of.strftime("%H:%M:%SZ")
            )));
        }
        Ok(&reading.value)
    }

    /// True when the last attempt, not before the moment allows, found that the thing does not exist.
    pub(super) fn absent(&self, fact: &Fact) -> bool {
        let Some(observed) = self.facts.get(fact) else { return false };
        match observed.error() {
            Some(error) => error.kind == ErrorKind::NotFound && error.at >= self.moment.not_before,
            None => matches!(self.known(fact), Ok(Known::Absent)),
        }
    }

    /// Readings of earlier moments prove nothing.
    fn earliest(&self, fact: &Fact) -> Timestamp {
        let Moment { now, began, not_before, .. } = *self.moment;
        match fact {
            Fact::Errors(_) | Fact::SwitchMetric(..) => not_before.min(began),
            // Whether users still come is asked of the newest minutes, by whichever step: what was so when a long
            // wait began says nothing at its end.
            Fact::Requests(_) => now.checked_sub(TOLD_AFTER).unwrap_or(Timestamp::MIN),
            Fact::RpoLag(..) => not_before.checked_sub(TOLD_AFTER).unwrap_or(Timestamp::MIN),
            _ => not_before,
        }
    }
}

/// It holds.
pub(super) fn holds(evidence: impl Into<Text>) -> Judgement {
    Judgement::Holds { evidence: evidence.into() }
}

/// It does not hold yet, and how far it is cannot be told.
pub(super) fn not_yet(progress: impl Into<Text>) -> Judgement {
    Judgement::NotYet { progress: progress.into(), share: None }
}

/// It does not hold yet; `done` of `whole` is.
pub(super) fn so_far(progress: impl Into<Text>, done: f64, whole: f64) -> Judgement {
    let share = if whole > 0.0 { (done / whole).clamp(0.0, 1.0) } else { 0.0 };
    Judgement::NotYet { progress: progress.into(), share: Some(share) }
}

/// It cannot be told.
pub(super) fn unknown(why: impl Into<Text>) -> Judgement {
    Judgement::Unknown { why: why.into() }
}

/// Waiting does not help.
pub(super) fn never(why: impl Into<Text>) -> Judgement {
    Judgement::Never { why: why.into() }
}

/// An answer of a kind that the fact never has.
pub(super) fn strange(fact: &Fact) -> Judgement {
    unknown(format!("{}: the answer is of another kind than was asked for", thing(fact)))
}

/// A thing that has to exist and does not.
pub(super) fn missing(fact: &Fact) -> Judgement {
    never(format!("{} does not exist", thing(fact)))
}

/// All hold; else the worst says why: never, then unknown, then not yet.
pub(super) fn all(parts: &[Judgement]) -> Judgement {
    if parts.is_empty() {
        return holds("nothing is asked for");
    }
    for worst in [is_never, is_unknown] {
        if parts.iter().any(worst) {
            let why = words(parts.iter().filter(|part| worst(part)), "; ");
            return if parts.iter().any(is_never) { never(why) } else { unknown(why) };
        }
    }
    let waiting: Vec<&Judgement> = parts.iter().filter(|part| !part.holds()).collect();
    if waiting.is_empty() {
        return holds(words(parts.iter(), "; "));
    }
    let shares: Option<f64> = parts.iter().map(share).sum();
    Judgement::NotYet {
        progress: words(waiting, "; ").into(),
        share: shares.map(|sum| sum / parts.len() as f64),
    }
}

/// One holds; else one that cannot be told leaves it unknown; else one that may come leaves it open.
pub(super) fn any(parts: &[Judgement]) -> Judgement {
    if let Some(held) = parts.iter().find(|part| part.holds()) {
        return held.clone();
    }
    if parts.iter().any(is_unknown) {
        return unknown(words(parts.iter(), ", and "));
    }
    let open: Vec<&Judgement> = parts.iter().filter(|part| !is_never(part)).collect();
    if open.is_empty() {
        let why = words(parts.iter(), ", and ");
        return never(if why.is_empty() { "there is no way in which it could hold".to_owned() } else { why });
    }
    let share = open.iter().filter_map(|part| share(part)).reduce(f64::max);
    Judgement::NotYet { progress: words(open, ", or ").into(), share }
}

fn is_never(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Never { .. })
}

fn is_unknown(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Unknown { .. })
}

/// 1 for what holds; `None` when it cannot be told.
fn share(judgement: &Judgement) -> Option<f64> {
    match judgement {
        Judgement::Holds { .. } => Some(1.0),
        Judgement::NotYet { share, .. } => *share,
        Judgement::Unknown { .. } | Judgement::Never { .. } => None,
    }
}

fn words<'a>(parts: impl IntoIterator<Item = &'a Judgement>, between: &str) -> String {
    let mut said: Vec<&str> = Vec::new();
    for part in parts {
        let word = part.words().as_str();
        if !said.contains(&word) {
            said.push(word);
        }
    }
    said.join(between)
}
