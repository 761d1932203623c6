//! Days on which a region carried another one's users.

use switchtower::runbook::journal::{RunState, RunSummary, in_force, lent_days, lent_now};
use switchtower::runbook::{Entry, Outcome};

use super::*;

/// A run of `runbook` for us-east-1 that began at a moment of November 2026 and ended at another.
fn ran(runbook: &str, (began, ended): (&str, &str), outcome: Option<Outcome>) -> RunSummary {
    let at = |moment: &str| format!("2026-11-{moment}:00Z").parse().unwrap();
    let id = run_id(1);
    let params = Params { region: Some(Region::new("us-east-1")), ..Params::default() };
    let event = Event::Ended { outcome: outcome.unwrap_or(Outcome::Halted), rto: None, rpo_ms: None };
    RunSummary {
        opening: Some(Opening { runbook: runbook.into(), params, ..opening(&id) }),
        id,
        began: Some(at(began)),
        last: Some(Entry { seq: 9, at: at(ended), event }),
        outcome,
        state: RunState::Ended,
        holder: None,
        waits: false,
        damage: Vec::new(),
        imported: false,
        unreadable: None,
    }
}

#[test]
fn days_from_an_evacuation_to_its_restore_are_lent_and_no_others() {
    let done = Some(Outcome::Done);
    let drain = || ran("drain", ("03T10:00", "03T10:20"), done);
    let restore = |ended| ran("restore", ("05T09:00", ended), done);
    let (region, other) = (Region::new("us-east-1"), Region::new("eu-west-1"));
    let cases: &[(&str, Vec<RunSummary>, &[i8])] = &[
        ("no run", vec![], &[]),
        ("restored", vec![restore("05T09:30"), drain()], &[3, 4, 5]),
        ("scaled in after midnight", vec![restore("05T23:30"), drain()], &[3, 4, 5, 6]),
        ("still out", vec![drain()], &[3, 4, 5, 6, 7]),
        (
            "a restore that did not end well",
            vec![ran("restore", ("05T09:00", "05T09:30"), None), drain()],
            &[3, 4, 5, 6, 7],
        ),
        (
            "an earlier restore",
            vec![drain(), ran("restore", ("02T09:00", "02T09:30"), done)],
            &[3, 4, 5, 6, 7],
        ),
        ("undone", vec![ran("drain", ("03T10:00", "03T10:20"), Some(Outcome::Undone))], &[3]),
        ("a failover", vec![restore("05T09:30"), ran("failover", ("04T10:00", "04T10:05"), None)], &[4, 5]),
        (
            "aborted: whatever is wanted afterwards counts",
            vec![ran("drain", ("03T10:00", "03T10:20"), Some(Outcome::Aborted))],
            &[3],
        ),
        (
            "aborted, and restored later",
            vec![restore("05T09:30"), ran("drain", ("03T10:00", "03T10:20"), Some(Outcome::Aborted))],
            &[3, 4, 5],
        ),
        ("a switchover lends nothing", vec![ran("switchover", ("03T10:00", "03T10:20"), done)], &[]),
    ];
    let now = "2026-11-07T12:00:00Z".parse().unwrap();
    for (name, runs, wanted) in cases {
        let days: Vec<i8> = lent_days(runs, &[&region], now).iter().map(|day| day.day()).collect();
        assert_eq!(days, *wanted, "{name}");
        assert!(lent_days(runs, &[&other], now).is_empty(), "{name}: of a region that has left the topology");
    }
}

#[test]
fn users_are_lent_until_an_hour_after_they_are_back() {
    let done = Some(Outcome::Done);
    let runs = [ran("restore", ("05T09:00", "05T09:30"), done), ran("drain", ("03T10:00", "03T10:20"), done)];
    let region = Region::new("us-east-1");
    for (moment, lent) in [("05T10:29", true), ("05T10:31", false)] {
        let now = format!("2026-11-{moment}:00Z").parse().unwrap();
        assert_eq!(lent_now(&runs, &[&region], now).contains(&region), lent, "{moment}");
    }
}

#[test]
fn an_evacuation_holds_until_anything_is_begun_to_take_it_back() {
    let done = Some(Outcome::Done);
    let drain = |day: &str| {
        let (began, ended) = (format!("{day}T10:00"), format!("{day}T10:20"));
        ran("drain", (&began, &ended), done)
    };
    let region = Region::new("us-east-1");
    let began = |runs: &[RunSummary]| in_force(runs, &region).and_then(|run| run.began);
    let at = |moment: &str| Some(format!("2026-11-{moment}:00Z").parse().unwrap());
    assert_eq!(began(&[]), None);
    assert_eq!(began(&[drain("04"), drain("03")]), at("04T10:00"), "the newest");
    for books in ["restore", "cleanup"] {
        for outcome in [done, None, Some(Outcome::Aborted)] {
            assert_eq!(began(&[ran(books, ("05T09:00", "05T09:30"), outcome), drain("03")]), None, "{books}");
        }
    }
    assert_eq!(began(&[drain("06"), ran("restore", ("05T09:00", "05T09:30"), done)]), at("06T10:00"));
    let halted = ran("failover", ("04T10:00", "04T10:05"), Some(Outcome::Halted));
    assert_eq!(began(&[halted.clone(), drain("03")]), at("03T10:00"), "one that ended well");
    assert_eq!(began(&[halted]), None);
    let other = Region::new("eu-west-1");
    assert!(in_force(&[drain("03")], &other).is_none());
}
