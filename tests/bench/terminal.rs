//! A program in a pseudo-terminal, seen from outside.
//!
//! What it is for: when it painted what, to the microsecond: a thread does nothing but read and note the time.
//! What it must not do: answer any question that the program asks its terminal. A terminal may never answer.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Output without a longer pause is one painting.
const PAINTING: Duration = Duration::from_millis(8);

/// A running program and its terminal.
pub(crate) struct Terminal {
    /// What the screen shows of the output taken so far.
    pub(crate) screen: vt100::Parser,
    /// When the program was started.
    pub(crate) started: Instant,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    modes: String,
}

/// One stretch of output up to a silence.
#[derive(Clone, Copy)]
pub(crate) struct Burst {
    /// When its first bytes came.
    pub(crate) first: Instant,
    /// When its last bytes came.
    pub(crate) last: Instant,
    /// How many.
    pub(crate) bytes: usize,
}

impl Terminal {
    /// Starts the program under test.
    pub(crate) fn start(
        arguments: &[&str],
        home: &Path,
        columns: u16,
        rows: u16,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let modes = format!("{:?}", pair.master.get_termios());
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_switchtower"));
        command.args(arguments);
        command.env_clear();
        command.cwd(home);
        for (name, value) in crate::environment(home) {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        let mut reader = pair.master.try_clone_reader()?;
        let writer = pair.master.take_writer()?;
        let (send, output) = channel();
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if send.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        let started = Instant::now();
        let child = pair.slave.spawn_command(command)?;
        let screen = vt100::Parser::new(rows, columns, 0);
        Ok(Self { screen, started, child, master: pair.master, writer, output, modes })
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.process_id().unwrap_or_default()
    }

    /// The next output within `limit`.
    fn next(&mut self, limit: Duration) -> Result<(Instant, usize), RecvTimeoutError> {
        let (at, bytes) = self.output.recv_timeout(limit)?;
        self.screen.process(&bytes);
        Ok((at, bytes.len()))
    }

    /// The next output and all that follows with no pause of `quiet`; `None` when nothing comes within `limit`.
    pub(crate) fn burst(&mut self, limit: Duration, quiet: Duration) -> Option<Burst> {
        let (first, bytes) = self.next(limit).ok()?;
        let mut burst = Burst { first, last: first, bytes };
        while let Ok((at, bytes)) = self.next(quiet) {
            burst.last = at;
            burst.bytes += bytes;
        }
        Some(burst)
    }

    /// When the screen first showed what is looked for; `None` when it did not within `limit`.
    pub(crate) fn until(&mut self, limit: Duration, found: impl Fn(&str) -> bool) -> Option<Instant> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            let (at, _) = self.next(left).ok()?;
            if found(&self.screen.screen().contents()) {
                return Some(at);
            }
        }
    }

    /// Takes all output for a time: how many bytes came, in how many paintings.
    pub(crate) fn watch(&mut self, time: Duration) -> (usize, usize) {
        let deadline = Instant::now() + time;
        let (mut total, mut paintings, mut last) = (0, 0, None);
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            let Ok((at, bytes)) = self.next(left) else { break };
            total += bytes;
            paintings += usize::from(last.is_none_or(|last| at - last > PAINTING));
            last = Some(at);
        }
        (total, paintings)
    }

    /// Sends keys; returns when they were written.
    pub(crate) fn send(&mut self, keys: &str) -> Instant {
        let at = Instant::now();
        let _ = self.writer.write_all(keys.as_bytes());
        let _ = self.writer.flush();
        at
    }

    /// Sends keys and waits for the screen to settle: how long until the first bytes, and how many came.
    pub(crate) fn key(&mut self, keys: &str) -> Option<(Duration, usize)> {
        self.watch(Duration::from_millis(2));
        let sent = self.send(keys);
        let burst = self.burst(Duration::from_secs(2), PAINTING)?;
        Some((burst.first.saturating_duration_since(sent), burst.bytes))
    }

    /// Waits for the program's end: how long after `since` it came; `None` when it did not.
    pub(crate) fn ended(&mut self, since: Instant, limit: Duration) -> Option<Duration> {
        while since.elapsed() < limit {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                let took = since.elapsed();
                self.watch(Duration::from_millis(50));
                return Some(took);
            }
            thread::sleep(Duration::from_micros(200));
        }
        None
    }

    /// Whether the terminal is as it was before the program: modes of the line, of the screen and of the mouse.
    pub(crate) fn restored(&self) -> bool {
        let screen = self.screen.screen();
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
            && format!("{:?}", self.master.get_termios()) == self.modes
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
