//! Load balancers: rates and error shares from CloudWatch, targets from DescribeTargetHealth.

use jiff::Timestamp;

use super::reading::{LATE, Metrics, absent, entry, never_asked, no_data, older, unread};
use super::{AlbRow, HISTORY_MINUTES, History};
use crate::domain::ids::{Arn, Region};
use crate::domain::metric::{Metric, PERIOD, Series, floor_minute};
use crate::domain::observation::{ErrorKind, Observed, ProbeError, Reading, SourceKind};
use crate::domain::snapshot::{FleetSnapshot, RegionSnapshot, Target};
use crate::domain::topology::{LoadBalancer, LoadBalancerKind, Topology};

/// Rows of `region`, in the order of the topology.
pub fn alb(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<AlbRow> {
    let (Some(entry), Some(observed)) = (topology.region(region), snapshot.region(region)) else {
        return Vec::new();
    };
    entry.load_balancers.iter().map(|lb| row(lb, observed)).collect()
}

fn row(lb: &LoadBalancer, observed: &RegionSnapshot) -> AlbRow {
    let region = &observed.region;
    let metrics = Metrics(&observed.metrics);
    let groups: Vec<(Arn, Observed<Vec<Target>>)> = lb
        .target_groups
        .iter()
        .map(|arn| {
            let targets = entry(
                &observed.target_groups,
                arn,
                SourceKind::Targets,
                "elbv2:DescribeTargetHealth",
                region,
            );
            (arn.clone(), targets)
        })
        .collect();
    let (requests, errors) = match (lb.kind, lb.arn.elb_dimension()) {
        (LoadBalancerKind::Application, Some(dimension)) => {
            let traffic = Traffic::of(&metrics, dimension, &lb.target_groups, region);
            (traffic.requests_per_s(), traffic.error_percent())
        }
        _ => (unpublished(region), unpublished(region)),
    };
    let dimension = [lb.arn.elb_dimension().unwrap_or_default()];
    let (p99, p99_history) = if lb.kind == LoadBalancerKind::Application {
        (
            metrics
                .latest(Metric::AlbP99, &dimension, region, "no response times: no requests reached a target")
                .map(|seconds| seconds * 1_000.0),
            metrics.history(Metric::AlbP99, &dimension).scaled(1_000.0),
        )
    } else {
        unpublished(region)
    };
    AlbRow {
        name: lb.name.clone(),
        arn: lb.arn.clone(),
        kind: lb.kind,
        state: entry(
            &observed.load_balancers,
            &lb.arn,
            SourceKind::Targets,
            "elbv2:DescribeLoadBalancers",
            region,
        )
        .map(|state| state.state.clone()),
        requests_per_s: requests.0,
        error_5xx_percent: errors.0,
        p99_ms: p99,
        healthy_targets: count(&groups, region, |target| target.state.as_str() == "healthy"),
        targets: count(&groups, region, |_| true),
        groups: groups.iter().map(|(arn, targets)| (group_name(arn), targets.clone())).collect(),
        histories_end: metrics
            .get(Metric::AlbRequests, &dimension)
            .and_then(Observed::reading)
            .filter(|window| !window.saved)
            .map(|window| floor_minute(window.as_of)),
        requests_history: requests.1,
        error_history: errors.1,
        p99_history,
    }
}

/// `targetgroup/NAME/HASH` without its frame.
fn group_name(arn: &Arn) -> crate::domain::text::Text {
    let dimension = arn.elb_dimension().unwrap_or(arn.as_str());
    dimension.split('/').nth(1).unwrap_or(dimension).into()
}

fn unpublished(region: &Region) -> (Observed<f64>, History) {
    let pending: Observed<f64> = unread(Metric::AlbRequests, region);
    let error = absent(
        pending.source(),
        ErrorKind::NotConfigured,
        Timestamp::UNIX_EPOCH,
        "network load balancers publish no request metrics",
    );
    (Observed::failed(pending.source().clone(), error), History::unknown())
}

/// Targets over all groups. One group that was never read leaves the sum unknown: a part is no whole.
fn count(
    groups: &[(Arn, Observed<Vec<Target>>)],
    region: &Region,
    wanted: impl Fn(&Target) -> bool,
) -> Observed<u32> {
    let pending: Observed<u32> = never_asked(SourceKind::Targets, "elbv2:DescribeTargetHealth", Some(region));
    let source = pending.source().clone();
    let error = groups.iter().find_map(|(_, targets)| targets.error().cloned());
    let mut sum: Option<Reading<u32>> = None;
    for (_, targets) in groups {
        let Some(reading) = targets.reading() else { return Observed::from_parts(source, None, error) };
        let found = reading.value.iter().filter(|target| wanted(target)).count() as u32;
        sum = Some(match sum {
            None => Reading { value: found, as_of: reading.as_of, saved: reading.saved },
            Some(sum) => Reading {
                value: sum.value + found,
                as_of: older(sum.as_of, reading.as_of),
                saved: sum.saved || reading.saved,
            },
        });
    }
    Observed::from_parts(source, sum, error)
}

/// The three counts of one load balancer and the proof that its metrics flow.
struct Traffic<'a> {
    requests: Option<&'a Observed<Series>>,
    elb_5xx: Option<&'a Observed<Series>>,
    target_5xx: Option<&'a Observed<Series>>,
    /// A sibling that is reported whenever targets are registered has a recent point.
    siblings: Vec<&'a Series>,
    pending: Observed<f64>,
}

impl<'a> Traffic<'a> {
    fn of(metrics: &Metrics<'a>, dimension: &str, groups: &[Arn], region: &Region) -> Self {
        let get = |metric| metrics.get(metric, &[dimension]);
        let siblings = groups
            .iter()
            .filter_map(Arn::elb_dimension)
            .filter_map(|group| metrics.get(Metric::AlbHealthyHosts, &[dimension, group]))
            .filter_map(Observed::value)
            .collect();
        Self {
            requests: get(Metric::AlbRequests),
            elb_5xx: get(Metric::AlbElb5xx),
            target_5xx: get(Metric::AlbTarget5xx),
            siblings,
            pending: unread(Metric::AlbRequests, region),
        }
    }

    /// Whether CloudWatch's pipeline was alive in that minute, shown by a metric that is always reported.
    fn alive(&self, minute: Timestamp) -> bool {
        self.siblings.iter().any(|series| series.at(minute).is_some())
            || Self::series(self.requests).is_some_and(|series| series.at(minute).is_some())
    }

    fn series(series: Option<&'a Observed<Series>>) -> Option<&'a Series> {
        series.and_then(Observed::value)
    }

    /// One of the "reported when non-zero" counts: a gap is zero only while the pipeline is proven alive.
    fn count(&self, series: Option<&'a Observed<Series>>, minute: Timestamp) -> Option<f64> {
        let series = Self::series(series)?;
        series.at(minute).or_else(|| self.alive(minute).then_some(0.0))
    }

    /// Requests of a minute. None registered, none counted: then 5XX of the load balancer itself, or the
    /// health of targets, still prove that the count was zero.
    fn requests_in(&self, minute: Timestamp) -> Option<f64> {
        let series = Self::series(self.requests)?;
        let refused = Self::series(self.elb_5xx).and_then(|series| series.at(minute)).is_some();
        series.at(minute).or_else(|| (refused || self.alive(minute)).then_some(0.0))
    }

    fn error_percent_in(&self, minute: Timestamp) -> Option<f64> {
        let requests = self.requests_in(minute)?;
        let elb = Self::series(self.elb_5xx)?.at(minute).or_else(|| self.alive(minute).then_some(0.0))?;
        let target = self.count(self.target_5xx, minute).or((elb > 0.0).then_some(0.0))?;
        let all = requests + elb;
        (all > 0.0).then(|| (100.0 * (elb + target) / all).min(100.0))
    }

    /// The newest minute of the window, at most [`LATE`] behind its end, for which `value` is known.
    fn newest<T>(&self, value: impl Fn(Timestamp) -> Option<T>) -> Option<(Timestamp, T)> {
        let end = floor_minute(self.requests?.as_of()?);
        let minutes = LATE.as_mins();
        (1..=minutes).find_map(|back| {
            let minute = end - jiff::SignedDuration::from_mins(back);
            value(minute).map(|value| (minute, value))
        })
    }

    fn observed(&self, value: impl Fn(Timestamp) -> Option<f64>, missing: &str) -> Observed<f64> {
        let source = self.pending.source().clone();
        let error = [self.requests, self.elb_5xx, self.target_5xx]
            .into_iter()
            .flatten()
            .find_map(|series| series.error().cloned());
        let Some(window) = self.requests.and_then(Observed::reading) else {
            return Observed::from_parts(source, None, error);
        };
        let reading = self.newest(value).map(|(minute, value)| Reading {
            value,
            as_of: minute + PERIOD,
            saved: window.saved,
        });
        let error: Option<ProbeError> = match (&reading, error) {
            (_, Some(error)) => Some(error),
            (None, None) => Some(no_data(&source, window.as_of, missing)),
            (Some(_), None) => None,
        };
        Observed::from_parts(source, reading, error)
    }

    fn history(&self, value: impl Fn(Timestamp) -> Option<f64>) -> History {
        let Some(end) = self.requests.and_then(Observed::as_of).map(floor_minute) else {
            return History::unknown();
        };
        (1..=HISTORY_MINUTES as i64)
            .rev()
            .map(|back| value(end - jiff::SignedDuration::from_mins(back)))
            .collect()
    }

    fn requests_per_s(&self) -> (Observed<f64>, History) {
        let per_second = |minute| self.requests_in(minute).map(|count| count / 60.0);
        (
            self.observed(per_second, "no request counts, and nothing proves that metrics flow"),
            self.history(per_second),
        )
    }

    fn error_percent(&self) -> (Observed<f64>, History) {
        let percent = |minute| self.error_percent_in(minute);
        let no_traffic = self.newest(|minute| self.requests_in(minute)).is_some();
        let missing =
            if no_traffic { "no traffic" } else { "no request counts, and nothing proves that metrics flow" };
        (self.observed(percent, missing), self.history(percent))
    }
}
