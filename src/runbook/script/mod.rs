//! A plan as a shell script: the break-glass kit.
//!
//! What it is for: `plan --script` writes what an operator can read, change and run with nothing but a POSIX shell
//! and the `aws` command, when this program cannot be had.
//! What it must not do: promise what only the engine keeps. A script has no lease, no journal and no guard, and
//! knows the world as of the moment of planning; its head says so.
//!
//! | module | what it is |
//! |---|---|
//! | `step` | one step: comments, calls, waiting, undo |
//! | `check` | a condition as a command that prints `true` |

mod check;
mod step;

use super::guard::Force;
use super::operation::FailureDomain;
use super::plan::{OnFailure, Plan, Step};
use super::print::{comment, quoted};
use crate::domain::Topology;
use crate::domain::text::Text;

/// Everything that a step needs is above it, so that single steps can be pasted too.
const FUNCTIONS: &str = r#"
say() { printf '%s\n' "$*" >&2; }

# begin WORDS: a step begins.
begin() {
  step=$1 skipped=
  say "$step"
}

# Asks before a change, when a person sits at the terminal; anything but yes and skip stops.
confirm() {
  [ -t 0 ] || return 0
  printf '%s? [yes, skip, stop] ' "$1" >&2
  read -r answer || exit 6
  case $answer in
    yes) return 0 ;;
    skip) skipped=yes; return 1 ;;
    *) say "stopped before: $1"; exit 6 ;;
  esac
}

# agree WORDS: a person says whether it is so, or may pass; anything but yes stops.
agree() {
  printf '%s [yes, stop] ' "$1" >&2
  read -r answer || exit 6
  [ "$answer" = yes ] || { say "stopped: $1"; exit 5; }
}

# True when a command prints "true"; every check below is such a command.
is_so() { [ "$("$@")" = true ]; }

# holds WORDS SECONDS COMMAND...: looks every five seconds until it is so. A step that was skipped proves nothing.
holds() {
  words=$1 limit=$2 waited=0
  shift 2
  [ -z "$skipped" ] || return 0
  until is_so "$@"; do
    if [ "$waited" -ge "$limit" ]; then
      say "not so after $limit s: $words"
      return 1
    fi
    sleep 5
    waited=$((waited + 5))
  done
  say "so: $words"
}

# look WORDS: what no one command can tell. Asked of a person; without one it is only said.
look() {
  [ -z "$skipped" ] || return 0
  if [ -t 0 ]; then agree "look yourself: $1. Is it so?"; else say "not checked: $1"; fi
}

# must WORDS COMMAND...: what has to be so before a step. A person may go on without it.
must() {
  words=$1
  shift
  is_so "$@" && return 0
  say "it could not be shown that $words"
  [ -t 0 ] || exit 5
  agree 'Go on all the same?'
}

step='0, nothing was done yet' skipped=
ended() {
  status=$?
  [ "$status" -eq 0 ] || say "ended with $status in step $step; what undoes it stands there as a comment"
}
trap ended EXIT
"#;

/// The plan as a commented POSIX shell script with the ids, versions and records of the moment of planning.
pub fn script(plan: &Plan, topology: &Topology) -> String {
    let mut out = Script::default();
    out.raw("#!/bin/sh");
    let digest = plan.digest();
    let plan = &Plan { steps: in_turn(plan), ..plan.clone() };
    head(&mut out, plan, digest.as_str(), topology);
    out.raw("set -eu");
    out.raw("export AWS_PAGER=");
    out.raw("# Route 53 has no region of its own, and the command may want one; every other call names its region.");
    out.raw("export AWS_DEFAULT_REGION=us-east-1");
    out.raw("# A call that got no answer may have had its effect: it is never sent again by itself.");
    out.raw("export AWS_MAX_ATTEMPTS=1");
    out.raw("# An endpoint that hangs must not hold up the rest.");
    out.raw(r#"aws() { command aws --cli-connect-timeout 4 --cli-read-timeout 20 "$@"; }"#);
    out.raw(FUNCTIONS.trim_end());
    routing_endpoints(&mut out, plan, topology);
    blocked(&mut out, plan);
    for (index, step) in plan.steps.iter().enumerate() {
        step::write(&mut out, plan, index, step, topology);
    }
    out.blank();
    out.raw("say 'done: every step was carried out, held already or was skipped'");
    out.0
}

/// A script being written, line by line.
#[derive(Default)]
struct Script(String);

impl Script {
    fn raw(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A comment; hostile text cannot end it.
    fn note(&mut self, words: &str) {
        if words.is_empty() {
            self.raw("#");
        } else {
            self.raw(&format!("# {}", comment(words)));
        }
    }

    /// A named list of comments; left out when there is nothing in it.
    fn list(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        for (index, line) in lines.into_iter().enumerate() {
            if index == 0 {
                self.note("");
                self.note(title);
            }
            self.note(&format!("  {line}"));
        }
    }
}

/// The steps one after the other. What the engine does at the same time takes turns here, so that no change waits for
/// something that it does not need: first what can be changed outside the region that is left, then what is waited for
/// and what that region must answer, and last what is only tried there, since a dark region takes its time.
fn in_turn(plan: &Plan) -> Vec<Step> {
    let mut left: Vec<&Step> = plan.steps.iter().collect();
    let mut turns: Vec<Step> = Vec::new();
    let asks_it = |step: &Step| {
        let left = plan.params.region.clone().map(FailureDomain::Regional);
        left.is_some_and(|left| step.domains().contains(&left))
    };
    while !left.is_empty() {
        let ready = |step: &&Step| step.after.iter().all(|id| !left.iter().any(|other| other.id == *id));
        let acts = |step: &&Step| ready(step) && !step.ways.is_empty() && !asks_it(step);
        let counts = |step: &&Step| ready(step) && !(asks_it(step) && step.on_failure == OnFailure::Pass);
        let next = left.iter().position(acts).or_else(|| left.iter().position(counts));
        let next = next.or_else(|| left.iter().position(ready)).unwrap_or(0);
        turns.push(left.remove(next).clone());
    }
    turns
}

fn head(out: &mut Script, plan: &Plan, digest: &str, topology: &Topology) {
    let made = plan.made_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    out.note(&format!("{}: {}", plan.application, plan.summary));
    out.note("");
    out.note(&format!("application  {}", plan.application));
    out.note(&format!("runbook      {}{}", plan.runbook, plan.params.command_line()));
    out.note(&format!("digest       {digest}"));
    out.note(&format!("made         {made}"));
    out.note("");
    out.note(&format!(
        "Every id, version, count and record in it is as of {made}. It was made to be read first:"
    ));
    out.note(
        "what has changed since is not known to it. It takes no lease, writes no journal and examines no",
    );
    out.note("guard. On a terminal it asks before each change; without one it goes through from end to end.");
    out.note("It needs the aws command, version 2, and these credentials:");
    for (key, scope) in &topology.scope {
        let account = scope.account.as_ref().map(|account| format!(" account {account}")).unwrap_or_default();
        let profile = scope.profile.as_ref().map(|profile| format!(" profile {profile}")).unwrap_or_default();
        let role =
            scope.role_arn.as_ref().map(|role| format!(" role {role} (assume it first)")).unwrap_or_default();
        out.note(&format!("  {key}:{account}{profile}{role}"));
    }
    let findings = plan.findings.iter().map(|finding| {
        let force = match finding.force {
            Force::Block => "BLOCKS",
            Force::Warn => "warns",
        };
        let next =
            if finding.next_step.is_empty() { String::new() } else { format!(" ({})", finding.next_step) };
        format!("{} {force}: {}{next}", finding.guard.word(), finding.message)
    });
    out.list("What the guards found then:", findings);
    out.list("Data at risk:", lines(&plan.data_at_risk));
    out.list("What no step brings back:", lines(&plan.irreversible));
    out.list("Notes:", lines(&plan.notes));
    let steps = plan.steps.iter().enumerate().map(|(index, step)| format!("{} {}", index + 1, step.title));
    out.list("Steps:", steps);
    out.blank();
}

fn lines(texts: &[Text]) -> impl Iterator<Item = String> {
    texts.iter().map(ToString::to_string)
}

/// Any of ARC's endpoints may take a call: they are tried one after the other.
fn routing_endpoints(out: &mut Script, plan: &Plan, topology: &Topology) {
    if !step::uses_routing_controls(plan) {
        return;
    }
    out.blank();
    out.raw("# ARC: each of the cluster's endpoints may take a change; they are tried in turn.");
    let endpoints: Vec<String> = topology
        .arc
        .iter()
        .flat_map(|arc| &arc.endpoints)
        .map(|endpoint| {
            format!(
                r#"aws "$@" --endpoint-url {} --region {}"#,
                quoted(&endpoint.url),
                quoted(endpoint.region.as_str())
            )
        })
        .collect();
    if endpoints.is_empty() {
        out.raw(r#"arc() { aws "$@" --endpoint-url "$ARC_ENDPOINT" --region "$ARC_REGION"; }"#);
    } else {
        out.raw(&format!("arc() {{\n  {}\n}}", endpoints.join(" ||\n  ")));
    }
}

/// A plan that was blocked does not start by accident.
fn blocked(out: &mut Script, plan: &Plan) {
    if plan.findings.iter().any(|finding| finding.force == Force::Block) {
        out.blank();
        out.raw("# A guard blocked this plan when it was made; see the head.");
        out.raw("if [ \"${1-}\" != --although-blocked ]; then");
        out.raw("  say 'a guard blocked this plan; run it with --although-blocked to go on all the same'");
        out.raw("  exit 4");
        out.raw("fi");
    }
}
