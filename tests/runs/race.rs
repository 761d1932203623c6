//! Two hosts want to act on one application at the same moment: the table of leases lets one of them.

use std::cell::Cell;

use serde_json::Value;

use super::judge;
use super::scene::{Bastion, Busy, LEAVING, Live, PATIENCE, World, patiently, signal};

/// Worlds in which two race, side by side.
const LANES: usize = 5;
/// Races in each of them, one after the other.
const RACES: usize = 4;

const DRAIN: [&str; 8] = ["run", "drain", "--region", LEAVING, "--confirm", LEAVING, "--reason", "game day"];

pub(super) fn one_wins() {
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let decided = Cell::new(0);
                patiently(Busy::Anything, || lane(&decided));
            });
        }
    });
}

/// Races in one world until so many are decided.
fn lane(decided: &Cell<usize>) {
    let races = RACES - decided.get();
    let world = World::start(&["--speed", "60"]);
    let hosts = [Bastion::new(&world, "alice"), Bastion::new(&world, "bob")];
    for host in &hosts {
        // The winner waits there, with the lease, until it is interrupted.
        host.edit("survivors_healthy_minutes = 0", "survivors_healthy_minutes = 5");
    }
    for race in 1..=races {
        if race == races {
            for host in &hosts {
                host.edit("survivors_healthy_minutes = 5", "survivors_healthy_minutes = 0");
            }
        }
        let mut racing: Vec<(&Bastion, Live)> = hosts.iter().map(|host| (host, host.live(&DRAIN))).collect();
        let lost = first_ended(&mut racing);
        let (loser, ended) = racing.remove(lost);
        let (winner, mut running) = racing.remove(0);
        let refused = ended.ended();
        assert_eq!(refused.code, Some(4), "race {race}: {refused:?}");

        let taken = running.until("the lease is ours, number ");
        let number = format!("number {race}");
        assert!(taken.last().unwrap().ends_with(&number), "one taking a race, no more: {taken:#?}");
        let run = winner.newest();
        let holder = [&run, "switchtower-operator", "drain us-east-1"];
        assert!(holder.iter().all(|words| refused.err.contains(*words)), "{run} has it; {refused:?}");
        assert!(refused.err.contains("nothing was done"), "{refused:?}");
        let of_loser = |call: &&Value| call["access_key"] == loser.key() && call["mutating"] == true;
        for call in world.calls().iter().filter(of_loser) {
            // It may have asked for the lease, in vain.
            let in_vain = call["operation"] == "UpdateItem" && call["done"] == false;
            assert!(in_vain, "race {race}: whoever lost changed something: {call}");
        }

        // Where it got as far as a record, that says what became of it.
        if refused.out.contains(" begins: ") {
            let told = loser.run(&["runs", "report", &loser.newest()]).out;
            assert!(told.contains("| Verdict | nothing was done: the lease is held by "), "{told}");
            assert!(!told.contains("### Next"), "{told}");
        }

        if race < races {
            assert!(running.child.try_wait().unwrap().is_none(), "the winner goes on");
            signal("INT", running.child.id());
        }
        let ended = running.ended();
        assert_eq!(ended.code, Some(if race < races { 6 } else { 0 }), "race {race}: {ended:?}");
        assert!(ended.out.ends_with("the lease is given back"), "{ended:?}");
        if race < races {
            assert_eq!(world.changes(), Vec::<Value>::new(), "interrupted before its first call");
        }
        world.forget_calls();
        decided.set(decided.get() + 1);
    }
    assert_eq!(judge::moved(&world.view()), Vec::<String>::new());
}

/// Which of them ends first.
fn first_ended(racing: &mut [(&Bastion, Live)]) -> usize {
    let step = std::time::Duration::from_millis(5);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        for (index, (_, live)) in racing.iter_mut().enumerate() {
            if live.child.try_wait().unwrap().is_some() {
                return index;
            }
        }
        std::thread::park_timeout(step);
    }
    panic!("nobody gave way");
}
