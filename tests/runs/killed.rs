//! `kill -9` at fifty moments of a drain: what is left on disk is enough to end it right.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::judge;
use super::scene::{Bastion, Busy, LEAVING, World, patiently};

/// How many processes are killed.
const KILLS: usize = 50;
/// How many of them at the same time. They wait nearly all of their lives.
const LANES: usize = 12;
/// Entries of a drain that nobody disturbs, about.
const ENTRIES: usize = 41;

const DRAIN: [&str; 9] =
    ["run", "drain", "--region", LEAVING, "--confirm", LEAVING, "--reason", "game day", "--json"];

/// When a process is killed: so long after its so-manieth line.
#[derive(Clone, Copy, Debug)]
struct Moment {
    lines: usize,
    pause: Duration,
    /// The process that takes the run up is killed as well, after so many new lines.
    again: Option<usize>,
}

/// The same moments every time. They are spread over what happens, not over seconds: most of a drain's seconds are
/// waiting, and a third of the moments would hit the same wait.
fn moments() -> Vec<Moment> {
    let mut random = fastrand::Rng::with_seed(50);
    let draw = |number: usize| {
        let lines = random.usize(..ENTRIES);
        // Planning takes a second; what lies between two lines mostly milliseconds.
        let pause = if lines == 0 { random.u64(..1_500_000) } else { random.u64(..40_000) };
        let again = number.is_multiple_of(5).then(|| random.usize(..12));
        Moment { lines, pause: Duration::from_micros(pause), again }
    };
    (0..KILLS).map(draw).collect()
}

pub(super) fn anywhere() {
    let moments = moments();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(moment) = moments.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let mut wrong = killed(*moment);
                    // Once more, where this machine was too busy for the product's own limits.
                    for _ in 0..3 {
                        if wrong.iter().any(|words| Busy::Anything.is_told_by(words)) {
                            wrong = killed(*moment);
                        }
                    }
                    if !wrong.is_empty() {
                        failed.lock().unwrap().push(format!("{moment:?}: {wrong:#?}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {KILLS}:\n{}", failed.len(), failed.join("\n"));
}

/// Kills one drain at a moment and takes it up again; everything that does not hold afterwards.
fn killed(moment: Moment) -> Vec<String> {
    let world = World::start(&["--speed", "60"]);
    let bastion = Bastion::new(&world, "bastion");
    let mut wrong = Vec::new();
    let mut look = || wrong.extend(judge::moment(&world.view()));

    let mut live = bastion.live(&DRAIN);
    for _ in 0..moment.lines {
        if live.line().is_none() {
            break;
        }
        look();
    }
    std::thread::park_timeout(moment.pause);
    live.kill();
    look();

    let Some(run) = bastion.left_behind() else {
        // Killed before it began: nothing was changed, and nothing stands in the way of another try.
        wrong.extend(world.changes().iter().map(|call| format!("changed without a run: {call}")));
        return wrong.into_iter().chain(done(&world, &bastion, &DRAIN)).collect();
    };
    let told = bastion.journal(&run);
    wrong.extend(judge::calls(&world, &told));
    let resume = ["runs", "resume", &run, "--confirm", LEAVING, "--json"];
    if told.is_empty() {
        // The first entry was told and not on disk yet: nothing to resume, and the same.
        let resumed = bastion.run(&resume);
        if resumed.code != Some(2) || !resumed.err.contains("nothing was done; run it anew") {
            wrong.push(format!("a run that never began: {resumed:?}"));
        }
        wrong.extend(world.changes().iter().map(|call| format!("changed without a journal: {call}")));
        return wrong.into_iter().chain(done(&world, &bastion, &DRAIN)).collect();
    }
    if !told.iter().any(|entry| entry["event"] == "ended") {
        if let Some(lines) = moment.again {
            let mut live = bastion.live(&resume);
            // It tells the run from its first entry, and then goes on.
            for _ in 0..told.len() + lines {
                live.line();
            }
            live.kill();
            wrong.extend(judge::moment(&world.view()));
        }
        if !bastion.journal(&run).iter().any(|entry| entry["event"] == "ended") {
            wrong.extend(done(&world, &bastion, &resume));
        }
    }
    let shown = bastion.told(&run);
    wrong.extend(judge::journal(&shown, "done"));
    wrong.extend(judge::calls(&world, &shown));
    wrong.extend(judge::moved(&world.view()));
    wrong
}

/// Runs what must end done. Nothing stands in its way but this machine: where it is too busy to answer within the
/// product's own limits, a halt is an honest one, and is taken up again; what was refused is begun again.
fn done(world: &World, bastion: &Bastion, arguments: &[&str]) -> Vec<String> {
    let mut ran = bastion.run(arguments);
    for _ in 0..5 {
        let told = [ran.out.as_str(), ran.err.as_str()];
        if ran.code == Some(0) || !told.iter().any(|words| Busy::Anything.is_told_by(words)) {
            break;
        }
        let left = bastion.latest().filter(|run| !bastion.journal(run).is_empty());
        ran = match left {
            Some(run) => bastion.run(&["runs", "resume", &run, "--confirm", LEAVING, "--json"]),
            None => bastion.run(arguments),
        };
    }
    let mut wrong = judge::moved(&world.view());
    if ran.code != Some(0) {
        wrong.push(format!("{arguments:?}: {ran:?}"));
    }
    wrong
}

/// A process may go before its first entry is on disk, with or without a file, or in the middle of the first line.
/// Nothing was done then, and the next run must not wait for anybody's word about it.
pub(super) fn never_began() {
    patiently(Busy::Anything, never_began_once);
}

fn never_began_once() {
    let world = World::start(&["--speed", "60"]);
    let bastion = Bastion::new(&world, "bastion");
    // Without a lease, which another run would have to take over.
    bastion.edit("[lease]\ntable = \"switchtower-lease\"\nregion = \"us-west-2\"\n", "");
    let mut live = bastion.live(&DRAIN);
    live.until("\"opened\"");
    live.kill();
    let run = bastion.left_behind().unwrap();
    let file = bastion.folder_of_runs().join(&run).join("journal.jsonl");
    for left in [Some("{\"v\":1,\"seq\":0,\"at\":"), Some(""), None] {
        match left {
            Some(left) => std::fs::write(&file, left).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let resumed = bastion.run(&["runs", "resume", &run, "--confirm", LEAVING]);
        assert_eq!(resumed.code, Some(2), "{resumed:?}");
        assert!(resumed.err.contains("nothing was done; run it anew"), "{resumed:?}");
        assert_eq!(bastion.run(&["runs", "list"]).out, format!("{run}  never began\n"));
        let planned = bastion.run(&["plan", "drain", "--region", LEAVING]);
        assert_eq!(planned.code, Some(0), "{planned:?}");
    }
}
