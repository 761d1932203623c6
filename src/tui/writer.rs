//! The way to the terminal, which never blocks its caller.
//!
//! What it is for: a frame goes out at once, by a descriptor of ours that refuses what the terminal has no room
//! for; the rest goes to a thread. So an idle second wakes one thread and not two, and a terminal that is stopped,
//! or slow, or an SSH line without a network, blocks that thread and nothing else. It holds one frame; while it is
//! busy none is drawn, so that what is written next is always the newest.
//! What it must not do: decide what is written, or make the shell's own descriptor non-blocking.

use std::cell::OnceCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Where frames go.
pub(super) struct Writer {
    /// The terminal by a descriptor of its own; `None` where there is no such thing.
    direct: Option<File>,
    /// The way to the thread, which is started when it is first needed.
    frames: OnceCell<Sender<Vec<u8>>>,
    state: Arc<State>,
}

/// What both sides see.
struct State {
    /// Frames handed over to the thread and not written yet.
    waiting: AtomicUsize,
    /// Set when the terminal took no more bytes for good.
    broken: AtomicBool,
    /// Told when a frame is written, or cannot be.
    done: Notify,
    /// The same for the one caller that blocks.
    idle: (Mutex<()>, Condvar),
}

impl Writer {
    /// A way to the terminal that standard output is.
    pub(super) fn new() -> Self {
        let state = State {
            waiting: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            done: Notify::new(),
            idle: (Mutex::new(()), Condvar::new()),
        };
        Self { direct: direct(), frames: OnceCell::new(), state: Arc::new(state) }
    }

    /// True when the last frame is written and the next may be drawn.
    pub(super) fn is_idle(&self) -> bool {
        self.state.waiting.load(Ordering::Acquire) == 0
    }

    /// True when the terminal is gone.
    pub(super) fn is_broken(&self) -> bool {
        self.state.broken.load(Ordering::Acquire)
    }

    /// Writes a frame, or hands over what the terminal does not take at once; never blocks.
    pub(super) fn send(&self, mut frame: Vec<u8>) {
        if frame.is_empty() || self.is_broken() {
            return;
        }
        // What the thread has not written yet comes first.
        if self.is_idle() {
            match self.write(&frame) {
                Ok(taken) if taken == frame.len() => return,
                Ok(taken) => drop(frame.drain(..taken)),
                Err(error) => return self.state.gone(&error),
            }
        }
        self.state.waiting.fetch_add(1, Ordering::AcqRel);
        match self.thread() {
            Ok(frames) if frames.send(frame).is_ok() => {}
            Ok(_) => {
                self.state.waiting.fetch_sub(1, Ordering::AcqRel);
            }
            Err(error) => {
                self.state.waiting.fetch_sub(1, Ordering::AcqRel);
                self.state.gone(&error);
            }
        }
    }

    /// How many bytes the terminal takes without waiting.
    fn write(&self, frame: &[u8]) -> io::Result<usize> {
        let Some(mut terminal) = self.direct.as_ref() else { return Ok(0) };
        let mut taken = 0;
        while taken < frame.len() {
            match terminal.write(&frame[taken..]) {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    fn thread(&self) -> io::Result<&Sender<Vec<u8>>> {
        if let Some(frames) = self.frames.get() {
            return Ok(frames);
        }
        let (frames, incoming) = channel();
        let shared = Arc::clone(&self.state);
        std::thread::Builder::new()
            .name("terminal-writer".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || write_all(&incoming, &shared))?;
        Ok(self.frames.get_or_init(|| frames))
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

impl State {
    fn gone(&self, error: &io::Error) {
        tracing::info!(%error, "the terminal takes no more bytes");
        self.broken.store(true, Ordering::Release);
    }
}

/// Opens the terminal anew: whether a write may wait belongs to the open file, and that of standard output is
/// shared with the shell. Only Linux opens the same terminal by this name; elsewhere the thread writes.
fn direct() -> Option<File> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open("/proc/self/fd/1");
    opened.inspect_err(|error| tracing::debug!(%error, "the terminal cannot be opened again")).ok()
}

fn write_all(incoming: &Receiver<Vec<u8>>, state: &State) {
    let mut terminal = io::stdout();
    while let Ok(frame) = incoming.recv() {
        // Standard output is line-buffered; one write of the whole frame passes it by.
        let written = terminal.lock().write_all(&frame).and_then(|()| terminal.flush());
        if let Err(error) = written {
            state.gone(&error);
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
