//! Roles that are taken on top: by a profile, and by the topology for one scope alone.

use serde_json::Value;
use switchtower::domain::ids::{AccountId, Arn};

use super::aws::{ACCOUNT, Asked, Aws, Keys, home, identities, nothing, program, settle, status};
use crate::cli::program::finish;

/// A user whose keys stand in a file.
const BASE: &str = "arn:aws:iam::123456789012:user/base";

/// The account of the zone.
const ZONES: &str = "999988887777";

/// A profile that takes a role with the keys of another.
const ROLE: &str = "[profile base]\naws_access_key_id = ASIABASE\naws_secret_access_key = secret-of-base\n\
     aws_session_token = token-of-base\n\n[profile ops]\nsource_profile = base\n\
     role_arn = arn:aws:iam::123456789012:role/teams/switchtower-ops\nrole_session_name = alice\n";

#[test]
fn a_profile_takes_a_role_with_the_keys_of_another() {
    let aws = Aws::start(nothing);
    let base = Keys::mint(&aws.sim, "base", BASE, 3_600);
    let home = home(&aws, ROLE);
    let (ran, document) = status(&home, &aws, &["--profile", "ops"], &[]);
    let taken = "arn:aws:sts::123456789012:assumed-role/switchtower-ops/alice";
    assert_eq!(identities(&document), [taken, taken], "{ran:?}");
    let seen = aws.seen();
    let roles: Vec<&Asked> = seen.iter().filter(|asked| asked.acts("AssumeRole")).collect();
    assert_eq!(roles.len(), 1, "one load for all: {roles:#?}");
    assert_eq!((roles[0].key(), roles[0].token()), (Some(base.id.as_str()), Some(base.token.as_str())));
    let signed = aws.signed();
    assert!(signed.iter().all(|asked| asked.key() != Some(&base.id) && asked.status == 200), "{signed:#?}");

    // `init` says whom it asked as.
    let arguments = ["init", "--profile", "ops", "--hostname", "api.example.com", "--output", "found.toml"];
    let regions = ["--regions", "us-east-1,eu-west-1"];
    let ran = finish(program(&home, &aws, &[&arguments[..], &regions].concat()).spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let line = format!("eu-west-1: account {ACCOUNT}, as {taken}");
    assert!(ran.err.contains(&line), "{ran:?}");
    let written = std::fs::read_to_string(home.path("found.toml")).unwrap();
    assert!(written.contains("profile = \"ops\""), "{written}");
}

/// The zone is another account's. Its role is taken on top of the default keys, and signs for Route 53 alone.
#[test]
fn a_scope_of_the_topology_takes_a_role_of_its_own() {
    let aws = Aws::start(nothing);
    let base = Keys::mint(&aws.sim, "base", BASE, 3_600);
    let home = home(&aws, "");
    let mut topology = aws.topology();
    let dns = topology.scope.get_mut("dns").unwrap();
    dns.account = Some(AccountId::new(ZONES));
    dns.role_arn = Some(Arn::new(format!("arn:aws:iam::{ZONES}:role/switchtower-dns")));
    settle(&home, &topology);
    let keys = [
        ("AWS_ACCESS_KEY_ID", base.id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &base.secret),
        ("AWS_SESSION_TOKEN", &base.token),
    ];
    let (ran, document) = status(&home, &aws, &[], &keys);
    assert_eq!(identities(&document), [BASE, BASE], "{ran:?}");
    let accounts = (&document["accounts"]["eu-west-1"], &document["accounts"]["dns"]);
    assert_eq!(accounts, (&ACCOUNT.into(), &ZONES.into()), "{ran:?}");
    assert_eq!(document["regions"][0]["route53"][0]["verdict"]["error"], Value::Null, "{document}");
    assert!(!document["findings"].to_string().contains("identity"), "{}", document["findings"]);
    let signed = aws.signed();
    for asked in &signed {
        let ours = asked.key() == Some(&base.id);
        match asked.service() {
            Some("route53") => assert!(!ours, "{asked:?}"),
            Some("ecs" | "dynamodb" | "rds" | "elasticloadbalancing") => assert!(ours, "{asked:?}"),
            _ => {}
        }
    }
    assert!(
        signed.iter().any(|asked| asked.service() == Some("route53") && asked.status == 200),
        "{signed:#?}"
    );

    // A plan accepts that account for that scope, and no other.
    let plan = |word: &str| {
        let arguments =
            ["plan", "drain", "--region", "us-east-1", "--topology", "orders", "--allow-endpoint"];
        let ran = finish(program(&home, &aws, &arguments).envs(keys).spawn().unwrap());
        (ran.err.contains(word) || ran.out.contains(word), ran)
    };
    let (blocked, ran) = plan("is answered by account");
    assert!(!blocked, "{ran:?}");
    topology.scope.get_mut("dns").unwrap().account = Some(AccountId::new(ACCOUNT));
    settle(&home, &topology);
    let (blocked, ran) = plan("dns is answered by account 999988887777, the topology names 123456789012");
    assert!(blocked && ran.code == Some(4), "{ran:?}");
}

/// A role on a role: the profile's first, then the topology's on top of it.
#[test]
fn a_scope_takes_its_role_with_the_role_of_a_profile() {
    let aws = Aws::start(nothing);
    let _base = Keys::mint(&aws.sim, "base", BASE, 3_600);
    let home = home(&aws, ROLE);
    let mut topology = aws.topology();
    let scope = topology.scope.get_mut("eu-west-1").unwrap();
    scope.role_arn = Some(Arn::new(format!("arn:aws:iam::{ACCOUNT}:role/switchtower-eu")));
    settle(&home, &topology);
    let (ran, document) = status(&home, &aws, &["--profile", "ops"], &[]);
    let taken = ["switchtower-ops/alice", "switchtower-eu/switchtower"]
        .map(|role| format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}"));
    assert_eq!(identities(&document), taken, "{ran:?}");
}

/// What the simulated AWS says of a key that has ended, and of one that comes with another's token.
#[test]
fn a_session_has_an_end_and_a_token() {
    let aws = Aws::start(nothing);
    let ended = Keys::mint(&aws.sim, "ended", BASE, -1);
    let home = home(&aws, "");
    let cases =
        [(ended.token.as_str(), "is expired"), ("another", "token included in the request is invalid")];
    for (token, words) in cases {
        let keys = [
            ("AWS_ACCESS_KEY_ID", ended.id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_SESSION_TOKEN", token),
        ];
        let (ran, document) = status(&home, &aws, &[], &keys);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        let error = &document["regions"][0]["identity"]["error"];
        assert_eq!(error["kind"], "expired", "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
}
