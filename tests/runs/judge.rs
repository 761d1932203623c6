//! What must hold after any run, whatever was done to its process: judged by the world, by AWS's log of calls, and by
//! the journal, which know nothing of each other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scene::{LEAVING, SURVIVOR, World, region};

/// The calls of a journal's operations, by AWS's names; written down here once more, so that the program's own list is
/// judged too.
const CALLS: [(&str, &str); 8] = [
    ("register_scalable_target", "RegisterScalableTarget"),
    ("set_desired", "UpdateService"),
    ("set_health_check", "UpdateHealthCheck"),
    ("change_records", "ChangeResourceRecordSets"),
    ("set_routing_controls", "UpdateRoutingControlStates"),
    ("put_switch_object", "PutObject"),
    ("switchover_global_cluster", "SwitchoverGlobalCluster"),
    ("failover_global_cluster", "FailoverGlobalCluster"),
];

/// Operations that may never be sent twice without a look; in a world that answers, never at all.
const ONCE: [&str; 2] = ["SwitchoverGlobalCluster", "FailoverGlobalCluster"];

/// What is wrong with the calls that AWS saw, given the journal: each of them has an intent of its own that was there
/// before, and what may be sent once was.
pub(super) fn calls(world: &World, journal: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in world.changes() {
        let name = call["operation"].as_str().unwrap().to_owned();
        sent.entry(name).or_default().push(call["at"].as_str().unwrap().to_owned());
    }
    let mut meant: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| entry["event"] == "intent") {
        let operation = entry["operation"]["operation"].as_str().unwrap();
        match CALLS.iter().find(|(ours, _)| *ours == operation) {
            Some((_, name)) => meant.entry(name).or_default().push(entry["at"].as_str().unwrap()),
            None => wrong.push(format!("an intent of {operation}, which no drain or failover calls")),
        }
    }
    for (name, times) in &sent {
        let intents = meant.get(name.as_str()).cloned().unwrap_or_default();
        if times.len() > intents.len() {
            wrong.push(format!("{name} was sent {} times with {} intents", times.len(), intents.len()));
        }
        for (number, at) in times.iter().enumerate() {
            let before = intents.iter().filter(|intent| instant(intent) <= instant(at)).count();
            if before <= number {
                wrong.push(format!("{name} was sent at {at}, and only {before} intents stood before it"));
            }
        }
        if ONCE.contains(&name.as_str()) && times.len() > 1 {
            wrong.push(format!("{name} was sent {} times", times.len()));
        }
    }
    wrong
}

/// What is wrong with the world at any moment of a run.
pub(super) fn moment(view: &Value) -> Vec<String> {
    let regions = view["regions"].as_array().unwrap();
    let mut wrong = Vec::new();
    if !regions.iter().any(|region| region["up"] == true && region["in_dns"] == true) {
        wrong.push(format!("no living region is in DNS: {view}"));
    }
    if view["aurora_writers"].as_array().unwrap().len() > 1 {
        wrong.push(format!("two databases write: {view}"));
    }
    wrong
}

/// What is wrong with a world whose users were all moved away, and whose writer is where they are.
pub(super) fn moved(view: &Value) -> Vec<String> {
    let mut wrong = moment(view);
    let (left, survivor) = (region(view, LEAVING), region(view, SURVIVOR));
    if left["in_dns"] != false {
        wrong.push(format!("{LEAVING} is still in DNS: {left}"));
    }
    if survivor["in_dns"] != true || survivor["up"] != true {
        wrong.push(format!("{SURVIVOR} does not serve: {survivor}"));
    }
    // Its own fourteen tasks, and as many for the users of the other.
    if survivor["healthy_tasks"].as_u64() < Some(28) {
        wrong.push(format!("{SURVIVOR} has not grown: {survivor}"));
    }
    if view["aurora_writers"] != serde_json::json!([SURVIVOR]) || view["writes_succeed"] != true {
        wrong.push(format!("writes do not go to {SURVIVOR}: {view}"));
    }
    wrong
}

/// What is wrong with a journal: numbers that do not follow each other, or an end that is not one.
pub(super) fn journal(entries: &[Value], outcome: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    if !numbers.windows(2).all(|two| two[0] + 1 == two[1]) || numbers.first() != Some(&0) {
        wrong.push(format!("entries do not follow each other: {numbers:?}"));
    }
    let ended: Vec<&Value> = entries.iter().filter(|entry| entry["event"] == "ended").collect();
    if ended.last().is_none_or(|ended| ended["outcome"] != outcome) {
        wrong.push(format!("it was to end as {outcome}, and told {ended:?}"));
    }
    wrong
}

fn instant(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}
