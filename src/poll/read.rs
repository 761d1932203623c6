//! One question and where its answer goes.
//!
//! What it is for: a [`Read`] is a call (or a small batch) with what to change in a snapshot when it
//! answers, and what to mark when it does not. Schedules and `status` run the same ones.
//! What it must not do: know when it runs.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use crate::cloud::Each;
use crate::domain::ids::Region;
use crate::domain::observation::{ErrorKind, Observed, ProbeError};
use crate::domain::text::Text;
use crate::ports::{BoxFuture, Clock};

/// What an answer does to a snapshot.
type Change<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Asks, when it is called: what a call keeps while it waits is tens of kilobytes, and of hundreds of questions only
/// a few are asked at once.
type Question<S> = Box<dyn FnOnce() -> BoxFuture<'static, Landed<S>> + Send>;

/// What a missed deadline does to a snapshot.
type Miss<S> = Box<dyn FnOnce(&mut S, &ProbeError) + Send>;

/// Where the values of a read lie in a snapshot.
pub(super) type Map<S, K, T> = fn(&mut S) -> &mut BTreeMap<K, Observed<T>>;

/// One question, not asked yet.
pub(super) struct Read<S> {
    call: &'static str,
    region: Option<Region>,
    deadline: Duration,
    clock: Clock,
    answer: Question<S>,
    miss: Miss<S>,
}

/// What came of a question.
pub(super) struct Landed<S> {
    change: Change<S>,
    /// AWS asked us to slow down, for at least a part of it.
    pub(super) throttled: bool,
}

impl<S> Landed<S> {
    /// Puts the answer, or the reason why there is none, into the snapshot.
    pub(super) fn apply(self, snapshot: &mut S) {
        (self.change)(snapshot);
    }
}

/// Who asks, where, and for how long.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) call: &'static str,
    pub(super) region: Option<Region>,
    pub(super) deadline: Duration,
    pub(super) clock: Clock,
}

impl<S: 'static> Read<S> {
    /// A read of many values of one map.
    pub(super) fn each<K, T, F>(
        ask: &Ask,
        keys: Vec<K>,
        map: Map<S, K, T>,
        answer: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        K: Ord + Clone + Send + 'static,
        T: Send + 'static,
        F: Future<Output = Each<K, T>> + Send + 'static,
    {
        Self::custom(
            ask,
            answer,
            |each: &Each<K, T>| each.iter().any(|(_, result)| is_throttled(result.as_ref().err())),
            move |each, snapshot: &mut S, now| {
                let map = map(snapshot);
                for (key, result) in each {
                    if let Some(observed) = map.get_mut(&key) {
                        settle(observed, result, now);
                    }
                }
            },
            move |snapshot: &mut S, error| {
                let map = map(snapshot);
                for key in &keys {
                    if let Some(observed) = map.get_mut(key) {
                        observed.fail(error.clone());
                    }
                }
            },
        )
    }

    /// A read of one value of a map.
    pub(super) fn one<K, T, F>(
        ask: &Ask,
        key: K,
        map: Map<S, K, T>,
        answer: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        K: Ord + Clone + Send + 'static,
        T: Send + 'static,
        F: Future<Output = Result<T, ProbeError>> + Send + 'static,
    {
        let keys = vec![key.clone()];
        Self::each(ask, keys, map, move || {
            let answer = answer();
            async move { vec![(key, answer.await)] }
        })
    }

    /// A read of one value that lies anywhere.
    pub(super) fn single<T, F>(
        ask: &Ask,
        find: impl FindOne<S, T>,
        answer: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ProbeError>> + Send + 'static,
    {
        let find_too = find.clone();
        Self::custom(
            ask,
            answer,
            |result: &Result<T, ProbeError>| is_throttled(result.as_ref().err()),
            move |result, snapshot: &mut S, now| {
                if let Some(observed) = find(snapshot) {
                    settle(observed, result, now);
                }
            },
            move |snapshot: &mut S, error| {
                if let Some(observed) = find_too(snapshot) {
                    observed.fail(error.clone());
                }
            },
        )
    }

    /// A read whose answer changes the snapshot in its own way.
    pub(super) fn custom<A, F>(
        ask: &Ask,
        answer: impl FnOnce() -> F + Send + 'static,
        throttled: impl FnOnce(&A) -> bool + Send + 'static,
        apply: impl FnOnce(A, &mut S, jiff::Timestamp) + Send + 'static,
        miss: impl FnOnce(&mut S, &ProbeError) + Send + 'static,
    ) -> Self
    where
        A: Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        let clock = ask.clock;
        let landed = move || {
            let answer = answer();
            Box::pin(async move {
                let answer = answer.await;
                let now = clock.now();
                Landed {
                    throttled: throttled(&answer),
                    change: Box::new(move |snapshot: &mut S| apply(answer, snapshot, now)) as Change<S>,
                }
            }) as BoxFuture<'static, Landed<S>>
        };
        Self {
            call: ask.call,
            region: ask.region.clone(),
            deadline: ask.deadline,
            clock,
            answer: Box::new(landed),
            miss: Box::new(miss),
        }
    }

    /// Asks, for at most the read's own deadline, or `limit` when that is shorter.
    pub(super) async fn run(self, limit: Option<Duration>) -> Landed<S> {
        let Self { call, region, deadline, clock, answer, miss } = self;
        let deadline = limit.map_or(deadline, |limit| limit.min(deadline));
        match clock.timeout(deadline, answer()).await {
            Ok(landed) => landed,
            Err(_) => {
                let error = ProbeError {
                    kind: ErrorKind::TimedOut,
                    call: call.into(),
                    region,
                    message: Text::new(format!("no answer within {deadline:?}")),
                    request_id: None,
                    at: clock.now(),
                    next_step: Text::default(),
                };
                Landed { throttled: false, change: Box::new(move |snapshot: &mut S| miss(snapshot, &error)) }
            }
        }
    }
}

/// Finds one observed value in a snapshot.
pub(super) trait FindOne<S, T>:
    Fn(&mut S) -> Option<&mut Observed<T>> + Clone + Send + 'static
{
}

impl<S, T, F> FindOne<S, T> for F where F: Fn(&mut S) -> Option<&mut Observed<T>> + Clone + Send + 'static {}

/// Puts one result where it belongs.
pub(super) fn settle<T>(observed: &mut Observed<T>, result: Result<T, ProbeError>, now: jiff::Timestamp) {
    match result {
        Ok(value) => observed.succeed(value, now),
        Err(error) => observed.fail(error),
    }
}

/// True for "slow down".
pub(super) fn is_throttled(error: Option<&ProbeError>) -> bool {
    error.is_some_and(|error| error.kind == ErrorKind::Throttled)
}
