//! Taking the terminal and giving it back.
//!
//! What it is for: raw mode, the alternate screen, a hidden cursor and bracketed paste while the guard
//! lives; all undone when it is dropped, however that comes about. What it must not do: block for longer
//! than [`PATIENCE`] on a terminal that takes no bytes.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::TuiError;
use super::writer::Writer;

/// How long the last bytes may take. A terminal that was stopped takes none.
const PATIENCE: Duration = Duration::from_millis(300);

/// The terminal while it is ours.
pub(super) struct Guard {
    /// Where frames go.
    pub(super) writer: Writer,
}

impl Guard {
    /// Takes the terminal.
    pub(super) fn enter() -> Result<Self, TuiError> {
        if !io::stdout().is_terminal() {
            return Err(TuiError::NoTerminal);
        }
        let guard = Self { writer: Writer::new() };
        guard.take()?;
        Ok(guard)
    }

    /// Raw mode first: what the operator types before the first frame must not be echoed into it.
    pub(super) fn take(&self) -> Result<(), TuiError> {
        enable_raw_mode()?;
        let mut bytes = Vec::new();
        queue!(
            bytes,
            EnterAlternateScreen,
            Hide,
            EnableBracketedPaste,
            DisableLineWrap,
            ResetColor,
            Clear(ClearType::All)
        )?;
        self.writer.send(bytes);
        Ok(())
    }

    /// After the shell had it. The mode may be anybody's by now: what was saved is put back first.
    pub(super) fn take_again(&self) -> Result<(), TuiError> {
        disable_raw_mode()?;
        self.take()
    }

    /// Gives the terminal back.
    pub(super) fn give_back(&self) {
        let mut bytes = Vec::new();
        let queued = queue!(
            bytes,
            EndSynchronizedUpdate,
            ResetColor,
            EnableLineWrap,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        if queued.is_ok() {
            self.writer.finish(bytes, PATIENCE);
        }
        if let Err(error) = disable_raw_mode() {
            tracing::debug!(%error, "the terminal's mode could not be restored");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Wraps a large frame so that the terminal shows it in one piece; small ones are one piece anyway.
pub(super) fn synchronized(frame: Vec<u8>) -> Vec<u8> {
    const LARGE: usize = 512;
    if frame.len() < LARGE {
        return frame;
    }
    let mut bytes = Vec::with_capacity(frame.len() + 16);
    let wrapped = queue!(bytes, BeginSynchronizedUpdate).and_then(|()| {
        bytes.write_all(&frame)?;
        queue!(bytes, EndSynchronizedUpdate)
    });
    if wrapped.is_ok() { bytes } else { frame }
}

/// Puts the cursor where nothing shows it, after something else wrote to the screen.
pub(super) fn wipe() -> Vec<u8> {
    let mut bytes = Vec::new();
    if queue!(bytes, ResetColor, MoveTo(0, 0), Clear(ClearType::All)).is_err() {
        bytes.clear();
    }
    bytes
}
