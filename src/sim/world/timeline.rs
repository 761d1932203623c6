//! The effects that are, were and will be in force, with absolute times.
//!
//! What it is for: answering "what is wrong in this region at this time" for any time, past ones included.
//! What it must not do: know what an effect leads to.

use jiff::{SignedDuration, Timestamp};

use super::fleet::Fleet;
use super::scenario::{Effect, Scenario, Timed};

/// Everything that goes wrong, sorted by nothing in particular; there are few.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    entries: Vec<Entry>,
    /// Counts the changes, so that memories of older timelines can be told.
    pub version: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    effect: Effect,
    place: Place,
    from: Timestamp,
    until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Everywhere,
    Only(String),
    AllBut(String),
}

impl Place {
    fn holds(&self, region: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Only(name) => name == region,
            Self::AllBut(name) => name != region,
        }
    }
}

impl Entry {
    fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
        self.from <= to && self.until.is_none_or(|until| from < until) && self.effect.touches_requests()
    }
}

/// An effect in force, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Active<'a> {
    /// The effect.
    pub effect: &'a Effect,
    /// Since when.
    pub from: Timestamp,
}

impl Timeline {
    /// Ends everything at `began`, then lets `scenario` begin there, in `region`.
    pub fn begin(&self, scenario: &Scenario, region: &str, began: Timestamp) -> Self {
        let mut entries: Vec<Entry> = self
            .entries
            .iter()
            .filter(|entry| entry.from < began)
            .map(|entry| Entry {
                until: Some(entry.until.map_or(began, |until| until.min(began))),
                ..entry.clone()
            })
            .collect();
        entries.extend(scenario.effects.iter().map(|timed| entry(timed, region, began)));
        Self { entries, version: self.version + 1 }
    }

    /// Lets `scenario` begin at `began`, in `region`, beside everything else.
    pub fn overlay(&self, scenario: &Scenario, region: &str, began: Timestamp) -> Self {
        let mut entries = self.entries.clone();
        entries.extend(scenario.effects.iter().map(|timed| entry(timed, region, began)));
        Self { entries, version: self.version + 1 }
    }

    /// From when until when effects of a kind are in force in `region`.
    pub fn spans(&self, region: &str, kind: impl Fn(&Effect) -> bool) -> Vec<(Timestamp, Option<Timestamp>)> {
        let held = self.entries.iter().filter(|entry| entry.place.holds(region) && kind(&entry.effect));
        held.map(|entry| (entry.from, entry.until)).collect()
    }

    /// What is in force in `region` at `at`.
    pub fn at<'a>(&'a self, region: &'a str, at: Timestamp) -> impl Iterator<Item = Active<'a>> {
        self.entries
            .iter()
            .filter(move |entry| entry.from <= at && entry.until.is_none_or(|until| at < until))
            .filter(move |entry| entry.place.holds(region))
            .map(|entry| Active { effect: &entry.effect, from: entry.from })
    }

    /// True when nothing that touches users' requests is in force anywhere between the two times, both
    /// included.
    pub fn quiet(&self, from: Timestamp, to: Timestamp) -> bool {
        !self.entries.iter().any(|entry| entry.touches(from, to))
    }

    /// The same for one region.
    pub fn quiet_in(&self, region: &str, from: Timestamp, to: Timestamp) -> bool {
        !self.entries.iter().any(|entry| entry.touches(from, to) && entry.place.holds(region))
    }

    /// When the first effect begins.
    pub fn first(&self) -> Option<Timestamp> {
        self.entries.iter().map(|entry| entry.from).min()
    }
}

fn entry(timed: &Timed, region: &str, began: Timestamp) -> Entry {
    let at = |seconds: i64| began + SignedDuration::from_secs(seconds);
    Entry {
        effect: timed.effect.clone(),
        place: match timed.place.as_str() {
            "everywhere" => Place::Everywhere,
            "here" => Place::Only(region.to_owned()),
            "others" => Place::AllBut(region.to_owned()),
            name => Place::Only(name.to_owned()),
        },
        from: at(timed.at),
        until: timed.until.map(at),
    }
}

/// The region in which a scenario happens: the one asked for, else the one that its file says.
pub fn place_of(scenario: &Scenario, asked: Option<&str>, fleet: &Fleet) -> String {
    let nth = |index: usize| fleet.sites.get(index).or(fleet.sites.first()).map(|site| site.region.clone());
    let Some(asked) = asked else {
        return match scenario.region.as_str() {
            "first" => nth(0).unwrap_or_default(),
            "second" => nth(1).unwrap_or_default(),
            name => name.to_owned(),
        };
    };
    asked.to_owned()
}
