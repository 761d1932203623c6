//! The Python environment of the fakes: made once under `target/`, pinned by `requirements.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The interpreter of the environment, or why there is none.
pub(crate) fn environment() -> &'static Result<PathBuf, String> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(make)
}

/// The environment's interpreter, about to run a script of this folder. It leaves no byte code beside the scripts, sees
/// nothing of this machine's AWS configuration, and asks no proxy for loopback.
pub(crate) fn command(name: &str) -> Result<Command, String> {
    let mut command = Command::new(environment().as_ref()?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        command.env(name, "/dev/null");
    }
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script(name));
    Ok(command)
}

/// A file of this folder.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

/// Cargo's target directory: the one that the program under test was built into.
fn target() -> &'static Path {
    let program = Path::new(env!("CARGO_BIN_EXE_switchtower"));
    program.ancestors().nth(2).unwrap_or(program)
}

fn make() -> Result<PathBuf, String> {
    let version =
        run(Command::new("python3").arg("--version")).map_err(|why| format!("no python3: {why}"))?;
    let requirements = fs::read_to_string(script("requirements.txt")).map_err(|why| why.to_string())?;
    let place = target().join("interop-venv");
    let (interpreter, stamp) = (place.join("bin/python"), place.join("made-from"));
    let wanted = format!("{version}{requirements}");
    // Two test runs may start at once: the lock is let go of by the system whatever becomes of us.
    fs::create_dir_all(target()).map_err(|why| why.to_string())?;
    let lock = fs::File::create(target().join("interop-venv.lock")).map_err(|why| why.to_string())?;
    lock.lock().map_err(|why| why.to_string())?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(interpreter);
    }
    eprintln!("interop: making the Python environment in {} (once)", place.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))
        .map_err(|why| format!("python3 -m venv: {why}"))?;
    run(Command::new(&interpreter)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(script("requirements.txt")))
    .map_err(|why| format!("pip install: {why}"))?;
    fs::write(&stamp, wanted).map_err(|why| why.to_string())?;
    Ok(interpreter)
}

/// Runs a command to its end: its output, or the end of what it complained about.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|why| why.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = text(&output.stderr) + &text(&output.stdout);
    Err(format!("{}: {}", output.status, tail(&said)))
}

/// The last lines of an output.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
