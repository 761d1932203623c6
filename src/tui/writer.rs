//! The thread that writes to the terminal.
//!
//! What it is for: a terminal that is stopped, or slow, or an SSH line without a network, blocks this
//! thread and nothing else. It holds one frame; while it is busy none is drawn, so that what is written
//! next is always the newest. What it must not do: decide what is written.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// The thread and what is known of it.
pub(super) struct Writer {
    frames: Sender<Vec<u8>>,
    state: Arc<State>,
}

/// What both sides see.
struct State {
    /// Frames handed over and not written yet.
    waiting: AtomicUsize,
    /// Set when the terminal took no more bytes for good.
    broken: AtomicBool,
    /// Told when a frame is written, or cannot be.
    done: Notify,
    /// The same for the one caller that blocks.
    idle: (Mutex<()>, Condvar),
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (frames, incoming) = channel();
        let state = Arc::new(State {
            waiting: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            done: Notify::new(),
            idle: (Mutex::new(()), Condvar::new()),
        });
        let shared = Arc::clone(&state);
        std::thread::Builder::new()
            .name("terminal-writer".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || write_all(&incoming, &shared))?;
        Ok(Self { frames, state })
    }

    /// True when the last frame is written and the next may be drawn.
    pub(super) fn is_idle(&self) -> bool {
        self.state.waiting.load(Ordering::Acquire) == 0
    }

    /// True when the terminal is gone.
    pub(super) fn is_broken(&self) -> bool {
        self.state.broken.load(Ordering::Acquire)
    }

    /// Hands a frame over; never blocks.
    pub(super) fn send(&self, frame: Vec<u8>) {
        if frame.is_empty() || self.is_broken() {
            return;
        }
        self.state.waiting.fetch_add(1, Ordering::AcqRel);
        if self.frames.send(frame).is_err() {
            self.state.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Waits until a frame is written, or cannot be.
    pub(super) async fn done(&self) {
        self.state.done.notified().await;
    }

    /// Hands the last bytes over and waits for them, but not for ever.
    pub(super) fn finish(&self, bytes: Vec<u8>, patience: Duration) {
        self.send(bytes);
        let (lock, condition) = &self.state.idle;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = condition.wait_timeout_while(guard, patience, |()| !self.is_idle() && !self.is_broken());
        drop(waited);
    }
}

fn write_all(incoming: &Receiver<Vec<u8>>, state: &State) {
    let mut terminal = io::stdout();
    while let Ok(frame) = incoming.recv() {
        // Standard output is line-buffered; one write of the whole frame passes it by.
        let written = terminal.lock().write_all(&frame).and_then(|()| terminal.flush());
        if let Err(error) = written {
            tracing::info!(%error, "the terminal takes no more bytes");
            state.broken.store(true, Ordering::Release);
        }
        let (lock, condition) = &state.idle;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.fetch_sub(1, Ordering::AcqRel);
        drop(guard);
        condition.notify_all();
        state.done.notify_one();
        if state.broken.load(Ordering::Acquire) {
            return;
        }
    }
}
