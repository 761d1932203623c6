//! The break-glass kit: every line of every script is one that the `aws` command takes, by AWS's own models.
//!
//! What it is for: services, operations, options and values of all lines, also of those that stand there as comments (undo,
//! other ways, hints), for each runbook. What drains, failovers and restores do is proven in `runs.rs`, by carrying them out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::ground::{Ground, Kit};
use crate::{Case, case};

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("kit::every_operation", every_operation),
        case("kit::every_runbook_on_moto", || {
            let ground = Ground::estate("moto")?;
            all_read(
                &ground,
                &[
                    &["drain", "--region", "us-east-1", "--now"],
                    &["drain", "--region", "us-east-1", "--scale-to-zero"],
                    &["failover", "--region", "us-east-1"],
                    &["cleanup", "--region", "ap-south-1"],
                    &["cleanup"],
                ],
            )
        }),
        case("kit::every_runbook_on_ministack", || {
            let ground = Ground::estate("ministack")?;
            all_read(
                &ground,
                &[
                    &["drain", "--region", "eu-west-1"],
                    &["failover", "--region", "us-east-1", "--database", "failover", "--to", "eu-west-1"],
                    &["failover", "--region", "us-east-1", "--database", "switchover", "--to", "eu-west-1"],
                    &["failover", "--region", "us-east-1", "--database", "detach", "--to", "eu-west-1"],
                    &["switchover", "--region", "us-east-1", "--to", "eu-west-1"],
                    &["cleanup", "--region", "ap-south-1"],
                    &["cleanup", "--skip-snapshots"],
                ],
            )
        }),
    ]
}

/// The lines of all operations and a whole script, as the hermetic tests hold them: they have what no fake has, such as
/// routing controls and switches.
fn every_operation() -> Result<(), String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runbook/snapshots");
    let mut lines = BTreeSet::new();
    for name in ["print-lines.snap", "script-failover.snap"] {
        let text = fs::read_to_string(place.join(name)).map_err(|why| format!("{name}: {why}"))?;
        lines.extend(text.lines().filter_map(command));
    }
    // As many as there are kinds of operations, at the least.
    if lines.len() < 35 {
        return Err(format!("only {} lines were found", lines.len()));
    }
    understood(&Kit::reader()?, &lines)
}

/// The scripts of these plans: every shell can read them, and `aws` every line of theirs.
fn all_read(ground: &Ground, plans: &[&[&str]]) -> Result<(), String> {
    let kit = Kit::reader()?;
    let mut lines = BTreeSet::new();
    for plan in plans {
        let script = ground.script(plan)?;
        readable(&kit, &script)?;
        let found: Vec<String> = script.lines().filter_map(command).collect();
        // A change has its call and a check at the least.
        let changes = script.lines().filter(|line| line.starts_with("# undo")).count();
        if changes == 0 || found.len() < 2 * changes {
            return Err(format!("{plan:?}: {} lines for {changes} changes:\n{script}", found.len()));
        }
        lines.extend(found);
    }
    understood(&kit, &lines)
}

/// Whether the shells that are here can read a script.
pub(crate) fn readable(kit: &Kit, script: &str) -> Result<(), String> {
    for shell in ["sh", "bash"].into_iter().filter(|shell| Path::new("/bin").join(shell).exists()) {
        let (code, said) = kit.shell(shell, "AKIAREAD", &["-n"], script)?;
        if code != 0 {
            return Err(format!("{shell} -n: {said}"));
        }
    }
    Ok(())
}

/// Gives every line to a shell by itself, with an `aws` that only reads.
fn understood(kit: &Kit, lines: &BTreeSet<String>) -> Result<(), String> {
    // Each stands alone: what a function of the script does with it is to run it.
    let mut all = String::from(
        "must() { shift; \"$@\"; }\nholds() { shift 2; \"$@\"; }\nis_so() { \"$@\"; }\nsay() { :; }\n\
         arc() { aws \"$@\" --endpoint-url https://arc --region us-west-2; }\n\
         ARC_ENDPOINT=https://arc ARC_REGION=us-west-2\n",
    );
    for line in lines {
        all.extend([format!("( {line}\n) >/dev/null || echo \"code $? of\" {}\n", quoted(line))]);
    }
    match kit.shell("sh", "AKIAREAD", &[], &all)? {
        (0, said) if said.is_empty() => Ok(()),
        (code, said) => Err(format!("{code}: {said}")),
    }
}

/// The command of a line of a script, be it a comment, a check or a call; `None` where it has none.
fn command(line: &str) -> Option<String> {
    let line = line.trim_start_matches(['#', ' ']);
    let line = line.strip_prefix("if ").or_else(|| line.strip_prefix("elif ")).unwrap_or(line);
    let begins = ["aws ", "arc ", "( while ", "must ", "holds ", "is_so "];
    let is_call = begins.iter().any(|begin| line.starts_with(begin))
        && (line.contains("aws ") || line.contains("arc "));
    // The functions themselves.
    if !is_call || line.contains("\"$@\"") {
        return None;
    }
    let ends = ["; then", " &&", " ||"];
    let line = ends.iter().find_map(|end| line.strip_suffix(end)).unwrap_or(line);
    Some(line.split(" || exit 5").next().unwrap_or(line).to_owned())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
