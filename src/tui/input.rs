//! Keys, pastes and resizes.
//!
//! What it is for: a stream that ends for good at the first error. When a terminal goes away its file
//! stays readable and empty for ever; whoever goes on reading burns a core.
//! What it must not do: know what a key does.

use crossterm::event::{Event as Terminal, EventStream, KeyEventKind};
use futures_util::StreamExt;

use crate::app::Event;

/// The stream of events, until it fails.
pub(super) struct Input {
    stream: Option<EventStream>,
}

/// What came.
pub(super) enum Came {
    /// An event for the console.
    Event(Event),
    /// Something that no screen uses.
    Nothing,
    /// The terminal went away.
    Gone,
}

impl Input {
    /// Starts reading.
    pub(super) fn new() -> Self {
        Self { stream: Some(EventStream::new()) }
    }

    /// Stops reading.
    pub(super) fn stop(&mut self) {
        self.stream = None;
    }

    /// Waits for the next event; for ever once the stream has ended.
    pub(super) async fn next(&mut self) -> Came {
        let Some(stream) = &mut self.stream else { return std::future::pending().await };
        match stream.next().await {
            Some(Ok(Terminal::Key(key))) if key.kind != KeyEventKind::Release => {
                Came::Event(Event::Key(key.into()))
            }
            Some(Ok(Terminal::Paste(text))) => Came::Event(Event::Paste(text)),
            // The size is asked of the kernel when the frame is painted: of many resizes the last counts.
            Some(Ok(Terminal::Resize(..))) => {
                let (width, height) = super::screen::size();
                Came::Event(Event::Resize(width, height))
            }
            Some(Ok(_)) => Came::Nothing,
            Some(Err(error)) => {
                tracing::info!(%error, "the terminal cannot be read any more");
                self.stop();
                Came::Gone
            }
            None => {
                self.stop();
                Came::Gone
            }
        }
    }
}
