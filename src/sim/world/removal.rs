//! What was deleted, and what is protected from it.
//!
//! What it is for: the fate of every deletable thing at any time, from the history of deeds: there, going, or gone.
//! What it must not do: know which deletion AWS refuses; the services do.

use jiff::Timestamp;

use super::World;
use super::deeds::Deed;

/// The key and value of the tag that marks the application's own resources.
pub const OWNER_TAG: (&str, &str) = ("switchtower:application", "orders");

/// Something that can be deleted. Sites, services and instances by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A health check, by its id.
    Check(String),
    /// An alarm, by region and name.
    Alarm(String, String),
    /// A topic, by its ARN.
    Topic(String),
    /// A scalable target: site, service.
    Scaling(usize, usize),
    /// A service: site, service.
    Service(usize, usize),
    /// The cluster of a site.
    Cluster(usize),
    /// The load balancer of a site.
    Balancer(usize),
    /// A target group: site, service.
    Group(usize, usize),
    /// A database instance: site, number.
    Instance(usize, usize),
    /// The regional Aurora cluster of a site.
    Database(usize),
    /// The global cluster.
    Global,
    /// A table in a site: its name, the site.
    Table(String, usize),
    /// The replication configuration of a site's bucket.
    Replication(usize),
    /// The bucket of a site.
    Bucket(usize),
    /// The stack of a site's network.
    Stack(usize),
}

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there.
    There,
    /// It is being deleted.
    Going,
    /// It is gone.
    Gone,
}

impl World {
    /// What became of a thing until `at`.
    pub fn fate(&self, thing: &Thing, at: Timestamp) -> Fate {
        let deeds = self.deeds();
        let when = deeds.until(at).rev().find_map(|done| match &done.deed {
            Deed::Remove { thing: one, gone } if one == thing => Some(*gone),
            _ => None,
        });
        match when {
            None => Fate::There,
            Some(gone) if gone <= at => Fate::Gone,
            Some(_) => Fate::Going,
        }
    }

    /// True once a thing is gone.
    pub fn is_gone(&self, thing: &Thing, at: Timestamp) -> bool {
        self.fate(thing, at) == Fate::Gone
    }

    /// Whether a thing is protected from deletion. Everything that can be is, until somebody lifts it.
    pub fn protected(&self, thing: &Thing, at: Timestamp) -> bool {
        let deeds = self.deeds();
        deeds
            .until(at)
            .rev()
            .find_map(|done| match &done.deed {
                Deed::Protect { thing: one, on } if one == thing => Some(*on),
                _ => None,
            })
            .unwrap_or(true)
    }

    /// Deletes a thing, which takes so many of the world's seconds.
    pub fn remove(&self, at: Timestamp, thing: Thing, seconds: f64) {
        let gone = at + self.paced(seconds);
        self.act(at, Deed::Remove { thing, gone });
    }

    /// Tags of a resource, by its ARN: those of the application and of its owner; the alarm topic of the first
    /// region belongs to somebody else and lacks the owner's.
    pub fn tags(&self, arn: &str) -> Vec<(&'static str, &'static str)> {
        let mut tags = vec![("application", "orders"), ("hostname", super::fleet::HOSTNAMES[0])];
        if self.fleet.sites.first().is_none_or(|site| site.topic != arn) {
            tags.push(OWNER_TAG);
        }
        tags
    }
}
