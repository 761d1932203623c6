//! Credentials that end while the program runs: new ones are there before.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::{SignedDuration, Timestamp};
use switchtower::cloud::Cloud;
use switchtower::domain::ids::{Region, TableName};
use switchtower::ports::{BoxFuture, Clock};
use switchtower::sim::{Sim, SimOptions};

use super::aws::{Asked, Aws, Keys, home, program, text};
use super::sources::handed_out;
use crate::cli::program::finish;

/// Seconds that each of the container's keys lasts.
const SHORT: i64 = 3;

/// A process that watches goes through several keys, each for seconds only, and none is used after its end.
#[test]
fn a_watch_outlives_the_keys_of_its_container() {
    let role = "arn:aws:sts::123456789012:assumed-role/bastion-task/0123456789abcdef";
    let given = AtomicUsize::new(0);
    let ends: Arc<Mutex<BTreeMap<String, Timestamp>>> = Arc::default();
    let handed = ends.clone();
    let aws = Aws::start(move |asked: &Asked, sim: &Sim| {
        (asked.path == "/credentials").then(|| {
            let number = given.fetch_add(1, Ordering::Relaxed);
            let keys = Keys::mint(sim, &format!("short{number}"), role, SHORT);
            handed.lock().unwrap().insert(keys.id.clone(), keys.expires);
            text(200, &handed_out(&keys))
        })
    });
    let home = home(&aws, "");
    let mut watching = program(&home, &aws, &["status", "--watch", "--json", "--topology", "orders"]);
    watching.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", aws.url));
    let began = Clock::real().now();
    let mut child = watching.stderr(Stdio::null()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    // Long after the first keys have ended, and until the third ones are used; each line comes by itself.
    let used =
        || aws.signed().iter().filter_map(|asked| asked.key().map(str::to_owned)).collect::<BTreeSet<_>>();
    let (end, patience) =
        (began + SignedDuration::from_secs(3 * SHORT), began + SignedDuration::from_mins(2));
    let mut lines = out.lines();
    loop {
        let now = Clock::real().now();
        if now >= patience || now >= end && used().len() >= 3 {
            break;
        }
        lines.next().unwrap().unwrap();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    drop(lines);
    finish(child);
    let signed = aws.signed();
    let keys: BTreeSet<&str> = signed.iter().filter_map(Asked::key).collect();
    assert!(keys.len() >= 3, "{keys:?}");
    let ends = ends.lock().unwrap();
    for asked in &signed {
        let at =
            jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", asked.header("x-amz-date").unwrap()).unwrap();
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        assert!(at <= ends[asked.key().unwrap()], "signed after its keys had ended: {asked:?}");
    }
}

/// A session of a role lasts an hour. In six hours of asking, each next one is taken before the last has ended.
#[tokio::test(start_paused = true)]
async fn the_session_of_a_role_is_taken_anew_before_its_end() {
    let clock = Clock::starting_at("2026-11-21T03:00:00Z".parse().unwrap(), 1.0);
    let sim = Sim::new(SimOptions::default(), clock).unwrap();
    let http = sim.http_client();
    let open = Box::new(move |_| {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .http_client(http.clone())
            .sleep_impl(Paused(clock))
            .time_source(Paused(clock))
            .build();
        let provider: BoxFuture<'static, _> = Box::pin(async move {
            let role = AssumeRoleProvider::builder("arn:aws:iam::123456789012:role/switchtower-ops")
                .configure(&config)
                .region(aws_config::Region::new("eu-west-1"))
                .session_name("night-shift");
            let base = Credentials::new("AKIABASE", "s", None, None, "test");
            SharedCredentialsProvider::new(role.build_from_provider(base).await)
        });
        provider
    });
    let cloud = Cloud::simulated_with(sim.http_client(), clock, open);
    let place = cloud.at(&Region::new("eu-west-1"));
    for _ in 0..6 * 15 {
        assert!(place.table(&TableName::new("Orders")).await.is_ok());
        clock.sleep(Duration::from_mins(4)).await;
    }
    let who = place.identity_now().await.unwrap();
    assert_eq!(who.arn.as_str(), "arn:aws:sts::123456789012:assumed-role/switchtower-ops/night-shift");
    let left = who.expires.unwrap().duration_since(clock.now());
    assert!(left > SignedDuration::from_mins(4), "the banner knows the new end: {left:?}");
    let calls = sim.calls();
    let taken = calls.iter().filter(|call| call.operation == "AssumeRole").count();
    assert_eq!(taken, 7, "at the first question of the last five minutes: every 56");
    assert!(calls.iter().all(|call| call.error.is_none()), "{calls:?}");
}

/// The SDK's clock in a paused world.
#[derive(Clone, Copy, Debug)]
struct Paused(Clock);

impl aws_smithy_async::time::TimeSource for Paused {
    fn now(&self) -> std::time::SystemTime {
        self.0.now().into()
    }
}

impl aws_smithy_async::rt::sleep::AsyncSleep for Paused {
    fn sleep(&self, duration: Duration) -> aws_smithy_async::rt::sleep::Sleep {
        let clock = self.0;
        aws_smithy_async::rt::sleep::Sleep::new(async move { clock.sleep(duration).await })
    }
}
