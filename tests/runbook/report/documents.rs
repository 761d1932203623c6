//! The three documents of a run, whole.

use serde_json::Value;
use switchtower::cli::report::{html, json, markdown};
use switchtower::runbook::Outcome;
use switchtower::sim::{FaultKind, InjectedFault};

use super::super::stage::leaving;
use super::{carried_out, failover, golden, report};

/// A failover that was carried out to its end.
#[test]
fn a_failover_is_told_in_three_formats() {
    let (run, bytes) = failover();
    let report = report(&run, &bytes);
    assert_eq!((report.state, report.outcome), ("ended", Some(Outcome::Done)));
    golden("failover.md", &markdown(&report));
    golden("failover.json", &json(&report).unwrap());
    golden("failover.html", &html(&report).unwrap());
}

/// A drain that nobody attends halts at a step that fails; what is left is the point of its report.
#[test]
fn a_halt_says_what_is_left() {
    let (run, bytes) = carried_out("calm", "drain", &leaving(), |stage| {
        let kind = FaultKind::Refuse { status: 400, code: "InvalidGlobalClusterStateFault".into() };
        stage.sim.inject(InjectedFault::next("rds", "SwitchoverGlobalCluster", kind).on(0));
    });
    let report = report(&run, &bytes);
    assert_eq!((report.state, report.outcome), ("halted", Some(Outcome::Halted)));
    assert_eq!(report.left.failed.len(), 1, "{:#?}", report.left);
    assert!(!report.left.undo.is_empty() && !report.left.not_begun.is_empty(), "{:#?}", report.left);
    golden("halted.md", &markdown(&report));
}

/// Fields may be added, never renamed: programs read these.
#[test]
fn the_json_keeps_its_names() {
    let (run, bytes) = failover();
    let document: Value = serde_json::from_str(&json(&report(&run, &bytes)).unwrap()).unwrap();
    assert_eq!(document["schema"], "switchtower.report/1");
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let step = document["steps"].as_array().unwrap().iter().find(|step| step["calls"][0].is_object());
    let found = [
        ("report", names(&document)),
        ("sitting", names(&document["sittings"][0])),
        ("finding", names(&document["findings"][0])),
        ("step", names(step.unwrap())),
        ("call", names(&step.unwrap()["calls"][0])),
        ("happening", names(&document["happenings"][0])),
        ("left", names(&document["left"])),
        ("undo", names(&document["left"]["undo"][0])),
        ("sample", names(&document["samples"][0])),
        ("point", names(&document["samples"][0]["points"][0])),
        ("journal", names(&document["journal"])),
    ];
    let found: String = found.iter().map(|(name, fields)| format!("{name}: {fields}\n")).collect();
    golden("names.txt", &found);
}
