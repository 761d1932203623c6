//! Every scenario on virtual time: which findings come and go, and when.
//!
//! The real schedules ask the real SDK clients, which ask the simulated AWS; only the clock is virtual.
//! The golden files hold a line for each finding that appears (+) or goes (-), with the virtual second.

mod halted;
mod operator;
mod play;
mod screens;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use switchtower::domain::checks;
use switchtower::sim::scenario_names;

use play::play;

/// How long a scenario is watched, and how often somebody looks.
const WATCHED: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_secs(5);

fn watch(scenario: &str) -> String {
    play(scenario, async |play| {
        let mut told = String::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut health = String::new();
        for look in 1..=(WATCHED.as_secs() / LOOK.as_secs()) {
            play.pass(LOOK).await;
            let verdict = checks::verdict(&play.topology, &play.snapshot());
            let now: BTreeSet<String> = verdict
                .findings
                .iter()
                .map(|finding| {
                    let region = finding.region.as_ref().map_or("fleet", |region| region.as_str());
                    let blind = if finding.blind { " (blind)" } else { "" };
                    let severity = finding.severity.word();
                    format!("{region} {severity} {} {}{blind}", finding.code, finding.resource)
                })
                .map(|line| line.replace("  ", " ").trim_end().to_owned())
                .collect();
            let second = look * LOOK.as_secs();
            for gone in known.difference(&now) {
                let _ = writeln!(told, "{second:>4} s  - {gone}");
            }
            for new in now.difference(&known) {
                let _ = writeln!(told, "{second:>4} s  + {new}");
            }
            let mut words = format!("fleet {}", verdict.fleet);
            for (region, health) in &verdict.regions {
                let _ = write!(words, ", {region} {health}");
            }
            if words != health {
                let _ = writeln!(told, "{second:>4} s  = {words}");
                health = words;
            }
            known = now;
        }
        told
    })
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)+) => {
        /// All of them.
        const NAMES: &[&str] = &[$($name),+];

        $(#[test]
        fn $test() {
            insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "golden" }, {
                insta::assert_snapshot!($name, watch($name));
            });
        })+

        #[test]
        fn every_scenario_is_watched() {
            let watched: BTreeSet<&str> = NAMES.iter().copied().collect();
            let known: BTreeSet<String> = scenario_names().into_iter().map(|name| name.to_string()).collect();
            let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
            assert_eq!(watched, known);
        }
    };
}

scenarios! {
    calm: "calm",
    regional_outage: "regional-outage",
    surge_of_5xx: "5xx-surge",
    ecs_crash_loop: "ecs-crash-loop",
    replication_lag: "replication-lag",
    aurora_lag: "aurora-lag",
    health_check_flapping: "health-check-flapping",
    control_plane_down: "control-plane-down",
    throttling: "throttling",
    expired_credentials: "expired-credentials",
    black_hole: "black-hole",
    clock_skew: "clock-skew",
}
