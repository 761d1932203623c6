//! `plan`: guards and plan, and nothing changes.
//!
//! What it is for: reading before acting, as text, JSON or a shell script that works without this program.
//! What it must not do: arm, take a lease, or write anything but its output.

use serde_json::json;

use super::super::args::{Global, PlanArgs, Wishes};
use super::super::exit::{Exit, Failure};
use super::super::out;
use super::super::session::{Session, WORKERS, worker};
use super::{Asked, Desk, lines};
use crate::app::acting::{Reads, estimate as reckon};
use crate::domain::text::Text;
use crate::runbook::catalog::blocking;
use crate::runbook::{Params, Plan, PlanError, Runbook, script};

/// Runs `plan`.
pub(in crate::cli) fn run(global: &Global, args: &PlanArgs) -> Result<Exit, Failure> {
    let runbook = Desk::runbook(&args.runbook)?;
    let params = wished(runbook, &args.wishes)?;
    let session = Session::configured(global)?;
    let now = session.clock.now();
    runbook.confirmed_by(&session.topology, &params, now).map_err(|error| refused(error, None))?;
    let runs = session.runs()?;
    let runtime = worker(WORKERS)?;
    let planned = runtime.block_on(async {
        let desk = Desk::new(session.clone(), global.allow_endpoint, runs);
        let asked = Asked { runbook, params: &params, armed: true, reads: Reads::Anew };
        desk.plan(asked).await.map_err(|error| refused(error, desk.refused_everywhere()))
    });
    runtime.shutdown_background();
    let plan = planned?;
    let words = if args.script {
        script::script(&plan, &session.topology)
    } else if args.json {
        document(&plan)?
    } else {
        lines::plan(&plan)
    };
    out::print(&words)?;
    Ok(if blocking(&plan.findings).next().is_some() { Exit::Blocked } else { Exit::Done })
}

/// The plan as JSON, versioned.
fn document(plan: &Plan) -> Result<String, Failure> {
    let steps = plan.steps.iter().map(|step| {
        let ways = step.ways.iter().map(|way| {
            let calls: Vec<_> =
                way.calls.iter().map(|call| json!({"call": call, "aws": call.cli()})).collect();
            let undo: Vec<_> = way.undo.iter().map(|call| json!({"call": call, "aws": call.cli()})).collect();
            json!({"method": way.method, "calls": calls, "undo": undo, "patience_s": way.patience.as_secs()})
        });
        json!({
            "id": step.id, "title": step.title, "region": step.region, "after": step.after,
            "changes": step.changes, "domains": step.domains(), "ways": ways.collect::<Vec<_>>(),
            "precondition": step.precondition, "verify": step.verify, "timeout_s": step.timeout.as_secs(),
            "on_failure": step.on_failure, "usual_s": step.expected().as_secs(),
            "past_runs": step.measured.map_or(0, |measured| measured.runs),
        })
    });
    let whole = reckon::of(plan);
    let runs = plan.steps.iter().filter_map(|step| step.measured).map(|measured| measured.runs).max();
    let document = json!({
        "schema": "switchtower.plan/1", "runbook": plan.runbook, "application": plan.application,
        "digest": plan.digest().as_str(), "confirm": plan.confirm, "made_at": plan.made_at,
        "params": plan.params, "summary": plan.summary, "guards": plan.findings,
        "data_at_risk": plan.data_at_risk, "irreversible": plan.irreversible, "notes": plan.notes,
        "duration": {
            "usual_s": whole.likely.as_secs(), "at_most_s": whole.most.as_secs(),
            "measured": whole.measured, "past_runs": runs.unwrap_or(0),
        },
        "steps": steps.collect::<Vec<_>>(),
    });
    let words = serde_json::to_string_pretty(&document);
    words
        .map(|words| words + "\n")
        .map_err(|error| Failure::error(format_args!("the plan is no JSON: {error}")))
}

/// The parameters that a command line asks for. What the runbook would pass over was meant otherwise: it is refused.
pub(super) fn wished(runbook: &dyn Runbook, wishes: &Wishes) -> Result<Params, Failure> {
    let spec = runbook.spec();
    let params = wishes.params()?;
    let given = params.options();
    let Some((name, _)) = given.iter().find(|(name, _)| !spec.options.contains(name)) else {
        return Ok(params);
    };
    let known: Vec<String> = spec.options.iter().map(|name| format!("--{name}")).collect();
    let words = format!("{} takes no --{name}; it takes {}", spec.id, known.join(", "));
    Err(Failure::new(Exit::Usage, words))
}

/// Why there is no plan, with the choices when there are some. Where every scope refuses the credentials, that is why.
pub(super) fn refused(error: PlanError, credentials: Option<Text>) -> Failure {
    if let Some(why) = credentials.filter(|_| !matches!(error, PlanError::Params(_))) {
        return Failure::new(Exit::Credentials, format_args!("every region refuses the credentials: {why}"));
    }
    match &error {
        PlanError::Choose { choices, proposed, .. } => {
            let listed: Vec<String> = choices
                .iter()
                .map(|(choice, words)| {
                    let mark = if Some(choice) == proposed.as_ref() { " (proposed)" } else { "" };
                    format!("  {choice}{mark}: {words}")
                })
                .collect();
            Failure::new(Exit::Usage, format_args!("{error}\n{}", listed.join("\n")))
        }
        PlanError::Params(_) => Failure::new(Exit::Usage, error),
        PlanError::Impossible(_) => Failure::new(Exit::Blocked, error),
    }
}
