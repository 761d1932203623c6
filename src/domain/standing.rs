//! How a region stands: its verdict in one word more, for whoever must act.
//!
//! What it is for: one source for the banner, a region's heading, the table of regions and `status`, so that none
//! of them calls a region healthy that another calls ill. What it must not do: judge; findings and health are drawn
//! by `checks`.

use super::health::{Finding, Health, Severity, Verdict};
use super::ids::Region;

/// How a region stands, worst first. A region that fails its users is another case than one that serves them while
/// its copies of the data fall behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Critical, and users feel it: requests, targets, tasks or DNS.
    Failing,
    /// Critical otherwise.
    Impaired,
    /// Not known.
    Unknown,
    /// Nothing that users feel, but replication between regions is critically behind. Also of a region that is well
    /// itself: what it holds of the others' data is old.
    Lagging,
    /// A warning.
    Degraded,
    /// Out of service by our own act, and nothing worse.
    Pinned,
    /// Well.
    Healthy,
}

impl Standing {
    /// How `region` stands; `None` where the verdict does not know it. `pinned`: out of service by our own act.
    pub fn of(verdict: &Verdict, region: &Region, pinned: bool) -> Option<Self> {
        let (_, health) = verdict.regions.iter().find(|(known, _)| known == region)?;
        let critical: Vec<&Finding> = verdict
            .findings
            .iter()
            .filter(|finding| {
                finding.severity == Severity::Critical && finding.region.as_ref() == Some(region)
            })
            .collect();
        let users = critical.iter().any(|finding| serves_users(finding.pane()));
        let data = !critical.is_empty() && critical.iter().all(|finding| replicates_data(finding.pane()));
        Some(match health {
            Health::Unknown => Self::Unknown,
            Health::Impaired if users => Self::Failing,
            Health::Impaired if data => Self::Lagging,
            Health::Impaired => Self::Impaired,
            // What is critical about a region that is not impaired is its link to another.
            Health::Degraded | Health::Healthy if !critical.is_empty() => Self::Lagging,
            Health::Degraded | Health::Healthy if pinned => Self::Pinned,
            Health::Degraded => Self::Degraded,
            Health::Healthy => Self::Healthy,
        })
    }

    /// The word that JSON uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Impaired => "impaired",
            Self::Unknown => "unknown",
            Self::Lagging => "lagging",
            Self::Degraded => "degraded",
            Self::Pinned => "pinned",
            Self::Healthy => "healthy",
        }
    }
}

/// Whether users feel at once what is critical in this pane.
fn serves_users(pane: &str) -> bool {
    matches!(pane, "alb" | "ecs" | "route53" | "probe")
}

/// Whether a pane is about copies of data in several regions.
fn replicates_data(pane: &str) -> bool {
    matches!(pane, "dynamodb" | "aurora" | "s3")
}
