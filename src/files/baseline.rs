//! The last known good: what was read last, and the peaks of the last fourteen days.
//!
//! What it is for: a console that starts with a region, or us-east-1, dark, still shows what was known and
//! how old it is; and capacity planning that knows what a busy day needs.
//! What it must not do: present a saved value as a present one: whatever is loaded is marked as saved.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::atomic::{self, Existing};
use crate::domain::ids::{Region, ServiceKey};
use crate::domain::metric::{Metric, Series};
use crate::domain::observation::{Observed, Reading};
use crate::domain::shared::Shared;
use crate::domain::snapshot::{DnsSnapshot, FleetSnapshot, ProbeTarget, RegionSnapshot};
use crate::domain::text::Text;

/// The format that this program reads and writes.
pub const SCHEMA: &str = "switchtower.baseline/1";

/// How many days of peaks are kept.
pub const PEAK_DAYS: usize = 14;

/// Everything that is kept of one application between sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    schema: String,
    /// The application, as its topology names it.
    pub application: Text,
    /// When it was saved last.
    pub saved_at: Timestamp,
    /// The last good answers of each region; of each series only the newest point.
    pub regions: Vec<RegionSnapshot>,
    /// The last good answers of Route 53.
    pub dns: Option<DnsSnapshot>,
    /// Peaks of each region, by UTC day.
    pub peaks: BTreeMap<Region, BTreeMap<Date, DayPeak>>,
}

/// The most that one region carried on one day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DayPeak {
    /// Requests a second over all load balancers, the busiest minute.
    pub requests_per_s: f64,
    /// Each service's most wanted and most running tasks.
    pub services: Vec<ServicePeak>,
}

/// The most of one service on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePeak {
    /// Cluster and name.
    pub service: ServiceKey,
    /// Wanted tasks.
    pub desired: i32,
    /// Running tasks.
    pub running: i32,
}

/// The answers of one kind of question.
type Answers<K, T> = Shared<BTreeMap<K, Observed<T>>>;

/// What a saved file brought.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The baseline, if there was a usable one.
    pub baseline: Option<Baseline>,
    /// What to tell the operator, when there was one that could not be used.
    pub warning: Option<Text>,
}

/// Reads the baseline of `application` at `path`. A file that cannot be used is moved aside, so that it
/// is neither lost nor met again; nothing here is fatal.
pub fn load(path: &Path, application: &str) -> Loaded {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Loaded::default(),
        Err(error) => return Loaded { baseline: None, warning: Some(unreadable(path, &error)) },
    };
    match decode(file, application) {
        Ok(baseline) => Loaded { baseline: Some(baseline), warning: None },
        Err(Unusable::Unread(error)) => Loaded { baseline: None, warning: Some(unreadable(path, &error)) },
        Err(Unusable::Wrong(reason)) => {
            let mut aside = path.as_os_str().to_owned();
            aside.push(".damaged");
            let moved = match std::fs::rename(path, &aside) {
                Ok(()) => format!("moved to {}", Path::new(&aside).display()),
                Err(error) => format!("it could not be moved aside: {error}"),
            };
            let words = format!("the saved baseline {} is not usable: {reason}; {moved}", path.display());
            Loaded { baseline: None, warning: Some(words.into()) }
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Text {
    format!("the saved baseline {} cannot be read: {error}", path.display()).into()
}

/// Why a file brings no baseline.
enum Unusable {
    /// The disk says so.
    Unread(io::Error),
    /// It holds something else.
    Wrong(String),
}

impl From<serde_json::Error> for Unusable {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { Self::Unread(error.into()) } else { Self::Wrong(error.to_string()) }
    }
}

/// Reads piece by piece: the file of a large fleet has megabytes, and is needed as text only once.
fn decode(mut file: File, application: &str) -> Result<Baseline, Unusable> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let head: Head = serde_json::from_reader(BufReader::new(&file))?;
    if head.schema != SCHEMA {
        return Err(Unusable::Wrong(format!("its format is {:?}, not {SCHEMA}", head.schema)));
    }
    file.rewind().map_err(Unusable::Unread)?;
    let baseline: Baseline = serde_json::from_reader(BufReader::new(&file))?;
    if baseline.application.as_str() != application {
        return Err(Unusable::Wrong(format!("it is of the application {:?}", baseline.application)));
    }
    Ok(baseline)
}

impl Baseline {
    /// Nothing known yet.
    pub fn new(application: Text, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            application,
            saved_at: now,
            regions: Vec::new(),
            dns: None,
            peaks: BTreeMap::new(),
        }
    }

    /// Takes over every good reading of `snapshot`; one that is itself a saved one only where nothing is known. What
    /// failed or was not asked keeps its earlier reading; what the snapshot no longer names is forgotten.
    pub fn absorb(&mut self, snapshot: &FleetSnapshot) {
        self.saved_at = snapshot.now;
        let mut earlier = std::mem::take(&mut self.regions);
        for region in &snapshot.regions {
            let known = earlier.iter().position(|known| known.region == region.region);
            let known = known.map(|index| earlier.swap_remove(index));
            self.regions.push(merge_region(known, region));
            self.note_peaks(region, snapshot.now);
        }
        self.dns = Some(merge_dns(self.dns.take(), &snapshot.dns));
        self.peaks.retain(|region, _| snapshot.regions.iter().any(|known| &known.region == region));
    }

    /// Writes to `path`; mode 0600, whole or not at all.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        atomic::write_with(path, Existing::Replace, |file| {
            serde_json::to_writer(file, self).map_err(io::Error::other)
        })
    }

    /// The saved answers of a region, each marked as saved.
    pub fn region(&self, region: &Region) -> Option<RegionSnapshot> {
        let mut known = self.regions.iter().find(|known| &known.region == region)?.clone();
        mark_region(&mut known);
        Some(known)
    }

    /// The saved answers of Route 53, each marked as saved.
    pub fn dns(&self) -> Option<DnsSnapshot> {
        let mut known = self.dns.clone()?;
        mark_dns(&mut known);
        Some(known)
    }

    /// Everything saved as a snapshot of its own, marked as saved; `now` is the moment of ages.
    pub fn snapshot(&self, now: Timestamp) -> Option<FleetSnapshot> {
        self.clone().take_snapshot(now)
    }

    /// The same, taken out: the answers then live in the snapshot only, which gives back through
    /// [`Self::absorb`] those that nothing newer has replaced.
    pub fn take_snapshot(&mut self, now: Timestamp) -> Option<FleetSnapshot> {
        let mut dns = self.dns.take()?;
        mark_dns(&mut dns);
        let regions = std::mem::take(&mut self.regions).into_iter().map(|mut known| {
            mark_region(&mut known);
            Arc::new(known)
        });
        Some(FleetSnapshot {
            now,
            regions: regions.collect(),
            dns: Arc::new(dns),
            usage: crate::domain::snapshot::Usage::default(),
            pins: Arc::default(),
        })
    }

    /// `snapshot` with the saved reading, marked as such, wherever nothing was read; the error stays beside it.
    pub fn fill(&self, mut snapshot: FleetSnapshot) -> FleetSnapshot {
        for region in &mut snapshot.regions {
            if let Some(known) = self.region(&region.region) {
                fill_region(Arc::make_mut(region), &known);
            }
        }
        if let Some(known) = self.dns() {
            fill_dns(Arc::make_mut(&mut snapshot.dns), &known);
        }
        snapshot
    }

    /// The busiest minute of the kept days, requests a second, those `but` left out on which it carried another region's
    /// users.
    pub fn peak_requests(&self, region: &Region, but: &BTreeSet<Date>) -> Option<f64> {
        self.days(region, but).map(|day| day.requests_per_s).max_by(f64::total_cmp)
    }

    /// Tasks that a service wanted at most in the last fourteen days, those `but` left out on which it carried another
    /// region's users.
    pub fn peak_tasks(&self, region: &Region, service: &ServiceKey, but: &BTreeSet<Date>) -> Option<i32> {
        let of_day = |day: &DayPeak| {
            day.services.iter().find(|peak| &peak.service == service).map(|peak| peak.desired)
        };
        self.days(region, but).filter_map(of_day).max()
    }

    fn days<'b>(&'b self, region: &Region, but: &'b BTreeSet<Date>) -> impl Iterator<Item = &'b DayPeak> {
        let days = self.peaks.get(region).into_iter().flatten();
        days.filter(|(day, _)| !but.contains(*day)).map(|(_, peak)| peak)
    }

    fn note_peaks(&mut self, region: &RegionSnapshot, now: Timestamp) {
        let days = self.peaks.entry(region.region.clone()).or_default();
        let mut minutes: BTreeMap<Timestamp, f64> = BTreeMap::new();
        for (key, series) in &region.metrics {
            let Some(reading) = series.reading().filter(|reading| !reading.saved) else { continue };
            if key.metric == Metric::AlbRequests {
                for point in reading.value.points() {
                    *minutes.entry(point.at).or_default() += point.value / 60.0;
                }
            }
        }
        for (minute, requests) in minutes {
            let peak = &mut days.entry(day_of(minute)).or_default().requests_per_s;
            *peak = peak.max(requests);
        }
        for (key, observed) in &region.services {
            let Some(reading) = observed.reading().filter(|reading| !reading.saved) else { continue };
            let services = &mut days.entry(day_of(reading.as_of)).or_default().services;
            let (desired, running) = (reading.value.desired, reading.value.running);
            match services.iter_mut().find(|peak| &peak.service == key) {
                Some(peak) => {
                    peak.desired = peak.desired.max(desired);
                    peak.running = peak.running.max(running);
                }
                None => services.push(ServicePeak { service: key.clone(), desired, running }),
            }
        }
        for day in days.values_mut() {
            day.services.retain(|peak| region.services.contains_key(&peak.service));
        }
        let oldest = day_of(now - SignedDuration::from_hours(24 * (PEAK_DAYS as i64 - 1)));
        days.retain(|day, _| *day >= oldest);
    }
}

fn day_of(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}

fn merge_region(known: Option<RegionSnapshot>, new: &RegionSnapshot) -> RegionSnapshot {
    let Some(mut known) = known else {
        let mut first = new.clone();
        visit_region(&mut first, &mut Strip);
        return first;
    };
    keep(&mut known.identity, &new.identity);
    keep_all(&mut known.load_balancers, &new.load_balancers);
    keep_all(&mut known.target_groups, &new.target_groups);
    keep_all(&mut known.services, &new.services);
    keep_all(&mut known.scaling, &new.scaling);
    keep_all(&mut known.tables, &new.tables);
    keep_all(&mut known.global_clusters, &new.global_clusters);
    keep_all(&mut known.db_clusters, &new.db_clusters);
    keep_all(&mut known.buckets, &new.buckets);
    keep_all(&mut known.alarms, &new.alarms);
    keep_all(&mut known.topics, &new.topics);
    keep_series(&mut known.metrics, &new.metrics);
    keep_probes(&mut known.probes, &new.probes);
    known
}

fn merge_dns(known: Option<DnsSnapshot>, new: &DnsSnapshot) -> DnsSnapshot {
    let Some(mut known) = known else {
        let mut first = new.clone();
        visit_dns(&mut first, &mut Strip);
        return first;
    };
    keep(&mut known.identity, &new.identity);
    keep_all(&mut known.records, &new.records);
    keep_all(&mut known.health_checks, &new.health_checks);
    keep_all(&mut known.checkers, &new.checkers);
    keep_all(&mut known.last_failures, &new.last_failures);
    keep_all(&mut known.alarms, &new.alarms);
    keep_all(&mut known.topics, &new.topics);
    keep_series(&mut known.metrics, &new.metrics);
    match (&mut known.control, &new.control) {
        (Some(known), Some(new)) if known.url == new.url => keep(&mut known.result, &new.result),
        (known, new) => {
            known.clone_from(new);
            if let Some(control) = known {
                Strip.each(&mut control.result);
            }
        }
    }
    known
}

/// True when there is nothing to leave out of a value: a present reading, without an error.
fn is_good<T>(observed: &Observed<T>) -> bool {
    observed.error().is_none() && observed.reading().is_some_and(|reading| !reading.saved)
}

/// A good new reading replaces the known one, a saved one only none at all; errors are never kept.
fn keep<T: Clone>(known: &mut Observed<T>, new: &Observed<T>) {
    if let Some(reading) = new.reading().filter(|reading| !reading.saved || known.value().is_none()) {
        let reading = Reading { saved: false, ..reading.clone() };
        *known = Observed::from_parts(new.source().clone(), Some(reading), None);
    }
}

/// The same for each entry. A snapshot names everything that its topology names, asked or not: what it does not
/// name is no part of the application any more, and is forgotten.
/// Where all is well, as it mostly is, the snapshot's own map is kept, and lies in memory once.
fn keep_all<K: Ord + Clone, T: Clone>(known: &mut Answers<K, T>, new: &Answers<K, T>) {
    if known.is(new) || new.values().all(is_good) {
        *known = new.clone();
        return;
    }
    let known = &mut **known;
    known.retain(|key, _| new.contains_key(key));
    for (key, observed) in new {
        let empty = || Observed::pending(observed.source().clone());
        keep(known.entry(key.clone()).or_insert_with(empty), observed);
    }
}

/// Series keep their newest point. A window without any says only that nothing newer came.
fn keep_series<K: Ord + Clone>(known: &mut Answers<K, Series>, new: &Answers<K, Series>) {
    let known = &mut **known;
    known.retain(|key, _| new.contains_key(key));
    for (key, observed) in new {
        let known = known.entry(key.clone()).or_insert_with(|| Observed::pending(observed.source().clone()));
        let Some(reading) = observed.reading() else { continue };
        if reading.saved && known.value().is_some() {
            continue;
        }
        let newest = reading.value.last().or_else(|| known.value().and_then(Series::last));
        let reading = Reading { value: Series::new(newest), as_of: reading.as_of, saved: false };
        *known = Observed::from_parts(observed.source().clone(), Some(reading), None);
    }
}

fn keep_probes(known: &mut Vec<ProbeTarget>, new: &[ProbeTarget]) {
    let merged = new.iter().map(|target| {
        let same = |known: &&ProbeTarget| known.url == target.url && known.via == target.via;
        let mut kept = known.iter().find(same).cloned().unwrap_or_else(|| ProbeTarget {
            url: target.url.clone(),
            via: target.via.clone(),
            result: Observed::pending(target.result.source().clone()),
        });
        keep(&mut kept.result, &target.result);
        kept
    });
    *known = merged.collect();
}

fn fill_region(new: &mut RegionSnapshot, known: &RegionSnapshot) {
    fill(&mut new.identity, Some(&known.identity));
    fill_all(&mut new.load_balancers, &known.load_balancers);
    fill_all(&mut new.target_groups, &known.target_groups);
    fill_all(&mut new.services, &known.services);
    fill_all(&mut new.scaling, &known.scaling);
    fill_all(&mut new.tables, &known.tables);
    fill_all(&mut new.global_clusters, &known.global_clusters);
    fill_all(&mut new.db_clusters, &known.db_clusters);
    fill_all(&mut new.buckets, &known.buckets);
    fill_all(&mut new.alarms, &known.alarms);
    fill_all(&mut new.topics, &known.topics);
    fill_all(&mut new.metrics, &known.metrics);
    for target in &mut new.probes {
        let same = |known: &&ProbeTarget| known.url == target.url && known.via == target.via;
        fill(&mut target.result, known.probes.iter().find(same).map(|known| &known.result));
    }
}

fn fill_dns(new: &mut DnsSnapshot, known: &DnsSnapshot) {
    fill(&mut new.identity, Some(&known.identity));
    fill_all(&mut new.records, &known.records);
    fill_all(&mut new.health_checks, &known.health_checks);
    fill_all(&mut new.checkers, &known.checkers);
    fill_all(&mut new.last_failures, &known.last_failures);
    fill_all(&mut new.alarms, &known.alarms);
    fill_all(&mut new.topics, &known.topics);
    fill_all(&mut new.metrics, &known.metrics);
    if let Some(target) = &mut new.control {
        let known = known.control.as_ref().filter(|known| known.url == target.url);
        fill(&mut target.result, known.map(|known| &known.result));
    }
}

fn fill_all<K: Ord + Clone, T: Clone>(new: &mut Answers<K, T>, known: &Answers<K, T>) {
    if new.values().all(|observed| observed.reading().is_some()) {
        return;
    }
    for (key, observed) in new {
        fill(observed, known.get(key));
    }
}

fn fill<T: Clone>(new: &mut Observed<T>, known: Option<&Observed<T>>) {
    if let (None, Some(reading)) = (new.reading(), known.and_then(Observed::reading)) {
        *new = Observed::from_parts(new.source().clone(), Some(reading.clone()), new.error().cloned());
    }
}

/// Something done to every observed value.
trait Visit {
    fn each<T: Clone>(&mut self, observed: &mut Observed<T>);

    fn all<K: Ord + Clone, T: Clone>(&mut self, map: &mut Answers<K, T>) {
        map.values_mut().for_each(|observed| self.each(observed));
    }

    fn series<K: Ord + Clone>(&mut self, map: &mut Answers<K, Series>) {
        self.all(map);
    }
}

/// Leaves readings only, and of series the newest point.
struct Strip;

impl Visit for Strip {
    fn each<T: Clone>(&mut self, observed: &mut Observed<T>) {
        if !is_good(observed) {
            let good = observed.reading().map(|reading| Reading { saved: false, ..reading.clone() });
            *observed = Observed::from_parts(observed.source().clone(), good, None);
        }
    }

    fn all<K: Ord + Clone, T: Clone>(&mut self, map: &mut Answers<K, T>) {
        if !map.values().all(is_good) {
            map.values_mut().for_each(|observed| self.each(observed));
        }
    }

    fn series<K: Ord + Clone>(&mut self, map: &mut Answers<K, Series>) {
        for observed in map.values_mut() {
            self.each(observed);
            if observed.value().is_some() {
                *observed = observed.map(|series| Series::new(series.last()));
            }
        }
    }
}

/// Marks readings as saved.
struct Mark;

impl Visit for Mark {
    fn each<T: Clone>(&mut self, observed: &mut Observed<T>) {
        observed.set_saved();
    }
}

fn mark_region(region: &mut RegionSnapshot) {
    visit_region(region, &mut Mark);
}

fn mark_dns(dns: &mut DnsSnapshot) {
    visit_dns(dns, &mut Mark);
}

fn visit_region(region: &mut RegionSnapshot, visit: &mut impl Visit) {
    visit.each(&mut region.identity);
    visit.all(&mut region.load_balancers);
    visit.all(&mut region.target_groups);
    visit.all(&mut region.services);
    visit.all(&mut region.scaling);
    visit.all(&mut region.tables);
    visit.all(&mut region.global_clusters);
    visit.all(&mut region.db_clusters);
    visit.all(&mut region.buckets);
    visit.all(&mut region.alarms);
    visit.all(&mut region.topics);
    visit.series(&mut region.metrics);
    region.probes.iter_mut().for_each(|target| visit.each(&mut target.result));
}

fn visit_dns(dns: &mut DnsSnapshot, visit: &mut impl Visit) {
    visit.each(&mut dns.identity);
    visit.all(&mut dns.records);
    visit.all(&mut dns.health_checks);
    visit.all(&mut dns.checkers);
    visit.all(&mut dns.last_failures);
    visit.all(&mut dns.alarms);
    visit.all(&mut dns.topics);
    visit.series(&mut dns.metrics);
    if let Some(control) = &mut dns.control {
        visit.each(&mut control.result);
    }
}
