//! Metrics that runbooks are judged by: lag, traffic and errors of whole regions, and the switch metric.
//!
//! What it is for: the newest complete minutes, with the time that each number holds for.
//! What it must not do: take a gap for zero where nothing proves that metrics flow.

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{Dimension, ScanBy};
use jiff::{SignedDuration, Timestamp};

use super::Acting;
use super::observe::Seen;
use crate::cloud::cloudwatch::GET_METRIC_DATA;
use crate::cloud::time::date_time;
use crate::cloud::{Place, Window};
use crate::domain::ids::{DbClusterId, Region};
use crate::domain::metric::{Metric, PERIOD, Series, SeriesKey, floor_minute};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::topology::LoadBalancerKind;
use crate::runbook::Known;

/// How far back numbers are looked for.
const BACK: i64 = 15;

/// Minutes that are told of a region's requests.
const TOLD: usize = 10;

/// A value that is older than this tells nothing about a region.
const LATE: i64 = 5;

/// How far back the last value of a switch metric is looked for: points of a minute are kept for fifteen days.
const SWITCH_BACK: [SignedDuration; 2] = [SignedDuration::from_hours(3), SignedDuration::from_hours(14 * 24)];

/// Differences of clocks below this are the way of an answer.
const SKEW: SignedDuration = SignedDuration::from_secs(20);

/// A series as CloudWatch told it.
type Told = Result<Series, ProbeError>;

impl Acting {
    /// The time at AWS, where our clock is off by more than a call takes.
    pub(super) fn aws_now(&self) -> Timestamp {
        let ahead = self.cloud.clock_ahead();
        let now = self.cloud.clock().now();
        if ahead.abs() > SKEW { now + ahead } else { now }
    }

    /// The end of the newest minute that is likely to be complete: AWS still fills the one after it.
    fn complete(&self) -> Timestamp {
        floor_minute(self.aws_now()) - PERIOD
    }

    async fn series(&self, place: &Place, keys: &[SeriesKey]) -> HashMap<SeriesKey, Told> {
        let end = self.complete();
        let window = Window { start: end - SignedDuration::from_mins(BACK), end, period: 60 };
        let told = place.metric_data(keys, window).await;
        told.into_iter().map(|(key, points)| (key, points.map(Series::new))).collect()
    }

    /// The last lag of a secondary, with the end of its minute. The newest bucket counts too: of a lag that
    /// grows, the youngest number matters most.
    pub(super) async fn rpo_lag(&self, region: &Region, cluster: &DbClusterId) -> Result<Seen, ProbeError> {
        let place = self.cloud.at(region);
        let key = SeriesKey::new(Metric::AuroraRpoLag, &[cluster.as_str()]);
        let end = self.complete() + PERIOD;
        let window = Window { start: end - SignedDuration::from_mins(BACK), end, period: 60 };
        let told = place.metric_data(std::slice::from_ref(&key), window).await;
        let points = told.into_iter().next().map_or_else(|| Ok(Vec::new()), |(_, points)| points)?;
        match Series::new(points).last() {
            Some(point) => Ok(Seen::new(Known::Number(point.value), point.at + PERIOD)),
            None => Err(place.error(
                ErrorKind::NoData,
                GET_METRIC_DATA,
                format!("no RPO lag of {cluster} in the last {BACK} minutes: it is no secondary, or cut off"),
            )),
        }
    }

    /// Requests a minute of the newest complete minutes, and the 5XX percent of the newest, of all load
    /// balancers of a region together.
    pub(super) async fn traffic(
        &self,
        region: &Region,
    ) -> (Result<Seen, ProbeError>, Result<Seen, ProbeError>) {
        let place = self.cloud.at(region);
        let balancers: Vec<Balancer> = self.topology.region(region).map(Balancer::all).unwrap_or_default();
        if balancers.is_empty() {
            let words = "the topology names no application load balancer here";
            let error = place.error(ErrorKind::NotConfigured, GET_METRIC_DATA, words);
            return (Err(error.clone()), Err(error));
        }
        let keys: Vec<SeriesKey> = balancers.iter().flat_map(Balancer::keys).cloned().collect();
        let told = self.series(&place, &keys).await;
        if let Some(error) = told.values().find_map(|told| told.as_ref().err()) {
            return (Err(error.clone()), Err(error.clone()));
        }
        let end = self.complete();
        let minutes = || (1..=BACK).map(|back| end - SignedDuration::from_mins(back));
        let none = |words: &str| place.error(ErrorKind::NoData, GET_METRIC_DATA, words);
        // Newest first: what is late is left out at the end, and a gap in between ends the list.
        let known: Vec<(Timestamp, f64)> = minutes()
            .map(|minute| {
                (minute, balancers.iter().map(|one| one.requests(&told, minute)).sum::<Option<f64>>())
            })
            .skip_while(|(_, requests)| requests.is_none())
            .map_while(|(minute, requests)| Some((minute, requests?)))
            .take(TOLD)
            .collect();
        let fresh = |minute: &Timestamp| *minute >= end - SignedDuration::from_mins(LATE);
        let requests = match known.first().filter(|(minute, _)| fresh(minute)) {
            Some((newest, _)) => {
                let counts = known.iter().rev().map(|(_, requests)| *requests).collect();
                Ok(Seen::new(Known::Numbers(counts), *newest + PERIOD))
            }
            None => Err(none("no request counts, and nothing proves that metrics flow")),
        };
        let share = |minute: Timestamp| {
            let mut sums = (0.0, 0.0);
            for balancer in &balancers {
                let (bad, all) = balancer.errors(&told, minute)?;
                sums = (sums.0 + bad, sums.1 + all);
            }
            Some((minute, sums.0, sums.1))
        };
        let errors = match minutes().find_map(share).filter(|(minute, ..)| fresh(minute)) {
            Some((minute, bad, all)) if all > 0.0 => {
                Ok(Seen::new(Known::Number((100.0 * bad / all).min(100.0)), minute + PERIOD))
            }
            // No share of nothing: "0 %" would be green.
            Some(_) => Err(none("no traffic")),
            None => Err(none("no request counts, and nothing proves that metrics flow")),
        };
        (requests, errors)
    }

    /// The newest value of a switch metric.
    pub(super) async fn switch_metric(
        &self,
        home: &Region,
        namespace: &str,
        name: &str,
        steers: &Region,
    ) -> Result<Seen, ProbeError> {
        let place = self.cloud.at(home);
        let end = floor_minute(self.aws_now()) + PERIOD;
        let client = place.cloudwatch().await;
        let dimension = Dimension::builder().name("Region").value(steers.as_str()).build();
        let metric = aws_sdk_cloudwatch::types::Metric::builder()
            .namespace(namespace)
            .metric_name(name)
            .dimensions(dimension)
            .build();
        let stat = aws_sdk_cloudwatch::types::MetricStat::builder().metric(metric).period(60).stat("Maximum");
        let query = aws_sdk_cloudwatch::types::MetricDataQuery::builder()
            .id("switch")
            .metric_stat(stat.build())
            .build();
        let mut newest = None;
        // A switch is thrown once and may stand for days; the near past answers quickly.
        for back in SWITCH_BACK {
            let request = client
                .get_metric_data()
                .start_time(date_time(end - back))
                .end_time(date_time(end))
                .scan_by(ScanBy::TimestampDescending)
                .max_datapoints(1)
                .metric_data_queries(query.clone());
            place.count_series(1);
            let answer = place.ask(GET_METRIC_DATA, request.send()).await?;
            newest = answer.metric_data_results().iter().find_map(|result| result.values().first().copied());
            if newest.is_some() {
                break;
            }
        }
        // Two values of one minute are one point, and its maximum is the safe reading: out.
        let now = self.cloud.clock().now();
        match newest {
            Some(value) => Ok(Seen::new(Known::Flag(value > 0.0), now)),
            None => {
                let words = format!("no value for {steers} in the last two weeks");
                Err(place.error(ErrorKind::NoData, GET_METRIC_DATA, words))
            }
        }
    }
}

/// The series of one load balancer.
struct Balancer {
    requests: SeriesKey,
    elb_5xx: SeriesKey,
    target_5xx: SeriesKey,
    /// Reported whenever targets are registered: they prove that metrics flow.
    healthy: Vec<SeriesKey>,
}

impl Balancer {
    fn all(entry: &crate::domain::topology::RegionEntry) -> Vec<Self> {
        let application =
            entry.load_balancers.iter().filter(|balancer| balancer.kind == LoadBalancerKind::Application);
        application
            .filter_map(|balancer| {
                let dimension = balancer.arn.elb_dimension()?;
                let key = |metric| SeriesKey::new(metric, &[dimension]);
                let groups = balancer.target_groups.iter().filter_map(|group| group.elb_dimension());
                Some(Self {
                    requests: key(Metric::AlbRequests),
                    elb_5xx: key(Metric::AlbElb5xx),
                    target_5xx: key(Metric::AlbTarget5xx),
                    healthy: groups
                        .map(|group| SeriesKey::new(Metric::AlbHealthyHosts, &[dimension, group]))
                        .collect(),
                })
            })
            .collect()
    }

    fn keys(&self) -> impl Iterator<Item = &SeriesKey> {
        [&self.requests, &self.elb_5xx, &self.target_5xx].into_iter().chain(&self.healthy)
    }

    fn at(told: &HashMap<SeriesKey, Told>, key: &SeriesKey, minute: Timestamp) -> Option<f64> {
        told.get(key)?.as_ref().ok()?.at(minute)
    }

    fn flows(&self, told: &HashMap<SeriesKey, Told>, minute: Timestamp) -> bool {
        self.keys().any(|key| Self::at(told, key, minute).is_some())
    }

    /// Requests of a minute; none counted are none only while a sibling proves that metrics flow.
    fn requests(&self, told: &HashMap<SeriesKey, Told>, minute: Timestamp) -> Option<f64> {
        Self::at(told, &self.requests, minute).or_else(|| self.flows(told, minute).then_some(0.0))
    }

    /// 5XX of a minute, and all requests that were answered.
    fn errors(&self, told: &HashMap<SeriesKey, Told>, minute: Timestamp) -> Option<(f64, f64)> {
        let requests = self.requests(told, minute)?;
        let own = Self::at(told, &self.elb_5xx, minute).unwrap_or_default();
        let targets = Self::at(told, &self.target_5xx, minute).unwrap_or_default();
        Some((own + targets, requests + own))
    }
}
