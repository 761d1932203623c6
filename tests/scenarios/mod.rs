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
use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Rect;
use switchtower::app::sight::Lookout;
use switchtower::app::{App, Event, Session};
use switchtower::sim::scenario_names;
use switchtower::ui::{self, Theme};

use crate::console::stage::text;
use play::play;

/// How long a scenario is watched, and how often somebody looks.
const WATCHED: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_secs(5);

fn watch(scenario: &str) -> String {
    play(scenario, async |play| {
        let mut told = String::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut health = String::new();
        let session = Session { endpoint: None, demo: Some(scenario.into()) };
        let mut app = App::new(play.topology.clone(), session, play.clock.now());
        app.update(Event::Resize(80, 24));
        let mut lookout = Lookout::default();
        for look in 1..=(WATCHED.as_secs() / LOOK.as_secs()) {
            play.pass(LOOK).await;
            let sight = Arc::new(lookout.look(&play.topology, play.snapshot()));
            app.update(Event::Sight(Arc::clone(&sight)));
            let verdict = sight.verdict.as_ref().unwrap();
            tells_one_story(&app);
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
                let standing = app.fleet.standing(region).unwrap().word();
                if standing != health.word() {
                    let _ = write!(words, " ({standing})");
                }
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

/// Banner, headings and rows of the overview agree: a region's heading says what the banner says of it, and none is
/// healthy above a row that is not.
fn tells_one_story(app: &App) {
    let area = Rect::new(0, 0, 80, 24);
    let mut buffer = ratatui::buffer::Buffer::empty(area);
    ui::draw(app, Theme::MONOCHROME, area, &mut buffer);
    let screen = text(&buffer);
    let lines: Vec<&str> = screen.lines().collect();
    let clauses: Vec<&str> = lines[0].split("  ").nth(1).unwrap().split("; ").map(str::trim).collect();
    let panes = lines.iter().skip(5).take_while(|line| !line.starts_with('─'));
    let half = |line: &str, right: bool| -> String {
        let halves = line.chars().enumerate().filter(|(at, _)| (*at > 44) == right && *at > 8);
        halves.map(|(_, c)| c).collect()
    };
    let rows: Vec<[String; 2]> = panes.map(|line| [half(line, false), half(line, true)]).collect();
    for (index, region) in app.fleet.regions().enumerate() {
        let heading = half(lines[4], index == 1);
        let ill = rows.iter().any(|halves| halves[index].contains('✖'));
        assert!(!(ill && heading.contains("● healthy")), "healthy above what is not:\n{screen}");
        let clause = clauses.iter().find(|clause| clause.contains(region.as_str()));
        let said = match clause {
            None => continue,
            Some(clause) if clause.contains("pinned") => "pinned",
            Some(clause) => ["failing", "impaired", "unknown", "data lags", "degraded", "healthy", "waiting"]
                .into_iter()
                .find(|word| clause.contains(word))
                .unwrap_or_else(|| panic!("{clause} says nothing of\n{screen}")),
        };
        assert!(heading.contains(said), "the banner says {said} of {region}:\n{screen}");
    }
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
