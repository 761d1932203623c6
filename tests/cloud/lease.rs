//! The lease: one run at a time, whatever is lost on the way.

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::cloud::{Cloud, Keys, LeaseTable};
use switchtower::domain::topology::LeaseSettings;
use switchtower::runbook::{Claim, Entry, Event, Lease, LeaseError, LeaseStore, LeaseView, RunId};
use switchtower::sim::{FaultKind, InjectedFault, Mode, SimOptions};

use super::act::pass;
use super::fixture::{World, epoch, with};

fn settings(world: &World) -> LeaseSettings {
    let lease = world.sim.evacuation().lease;
    LeaseSettings { table: lease.name.as_str().into(), region: lease.region.as_str().into() }
}

fn table(world: &World) -> LeaseTable {
    world.cloud.lease_table(&settings(world), &"orders".into())
}

/// The table as another process reaches it.
fn other(world: &World) -> LeaseTable {
    let keys = world.sim.credentials();
    let keys = Keys {
        access_key: &keys.access_key_id,
        secret_key: &keys.secret_access_key,
        session_token: Some(&keys.session_token),
        expires: None,
    };
    let cloud = Cloud::simulated(world.sim.http_client(), world.clock, &keys);
    cloud.lease_table(&settings(world), &"orders".into())
}

fn claim(who: &str, salt: u16) -> Claim {
    Claim {
        application: "orders".into(),
        run: RunId::new(epoch(), "drain", Some("us-east-1"), salt),
        holder: who.into(),
        host: "bastion".into(),
        purpose: "drain us-east-1".into(),
    }
}

fn holder(view: &LeaseView) -> (&str, u64, bool) {
    (view.claim.holder.as_str(), view.number, view.released)
}

fn held(outcome: Result<impl std::fmt::Debug, LeaseError>) -> LeaseView {
    match outcome {
        Err(LeaseError::Held(view)) => *view,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_race_one_wins() {
    for salt in 0..20 {
        let world = with(SimOptions { seed: u64::from(salt), ..SimOptions::default() });
        let (one, two) = (table(&world), other(&world));
        let (alice, bob) = (claim("alice", salt), claim("bob", salt + 100));
        let (first, second) = tokio::join!(one.acquire(&alice), two.acquire(&bob));
        assert_ne!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
        let (winner, loser) = if first.is_ok() { (first, second) } else { (second, first) };
        let winner = winner.unwrap();
        assert_eq!(winner.number, 1);
        assert_eq!(held(loser).claim, winner.claim);
        assert_eq!(one.holder(&"orders".into()).await.unwrap().unwrap().claim, winner.claim);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_taken_renewed_given_back_and_taken_again() {
    let world = with(SimOptions::default());
    let table = table(&world);
    let application = "orders".into();
    assert_eq!(table.holder(&application).await.unwrap(), None);
    let (alice, bob) = (claim("alice", 1), claim("bob", 2));
    let lease = table.acquire(&alice).await.unwrap();
    pass(&world, 15).await;
    table.renew(&lease).await.unwrap();
    let view = table.holder(&application).await.unwrap().unwrap();
    assert_eq!(
        (holder(&view), view.heartbeat > epoch() + SignedDuration::from_secs(15)),
        (("alice", 1, false), true)
    );
    // Ours already: again ours, under a higher number, so that what was under the old one is out of date.
    let again = table.acquire(&alice).await.unwrap();
    assert_eq!(again.number, 2);
    assert_eq!(holder(&held(table.renew(&lease).await)), ("alice", 2, false));
    assert_eq!(held(table.release(&lease).await).number, 2);
    // The same run on another host may be a copy of one that lives here.
    let copy = Claim { host: "elsewhere".into(), ..alice.clone() };
    assert_eq!(holder(&held(table.acquire(&copy).await)), ("alice", 2, false));
    // Expired, and held all the same: whoever takes it over says so.
    pass(&world, 300).await;
    let seen = held(table.acquire(&bob).await);
    assert!(seen.is_expired(world.clock.now()));
    table.release(&again).await.unwrap();
    table.release(&again).await.unwrap();
    assert_eq!(holder(&table.holder(&application).await.unwrap().unwrap()), ("alice", 2, true));
    assert_eq!(table.acquire(&bob).await.unwrap().number, 3);
    // Other applications have leases of their own.
    let elsewhere = Claim { application: "billing".into(), ..alice };
    let table = world.cloud.lease_table(&settings(&world), &"billing".into());
    assert_eq!(table.acquire(&elsewhere).await.unwrap().number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_takeover_wants_the_lease_as_it_was_seen() {
    let world = with(SimOptions::default());
    let table = table(&world);
    let (alice, bob, carol) = (claim("alice", 1), claim("bob", 2), claim("carol", 3));
    let lease = table.acquire(&alice).await.unwrap();
    let seen = held(table.acquire(&bob).await);
    pass(&world, 1).await;
    table.renew(&lease).await.unwrap();
    let reason = "alice's bastion is gone".into();
    let lives = held(table.take_over(&bob, &seen, &reason).await);
    assert!(lives.heartbeat > seen.heartbeat, "it has been heard of since");
    let other = other(&world);
    let (first, second) =
        tokio::join!(table.take_over(&bob, &lives, &reason), other.take_over(&carol, &lives, &reason));
    assert_ne!(first.is_ok(), second.is_ok());
    let taken = first.or(second).unwrap();
    assert_eq!(taken.number, 2);
    assert_eq!(held(table.renew(&lease).await).claim, taken.claim, "the loser learns who has it");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_read_back_before_anything_is_said() {
    type Step = fn(&LeaseTable) -> switchtower::ports::BoxFuture<'_, Result<Lease, LeaseError>>;
    let acquire: Step = |table| Box::pin(async move { table.acquire(&claim("alice", 1)).await });
    for (kind, ours) in [
        (FaultKind::HangAfter, true),
        (FaultKind::Hang, false),
        (FaultKind::ErrorAfter { status: 500, code: "InternalServerError".into() }, true),
        (FaultKind::Refuse { status: 500, code: "InternalServerError".into() }, false),
        (FaultKind::Throttle, true),
    ] {
        let world = with(SimOptions::default());
        let table = table(&world);
        world.sim.inject(InjectedFault::next("dynamodb", "UpdateItem", kind.clone()));
        let started = world.clock.now();
        let taken = acquire(&table).await;
        assert!(world.clock.now().duration_since(started) <= SignedDuration::from_secs(4), "{kind:?}");
        match (taken, ours) {
            (Ok(lease), true) => {
                table.renew(&lease).await.unwrap();
            }
            (Err(LeaseError::Unreachable(why)), false) => {
                assert!(why.as_str().contains("dynamodb:UpdateItem in us-west-2"), "{why}");
                assert_eq!(table.holder(&"orders".into()).await.unwrap(), None);
            }
            (taken, _) => panic!("{kind:?}: {taken:?}"),
        }
    }
    // A lost answer to a heartbeat and to the release.
    let world = with(SimOptions::default());
    let table = table(&world);
    let lease = table.acquire(&claim("alice", 1)).await.unwrap();
    world.sim.inject(InjectedFault::next("dynamodb", "UpdateItem", FaultKind::HangAfter));
    table.renew(&lease).await.unwrap();
    world.sim.inject(InjectedFault::next("dynamodb", "UpdateItem", FaultKind::HangAfter));
    table.release(&lease).await.unwrap();
    // Somebody else took it while our answer was lost.
    let bob = table.acquire(&claim("bob", 2)).await.unwrap();
    world.sim.inject(InjectedFault::next("dynamodb", "UpdateItem", FaultKind::Hang));
    assert_eq!(held(table.renew(&lease).await).claim, bob.claim);
    world.sim.inject(InjectedFault::next("dynamodb", "UpdateItem", FaultKind::Hang));
    assert_eq!(held(table.acquire(&claim("alice", 1)).await).claim, bob.claim);
}

#[tokio::test(start_paused = true)]
async fn a_dark_table_costs_seconds_and_is_no_holder() {
    let world = with(SimOptions::default());
    let table = table(&world);
    let region = settings(&world).region;
    world.sim.apis_down(&region, &["dynamodb"], Mode::Hang, SignedDuration::ZERO, None);
    let started = world.clock.now();
    let failed = table.acquire(&claim("alice", 1)).await.unwrap_err();
    assert!(matches!(failed, LeaseError::Unreachable(_)), "{failed:?}");
    assert!(world.clock.now().duration_since(started) <= SignedDuration::from_secs(5));
    let started = world.clock.now();
    assert!(matches!(table.holder(&"orders".into()).await, Err(LeaseError::Unreachable(_))));
    assert!(world.clock.now().duration_since(started) <= SignedDuration::from_secs(3));
}

fn noted(seq: u64, words: &str) -> Entry {
    let at = epoch() + Duration::from_secs(seq);
    Entry { seq, at, event: Event::Noted { words: words.into() } }
}

#[tokio::test(start_paused = true)]
async fn journals_are_copied_whole_and_listed_newest_first() {
    let world = with(SimOptions::default());
    let (table, other) = (table(&world), other(&world));
    let run = |day: u32| {
        let name = format!("202611{day:02}T030000Z-drain-us-east-1-00{day:02}");
        RunId::parse(&name).unwrap()
    };
    // One is longer than an item may be, with characters that must not be cut in two.
    let long = "ü→".repeat(200_000);
    let words = |seq: u64| if seq == 7 { long.clone() } else { format!("entry {seq}") };
    let entries: Vec<Entry> = (0..25).map(|seq| noted(seq, &words(seq))).collect();
    for day in [3, 21, 9] {
        table.copy(&run(day), &entries[..10]).await.unwrap();
    }
    table.copy(&run(21), &entries[10..]).await.unwrap();
    // Again, as after a lost answer: nothing is twice.
    table.copy(&run(21), &entries[20..]).await.unwrap();
    let application = "orders".into();
    assert_eq!(other.runs(&application).await.unwrap(), [run(21), run(9), run(3)]);
    assert_eq!(other.entries(&application, &run(21)).await.unwrap(), entries);
    assert_eq!(other.entries(&application, &run(9)).await.unwrap(), entries[..10]);
    assert_eq!(other.entries(&application, &run(1)).await.unwrap(), []);
    // Copies are no lease.
    assert_eq!(other.holder(&application).await.unwrap(), None);
    assert_eq!(other.runs(&"billing".into()).await.unwrap(), []);
}
