//! Evacuations and their way back against the fakes: somebody else's AWS takes the calls, in the regions and numbers
//! that it was told to expect, and whatever it cannot serve ends in a halt that says so. Each plan is also carried out
//! as the script that `plan --script` writes, which leaves the same world behind.
//!
//! What the fakes get wrong here: neither answers DNS for its zone, so that no proof by answers is planned; neither
//! starts a task because a limit was raised, nor clamps the present count into the limits, so that the survivor is
//! seeded with what it will need; moto knows no operation on a global cluster and keeps a health check's version at 1;
//! ministack has no Application Auto Scaling and its health checks cannot be read, so that regions leave DNS by their
//! records; and its members are connected again the moment that a writer moved.

use crate::ground::{Ground, Kit, Wanted, away, difference, ended, same_lines};
use crate::{Case, case};

/// The cases; each acts on a fake of its own.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("moto_runs::drain", drain),
        case("moto_runs::drain_to_zero_and_restore", drain_to_zero_and_restore),
        case("moto_runs::failover_and_restore", failover_and_restore),
        case("moto_runs::failover_halts_at_the_database", failover_halts),
        case("ministack_runs::failover_restore_and_switchover", failover_restore_and_switchover),
        case("ministack_runs::failover_by_detaching", failover_by_detaching),
    ]
}

const PINNED: [&str; 3] =
    ["<Disabled>true</Disabled>", "<Inverted>true</Inverted>", "<HealthCheckVersion>1</HealthCheckVersion>"];
const UNPINNED: [&str; 3] = [
    "<Disabled>false</Disabled>",
    "<Inverted>false</Inverted>",
    "<HealthCheckVersion>1</HealthCheckVersion>",
];

/// Survivors grow, the region's check is disabled and inverted, and nothing else is sent. Without the database, which
/// moto cannot move.
fn drain() -> Result<(), String> {
    let ground = Ground::serving("moto")?;
    ground.without_database()?;
    let ran = ground.run("AKIADRAIN", &[&["run", "drain"], &away("us-east-1")[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    ground.expect(
        "AKIADRAIN",
        &[
            (
                "RegisterScalableTarget eu-west-1 200",
                &["\"MinCapacity\":4", "\"MaxCapacity\":21", "service/prod/api"],
            ),
            ("UpdateHealthCheck us-east-1 200", &PINNED),
            ("UpdateService eu-west-1 200", &["\"desiredCount\":4", "\"service\":\"admin\""]),
        ],
    )?;
    // The fake says what was done to it: now the other region is the last.
    let refused = ground.run("AKIALAST", &[&["run", "drain"], &away("eu-west-1")[..]].concat())?;
    ended(&refused, 4, "survivors blocks: without eu-west-1 no living region would be in DNS")?;
    ground.expect_nothing("AKIALAST")
}

/// A drain whose tasks stop, and its way back: records, flags, limits and counts are as they were before. Then both once
/// more, by the scripts that were written before each of them.
fn drain_to_zero_and_restore() -> Result<(), String> {
    let ground = Ground::serving("moto")?;
    ground.without_database()?;
    let before = ground.told()?;
    let asked = ["drain", "--region", "us-east-1", "--scale-to-zero"];
    let there = ground.script(&asked)?;
    let ran =
        ground.run("AKIADRAIN", &[&["run", "drain", "--scale-to-zero"], &away("us-east-1")[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    let sent: [Wanted<'_>; 6] = [
        ("RegisterScalableTarget eu-west-1 200", &["\"MinCapacity\":4", "\"MaxCapacity\":21"]),
        (
            "RegisterScalableTarget us-east-1 200",
            &[
                "\"MinCapacity\":0",
                "\"MaxCapacity\":20",
                "\"DynamicScalingInSuspended\":true",
                "\"DynamicScalingOutSuspended\":true",
                "\"ScheduledScalingSuspended\":true",
            ],
        ),
        ("UpdateHealthCheck us-east-1 200", &PINNED),
        ("UpdateService eu-west-1 200", &["\"desiredCount\":4", "\"service\":\"admin\""]),
        ("UpdateService us-east-1 200", &["\"desiredCount\":0", "\"service\":\"admin\""]),
        ("UpdateService us-east-1 200", &["\"desiredCount\":0", "\"service\":\"api\""]),
    ];
    ground.expect("AKIADRAIN", &sent)?;
    let drained = ground.told()?;
    same_lines(
        "what the drain changed",
        &difference(&before, &drained),
        &[
            "- eu-west-1 scaling service/prod/api 3 to 21",
            "- eu-west-1 service prod/admin desired 3",
            "- us-east-1 scaling service/prod/api 1 to 20",
            "- us-east-1 service prod/admin desired 1",
            "- us-east-1 service prod/api desired 1",
            "- zone check us-east-1.api.example.com",
            "+ eu-west-1 scaling service/prod/api 4 to 21",
            "+ eu-west-1 service prod/admin desired 4",
            "+ us-east-1 scaling service/prod/api 0 to 20 DynamicScalingInSuspended DynamicScalingOutSuspended ScheduledScalingSuspended",
            "+ us-east-1 service prod/admin desired 0",
            "+ us-east-1 service prod/api desired 0",
            "+ zone check us-east-1.api.example.com Disabled Inverted",
        ]
        .map(str::to_owned),
    )?;
    let back = ground.script(&["restore", "--region", "us-east-1"])?;
    let ran = ground.run("AKIABACK", &[&["run", "restore"], &away("us-east-1")[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    let freed: [&str; 5] = [
        "\"MinCapacity\":1",
        "\"MaxCapacity\":20",
        "\"DynamicScalingInSuspended\":false",
        "\"DynamicScalingOutSuspended\":false",
        "\"ScheduledScalingSuspended\":false",
    ];
    let returned: [Wanted<'_>; 6] = [
        ("UpdateService us-east-1 200", &["\"desiredCount\":1", "\"service\":\"admin\""]),
        ("UpdateService us-east-1 200", &["\"desiredCount\":1", "\"service\":\"api\""]),
        ("RegisterScalableTarget us-east-1 200", &freed),
        ("UpdateHealthCheck us-east-1 200", &UNPINNED),
        ("UpdateService eu-west-1 200", &["\"desiredCount\":3", "\"service\":\"admin\""]),
        ("RegisterScalableTarget eu-west-1 200", &["\"MinCapacity\":3", "\"MaxCapacity\":21"]),
    ];
    // Tasks before users, and the survivors last.
    ground.expect_in_stages("AKIABACK", &[&returned[..3], &returned[3..4], &returned[4..]])?;
    same_lines("after the restore", &ground.told()?, &before)?;
    let again = ground.run("AKIAAGAIN", &["plan", "restore", "--region", "us-east-1"])?;
    ended(&again, 4, "nothing to restore")?;
    by_hand(&ground, (&there, &sent, &drained), (&back, &returned, &before))
}

/// Users leave at once; what the failed region runs is left alone, for its writer stays. And the way back; then both by
/// their scripts.
fn failover_and_restore() -> Result<(), String> {
    let ground = Ground::serving("moto")?;
    ground.without_database()?;
    let before = ground.told()?;
    let there = ground.script(&["failover", "--region", "us-east-1"])?;
    let ran = ground.run("AKIAFAIL", &[&["run", "failover"], &away("us-east-1")[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    let sent: [Wanted<'_>; 3] = [
        ("RegisterScalableTarget eu-west-1 200", &["\"MinCapacity\":4", "\"MaxCapacity\":21"]),
        ("UpdateHealthCheck us-east-1 200", &PINNED),
        ("UpdateService eu-west-1 200", &["\"desiredCount\":4", "\"service\":\"admin\""]),
    ];
    ground.expect("AKIAFAIL", &sent)?;
    let left = ground.told()?;
    let back = ground.script(&["restore", "--region", "us-east-1"])?;
    let ran = ground.run("AKIABACK", &[&["run", "restore"], &away("us-east-1")[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    let returned: [Wanted<'_>; 3] = [
        ("UpdateHealthCheck us-east-1 200", &UNPINNED),
        ("UpdateService eu-west-1 200", &["\"desiredCount\":3", "\"service\":\"admin\""]),
        ("RegisterScalableTarget eu-west-1 200", &["\"MinCapacity\":3", "\"MaxCapacity\":21"]),
    ];
    ground.expect_in_stages("AKIABACK", &[&returned[..1], &returned[1..]])?;
    same_lines("after the restore", &ground.told()?, &before)?;
    by_hand(&ground, (&there, &sent, &left), (&back, &returned, &before))
}

/// A script, the calls that it has to send, and the world that it has to leave.
type ByHand<'a> = (&'a str, &'a [Wanted<'a>], &'a [String]);

/// Both scripts are carried out without this program, one after the other.
fn by_hand(ground: &Ground, there: ByHand<'_>, back: ByHand<'_>) -> Result<(), String> {
    let kit = Kit::of(ground)?;
    for (key, (script, sent, world)) in [("AKIATHERE", there), ("AKIAHOME", back)] {
        let (code, said) = kit.shell("sh", key, &[], script)?;
        if code != 0 {
            return Err(format!("the script of {key} ended with {code}: {said}"));
        }
        ground.expect_without_lease(key, sent)?;
        same_lines(&format!("after the script of {key}"), &ground.told()?, world)?;
    }
    Ok(())
}

/// moto refuses to promote a cluster: users are out all the same, the old region is fenced, and the run says where it
/// stands. What was refused for certain was tried again, and not for ever.
fn failover_halts() -> Result<(), String> {
    let ground = Ground::serving("moto")?;
    let chosen = ["--database", "failover"];
    let ran = ground.run("AKIAFAIL", &[&["run", "failover"], &away("us-east-1")[..], &chosen].concat())?;
    ended(&ran, 5, "whatever us-east-1 still holds: rds:FailoverGlobalCluster in eu-west-1: NotImplemented")?;
    let promoted: Wanted<'_> = (
        "FailoverGlobalCluster eu-west-1 501",
        &["AllowDataLoss=true", "TargetDbClusterIdentifier=arn%3Aaws%3Ards%3Aeu-west-1"],
    );
    ground.expect(
        "AKIAFAIL",
        &[
            promoted,
            promoted,
            promoted,
            ("RegisterScalableTarget eu-west-1 200", &["\"MinCapacity\":4", "\"MaxCapacity\":21"]),
            (
                "RegisterScalableTarget us-east-1 200",
                &["\"MinCapacity\":0", "\"DynamicScalingOutSuspended\":true"],
            ),
            ("UpdateHealthCheck us-east-1 200", &PINNED),
            ("UpdateService eu-west-1 200", &["\"desiredCount\":4"]),
            ("UpdateService us-east-1 200", &["\"desiredCount\":0"]),
            ("UpdateService us-east-1 200", &["\"desiredCount\":0"]),
        ],
    )
}

/// ministack promotes, switches back and switches over: each call once, where AWS wants it.
fn failover_restore_and_switchover() -> Result<(), String> {
    let ground = Ground::serving("ministack")?;
    let before = ground.told()?;
    let chosen = ["--database", "failover"];
    let there = ground.script(&[&["failover", "--region", "us-east-1"][..], &chosen].concat())?;
    let ran = ground.run("AKIAFAIL", &[&["run", "failover"], &away("us-east-1")[..], &chosen].concat())?;
    ended(&ran, 0, "promote/my-global-db: done in ")?;
    let records =
        ["<Action>DELETE</Action>", "<SetIdentifier>us-east-1</SetIdentifier>", "<Type>AAAA</Type>"];
    let sent: [Wanted<'_>; 2] = [
        ("ChangeResourceRecordSets us-east-1 200", &records),
        ("FailoverGlobalCluster eu-west-1 200", &["AllowDataLoss=true", "cluster%3Adb-eu-west-1"]),
    ];
    ground.expect("AKIAFAIL", &sent)?;
    let promoted = ground.told()?;
    same_lines(
        "what the failover changed",
        &difference(&before, &promoted),
        &[
            "- global cluster my-global-db: db-eu-west-1 reader, db-us-east-1 writer",
            "- zone record api.example.com. A us-east-1 us-east-1 dualstack.api no check",
            "- zone record api.example.com. AAAA us-east-1 us-east-1 dualstack.api no check",
            "+ global cluster my-global-db: db-eu-west-1 writer, db-us-east-1 reader",
        ]
        .map(str::to_owned),
    )?;
    let home = ["--to", "us-east-1"];
    let back = ground.script(&[&["restore", "--region", "us-east-1"][..], &home].concat())?;
    let ran = ground.run("AKIARESTORE", &[&["run", "restore"], &away("us-east-1")[..], &home].concat())?;
    ended(&ran, 0, "ended: done")?;
    // Users first: the writer can be reached from both sides.
    let put = ["<SetIdentifier>us-east-1</SetIdentifier>", "<Action>UPSERT</Action>"];
    let returned: [Wanted<'_>; 3] = [
        ("ChangeResourceRecordSets us-east-1 200", &put),
        ("ChangeResourceRecordSets us-east-1 200", &put),
        ("SwitchoverGlobalCluster eu-west-1 200", &["cluster%3Adb-us-east-1"]),
    ];
    ground.expect_in_order("AKIARESTORE", &returned)?;
    same_lines("after the restore", &ground.told()?, &before)?;
    by_hand(&ground, (&there, &sent, &promoted), (&back, &returned, &before))?;
    let over =
        ["--region", "us-east-1", "--to", "eu-west-1", "--confirm", "us-east-1", "--reason", "interop"];
    let ran = ground.run("AKIAOVER", &[&["run", "switchover"], &over[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    ground.expect("AKIAOVER", &[("SwitchoverGlobalCluster us-east-1 200", &["cluster%3Adb-eu-west-1"])])
}

/// The last resort: the survivor leaves the global cluster, at its own region, and writes by itself.
fn failover_by_detaching() -> Result<(), String> {
    let ground = Ground::serving("ministack")?;
    let before = ground.told()?;
    let chosen = ["--database", "detach"];
    let ran = ground.run("AKIAFAIL", &[&["run", "failover"], &away("us-east-1")[..], &chosen].concat())?;
    ended(&ran, 0, "ended: done")?;
    ground.expect(
        "AKIAFAIL",
        &[
            ("ChangeResourceRecordSets us-east-1 200", &["<Action>DELETE</Action>"]),
            ("RemoveFromGlobalCluster eu-west-1 200", &["cluster%3Adb-eu-west-1", "my-global-db"]),
        ],
    )?;
    same_lines(
        "what the failover changed",
        &difference(&before, &ground.told()?),
        &[
            "- global cluster my-global-db: db-eu-west-1 reader, db-us-east-1 writer",
            "- zone record api.example.com. A us-east-1 us-east-1 dualstack.api no check",
            "- zone record api.example.com. AAAA us-east-1 us-east-1 dualstack.api no check",
            "+ global cluster my-global-db: db-us-east-1 writer",
        ]
        .map(str::to_owned),
    )
}
