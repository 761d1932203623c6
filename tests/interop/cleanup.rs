//! Cleanups against the fakes: what the topology names and carries the owner tag goes, in AWS's order, and every
//! neighbour stays. One region of three first, then the rest, in a run that is cut off on its way and resumed.
//!
//! What the fakes get wrong here: moto honours no deletion protection, keeps no replicas and cannot end a global cluster
//! outside us-east-1, so that the data is ministack's part; ministack has no Application Auto Scaling, tells a tag list
//! of what is gone as an empty one, ignores that a final snapshot is asked for (the call is looked at instead), and names
//! no calls of Route 53 and S3 in its log, so that what serves is moto's part; neither answers DNS.

use std::collections::BTreeSet;

use crate::ground::{Ground, NAME, Wanted, difference, ended, same, same_lines};
use crate::process;
use crate::{Case, case};

/// The cases. Most of their time they wait for resolvers to forget.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("moto_cleanup::a_region_then_the_rest", serving),
        case("ministack_cleanup::a_region_then_the_rest", data),
    ]
}

const SURE: [&str; 4] = ["--confirm", NAME, "--reason", "interop"];

fn one_region(ground: &Ground) -> Result<(), String> {
    let ran = ground.run("AKIAONE", &[&["run", "cleanup", "--region", "ap-south-1"], &SURE[..]].concat())?;
    // What is left and what is to be done then are the last words.
    ended(&ran, 0, "then: the topology file still names ap-south-1")?;
    ended(&ran, 0, "ended: done")
}

/// The identifier of the run that an output tells of.
fn run_id(output: &str) -> Result<String, String> {
    let begins = output.lines().find_map(|line| line.split_once(" run ")?.1.split_once(" begins: "));
    begins.map(|(id, _)| id.to_owned()).ok_or_else(|| format!("no run begins in {output}"))
}

/// What went is exactly every line with one of these words; nothing came.
fn gone(before: &[String], after: &[String], ours: impl Fn(&str) -> bool) -> Result<(), String> {
    let wanted: Vec<String> =
        before.iter().filter(|line| ours(line)).map(|line| format!("- {line}")).collect();
    same_lines("what the cleanup changed", &difference(before, after), &wanted)
}

/// The calls for one region's part of what serves, in AWS's order; `guest`: a neighbour's service runs in our cluster;
/// `watched`: a neighbour's alarm stays, and with it every topic that it might tell.
fn serving_calls(region: &str, guest: bool, watched: bool) -> [Vec<(String, Vec<String>)>; 4] {
    let calls = |names: &[(&str, &[&str])]| {
        let line = |(name, words): &(&str, &[&str])| {
            let words = words.iter().map(ToString::to_string).collect();
            (format!("{name} {region} {}", status(name)), words)
        };
        names.iter().map(line).collect::<Vec<_>>()
    };
    let mut alarms: Vec<(&str, &[&str])> = vec![("DeleteAlarms", &[])];
    if !watched {
        alarms.push(("DeleteTopic", &["orders-alert"]));
    }
    let mut services: Vec<(&str, &[&str])> = vec![
        ("DeregisterScalableTarget", &["service/prod/api"]),
        ("UpdateService", &["\"desiredCount\":0", "\"service\":\"api\""]),
        ("DeleteService", &["\"service\":\"api\"", "\"cluster\":\"prod\""]),
        ("DeregisterTaskDefinition", &["prod-api:1"]),
    ];
    if !guest {
        services.push(("DeleteCluster", &["\"cluster\":\"prod\""]));
    }
    let balancers: [(&str, &[&str]); 3] = [
        ("ModifyLoadBalancerAttributes", &["deletion_protection.enabled", "Value=false", "orders-"]),
        ("DeleteLoadBalancer", &["app%2Forders-"]),
        ("DeleteTargetGroup", &["targetgroup%2Forders-"]),
    ];
    [
        calls(&alarms),
        calls(&services),
        calls(&balancers),
        calls(&[("DeleteStack", &["StackName=orders-network"])]),
    ]
}

fn status(name: &str) -> u16 {
    if matches!(name, "DeleteBucket" | "DeleteBucketReplication") { 204 } else { 200 }
}

fn bucket(region: &str, silence: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut calls: Vec<(String, Vec<String>)> =
        silence.iter().map(|at| (format!("DeleteBucketReplication {at} 204"), Vec::new())).collect();
    calls.push((format!("DeleteObjects {region} 200"), vec!["<Key>a</Key>".to_owned()]));
    calls.push((format!("DeleteBucket {region} 204"), Vec::new()));
    calls
}

fn records(region: &str) -> (String, Vec<String>) {
    let set = format!("<SetIdentifier>{region}</SetIdentifier>");
    let words = vec!["<Action>DELETE</Action>".to_owned(), set, "<Type>AAAA</Type>".to_owned()];
    ("ChangeResourceRecordSets us-east-1 200".to_owned(), words)
}

fn check() -> (String, Vec<String>) {
    ("DeleteHealthCheck us-east-1 200".to_owned(), Vec::new())
}

/// Holds the calls of some keys, one after the other, against what was to be sent, in exactly this order.
fn sent(ground: &Ground, keys: &[&str], wanted: &[(String, Vec<String>)]) -> Result<(), String> {
    let mut changes = Vec::new();
    for key in keys {
        changes.extend(ground.changes(key)?.0);
    }
    let words: Vec<Vec<&str>> =
        wanted.iter().map(|(_, words)| words.iter().map(String::as_str).collect()).collect();
    let wanted: Vec<Wanted<'_>> =
        wanted.iter().zip(&words).map(|((call, _), words)| (call.as_str(), words.as_slice())).collect();
    same(&changes, &wanted.chunks(1).collect::<Vec<_>>())
}

/// Records, checks, alarms, topics, services, clusters, load balancers, buckets and stacks.
fn serving() -> Result<(), String> {
    let ground = Ground::estate("moto")?;
    let before = ground.told()?;
    one_region(&ground)?;
    let [alarms, services, balancers, stack] = serving_calls("ap-south-1", false, false);
    let first: Vec<_> = [vec![records("ap-south-1"), check()], alarms, services, balancers]
        .concat()
        .into_iter()
        // The bucket next door replicates into this one, and stops.
        .chain(bucket("ap-south-1", &["ap-south-1", "eu-west-1"]))
        .chain(stack)
        .collect();
    sent(&ground, &["AKIAONE"], &first)?;
    let one = ground.told()?;
    let silenced = "eu-west-1 bucket orders-eu-west-1 3 versions, ";
    let quiet: Vec<String> =
        one.iter().map(|line| line.replace(&format!("{silenced}0"), &format!("{silenced}1"))).collect();
    gone(&before, &quiet, |line| {
        line.starts_with("ap-south-1 ") && is_ours(line)
            || line.starts_with("zone ") && line.contains("ap-south-1")
    })?;
    // The rest: refused on its way, where credentials are not those of a cleanup, and resumed with better ones.
    let refusal = r#"{"access_key": "AKIACUT", "service": "ecs", "region": "us-east-1", "operation": "DeleteCluster",
                      "status": 400, "code": "AccessDeniedException"}"#;
    process::http("POST", &ground.url, "/_front/rules", refusal)?;
    let ran = ground.run("AKIACUT", &[&["run", "cleanup"], &SURE[..]].concat())?;
    ended(&ran, 5, ": ecs:DeleteCluster in us-east-1: AccessDeniedException")?;
    let id = run_id(&(ran.stdout + &ran.stderr))?;
    let ran = ground.run("AKIARESUME", &["runs", "resume", &id, "--confirm", NAME])?;
    ended(&ran, 0, "ended: done")?;
    let [us_alarms, us_services, us_balancers, us_stack] = serving_calls("us-east-1", false, true);
    let [eu_alarms, eu_services, eu_balancers, eu_stack] = serving_calls("eu-west-1", true, false);
    let refused = ("DeleteCluster us-east-1 400".to_owned(), Vec::new());
    let (cluster, us_services) = us_services.split_last().ok_or("no calls for services")?;
    let rest: Vec<_> = [
        vec![records("us-east-1"), records("eu-west-1"), check(), check()],
        us_alarms,
        eu_alarms,
        us_services.to_vec(),
        vec![refused, cluster.clone()],
        eu_services,
        us_balancers,
        eu_balancers,
        bucket("us-east-1", &["us-east-1"]),
        bucket("eu-west-1", &["eu-west-1"]),
        us_stack,
        eu_stack,
    ]
    .concat();
    sent(&ground, &["AKIACUT", "AKIARESUME"], &rest)?;
    // In us-east-1 a neighbour's alarm stays, and with it our topic; in eu-west-1 a guest, and with it our cluster.
    let kept = ["us-east-1 topic orders-alert", "eu-west-1 cluster prod"];
    gone(&before, &ground.told()?, |line| {
        let record = line.starts_with("zone ") && line.contains(NAME) && !line.contains("theirs");
        (is_ours(line) || record) && !kept.contains(&line)
    })
}

/// What the estate owns of a region, in `told.py`'s words.
fn is_ours(line: &str) -> bool {
    let words: BTreeSet<&str> = line.split([' ', '/', ':']).collect();
    let named = words.iter().any(|word| word.starts_with("orders-") || *word == "prod-api");
    let service = words.contains("prod") && !words.contains("guest");
    named || service
}

/// Aurora's secondaries and then the writer, the tables' replicas and then the table. The rest is killed as by
/// `kill -9` after its first detachment, and resumed.
fn data() -> Result<(), String> {
    let ground = Ground::estate("ministack")?;
    let before = ground.told()?;
    one_region(&ground)?;
    // Its records are gone already: without a check that can be read, that is how a region leaves DNS here.
    let mut first = stateless("ap-south-1", false);
    first.extend(database("ap-south-1", true));
    first.extend([table_protection("ap-south-1"), replica("ap-south-1", "us-east-1")]);
    sent(&ground, &["AKIAONE"], &first)?;
    let after = |line: &str, regions: &[&str]| {
        regions.iter().any(|region| line.starts_with(&format!("{region} ")))
            && (is_ours(line) || line.contains(" db-") || line.contains(" table Orders"))
            || line.starts_with("zone record") && regions.iter().any(|region| line.contains(region))
    };
    let one = ground.told()?;
    let gone_first = difference(&before, &one);
    let lost: Vec<&String> = gone_first.iter().filter(|line| !after(&line[2..], &["ap-south-1"])).collect();
    let members = [
        "- eu-west-1 table Orders ap-south-1 us-east-1",
        "- global cluster orders-db: db-ap-south-1 reader, db-eu-west-1 reader, db-us-east-1 writer",
        "- us-east-1 table Orders ap-south-1 eu-west-1",
        "+ eu-west-1 table Orders us-east-1",
        "+ global cluster orders-db: db-eu-west-1 reader, db-us-east-1 writer",
        "+ us-east-1 table Orders eu-west-1",
    ];
    if lost != members {
        return Err(format!("beside ap-south-1's own, {lost:#?} changed"));
    }
    if let Some(left) = one.iter().find(|line| after(line, &["ap-south-1"])) {
        return Err(format!("{left} is left"));
    }
    let whole = [&["run", "cleanup"], &SURE[..]].concat();
    let ran = ground.run_until("AKIACUT", &whole, "RemoveFromGlobalCluster", 1)?;
    if ran.code.is_some() {
        return Err(format!("it was to be killed: {}", ran.told()));
    }
    let id = run_id(&(ran.stdout + &ran.stderr))?;
    let ran = ground.run("AKIARESUME", &["runs", "resume", &id, "--confirm", NAME])?;
    ended(&ran, 0, "ended: done")?;
    let mut rest = vec![records("us-east-1"), records("eu-west-1")];
    for region in ["us-east-1", "eu-west-1"] {
        rest.extend(services(region, region == "eu-west-1"));
    }
    for region in ["us-east-1", "eu-west-1"] {
        rest.extend(balancers(region));
    }
    rest.push(modify("ModifyGlobalCluster us-east-1 200", "GlobalClusterIdentifier=orders-db"));
    // The cluster in eu-west-1 was never protected.
    rest.push(modify("ModifyDBCluster us-east-1 200", "DBClusterIdentifier=db-us-east-1"));
    rest.extend(database("eu-west-1", false));
    rest.extend(database("us-east-1", false));
    rest.push(("DeleteGlobalCluster us-east-1 200".to_owned(), vec!["orders-db".to_owned()]));
    rest.extend([table_protection("us-east-1"), table_protection("eu-west-1")]);
    rest.push(replica("eu-west-1", "us-east-1"));
    rest.push(("DeleteTable us-east-1 200".to_owned(), vec!["\"Orders\"".to_owned()]));
    sent(&ground, &["AKIACUT", "AKIARESUME"], &rest)?;
    let kept = "eu-west-1 cluster prod";
    let all = ["us-east-1", "eu-west-1", "ap-south-1"];
    gone(&before, &ground.told()?, |line| {
        (after(line, &all) || line.starts_with("global cluster")) && line != kept
    })
}

fn stateless(region: &str, guest: bool) -> Vec<(String, Vec<String>)> {
    let mut calls = services(region, guest);
    calls.extend(balancers(region));
    calls
}

/// ministack has no scalable targets, and its load balancers were not protected.
fn services(region: &str, guest: bool) -> Vec<(String, Vec<String>)> {
    let [_, services, ..] = serving_calls(region, guest, false);
    services.into_iter().skip(1).collect()
}

fn balancers(region: &str) -> Vec<(String, Vec<String>)> {
    let [_, _, balancers, _] = serving_calls(region, false, false);
    balancers.into_iter().skip(1).collect()
}

fn modify(call: &str, which: &str) -> (String, Vec<String>) {
    (call.to_owned(), vec![which.to_owned(), "DeletionProtection=false".to_owned()])
}

/// Out of the global cluster, its instances one by one, and the cluster with a final snapshot.
fn database(region: &str, protected: bool) -> Vec<(String, Vec<String>)> {
    let call = |name: &str, words: &[String]| (format!("{name} {region} 200"), words.to_vec());
    let mut calls = Vec::new();
    if protected {
        calls.push(modify(
            &format!("ModifyDBCluster {region} 200"),
            &format!("DBClusterIdentifier=db-{region}"),
        ));
    }
    calls.push(call("RemoveFromGlobalCluster", &[format!("cluster%3Adb-{region}"), "orders-db".to_owned()]));
    for number in [1, 0] {
        calls.push(call("DeleteDBInstance", &[format!("DBInstanceIdentifier=db-{region}-{number}")]));
    }
    let snapshot = format!("FinalDBSnapshotIdentifier=db-{region}-final-");
    calls.push(call(
        "DeleteDBCluster",
        &[format!("DBClusterIdentifier=db-{region}"), "SkipFinalSnapshot=false".to_owned(), snapshot],
    ));
    calls
}

fn table_protection(region: &str) -> (String, Vec<String>) {
    (format!("UpdateTable {region} 200"), vec!["\"DeletionProtectionEnabled\":false".to_owned()])
}

fn replica(region: &str, asked: &str) -> (String, Vec<String>) {
    let delete = format!("\"Delete\":{{\"RegionName\":\"{region}\"}}");
    (format!("UpdateTable {asked} 200"), vec![delete, "\"Orders\"".to_owned()])
}
