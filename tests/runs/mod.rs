//! The built program acting on the served simulation, process against process: what users, AWS's own log and the
//! journals say afterwards.
//!
//! Real time, since processes live in it. Every wait has an end; nothing sleeps for a fixed time. The worlds are fast
//! (`sim --speed`) and the topologies patient for seconds only (`[policy]`), so that a drain takes about ten of them.
//!
//! Nearly all of that is waiting. So all proofs are one test, each on a thread of its own: they wait side by side, and
//! hold one of the few threads that tests have instead of all. `SWITCHTOWER_RUNS=race` runs those with that name.

mod done;
mod hangup;
mod judge;
mod killed;
mod race;
mod scene;
mod undone;

/// What is proven, by name.
const PROOFS: [(&str, fn()); 9] = [
    ("killed::a_drain_that_is_killed_anywhere_is_resumed_to_its_end", killed::anywhere),
    ("killed::a_run_that_never_began_is_in_nobody_s_way", killed::never_began),
    ("done::a_failover_gets_users_out_also_while_route_53_cannot_be_asked", done::failovers),
    ("done::a_drain_is_planned_and_carried_out_from_another_process", done::drain),
    ("race::of_two_that_race_for_the_lease_one_wins", race::one_wins),
    ("undone::one_step_of_a_run_that_was_stopped_is_undone_and_done_again", undone::one_step),
    ("hangup::a_run_outlives_its_terminal", hangup::outlived),
    ("hangup::a_run_without_its_terminal_can_still_be_stopped", hangup::stopped),
    ("hangup::another_terminal_follows_a_run_and_stops_it_before_its_next_call", hangup::followed),
];

#[test]
fn processes_act_and_leave_what_they_say() {
    let wanted = std::env::var("SWITCHTOWER_RUNS").unwrap_or_default();
    let chosen: Vec<_> = PROOFS.iter().filter(|(name, _)| name.contains(&wanted)).collect();
    assert!(!chosen.is_empty(), "no proof has {wanted} in its name");
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let begun = chosen.into_iter().map(|(name, proof)| {
            let thread = std::thread::Builder::new().name((*name).to_owned());
            (*name, thread.spawn_scoped(scope, proof).unwrap())
        });
        let begun: Vec<_> = begun.collect();
        let ended = begun.into_iter().filter_map(|(name, thread)| thread.join().is_err().then_some(name));
        ended.collect()
    });
    assert!(failed.is_empty(), "what is wrong is told above: {failed:#?}");
}
