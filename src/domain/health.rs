//! Findings and verdicts.
//!
//! What it is for: the words in which checks speak, and the one rule from findings to a verdict.
//! What it must not do: look at AWS values itself; that is what `checks` are for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::Region;
use super::text::Text;

/// The state of a region or of the fleet, best first, with Unknown apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No finding above info, and everything that matters is known.
    Healthy,
    /// A warning.
    Degraded,
    /// Something critical.
    Impaired,
    /// Nothing bad is known, but what matters is stale or was never read.
    Unknown,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth acting on today.
    Warning,
    /// Worth acting on now.
    Critical,
}

/// One statement that a check makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code, `pane.what`: `alb.5xx`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// Where; `None` for the fleet, Route 53 or our own network.
    pub region: Option<Region>,
    /// Which resource; a name that appears in the pane's rows.
    pub resource: Text,
    /// One sentence for the operator, with the numbers in it.
    pub message: Text,
    /// Further facts, a line each.
    pub evidence: Vec<Text>,
    /// What to do next; empty where no step is right in every case.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub next: Text,
    /// True when it says that something which matters is not known; it makes a verdict Unknown
    /// instead of Healthy or Degraded.
    #[serde(default)]
    pub blind: bool,
    /// The other end, when it is about a link between two regions (replication, lag) and not about what
    /// `region` can serve. It counts in full for the fleet, as a warning at most for the region, and
    /// not at all for the region while its peer is impaired: a survivor that cannot replicate to a dead
    /// region is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Region>,
}

/// The verdict on the whole, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The fleet.
    pub fleet: Health,
    /// Each region, in the order of the snapshot.
    pub regions: Vec<(Region, Health)>,
    /// All findings, worst first, then in the order of the checks.
    pub findings: Vec<Finding>,
}

impl Health {
    /// The word that panes and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Impaired => "impaired",
            Self::Unknown => "unknown",
        }
    }

    /// A region's own: findings about links to others count as warnings at most, and not at all where the
    /// other end is `ill` by itself, which explains them.
    pub fn of_region<'a>(
        findings: impl IntoIterator<Item = &'a Finding>,
        ill: impl Fn(&Region) -> bool,
    ) -> Self {
        Self::from_parts(findings.into_iter().map(|finding| match &finding.peer {
            None => (finding.severity, finding.blind),
            Some(peer) if ill(peer) => (Severity::Info, finding.blind),
            Some(_) => (finding.severity.min(Severity::Warning), finding.blind),
        }))
    }

    /// From findings: critical makes impaired; else a blind one makes unknown; else a warning degraded.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        Self::from_parts(findings.into_iter().map(|finding| (finding.severity, finding.blind)))
    }

    fn from_parts(parts: impl Iterator<Item = (Severity, bool)>) -> Self {
        let (worst, blind) = parts.fold((Severity::Info, false), |(worst, blind), (severity, unknown)| {
            (worst.max(severity), blind | unknown)
        });
        match (worst, blind) {
            (Severity::Critical, _) => Self::Impaired,
            (_, true) => Self::Unknown,
            (Severity::Warning, false) => Self::Degraded,
            (Severity::Info, false) => Self::Healthy,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Severity {
    /// The word that panes and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Finding {
    /// A finding without evidence.
    pub fn new(
        code: &str,
        severity: Severity,
        region: Option<&Region>,
        resource: impl Into<Text>,
        message: impl Into<Text>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            region: region.cloned(),
            resource: resource.into(),
            message: message.into(),
            evidence: Vec::new(),
            next: Text::default(),
            blind: false,
            peer: None,
        }
    }

    /// Adds a line of evidence.
    pub fn because(mut self, evidence: impl Into<Text>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    /// Says that the finding is about the link to another region.
    pub fn link_to(mut self, peer: &Region) -> Self {
        self.peer = Some(peer.clone());
        self
    }

    /// Marks the finding as "something that matters is not known".
    pub fn blind(mut self) -> Self {
        self.blind = true;
        self
    }

    /// The pane that shows the resource: the code's first word (`alb`, `ecs`, `dynamodb`, `aurora`,
    /// `route53`, `s3`, `alarms`, `probe`; `region` and `fleet` belong to none).
    pub fn pane(&self) -> &str {
        self.code.split('.').next().unwrap_or_default()
    }
}
