//! boto3 against `sim --listen`: an independent client reads every operation and every error of the simulation.
//!
//! `boto/check_sim.py` holds the checks and says what each came to; here each of them is a case of its own. They run
//! once, in their order, against one world.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use crate::{Case, case, process, python};

const SCRIPT: &str = "boto/check_sim.py";

/// The cases that the script names. Without Python there is nobody to ask: then it is one case.
pub(crate) fn cases() -> Vec<Case> {
    // The names need no more than the interpreter that makes the environment.
    let listed = python::run(Command::new("python3").arg("-B").arg(python::script(SCRIPT)).arg("--list"));
    let names: Vec<String> = match listed {
        Ok(names) => names.lines().map(str::to_owned).collect(),
        Err(why) => return vec![case("boto3", move || Err(why))],
    };
    names
        .into_iter()
        .map(|name| {
            let shown = format!("boto3::{}", name.replace('/', "::"));
            case(&shown, move || match results()?.get(&name) {
                Some(result) => result.clone(),
                None => {
                    Err(format!("the script did not come to it: {}", results()?[""].clone().unwrap_err()))
                }
            })
        })
        .collect()
}

type Results = BTreeMap<String, Result<(), String>>;

/// What each check came to; under the empty name, what the script said at its end.
fn results() -> Result<&'static Results, String> {
    static RESULTS: OnceLock<Result<Results, String>> = OnceLock::new();
    RESULTS.get_or_init(check).as_ref().map_err(Clone::clone)
}

fn check() -> Result<Results, String> {
    let url = process::start_sim(&[])?;
    let output = python::command(SCRIPT)?
        .args(["--endpoint", &url])
        .output()
        .map_err(|why| format!("{SCRIPT}: {why}"))?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut results: Results = said
        .lines()
        .filter_map(|line| match line.split_once(' ')? {
            ("ok", name) => Some((name.to_owned(), Ok(()))),
            ("FAIL", rest) => {
                let (name, why) = rest.split_once(": ").unwrap_or((rest, "no reason was given"));
                Some((name.to_owned(), Err(why.to_owned())))
            }
            _ => None,
        })
        .collect();
    results.insert(String::new(), Err(format!("{}: {}", output.status, python::tail(&complained))));
    Ok(results)
}
