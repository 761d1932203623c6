//! `runs undo ID --step STEP`: one step of a run that no process has any more is brought back, told before it is done,
//! and the run waits for word about it.

use serde_json::Value;

use super::judge;
use super::scene::{Bastion, Busy, LEAVING, SURVIVOR, World, patiently};

const STEP: &str = "scale/eu-west-1/prod/api";

pub(super) fn one_step() {
    patiently(Busy::Anything, undone_once);
}

/// What is registered of the scaling of the step's service: the least and the most of each call.
fn registered(calls: &[Value]) -> Vec<(&str, &str)> {
    calls.iter().map(|call| (call["operation"].as_str().unwrap(), call["region"].as_str().unwrap())).collect()
}

fn undone_once() {
    // Tasks take some seconds to start.
    let world = World::start(&["--speed", "4"]);
    let bastion = Bastion::new(&world, "bastion");
    let drain = ["run", "drain", "--region", LEAVING, "--confirm", LEAVING, "--reason", "game day"];
    let running = bastion.live(&drain);
    let run = bastion.first_run();
    running.until("serve/eu-west-1/prod/api: ");
    let stopped = bastion.run(&["runs", "abort", &run, "--reason", "wrong region"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(running.ended().code, Some(6));
    let before = world.changes().len();

    let undo = |more: &[&str]| {
        let asked = ["runs", "undo", run.as_str(), "--reason", "INC-42"];
        bastion.run(&[&asked[..], more].concat())
    };
    // Nothing is undone that was not done, nor by somebody who does not say what it is about.
    let other = undo(&["--step", "pin", "--confirm", LEAVING]);
    assert_eq!(other.code, Some(2), "{other:?}");
    let (refused, can) = other.err.split_once("; these can: ").unwrap();
    assert!(refused.contains(&format!("pin of {run} cannot be undone")) && can.contains(STEP), "{other:?}");
    let unsaid = undo(&["--step", STEP]);
    assert_eq!(unsaid.code, Some(2), "{unsaid:?}");
    assert!(unsaid.err.contains("add --confirm us-east-1"), "{unsaid:?}");
    let wrong = undo(&["--step", STEP, "--confirm", SURVIVOR]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert_eq!(world.changes().len(), before, "nobody who was refused changed anything");

    let undone = undo(&["--step", STEP, "--confirm", LEAVING]);
    assert_eq!(undone.code, Some(5), "it waits for word: {undone:?}");
    let told = ["switchtower: undo of scale/eu-west-1/prod/api: ", "RegisterScalableTarget", "MinCapacity"];
    assert!(told.iter().all(|words| undone.err.contains(words)), "{undone:?}");
    assert!(undone.out.contains("scale/eu-west-1/prod/api: undone, and proven so"), "{undone:?}");
    let changes = world.changes();
    assert_eq!(registered(&changes[before..]), [("RegisterScalableTarget", SURVIVOR)]);
    let journal = bastion.told(&run);
    assert_eq!(judge::calls(&world, &journal), Vec::<String>::new());
    assert_eq!(judge::journal(&journal, "halted"), Vec::<String>::new());
    let decided = journal.iter().rfind(|entry| entry["event"] == "decided").unwrap();
    let decision = &decided["decision"];
    assert_eq!((&decision["step"], &decision["reason"]), (&STEP.into(), &"INC-42".into()), "{decided}");

    // It is not undone twice, and neither done again nor gone past by whoever only takes the run up.
    let again = undo(&["--step", STEP, "--confirm", LEAVING]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains("cannot be undone"), "{again:?}");
    let resumed = bastion.run(&["runs", "resume", &run, "--confirm", LEAVING, "--reason", "on"]);
    assert_eq!(resumed.code, Some(5), "{resumed:?}");
    assert_eq!(world.changes().len(), before + 1, "{resumed:?}");

    // On the operator's word it is, and the run goes on to its end.
    let retried = bastion.run(&["runs", "retry", &run, "--confirm", LEAVING]);
    assert_eq!(retried.code, Some(0), "{retried:?}");
    assert_eq!(judge::moved(&world.view()), Vec::<String>::new());
    assert_eq!(judge::calls(&world, &bastion.told(&run)), Vec::<String>::new());
}
