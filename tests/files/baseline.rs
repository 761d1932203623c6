//! The last known good: what is kept, what never is, and what a damaged file does.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::ids::{AccountId, Arn, Region, ServiceKey};
use switchtower::domain::metric::{Metric, Point, Series, SeriesKey};
use switchtower::domain::snapshot::{
    DnsSnapshot, FleetSnapshot, Identity, RegionSnapshot, ServiceState, TopicState, Usage,
};
use switchtower::domain::{ErrorKind, ProbeError, Topology};
use switchtower::files::baseline::{self, Baseline, DayPeak};

use super::topology::example;

fn start() -> Timestamp {
    "2026-11-21T03:00:00Z".parse().unwrap()
}

fn us() -> Region {
    Region::new("us-east-1")
}

fn api() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn requests(topology: &Topology) -> SeriesKey {
    let arn = &topology.regions[0].load_balancers[0].arn;
    SeriesKey::new(Metric::AlbRequests, &[arn.elb_dimension().unwrap()])
}

fn error(message: &str, at: Timestamp) -> ProbeError {
    ProbeError {
        kind: ErrorKind::TimedOut,
        call: "ecs:DescribeServices".into(),
        region: Some(us()),
        message: message.into(),
        request_id: None,
        at,
        next_step: "".into(),
    }
}

fn service(desired: i32, running: i32) -> ServiceState {
    ServiceState {
        status: "ACTIVE".into(),
        desired,
        running,
        pending: 0,
        task_definition: "api:1".into(),
        deployments: Vec::new(),
        events: Vec::new(),
    }
}

/// Everything pending at `now`, after `change` was made to the first region.
fn snapshot(topology: &Topology, now: Timestamp, change: impl FnOnce(&mut RegionSnapshot)) -> FleetSnapshot {
    let mut regions: Vec<RegionSnapshot> =
        topology.regions.iter().map(|entry| RegionSnapshot::skeleton(topology, &entry.name)).collect();
    change(&mut regions[0]);
    FleetSnapshot {
        now,
        regions: regions.into_iter().map(Arc::new).collect(),
        dns: Arc::new(DnsSnapshot::skeleton(topology)),
        usage: Usage::default(),
        pins: Arc::default(),
    }
}

fn good(topology: &Topology, now: Timestamp) -> FleetSnapshot {
    let key = requests(topology);
    snapshot(topology, now, |region| {
        region.services.get_mut(&api()).unwrap().succeed(service(4, 3), now);
        let points = (0..60).map(|minute| Point {
            at: now - SignedDuration::from_mins(60 - minute),
            value: 600.0 + minute as f64 * 60.0,
        });
        region.metrics.get_mut(&key).unwrap().succeed(Series::new(points), now);
        let identity = Identity {
            account: AccountId::new("123456789012"),
            arn: Arn::new("arn:aws:sts::123456789012:assumed-role/ops/me"),
            expires: None,
        };
        region.identity.succeed(identity, now);
    })
}

fn saved(folder: &std::path::Path, baseline: &Baseline) -> Baseline {
    let file = folder.join("baseline/orders.json");
    baseline.save(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let loaded = baseline::load(&file, "orders");
    assert_eq!(loaded.warning, None);
    loaded.baseline.unwrap()
}

#[test]
fn what_was_good_comes_back_marked_as_saved() {
    let (topology, folder) = (example(), tempfile::tempdir().unwrap());
    let mut baseline = Baseline::new("orders".into(), start());
    baseline.absorb(&good(&topology, start()));
    let loaded = saved(folder.path(), &baseline);
    assert_eq!(loaded, baseline);
    let known = loaded.region(&us()).unwrap();
    let reading = known.services[&api()].reading().unwrap();
    assert_eq!((reading.value.running, reading.as_of, reading.saved), (3, start(), true));
    assert!(known.services[&api()].is_stale(start(), &topology.freshness), "saved values are never fresh");
    let series = known.metrics[&requests(&topology)].reading().unwrap();
    assert!(series.saved);
    assert_eq!(series.value.points().len(), 1, "only the newest point is kept");
    assert_eq!(series.value.last().unwrap().at, start() - SignedDuration::from_mins(1));
}

#[test]
fn failures_and_gaps_never_overwrite_what_was_good() {
    let topology = example();
    let mut baseline = Baseline::new("orders".into(), start());
    baseline.absorb(&good(&topology, start()));
    let later = start() + SignedDuration::from_mins(10);
    let key = requests(&topology);
    let dark = snapshot(&topology, later, |region| {
        region.services.get_mut(&api()).unwrap().fail(error("no answer", later));
        region.metrics.get_mut(&key).unwrap().succeed(Series::default(), later);
    });
    baseline.absorb(&dark);
    let known = baseline.region(&us()).unwrap();
    assert_eq!(known.services[&api()].as_of(), Some(start()));
    assert_eq!(known.services[&api()].error(), None, "errors are not kept");
    let series = &known.metrics[&key];
    assert_eq!(series.as_of(), Some(later), "CloudWatch was asked then");
    assert_eq!(series.value().unwrap().last().unwrap().at, start() - SignedDuration::from_mins(1));
    assert_eq!(known.identity.as_of(), Some(start()), "what was not asked stays");
}

#[test]
fn what_was_taken_out_to_seed_a_picture_comes_back_from_it() {
    let (topology, key) = (example(), requests(&example()));
    let mut baseline = Baseline::new("orders".into(), start());
    baseline.absorb(&good(&topology, start()));
    let whole = baseline.clone();
    let later = start() + SignedDuration::from_hours(1);
    let mut seeded = baseline.take_snapshot(later).unwrap();
    assert!(seeded.regions[0].services[&api()].reading().unwrap().saved);
    assert!(baseline.regions.is_empty() && baseline.dns.is_none(), "it lies in memory once");
    assert_eq!(baseline.peaks, whole.peaks);
    let region = std::sync::Arc::make_mut(&mut seeded.regions[0]);
    region.identity.fail(error("no answer", later));
    region.metrics.get_mut(&key).unwrap().fail(error("no answer", later));
    baseline.absorb(&seeded);
    assert_eq!(baseline.regions, whole.regions, "with its own times, no longer marked, and without errors");
    assert_eq!(baseline.dns, whole.dns);
    assert_eq!(baseline.peaks, whole.peaks, "a saved reading is no peak of today");
}

#[test]
fn saved_values_are_not_saved_again_as_new() {
    let topology = example();
    let mut baseline = Baseline::new("orders".into(), start());
    baseline.absorb(&good(&topology, start()));
    let later = start() + SignedDuration::from_hours(30);
    let seeded = snapshot(&topology, later, |region| *region = baseline.region(&us()).unwrap());
    let before = baseline.peaks.clone();
    baseline.absorb(&seeded);
    assert_eq!(baseline.peaks, before, "a saved reading is no peak of today");
    let known = &baseline.regions[0].services[&api()];
    assert_eq!(known.as_of(), Some(start()));
}

#[test]
fn gaps_of_an_observation_are_filled_and_errors_stay_beside() {
    let topology = example();
    let mut baseline = Baseline::new("orders".into(), start());
    baseline.absorb(&good(&topology, start()));
    let later = start() + SignedDuration::from_mins(10);
    let dark = snapshot(&topology, later, |region| {
        region.services.get_mut(&api()).unwrap().fail(error("no answer", later));
        let topic = region.topics.values_mut().next().unwrap();
        topic.succeed(TopicState { subscriptions: 1, pending: 0 }, later);
    });
    let filled = baseline.fill(dark);
    let region = filled.region(&us()).unwrap();
    let services = &region.services[&api()];
    assert_eq!(services.reading().map(|reading| reading.saved), Some(true));
    assert_eq!(services.error().map(|error| error.kind), Some(ErrorKind::TimedOut));
    assert_eq!(region.topics.values().next().unwrap().reading().map(|reading| reading.saved), Some(false));
}

#[test]
fn peaks_are_kept_by_day_for_fourteen_days() {
    let topology = example();
    let mut baseline = Baseline::new("orders".into(), start());
    for day in 0..20 {
        let now = start() + SignedDuration::from_hours(24 * day) + SignedDuration::from_hours(2);
        baseline.absorb(&snapshot(&topology, now, |region| {
            let count = 10 - day as i32 % 10;
            region.services.get_mut(&api()).unwrap().succeed(service(count, count - 1), now);
            let point = Point { at: now - SignedDuration::from_mins(2), value: 6_000.0 - day as f64 * 60.0 };
            region.metrics.get_mut(&requests(&topology)).unwrap().succeed(Series::new([point]), now);
        }));
    }
    let days = &baseline.peaks[&us()];
    assert_eq!(days.len(), baseline::PEAK_DAYS);
    let none = BTreeSet::new();
    assert_eq!(baseline.peak_requests(&us(), &none), Some(94.0), "the busiest of the days that are kept");
    assert_eq!(baseline.peak_tasks(&us(), &api(), &none), Some(10));
    // Days on which it carried another region's users tell nothing of its own.
    let busy = |day: &DayPeak| day.requests_per_s > 90.0 || day.services[0].desired > 7;
    let lent: BTreeSet<_> = days.iter().filter(|(_, day)| busy(day)).map(|(day, _)| *day).collect();
    assert_eq!(baseline.peak_tasks(&us(), &api(), &lent), Some(7));
    assert!(baseline.peak_requests(&us(), &lent) <= Some(90.0));
    let all: BTreeSet<_> = days.keys().copied().collect();
    assert_eq!(baseline.peak_tasks(&us(), &api(), &all), None, "what is not known is no zero");
    let last = days.values().last().unwrap();
    assert_eq!((last.services[0].desired, last.services[0].running), (1, 0));
}

#[test]
fn a_peak_adds_all_load_balancers_of_a_minute() {
    let mut topology = example();
    let mut second = topology.regions[0].load_balancers[0].clone();
    second.arn = Arn::new("arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/1111");
    topology.regions[0].load_balancers.push(second);
    let mut baseline = Baseline::new("orders".into(), start());
    baseline.absorb(&snapshot(&topology, start(), |region| {
        for (key, series) in &mut region.metrics {
            if key.metric == Metric::AlbRequests {
                let point = Point { at: start() - SignedDuration::from_mins(1), value: 60.0 };
                series.succeed(Series::new([point]), start());
            }
        }
    }));
    assert_eq!(baseline.peak_requests(&us(), &BTreeSet::new()), Some(2.0));
}

#[test]
fn what_left_the_topology_is_forgotten() {
    let topology = example();
    let mut baseline = Baseline::new("orders".into(), start());
    baseline.absorb(&good(&topology, start()));
    let mut smaller = topology.clone();
    smaller.regions[0].services.clear();
    smaller.regions[0].load_balancers.clear();
    smaller.records.clear();
    smaller.tables.clear();
    // Whether the rest answers or not.
    let later = start() + SignedDuration::from_mins(10);
    for change in [
        |_: &mut RegionSnapshot| {},
        |region: &mut RegionSnapshot| {
            for topic in region.topics.values_mut() {
                topic.succeed(TopicState { subscriptions: 1, pending: 0 }, start());
            }
        },
    ] {
        let mut baseline = baseline.clone();
        baseline.absorb(&snapshot(&smaller, later, change));
        let known = baseline.region(&us()).unwrap();
        let skeleton = RegionSnapshot::skeleton(&smaller, &us());
        let keys = |region: &RegionSnapshot| {
            (
                region.services.keys().cloned().collect::<Vec<_>>(),
                region.load_balancers.keys().cloned().collect::<Vec<_>>(),
                region.tables.keys().cloned().collect::<Vec<_>>(),
                region.metrics.keys().cloned().collect::<Vec<_>>(),
                region.topics.keys().cloned().collect::<Vec<_>>(),
                region.probes.len(),
            )
        };
        assert_eq!(keys(&known), keys(&skeleton));
        assert!(!known.topics.is_empty() && known.identity.value().is_some(), "what is left is kept");
        let dns = baseline.dns().unwrap();
        assert!(dns.health_checks.is_empty() && dns.metrics.is_empty());
        let peaks = baseline.peaks[&us()].values();
        assert!(peaks.clone().all(|day| day.services.is_empty()), "{peaks:?}");
    }
}

#[test]
fn a_damaged_file_is_named_and_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.json");
    let other = serde_json::to_string(&Baseline::new("shop".into(), start())).unwrap();
    let newer = other.replace("baseline/1", "baseline/2").replace("shop", "orders");
    for (text, reason) in
        [("{", "EOF"), ("", "EOF"), (other.as_str(), "shop"), (newer.as_str(), "baseline/2")]
    {
        std::fs::write(&file, text).unwrap();
        let loaded = baseline::load(&file, "orders");
        assert!(loaded.baseline.is_none());
        let warning = loaded.warning.unwrap().to_string();
        assert!(warning.contains("orders.json") && warning.contains(reason), "{warning}");
        assert!(!file.exists());
        assert_eq!(std::fs::read_to_string(folder.path().join("orders.json.damaged")).unwrap(), text);
    }
    let loaded = baseline::load(&file, "orders");
    assert!(loaded.baseline.is_none() && loaded.warning.is_none(), "none yet is nothing to warn of");
}
