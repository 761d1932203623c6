//! The panes of the console: what is watched, in the order in which it is shown.
//!
//! What it is for: one list to add a pane to. What it must not do: paint; `ui::panes` has one file a pane.

use crate::domain::topology::Topology;

/// A pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaneId {
    /// Load balancers and their targets.
    Alb,
    /// ECS services.
    Ecs,
    /// DynamoDB global tables.
    DynamoDb,
    /// Aurora global clusters.
    Aurora,
    /// Records and health checks.
    Route53,
    /// Bucket replication.
    S3,
    /// CloudWatch alarms.
    Alarms,
    /// Our own requests.
    Probe,
}

impl PaneId {
    /// All panes, top to bottom.
    pub const ALL: [Self; 8] = [
        Self::Alb,
        Self::Ecs,
        Self::DynamoDb,
        Self::Aurora,
        Self::Route53,
        Self::S3,
        Self::Alarms,
        Self::Probe,
    ];

    /// The name on the screen, at most eight columns.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Alb => "ALB",
            Self::Ecs => "ECS",
            Self::DynamoDb => "DynamoDB",
            Self::Aurora => "Aurora",
            Self::Route53 => "Route 53",
            Self::S3 => "S3",
            Self::Alarms => "Alarms",
            Self::Probe => "Probe",
        }
    }

    /// The name where there is little room, at most six columns.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Alb => "ALB",
            Self::Ecs => "ECS",
            Self::DynamoDb => "DynDB",
            Self::Aurora => "Aurora",
            Self::Route53 => "R53",
            Self::S3 => "S3",
            Self::Alarms => "Alarms",
            Self::Probe => "Probe",
        }
    }

    /// The first word of the codes of its findings.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Alb => "alb",
            Self::Ecs => "ecs",
            Self::DynamoDb => "dynamodb",
            Self::Aurora => "aurora",
            Self::Route53 => "route53",
            Self::S3 => "s3",
            Self::Alarms => "alarms",
            Self::Probe => "probe",
        }
    }

    /// The pane that findings with this first word belong to; `None` for `region`, `fleet` and the like.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pane| pane.code() == code)
    }

    /// Whether the topology names anything that this pane shows, in any region. Panes without are left out.
    pub fn configured(self, topology: &Topology) -> bool {
        match self {
            Self::Alb | Self::Probe => {
                topology.regions.iter().any(|region| !region.load_balancers.is_empty())
            }
            Self::Ecs => topology.regions.iter().any(|region| !region.services.is_empty()),
            Self::DynamoDb => !topology.tables.is_empty(),
            Self::Aurora => !topology.aurora.is_empty(),
            Self::Route53 => !topology.records.is_empty(),
            Self::S3 => !topology.replication.is_empty(),
            Self::Alarms => {
                !topology.dns.alarms.is_empty()
                    || topology.regions.iter().any(|region| !region.alarms.is_empty())
            }
        }
    }
}
