//! A pseudo-terminal with a program on it, and what its screen shows.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use vt100::{Parser, Screen};

use crate::cli::program::Home;

/// How long a screen may take to show what is waited for, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The screen as it is now, and a bell for whoever waits for it to change.
type Shown = Arc<(Mutex<Parser>, Condvar)>;

pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Option<Box<dyn Child + Send + Sync>>,
    shown: Shown,
    /// False while nothing is taken from the program.
    taking: Arc<AtomicBool>,
    /// True once the terminal is to go away.
    leaving: Arc<AtomicBool>,
    reading: Option<JoinHandle<()>>,
    /// The terminal's modes before the program started.
    pub(crate) modes_before: String,
}

impl Terminal {
    pub(crate) fn start(home: &Home, arguments: &[&str], columns: u16, rows: u16) -> Self {
        Self::start_with(home, arguments, &[], columns, rows)
    }

    /// The same with more in its environment.
    pub(crate) fn start_with(
        home: &Home,
        arguments: &[&str],
        environment: &[(&str, &str)],
        columns: u16,
        rows: u16,
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_switchtower"));
        command.args(arguments);
        command.env_clear();
        command.env("HOME", home.folder());
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(home.folder());
        let modes_before = modes(pair.master.as_ref());
        let reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        let shown = Shown::new((Mutex::new(Parser::new(rows, columns, 0)), Condvar::new()));
        let taking = Arc::new(AtomicBool::new(true));
        let leaving = Arc::new(AtomicBool::new(false));
        let reading = Some(read(reader, shown.clone(), taking.clone(), leaving.clone()));
        let (master, child) = (pair.master, Some(child));
        Self { master, writer, child, shown, taking, leaving, reading, modes_before }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().process_id().unwrap()
    }

    pub(crate) fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// From now on, takes what the program writes, or leaves it where it is, as a stopped terminal does.
    pub(crate) fn take(&self, taking: bool) {
        self.taking.store(taking, Ordering::SeqCst);
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.shown.0.lock().unwrap().screen_mut().set_size(rows, columns);
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Waits until the screen is as wanted.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let (parser, bell) = &*self.shown;
        let parser = parser.lock().unwrap();
        let (seen, patience) =
            bell.wait_timeout_while(parser, PATIENCE, |parser| !wanted(parser.screen())).unwrap();
        assert!(!patience.timed_out(), "no {what} on the screen:\n{}", seen.screen().contents());
    }

    pub(crate) fn look(&self, with: impl FnOnce(&Screen)) {
        with(self.shown.0.lock().unwrap().screen());
    }

    /// The end of the program, which must come within `limit`.
    pub(crate) fn ended(&mut self, limit: Duration) -> ExitStatus {
        let child = self.child.as_mut().unwrap();
        let step = Duration::from_millis(5);
        for _ in 0..limit.as_millis() / step.as_millis() {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            std::thread::park_timeout(step);
        }
        panic!("still running after {limit:?}:\n{}", self.shown.0.lock().unwrap().screen().contents());
    }

    /// Modes as before, main screen, cursor shown, no mouse and no bracketed paste.
    pub(crate) fn assert_given_back(&mut self, before: &str) {
        self.wait("main screen with a cursor", |screen| !screen.alternate_screen() && !screen.hide_cursor());
        self.wait("plain input", |screen| {
            !screen.bracketed_paste() && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
        assert_eq!(modes(self.master.as_ref()), before, "the terminal's modes are not what they were");
    }

    /// Takes the terminal away and leaves the program alone. The program must be one that still writes something: its
    /// reader has a descriptor of its own, and lets go of it with the next bytes.
    pub(crate) fn hang_up(mut self) -> Box<dyn Child + Send + Sync> {
        self.leaving.store(true, Ordering::SeqCst);
        self.reading.take().unwrap().join().unwrap();
        self.child.take().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

/// Feeds the screen. The reader holds the terminal open by a descriptor of its own.
fn read(
    mut reader: Box<dyn Read + Send>,
    shown: Shown,
    taking: Arc<AtomicBool>,
    leaving: Arc<AtomicBool>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count) = reader.read(&mut bytes) {
            if count == 0 || leaving.load(Ordering::SeqCst) {
                break;
            }
            shown.0.lock().unwrap().process(&bytes[..count]);
            shown.1.notify_all();
            while !taking.load(Ordering::SeqCst) {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
    })
}
