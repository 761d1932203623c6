//! Prompts: where the operator types.
//!
//! What it is for: arming, confirming, declaring and deciding all ask for typed words in the same way, over
//! whatever screen is shown. While one is open every key goes to it and none is a command.
//! What it must not do: decide what follows; `acting` does when Enter is pressed.

use crokey::crossterm::event::{KeyCode, KeyModifiers};
use crokey::{KeyCombination, OneToThree};
use tui_input::{Input, InputRequest};

use crate::domain::text::Text;
use crate::runbook::{Digest, RunId, StepId};

/// What is asked, and what was typed so far.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What for.
    pub purpose: Purpose,
    /// The question.
    pub title: Text,
    /// Fields, top to bottom.
    pub fields: Vec<Field>,
    /// Which field takes the keys.
    pub at: usize,
    /// Why the last Enter was not taken.
    pub wrong: Option<Text>,
}

/// What follows when a prompt is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The console is armed; `true` for cleanup and nothing else.
    Arm(bool),
    /// The plan of a dialog starts.
    Confirm {
        /// The dialog's number.
        dialog: u64,
        /// The plan that is on the screen and was read: no other is started.
        digest: Digest,
    },
    /// The dialog with this number plans with the declaration.
    Declare(u64),
    /// The run is told.
    Decide(RunId, Deciding),
    /// The run is told to undo a step, or all of them.
    Undo {
        /// Which run.
        run: RunId,
        /// Which step; all without one.
        step: Option<StepId>,
    },
    /// The console ends while a run goes on.
    Leave,
}

/// What an operator can tell a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deciding {
    /// Try the failed step again.
    Retry,
    /// Pass over it.
    Skip,
    /// Undo what was done.
    Undo,
    /// Leave the rest to someone else.
    HandOver,
    /// Stop before the next call.
    Abort,
}

/// One line to type into.
#[derive(Clone, Debug)]
pub struct Field {
    /// What is typed here.
    pub label: Text,
    /// The word that must be typed; `None` for words of the operator's own, of which there must be some.
    pub expected: Option<Text>,
    /// What was typed.
    pub input: Input,
}

/// What a key did to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// It was taken.
    Taken,
    /// The operator is done: every field is right.
    Done,
    /// The operator changed their mind.
    Closed,
}

/// No reason is longer than this; what comes after is not taken.
const LONGEST: usize = 400;

impl Field {
    /// A word that must be typed as it stands.
    pub fn word(label: impl Into<Text>, expected: impl Into<Text>) -> Self {
        Self { label: label.into(), expected: Some(expected.into()), input: Input::default() }
    }

    /// The operator's own words.
    pub fn reason() -> Self {
        Self { label: "reason".into(), expected: None, input: Input::default() }
    }

    /// What was typed, without blanks around it.
    pub fn value(&self) -> &str {
        self.input.value().trim()
    }

    /// What is wrong with it.
    fn wrong(&self) -> Option<Text> {
        let typed = self.value();
        match &self.expected {
            Some(expected) if typed == expected.as_str() => None,
            Some(expected) if typed.is_empty() => Some(format!("type {expected}").into()),
            Some(expected) => Some(format!("type {expected}, not \"{typed}\"").into()),
            None if typed.is_empty() => Some("a reason is needed: say why in a few words".into()),
            None => None,
        }
    }
}

impl Prompt {
    /// A prompt with empty fields.
    pub fn new(purpose: Purpose, title: impl Into<Text>, fields: Vec<Field>) -> Self {
        Self { purpose, title: title.into(), fields, at: 0, wrong: None }
    }

    /// What was typed into the field that names a word.
    pub fn word(&self) -> &str {
        self.fields.iter().find(|field| field.expected.is_some()).map_or("", Field::value)
    }

    /// What was typed as reason.
    pub fn reason(&self) -> Text {
        self.fields.iter().find(|field| field.expected.is_none()).map_or("", Field::value).into()
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyCombination) -> Typed {
        let OneToThree::One(code) = key.normalized().codes else { return Typed::Taken };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let request = match code {
            KeyCode::Esc => return Typed::Closed,
            // A second one ends the console: whoever hammers Ctrl-C gets out, and no run is aborted by it.
            KeyCode::Char('c') if control => return Typed::Closed,
            KeyCode::Enter => return self.enter(),
            KeyCode::Tab | KeyCode::Down => return self.go(1),
            KeyCode::BackTab | KeyCode::Up => return self.go(-1),
            KeyCode::Backspace if control || alt => InputRequest::DeletePrevWord,
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Left if control => InputRequest::GoToPrevWord,
            KeyCode::Right if control => InputRequest::GoToNextWord,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            KeyCode::Char(c) if control => match c.to_ascii_lowercase() {
                'a' => InputRequest::GoToStart,
                'e' => InputRequest::GoToEnd,
                'h' => InputRequest::DeletePrevChar,
                'k' => InputRequest::DeleteTillEnd,
                'u' => InputRequest::DeleteFromStart,
                'w' => InputRequest::DeletePrevWord,
                _ => return Typed::Taken,
            },
            KeyCode::Char(c) if !alt && !crate::domain::text::is_unsafe(c) => InputRequest::InsertChar(c),
            _ => return Typed::Taken,
        };
        if let Some(field) = self.fields.get_mut(self.at) {
            let grows = matches!(request, InputRequest::InsertChar(_));
            if !grows || field.input.value().len() < LONGEST {
                field.input.handle(request);
            }
            self.wrong = None;
        }
        Typed::Taken
    }

    /// Takes pasted text: into a reason. A name that must be typed is not typed by pasting it.
    pub(crate) fn paste(&mut self, text: &str) {
        let Some(field) = self.fields.get_mut(self.at) else { return };
        if field.expected.is_some() {
            self.wrong = Some("a name is typed, not pasted".into());
            return;
        }
        for c in text.chars() {
            let c = if c.is_whitespace() { ' ' } else { c };
            if !crate::domain::text::is_unsafe(c) && field.input.value().len() < LONGEST {
                field.input.handle(InputRequest::InsertChar(c));
            }
        }
    }

    fn go(&mut self, sign: isize) -> Typed {
        self.at = self.at.saturating_add_signed(sign).min(self.fields.len().saturating_sub(1));
        Typed::Taken
    }

    /// To the first field that is not right yet; done when there is none.
    fn enter(&mut self) -> Typed {
        let Some((index, wrong)) =
            self.fields.iter().enumerate().find_map(|(index, field)| Some((index, field.wrong()?)))
        else {
            return Typed::Done;
        };
        // Going on to a field that is still empty is no mistake.
        let next = index > self.at && self.fields.get(index).is_some_and(|field| field.value().is_empty());
        self.wrong = (!next).then_some(wrong);
        self.at = index;
        Typed::Taken
    }
}

impl Deciding {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Undo => "undo",
            Self::HandOver => "hand over",
            Self::Abort => "abort",
        }
    }

    /// True for what sends more calls, and so wants an armed console; to stop, none is needed.
    pub(super) const fn sends_calls(self) -> bool {
        match self {
            Self::Retry | Self::Skip | Self::Undo => true,
            Self::HandOver | Self::Abort => false,
        }
    }
}
