//! The Aurora global database over time: who writes, who follows, what is under way.
//!
//! What it is for: switchover, failover and detaching with the times that they take, from the history of deeds.
//! What it must not do: answer API calls; those are `services::rds`.

use jiff::{SignedDuration, Timestamp};

use super::application::Written;
use super::deeds::Deed;
use super::removal::{Fate, Thing};
use super::scenario::Effect;
use super::{World, noise};

/// What may be done to the global database.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The writer moves.
    Move(Move),
    /// A member leaves and can be written by itself.
    Remove {
        /// Its site.
        site: usize,
        /// When it has left.
        left: Timestamp,
    },
    /// Deletion protection is set.
    Protect {
        /// A member's site; none for the global cluster.
        site: Option<usize>,
        /// On.
        on: bool,
    },
}

/// A switchover or failover with the times that were drawn for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// When it was asked for.
    pub at: Timestamp,
    /// The writer before.
    pub from: usize,
    /// The writer after.
    pub to: usize,
    /// Data may be lost: the old writer is not waited for.
    pub lossy: bool,
    /// When the old writer takes no more writes.
    pub blocked: Timestamp,
    /// When the new writer takes writes.
    pub promoted: Timestamp,
    /// When the global endpoint names the new writer.
    pub named: Timestamp,
    /// When the operation is over.
    pub ended: Timestamp,
    /// Milliseconds that the new writer was behind when a lossy move was asked for: what is lost.
    pub behind: Option<f64>,
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `switching-over` or `failing-over`.
    pub status: &'static str,
    /// The writer before.
    pub from: usize,
    /// The writer after.
    pub to: usize,
    /// Data may be lost.
    pub lossy: bool,
}

/// The global database at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// The primary's site.
    pub writer: usize,
    /// Members, the writer among them, in the order of the fleet.
    pub members: Vec<usize>,
    /// Sites whose clusters left and can be written by themselves.
    pub orphans: Vec<usize>,
    /// Members that are leaving.
    pub leaving: Vec<usize>,
    /// Members that are rebuilt and cannot be promoted or read.
    pub rebuilding: Vec<usize>,
    /// What is under way.
    pub operation: Option<Operation>,
    /// Whether a write through the global endpoint succeeds.
    pub writable: bool,
    /// Deletion protection of the global cluster.
    pub protected: bool,
    /// Sites whose clusters are not protected.
    pub unprotected: Vec<usize>,
}

/// An event as RDS tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// In which site's region.
    pub site: usize,
    /// True when it is told of the writer instance, false when of the cluster.
    pub instance: bool,
    /// Its categories.
    pub categories: &'static [&'static str],
    /// In which words.
    pub words: String,
}

/// Of clusters in a switchover or failover.
const GLOBAL_FAILOVER: &[&str] = &["global failover"];
/// Of instances, whether writes could be blocked.
const FENCE: &[&str] = &["notification", "global database"];

/// A switchover that cannot come through ends after this long.
const PATIENCE_SECONDS: f64 = 600.0;
/// Seconds that an old primary takes to follow again, once it is alive.
const RESYNC_SECONDS: f64 = 240.0;

impl World {
    /// Whether the database of a site runs.
    pub fn database_alive(&self, site: usize, at: Timestamp) -> bool {
        let timeline = self.timeline();
        !timeline.at(&self.fleet.sites[site].region, at).any(|active| *active.effect == Effect::DatabaseDown)
    }

    /// Draws the times of a move that is asked for at `at`.
    pub fn planned_move(&self, database: &Database, to: usize, lossy: bool, at: Timestamp) -> Move {
        let draw = |what: &str| noise::unit(self.salt(&format!("aurora-move/{what}/{to}")), at.as_second());
        let lag = self.aurora_lag(to, at).unwrap_or(0.0);
        let (work, fence) = if lossy {
            (80.0 + 25.0 * draw("failover"), 5.0)
        } else {
            // What is missing must come over first.
            let work = 60.0 + 30.0 * draw("switchover") + (lag / 1_000.0).min(900.0);
            (work, work - 30.0 - 10.0 * draw("fence"))
        };
        let promoted = at + self.paced(work);
        Move {
            at,
            from: database.writer,
            to,
            lossy,
            blocked: at + self.paced(fence),
            promoted,
            named: promoted + self.paced(10.0 + 20.0 * draw("name")),
            ended: promoted + self.paced(8.0 + 12.0 * draw("end")),
            behind: lossy.then_some(lag),
        }
    }

    /// When a move that is not lossy comes to nothing: a database it needs is dead, or dies on the way.
    fn cancelled(&self, one: &Move) -> Option<Timestamp> {
        let needs: &[usize] = if one.lossy { &[one.to] } else { &[one.from, one.to] };
        let timeline = self.timeline();
        let dead = |site: &usize| {
            let region = &self.fleet.sites[*site].region;
            let spans = timeline.spans(region, |effect| *effect == Effect::DatabaseDown);
            spans
                .into_iter()
                .filter(|(from, until)| *from < one.promoted && until.is_none_or(|until| until > one.at))
                .map(|(from, _)| from.max(one.at))
                .min()
        };
        needs.iter().filter_map(dead).min().map(|from| from + self.paced(PATIENCE_SECONDS))
    }

    /// When a site that lost its data by a move follows again, as far as can be told at `at`.
    fn follows_from(&self, site: usize, one: &Move) -> Option<Timestamp> {
        let spread = if site == one.from {
            0.0
        } else {
            60.0 + 120.0 * noise::unit(self.salt("rebuild"), site as i64)
        };
        let work = self.paced(RESYNC_SECONDS + spread);
        let timeline = self.timeline();
        let region = &self.fleet.sites[site].region;
        let mut begins = one.ended;
        for (from, until) in timeline.spans(region, |effect| *effect == Effect::DatabaseDown) {
            if from < begins + work && until.is_none_or(|until| until > begins) {
                begins = until?;
            }
        }
        Some(begins + work)
    }

    /// The global database at `at`; `None` where there is none.
    pub fn database(&self, at: Timestamp) -> Option<Database> {
        let first = self.fleet.aurora.first().copied()?;
        let mut database = Database {
            writer: first,
            members: self.fleet.aurora.clone(),
            orphans: Vec::new(),
            leaving: Vec::new(),
            rebuilding: Vec::new(),
            operation: None,
            writable: true,
            protected: true,
            unprotected: Vec::new(),
        };
        for done in self.deeds().until(at) {
            let Deed::Database(step) = &done.deed else { continue };
            match step {
                Step::Move(one) => self.moved(&mut database, one, at),
                Step::Remove { site, left } if *left <= at => {
                    database.members.retain(|member| member != site);
                    database.rebuilding.retain(|member| member != site);
                    database.orphans.push(*site);
                }
                Step::Remove { site, .. } => database.leaving.push(*site),
                Step::Protect { site: None, on } => database.protected = *on,
                Step::Protect { site: Some(site), on } => {
                    database.unprotected.retain(|one| one != site);
                    if !on {
                        database.unprotected.push(*site);
                    }
                }
            }
        }
        database.writable &= self.database_alive(database.writer, at);
        Some(database)
    }

    fn moved(&self, database: &mut Database, one: &Move, at: Timestamp) {
        let end = self.cancelled(one);
        if end.is_some_and(|end| end <= at) {
            return;
        }
        let ended = if end.is_some() { None } else { Some(one.ended) };
        if ended.is_none_or(|ended| at < ended) {
            database.operation = Some(Operation {
                status: if one.lossy { "failing-over" } else { "switching-over" },
                from: one.from,
                to: one.to,
                lossy: one.lossy,
            });
        }
        if ended.is_none() {
            return;
        }
        if at >= one.blocked && at < one.named {
            database.writable = false;
        }
        if at >= one.promoted {
            database.writer = one.to;
            database.rebuilding.retain(|site| *site != one.to);
        }
        if one.lossy && at >= one.promoted {
            for site in database.members.clone() {
                let follows = self.follows_from(site, one).is_some_and(|follows| follows <= at);
                database.rebuilding.retain(|other| *other != site);
                if site != one.to && !follows {
                    database.rebuilding.push(site);
                }
            }
        }
    }

    /// The site of Aurora's writer at `at`.
    pub fn aurora_writer(&self, at: Timestamp) -> Option<usize> {
        self.database(at).map(|database| database.writer)
    }

    /// Whether a user's write succeeds at `at`: through the global endpoint, or into a detached cluster.
    pub fn writes_succeed(&self, at: Timestamp) -> bool {
        self.database(at)
            .is_none_or(|database| database.writable || !self.living(&database.orphans, at).is_empty())
    }

    /// Sites whose databases take writes at `at`: more than one is a split brain.
    pub fn writers(&self, at: Timestamp) -> Vec<usize> {
        let Some(database) = self.database(at) else { return Vec::new() };
        let fenced = match database.operation {
            Some(_) => !database.writable,
            None => false,
        };
        let mut writers = if fenced { Vec::new() } else { vec![database.writer] };
        writers.extend(database.orphans.iter().filter(|site| **site != database.writer));
        self.living(&writers, at)
    }

    /// The site whose database takes a write at `at`, and whether that is a cluster that left.
    pub(super) fn taker(&self, at: Timestamp) -> (usize, bool) {
        let Some(database) = self.database(at) else { return (0, false) };
        let apart =
            if database.writable { None } else { self.living(&database.orphans, at).first().copied() };
        apart.map_or((database.writer, false), |site| (site, true))
    }

    /// Whether the readers of a site are shown what was written: it must have come over before every promotion or
    /// departure since that did not wait for it, and have reached the site's own copy.
    pub(super) fn has_reached(&self, row: &Written, site: usize, now: Timestamp) -> bool {
        let Some(database) = self.database(now) else { return true };
        let reads = if database.orphans.contains(&site) { site } else { database.writer };
        let follows = |at: Timestamp, behind: Option<f64>| {
            row.at + SignedDuration::from_millis(behind.unwrap_or(0.0) as i64) <= at
        };
        for done in self.deeds().until(now) {
            let lost = match &done.deed {
                Deed::Database(Step::Move(one)) if one.lossy && self.cancelled(one).is_none() => {
                    let since = !row.apart && row.at < one.promoted && one.promoted <= now;
                    since && !database.orphans.contains(&reads) && !follows(one.at, one.behind)
                }
                Deed::Database(Step::Remove { site: left, left: at }) if *at <= now => {
                    let own = row.apart && row.into == *left;
                    if reads == *left {
                        // What came before it left is there as far as it had come.
                        !own && !follows(done.at, self.aurora_lag(*left, done.at))
                    } else {
                        own
                    }
                }
                _ => false,
            };
            if lost {
                return false;
            }
        }
        site == reads || row.into == site || follows(now, self.aurora_lag(site, now))
    }

    fn living(&self, sites: &[usize], at: Timestamp) -> Vec<usize> {
        let lives = |site: &usize| {
            self.database_alive(*site, at) && self.fate(&Thing::Database(*site), at) == Fate::There
        };
        sites.iter().copied().filter(lives).collect()
    }

    /// What RDS tells of moves and departures until `at`, oldest first.
    pub fn database_events(&self, at: Timestamp) -> Vec<Told> {
        let mut told: Vec<Told> = Vec::new();
        let name = |site: usize| self.fleet.sites[site].db_cluster.as_str();
        for done in self.deeds().until(at) {
            match &done.deed {
                Deed::Database(Step::Move(one)) => self.told_of_move(one, &mut told),
                Deed::Database(Step::Remove { site, left }) => {
                    let words = format!("DB cluster {} was removed from the global cluster", name(*site));
                    let (at, site) = (*left, *site);
                    told.push(Told { at, site, instance: false, categories: &["notification"], words });
                }
                _ => {}
            }
        }
        told.retain(|told| told.at <= at);
        told.sort_by_key(|told| told.at);
        told
    }

    fn told_of_move(&self, one: &Move, told: &mut Vec<Told>) {
        let name = |site: usize| self.fleet.sites[site].db_cluster.as_str();
        let both = format!(
            "DB cluster {} in Region {} to DB cluster {} in Region {}",
            name(one.from),
            self.fleet.sites[one.from].region,
            name(one.to),
            self.fleet.sites[one.to].region,
        );
        let second = SignedDuration::from_secs(1);
        // Which of both says whether the old primary's storage takes no more writes: itself where it can be reached.
        if self.cancelled(one).is_none() {
            let fenced = self.database_alive(one.from, one.blocked);
            let (site, outcome) = if fenced { (one.from, "succeeded") } else { (one.to, "timed out") };
            let words = format!(
                "Attempt to block writes for DB cluster {} in Region {} {outcome}.",
                name(one.from),
                self.fleet.sites[one.from].region
            );
            told.push(Told { at: one.blocked, site, instance: true, categories: FENCE, words });
        }
        let mut say = |at: Timestamp, site: usize, words: String| {
            told.push(Told { at, site, instance: false, categories: GLOBAL_FAILOVER, words });
        };
        if let Some(end) = self.cancelled(one) {
            let kind = if one.lossy { "failover" } else { "switchover" };
            say(one.at + second, one.to, format!("Global {kind} from {both} started."));
            let words = if one.lossy { "failed" } else { "cancelled" };
            say(end, one.to, format!("Global {kind} from {both} {words}."));
            return;
        }
        if one.lossy {
            say(one.at + second, one.to, format!("Global failover from {both} started."));
            say(
                one.promoted,
                one.to,
                format!("New primary DB cluster {} was successfully promoted.", name(one.to)),
            );
            say(one.ended, one.to, format!("Global failover from {both} completed."));
            say(one.ended, one.to, "Started resynchronizing members of the global cluster.".to_owned());
            if let Some(follows) = self.follows_from(one.from, one) {
                say(follows, one.to, "Finished resynchronizing members of the global cluster.".to_owned());
            }
        } else {
            for site in [one.from, one.to] {
                say(one.at + second, site, format!("Global switchover from {both} started."));
                say(one.ended, site, format!("Global switchover from {both} finished."));
            }
            say(
                one.at + second * 2,
                one.to,
                "Waiting for data synchronization across all members.".to_owned(),
            );
            say(one.blocked, one.from, format!("Old primary DB cluster {} was shut down.", name(one.from)));
            say(one.promoted, one.to, format!("New primary DB cluster {} was promoted.", name(one.to)));
        }
        say(
            one.named,
            one.to,
            "Aurora finished changing the DNS name that the global writer endpoint resolves to.".to_owned(),
        );
    }
}
