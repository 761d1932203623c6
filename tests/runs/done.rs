//! `plan` and `run` to their end: what they print, how they exit, and where users are answered afterwards.

use std::net::UdpSocket;

use serde_json::{Value, json};

use super::judge;
use super::scene::{Bastion, Busy, LEAVING, PATIENCE, SURVIVOR, World, events, patiently, region};

/// What a run of `runbook` away from the leaving region needs to be told.
fn away<'a>(verb: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let confirmed = ["--region", LEAVING, "--confirm", LEAVING, "--reason", "game day"];
    [verb, &confirmed, more].concat()
}

/// A drain is planned and carried out from another process.
pub(super) fn drain() {
    patiently(Busy::Anything, drained);
}

fn drained() {
    let world = World::start(&["--speed", "60"]);
    let bastion = Bastion::new(&world, "bastion");
    let heard = bastion.home.path("heard");
    let command =
        format!("command = [\"sh\", \"-c\", \"sleep 1; cat >> '{0}'; echo >> '{0}'\"]", heard.display());
    bastion.edit("# [notify]", &format!("[notify]\n{command}"));

    let planned = bastion.run(&["plan", "drain", "--region", LEAVING]);
    assert_eq!((planned.code, planned.err.as_str()), (Some(0), ""), "{planned:?}");
    let lines = [
        "drain us-east-1 into eu-west-1: capacity and data first, then users",
        "\nNothing has been changed.",
    ];
    assert!(lines.iter().all(|line| planned.out.contains(line)), "{}", planned.out);
    let document = bastion.run(&["plan", "drain", "--region", LEAVING, "--json"]);
    let document: Value = serde_json::from_str(&document.out).unwrap();
    assert_eq!((&document["schema"], &document["confirm"]), (&json!("switchtower.plan/1"), &json!(LEAVING)));
    assert_eq!(world.changes(), Vec::<Value>::new(), "a plan changes nothing");

    let ran = bastion.run(&away(&["run", "drain"], &[]));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    let said: Vec<&str> = ran.out.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let order = [
        "the lease is ours, number 1",
        "serve/eu-west-1/prod/api: done in ",
        "switchover/my-global-db: done in ",
        "pin: done in ",
        "none of 60 answers leads to us-east-1",
        "proof/ttl: done in ",
        "ended: done",
        "the lease is given back",
    ];
    let at = order.map(|words| said.iter().position(|line| line.contains(words)));
    assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?} in {said:#?}");

    // The program that the topology names was told of both ends, whole, though it is slow and the run had gone by then.
    let told = events(&std::fs::read_to_string(&heard).unwrap_or_default());
    let named: Vec<&str> = told.iter().filter_map(|entry| entry["event"].as_str()).collect();
    assert_eq!(named, ["opened", "ended"], "{told:#?}");

    // What users meet, what AWS saw, and what the journal says.
    assert_eq!(judge::moved(&world.view()), Vec::<String>::new());
    let run = bastion.left_behind().unwrap();
    let told = bastion.told(&run);
    assert_eq!(judge::calls(&world, &told), Vec::<String>::new());
    assert_eq!(judge::journal(&told, "done"), Vec::<String>::new());
    let listed = bastion.run(&["runs", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!((&listed["schema"], &listed["lease"]), (&json!("switchtower.runs/1"), &Value::Null));
    assert_eq!((&listed["runs"][0]["run"], &listed["runs"][0]["outcome"]), (&json!(run), &json!("done")));
    let attached = bastion.run(&["runs", "attach", &run]);
    assert_eq!((attached.code, attached.out), (Some(0), ran.out), "who comes late is told the same");

    assert!(told.iter().all(|entry| entry["schema"] == "switchtower.event/1"), "{:#?}", told[0]);

    // Its users are carried by the survivor already: whoever plans again asks for no more.
    let again = bastion.run(&["plan", "failover", "--region", LEAVING, "--database", "leave", "--json"]);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    let served = |plan: &Value| -> Vec<String> {
        let steps = plan["steps"].as_array().unwrap().iter();
        let titles = steps.filter_map(|step| step["title"].as_str()).map(str::to_owned);
        titles.filter(|title| title.contains(" serves with ")).collect()
    };
    assert_eq!(served(&again), served(&document), "{again:#}");
    let once = "eu-west-1 runs tasks for users of us-east-1 already, or did a short while ago: they are counted once";
    assert!(again["notes"].as_array().unwrap().contains(&json!(once)), "{again:#}");

    // What has ended takes no word any more, and nothing is said as if it did.
    let words: [&[&str]; 5] = [
        &["retry"],
        &["undo", "--reason", "x"],
        &["abort", "--reason", "x"],
        &["hand-over"],
        &["resume", "--confirm", LEAVING],
    ];
    for word in words {
        let late = bastion.run(&[&["runs"], word, &[run.as_str()]].concat());
        assert_eq!((late.code, late.out.as_str()), (Some(2), ""), "{word:?}: {late:?}");
        let said = format!("switchtower: {run} has ended (done); there is nothing to go on with\n");
        assert_eq!(late.err, said, "{word:?}");
    }

    // The last living region stays, whoever asks, and whatever is typed.
    let before = world.changes().len();
    let last = ["--region", SURVIVOR, "--confirm", SURVIVOR, "--reason", "no", "--override"];
    let refused = bastion.run(&[&["run", "drain"], &last[..]].concat());
    assert_eq!((refused.code, refused.out.as_str()), (Some(4), ""), "{refused:?}");
    assert!(
        refused.err.contains("survivors blocks: without eu-west-1 no living region would be in DNS"),
        "{refused:?}"
    );
    assert_eq!(bastion.run(&["plan", "drain", "--region", SURVIVOR]).code, Some(4));
    let wrong = bastion.run(&["run", "drain", "--region", LEAVING, "--confirm", SURVIVOR, "--reason", "no"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert_eq!(world.changes().len(), before, "nobody who was refused changed anything");
}

/// A host whose state folder cannot be written: no drain begins, a failover goes on, and standard error is its record.
#[test]
fn without_a_disk_a_failover_leaves_its_intents_on_standard_error() {
    let world = World::start(&["--speed", "60"]);
    let bastion = Bastion::new(&world, "bastion");
    let state = bastion.home.path(".local/state");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("switchtower"), "no folder").unwrap();
    let drain = bastion.run(&away(&["run", "drain"], &[]));
    assert_eq!(drain.code, Some(4), "{drain:?}");
    assert_eq!(world.changes(), Vec::<Value>::new(), "{drain:?}");

    let ran = bastion.run(&away(&["run", "failover"], &["--database", "switchover"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(judge::moved(&world.view()), Vec::<String>::new(), "{ran:?}");
    let told: Vec<Value> = ran
        .err
        .lines()
        .filter_map(|line| line.strip_prefix("switchtower: unjournaled, about to send: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sent: Vec<&str> = told.iter().filter_map(|entry| entry["operation"]["operation"].as_str()).collect();
    let changes = world.changes();
    assert_eq!(sent.len(), changes.len(), "{sent:?}\n{changes:#?}");
    assert!(sent.contains(&"set_health_check"), "{sent:?}");
}

/// An outage of the region, with and without us-east-1's control plane, which answers for Route 53.
pub(super) fn failovers() {
    let cases: [(&[&str], bool, &str, &[&str]); 4] = [
        (&[], false, "UpdateHealthCheck", &["--database", "failover"]),
        (&["switch-object"], true, "PutObject", &["--database", "leave"]),
        (&["routing-control"], true, "UpdateRoutingControlStates", &["--database", "failover"]),
        (&["routing-control", "switch-object"], true, "UpdateRoutingControlStates", &["--database", "leave"]),
    ];
    std::thread::scope(|scope| {
        for (wired, dark, way_out, database) in cases {
            scope.spawn(move || patiently(Busy::Living, || failover(wired, dark, way_out, database)));
        }
    });
}

fn failover(wired: &[&str], dark: bool, way_out: &str, database: &[&str]) {
    let joined = wired.join(",");
    let wire = if wired.is_empty() { Vec::new() } else { vec!["--wire", joined.as_str()] };
    let scenario = ["--scenario", if dark { "calm" } else { "regional-outage" }];
    let world = World::start(&[&["--speed", "30"], &scenario, &wire[..]].concat());
    let bastion = Bastion::new(&world, "bastion");
    if dark {
        // The last known good, from a day on which all was well: Route 53 does not tell its records now.
        // Our own requests are slow where this machine is busy, and are told as such.
        let mut seen = bastion.run(&["status"]);
        for _ in 0..5 {
            if seen.code != Some(0) {
                seen = bastion.run(&["status"]);
            }
        }
        assert_eq!(seen.code, Some(0), "{seen:?}");
        world.strike("regional-outage");
        world.strike("control-plane-down");
    }

    let asked = bastion.run(&["plan", "failover", "--region", LEAVING]);
    assert_eq!((asked.code, asked.out.as_str()), (Some(2), ""), "{asked:?}");
    for choice in ["--database", ": promote my-db-eu-west-1", "  failover", "  leave", "  detach: "] {
        assert!(asked.err.contains(choice), "{asked:?}");
    }
    assert_eq!(asked.err.matches(" (proposed): ").count(), 1, "{asked:?}");
    assert_eq!(world.changes(), Vec::<Value>::new());

    let ran = bastion.run(&away(&["run", "failover"], &[database, &["--json"]].concat()));
    assert_eq!(ran.code, Some(0), "{wired:?}: {ran:?}");
    let told = events(&ran.out);
    let run = bastion.left_behind().unwrap();
    assert_eq!(told, bastion.told(&run), "what is printed is what is kept");
    assert_eq!(judge::journal(&told, "done"), Vec::<String>::new());
    assert_eq!(judge::calls(&world, &told), Vec::<String>::new(), "{wired:?}");
    let proof = told.iter().find(|entry| {
        entry["step"] == "proof/dns" && (entry["event"] == "step_done" || entry["event"] == "step_held")
    });
    let evidence = proof.map(|entry| entry["evidence"].as_str().unwrap().to_owned());
    assert!(
        evidence.is_some_and(|words| words.contains("none of 60 answers leads to us-east-1")),
        "{told:#?}"
    );
    let ended = told.iter().rfind(|entry| entry["event"] == "ended").unwrap();
    assert!(ended["rto"].is_object(), "{ended}");

    // Exactly one way out was gone, the one that does not lean on what is dark.
    let ways = ["UpdateHealthCheck", "ChangeResourceRecordSets", "PutObject", "UpdateRoutingControlStates"];
    let changes = world.changes();
    let gone: Vec<&str> = changes
        .iter()
        .filter(|call| call["status"] == 200)
        .map(|call| call["operation"].as_str().unwrap())
        .filter(|operation| ways.contains(operation))
        .collect();
    assert_eq!(gone, [way_out], "{wired:?}");
    let view = world.view();
    assert_eq!(judge::moment(&view), Vec::<String>::new());
    assert_eq!(
        (&region(&view, LEAVING)["in_dns"], &region(&view, SURVIVOR)["in_dns"]),
        (&json!(false), &json!(true))
    );
    world.answers_lead_to_the_survivor();
    if database == ["--database", "failover"] {
        assert_eq!(judge::moved(&view), Vec::<String>::new());
        assert_eq!(ended["rpo_ms"].as_f64().map(|lag| lag > 0.0), Some(true), "{ended}");
    } else {
        assert!(changes.iter().all(|call| call["service"] != "rds"), "{changes:#?}");
    }
}

impl World {
    /// A client near the region that is left asks for the application's name as any client does.
    fn answers_lead_to_the_survivor(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // api.example.com A, by hand; whoever asks without a subnet is near the world's first region.
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03api\x07example\x03com\0\0\x01\0\x01";
        socket.send_to(question, self.dns()).unwrap();
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer).unwrap();
        assert_ne!(answer[length - 4..length], [203, 0, 113, 10], "that is {LEAVING}");
        assert_eq!(answer[length - 4..length - 1], [203, 0, 113]);
    }
}
