//! The aftermath of an unplanned promotion: what RDS's own events tell of it.
//!
//! What it is for: whether the old primary was kept from writing before another took its place, and whether the global
//! writer endpoint leads to the new one. What it must not do: take silence for a fence.
//!
//! DescribeEvents has no event ids, so that events are told by their words. The fence is told as an event of an
//! instance: in the old primary's region where that can be reached, and in the new one's where it cannot.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fact::RdsEvent;
use crate::domain::ids::{Arn, DbClusterId, GlobalClusterId, Region};
use crate::domain::text::Text;
use crate::domain::topology::AuroraGlobal;

/// One thing that is known of a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aftermath {
    /// The global cluster.
    pub global: GlobalClusterId,
    /// What.
    pub told: Told,
}

/// What RDS tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Told {
    /// Writes at the old primary's storage are blocked.
    Blocked {
        /// The old primary.
        cluster: DbClusterId,
        /// AWS's words.
        said: Said,
    },
    /// They could not be blocked: the old primary may go on taking writes beside the new one.
    NotBlocked {
        /// The old primary.
        cluster: DbClusterId,
        /// AWS's words.
        said: Said,
    },
    /// The global writer endpoint leads to the new writer.
    EndpointMoved {
        /// AWS's words.
        said: Said,
    },
    /// Nothing was told of the fence, which is no fence.
    Silent {
        /// Who was asked, and what came of it.
        why: Text,
    },
}

/// An event as RDS told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// In which region.
    pub region: Region,
    /// When it happened.
    pub at: Timestamp,
    /// In which words.
    pub words: Text,
}

impl Told {
    /// What an event says of the promotion of `to`; `None` when it is about something else.
    pub fn of(global: &AuroraGlobal, to: &Arn, region: &Region, event: &RdsEvent) -> Option<Self> {
        let words = event.words.as_str().to_ascii_lowercase();
        let said = || Said { region: region.clone(), at: event.at, words: event.words.clone() };
        if words.contains("attempt to block writes") {
            let named = |id: &str| {
                let parts = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                parts.into_iter().any(|part| part.eq_ignore_ascii_case(id))
            };
            let mut others = global.members.iter().filter(|member| &member.arn != to);
            let cluster = others.find(|member| named(member.id.as_str()))?.id.clone();
            return if words.contains("timed out") || words.contains("failed") {
                Some(Self::NotBlocked { cluster, said: said() })
            } else if words.contains("succeeded") {
                Some(Self::Blocked { cluster, said: said() })
            } else {
                None
            };
        }
        // Told of a member, whichever; the name is that of the whole global cluster.
        let source = event.source.as_str();
        let ours = source.eq_ignore_ascii_case(global.id.as_str())
            || global.members.iter().any(|member| source.eq_ignore_ascii_case(member.id.as_str()));
        let moved = words.contains("finished changing the dns name") && words.contains("writer endpoint");
        (moved && ours).then(|| Self::EndpointMoved { said: said() })
    }

    /// True for what says whether the old primary was fenced.
    pub const fn is_about_the_fence(&self) -> bool {
        matches!(self, Self::Blocked { .. } | Self::NotBlocked { .. })
    }
}

impl Aftermath {
    /// True for what the operator must know: two may write, or nobody knows.
    pub const fn is_alarming(&self) -> bool {
        matches!(self.told, Told::NotBlocked { .. } | Told::Silent { .. })
    }

    /// In a sentence.
    pub fn words(&self) -> String {
        let global = &self.global;
        match &self.told {
            Told::Blocked { cluster, said } => {
                format!(
                    "AWS has blocked writes at {cluster}, the old primary of {global} ({})",
                    said.clause()
                )
            }
            Told::NotBlocked { cluster, said } => format!(
                "POSSIBLE SPLIT BRAIN: AWS could not block writes at {cluster}, the old primary of {global}, which may \
                 still take them: keep its clients stopped, and copy its snapshot rds:unplanned-global-failover-… \
                 early ({})",
                said.clause()
            ),
            Told::EndpointMoved { said } => {
                format!("the writer endpoint of {global} leads to the new writer ({})", said.clause())
            }
            Told::Silent { why } => format!(
                "NOT KNOWN whether the old primary of {global} is kept from writing ({why}): take it for a possible split \
                 brain until RDS tells, and keep its clients stopped"
            ),
        }
    }
}

impl Said {
    fn clause(&self) -> String {
        let words = self.words.as_str().trim_end_matches('.');
        format!("RDS in {}, {}: {words}", self.region, self.at.strftime("%H:%M:%SZ"))
    }
}
