//! `plan`, `run` and `runs` as somebody types them who mistypes: one clear line, the right exit code, nothing changed.

use super::program::{Home, Ran, Sim};

/// A calm world, and a home that has its topology.
fn stage() -> (Home, Sim) {
    let home = Home::new();
    let sim = Sim::start(&home, &[]);
    let ran = home.init(&sim);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    (home, sim)
}

fn ask(home: &Home, sim: &Sim, arguments: &[&str]) -> Ran {
    let fixed = ["--topology", "orders", "--endpoint-url", &sim.url, "--allow-endpoint"];
    home.run(&[arguments, &fixed].concat())
}

#[test]
fn a_plan_ends_with_the_line_that_carries_it_out() {
    let (home, sim) = stage();
    let told = ask(&home, &sim, &["plan", "drain", "--region", "eu-west-1", "--scale-to-zero"]);
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{told:?}");
    let line =
        "  switchtower run drain --region eu-west-1 --scale-to-zero --confirm eu-west-1 --reason TEXT\n";
    assert!(told.out.ends_with(line), "{}", told.out);
    let undo = "undo: make health check 7006764b-d6b8-41fd-aa10-ab75c218065f neither inverted nor disabled";
    assert!(told.out.lines().any(|line| line.trim() == undo), "{}", told.out);

    // What blocks it stands where the line would.
    let blocked = ask(&home, &sim, &["plan", "cleanup", "--region", "us-east-1"]);
    assert_eq!(blocked.code, Some(4), "{blocked:?}");
    assert!(
        blocked.out.ends_with("\nNothing has been changed, and the guards block it.\n"),
        "{}",
        blocked.out
    );

    // Without a region it is the writer's, and the heading says so.
    let nameless = ask(&home, &sim, &["plan", "switchover"]);
    assert!(nameless.out.starts_with("switchover us-east-1  (orders, "), "{}", nameless.out);
}

#[test]
fn a_run_that_may_not_begin_says_what_next() {
    let (home, sim) = stage();
    let refused = |what: &[&str]| {
        let confirmed = ["--confirm", "orders", "--reason", "drill", "--override"];
        let ran = ask(&home, &sim, &[&["run"], what, &confirmed].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(4), ""), "{ran:?}");
        ran.err
    };
    let said = refused(&["cleanup"]);
    assert!(said.contains("; set owner_tag and owner_value under [cleanup]"), "{said}");
    let last = said.lines().last().unwrap();
    assert_eq!(last, "switchtower: nothing was done: blocked by runbook, and no reason covers that");
}

#[test]
fn a_run_that_is_not_there_is_wrong_usage() {
    let (home, sim) = stage();
    let none = ask(&home, &sim, &["runs"]);
    assert_eq!((none.code, none.out.as_str()), (Some(0), ""), "{none:?}");
    assert!(none.err.starts_with("no runs of orders on this host"), "{}", none.err);
    let run = "20261121T030030Z-failover-us-east-1-7f3a";
    let commands: [&[&str]; 9] = [
        &["show"],
        &["attach"],
        &["report"],
        &["retry"],
        &["skip", "--reason", "x"],
        &["undo", "--reason", "x"],
        &["abort", "--reason", "x"],
        &["resume", "--confirm", "us-east-1"],
        &["hand-over"],
    ];
    for command in commands {
        let ran = ask(&home, &sim, &[&["runs"], command, &[run]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{command:?}: {ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{command:?}: {ran:?}");
        let words = format!("there is no run {run} in ");
        assert!(ran.err.contains(&words) && ran.err.contains("`switchtower runs list`"), "{}", ran.err);
    }
}

#[test]
fn what_is_wrong_by_itself_is_refused_before_anybody_is_asked() {
    let (home, sim) = stage();
    let drain = ["run", "drain", "--region", "eu-west-1"];
    let failover = ["run", "failover", "--region", "us-east-1"];
    let switchover = ["run", "switchover"];
    let sure = ["--confirm", "us-east-1", "--reason", "x"];
    let cases: &[(&[&str], &[&str], &str)] = &[
        (
            &drain,
            &["--confirm", "us-east-1", "--reason", "x"],
            "nothing was done: type eu-west-1 to confirm, not \"us-east-1\"",
        ),
        (&drain, &["--confirm", "eu-west-1", "--reason", " "], "nothing was done: a reason is needed"),
        (&drain, &["--confirm", "eu-west-1"], "--reason <TEXT>"),
        (&drain, &["--reason", "x"], "--confirm <NAME>"),
        (&["run", "drain", "--region", "eu-west-9"], &sure, "there is no region eu-west-9"),
        (&["run", "drain"], &sure, "say which region with --region; there are us-east-1, eu-west-1"),
        (&failover, &["--database", "promote", "--confirm", "us-east-1", "--reason", "x"], "'promote'"),
        (
            &failover,
            &["--database", "failover", "--to", "us-east-1", "--confirm", "us-east-1", "--reason", "x"],
            "--to us-east-1 is the region that is to go",
        ),
        (
            &failover,
            &["--redeploy", "nothing", "--confirm", "us-east-1", "--reason", "x"],
            "no survivor runs a service nothing",
        ),
        (
            &switchover,
            &["--confirm", "orders", "--reason", "x"],
            "type us-east-1 or eu-west-1 to confirm, not \"orders\"",
        ),
        (&["run", "switchover", "--to", "eu-west-9"], &sure, "no global database has a cluster in eu-west-9"),
        (&["run", "restore"], &sure, "name the region to restore"),
        (&["run", "restore", "--region", "eu-west-9"], &sure, "the topology names no region eu-west-9"),
        (&["run", "cleanup", "--region", "eu-west-9"], &sure, "the topology names no region eu-west-9"),
        (&["run", "cleanup"], &sure, "type orders to confirm, not \"us-east-1\""),
        (&["run", "cleanup", "--now"], &sure, "cleanup takes no --now"),
        (&["plan", "drain", "--region", "eu-west-9"], &[], "there is no region eu-west-9"),
    ];
    sim.forget_calls();
    for (what, how, words) in cases {
        let ran = ask(&home, &sim, &[*what, *how].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{what:?} {how:?}: {ran:?}");
        assert!(ran.err.contains(words), "{what:?} {how:?}: {}", ran.err);
        assert_eq!(sim.calls().len(), 0, "{what:?} {how:?}");
    }
}

#[test]
fn credentials_that_nobody_takes_are_why_there_is_no_plan() {
    let (home, calm) = stage();
    drop(calm);
    let sim = Sim::start(&home, &["--scenario", "expired-credentials"]);
    for runbook in [&["switchover"][..], &["failover", "--region", "us-east-1"]] {
        let ran = ask(&home, &sim, &[&["plan"], runbook].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""), "{runbook:?}: {ran:?}");
        assert!(ran.err.starts_with("switchtower: every region refuses the credentials: "), "{}", ran.err);
        assert!(ran.err.contains("expired"), "{}", ran.err);
    }
}

#[test]
fn an_incident_does_not_begin_tomorrow() {
    let (home, sim) = stage();
    let ran =
        ask(&home, &sim, &["plan", "failover", "--region", "eu-west-1", "--since", "2999-01-01T00:00:00Z"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.err.contains("is in the future"), "{}", ran.err);
}
