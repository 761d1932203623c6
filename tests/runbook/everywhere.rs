//! Golden plans: what every runbook would do in every scenario of the simulated AWS, read from that world.
//!
//! The plans in `plans` hold every condition and call of some scenarios; these hold all scenarios, each as an operator
//! reads it: what guards say, what is asked, which steps there would be, what is lost.

use std::fmt::Write as _;
use std::time::Duration;

use switchtower::domain::ids::Region;
use switchtower::domain::text::Text;
use switchtower::runbook::{DatabaseChoice, Force, Params, Plan, PlanError};
use switchtower::sim::{SimOptions, scenario_names};

use super::stage::{LEAVING, SURVIVOR, Stage, play};

/// Runbook and wishes, the words of a command line first.
fn wishes() -> Vec<(&'static str, &'static str, Params)> {
    let of = |region: &str| Params { region: Some(Region::new(region)), ..Params::default() };
    let database = |choice| Params { database: Some(choice), ..of(LEAVING) };
    vec![
        ("drain", "drain", of(LEAVING)),
        ("drain --now", "drain", Params { now: true, ..of(LEAVING) }),
        ("drain of the other region", "drain", of(SURVIVOR)),
        ("failover", "failover", of(LEAVING)),
        ("failover --database leave", "failover", database(DatabaseChoice::Leave)),
        ("failover --database failover", "failover", database(DatabaseChoice::Failover)),
        ("failover of the other region", "failover", of(SURVIVOR)),
        ("restore", "restore", of(LEAVING)),
        ("switchover", "switchover", Params { to: Some(Region::new(SURVIVOR)), ..Params::default() }),
        ("cleanup --region", "cleanup", of(SURVIVOR)),
        ("cleanup", "cleanup", Params::default()),
    ]
}

#[test]
fn every_runbook_in_every_scenario_plans_what_it_planned() {
    let scenarios = scenario_names();
    assert!(scenarios.len() >= 12, "{scenarios:?}");
    for scenario in scenarios {
        let told = play(async || told(&scenario).await);
        insta::with_settings!({
            prepend_module_to_snapshot => false, snapshot_path => "golden", omit_expression => true,
        }, {
            insta::assert_snapshot!(format!("everywhere-{scenario}"), told);
        });
    }
}

async fn told(scenario: &str) -> String {
    let stage = Stage::new(SimOptions { scenario: scenario.into(), ..SimOptions::default() });
    // The trouble is there and seen.
    stage.clock.sleep(Duration::from_mins(6)).await;
    let mut told = String::new();
    for (title, runbook, params) in wishes() {
        let planned = stage.planned(runbook, &params).await;
        let _ = writeln!(told, "=== {title} ===\n{}", outcome(&planned));
    }
    steady(&told)
}

fn outcome(planned: &Result<Plan, PlanError>) -> String {
    let mut told = String::new();
    match planned {
        Ok(plan) => {
            let _ = writeln!(told, "{}", plan.summary);
            for finding in &plan.findings {
                let force = match finding.force {
                    Force::Warn => "warn",
                    Force::Block if finding.may_override => "block",
                    Force::Block => "BLOCK",
                };
                let _ = writeln!(told, "  {force} {}: {}", finding.guard.word(), finding.message);
            }
            for step in &plan.steps {
                let ways = step.ways.len();
                let ways = if ways > 1 { format!(" ({ways} ways)") } else { String::new() };
                let _ = writeln!(told, "  - {}{ways}", step.title);
            }
            lines(&mut told, "risk", &plan.data_at_risk);
            lines(&mut told, "lost", &plan.irreversible);
        }
        Err(PlanError::Choose { question, flag, choices, proposed }) => {
            let _ = writeln!(told, "choose with {flag}: {question}");
            for (choice, why) in choices {
                let mark = if Some(choice) == proposed.as_ref() { " (proposed)" } else { "" };
                let _ = writeln!(told, "  {choice}{mark}: {why}");
            }
        }
        Err(error) => {
            let _ = writeln!(told, "no plan: {error}");
        }
    }
    told
}

fn lines(told: &mut String, title: &str, lines: &[Text]) {
    for line in lines {
        let _ = writeln!(told, "  {title}: {line}");
    }
}

/// Request ids say nothing of the plan.
fn steady(told: &str) -> String {
    let mut steady = String::new();
    let mut rest = told;
    while let Some((before, after)) = rest.split_once("(request ") {
        steady.push_str(before);
        steady.push_str("(request …)");
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    steady + rest
}
