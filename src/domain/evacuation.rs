//! How a region can be taken out of DNS, as the topology wires it.
//!
//! What it is for: the closed list of evacuation methods and the resources that each needs.
//! What it must not do: choose one (runbooks do, in the topology's order), or say what a method's call is.

use serde::{Deserialize, Serialize};

use super::ids::{Arn, BucketName, HealthCheckId, Region, TableName};
use super::text::Text;

/// A way to take a region out of DNS, in the order of independence from what is failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvacuationMethod {
    /// ARC routing control off: a data plane in five regions.
    RoutingControl,
    /// An object in a bucket of another region turns a child check unhealthy: the data plane of S3.
    SwitchObject,
    /// A custom metric of another region turns a child check unhealthy: the data plane of CloudWatch.
    SwitchMetric,
    /// The record's own check, disabled and inverted: the control plane of Route 53 in us-east-1.
    HealthCheck,
    /// The records themselves, deleted: the control plane of Route 53 in us-east-1.
    Record,
}

/// Amazon Application Recovery Controller, as far as the application uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArcSettings {
    /// The cluster's five endpoints; any of them may take a change.
    #[serde(rename = "endpoint")]
    pub endpoints: Vec<ArcEndpoint>,
    /// Routing controls, one a region and health check.
    #[serde(rename = "routing_control")]
    pub routing_controls: Vec<RoutingControl>,
}

/// One of the five endpoints of an ARC cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArcEndpoint {
    /// URL, `https://….route53-recovery-cluster.us-west-2.amazonaws.com/v1`.
    pub url: String,
    /// Region that signs for it.
    pub region: Region,
}

/// A routing control that keeps one region in DNS while it is On.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingControl {
    /// The region that it keeps in DNS.
    pub region: Region,
    /// ARN.
    pub arn: Arn,
    /// The RECOVERY_CONTROL health check that follows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckId>,
}

/// An evacuation switch: something outside the region that turns a child check of its records unhealthy.
// Unknown keys are refused by the reader of topologies: serde cannot refuse them beside a flattened enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// The region that it takes out of DNS.
    pub region: Region,
    /// Where the switch itself stands; never the region that it takes out.
    pub home: Region,
    /// The child check that reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckId>,
    /// What is written.
    #[serde(flatten)]
    pub wire: SwitchWire,
}

/// What an evacuation switch is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SwitchWire {
    /// An object whose existence means "out".
    Object {
        /// Bucket, in `home`.
        bucket: BucketName,
        /// Key.
        key: String,
    },
    /// A metric whose value 1 means "out", 0 "in".
    Metric {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
}

/// Where the lease lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseSettings {
    /// DynamoDB table with the string key `pk` and the sort key `sk`.
    pub table: TableName,
    /// The one region in which it is written; better one that serves no traffic.
    pub region: Region,
}

/// Whom runs tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifySettings {
    /// SNS topics; those in the failing region are passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<Arn>,
    /// A program and its arguments; it gets the event as JSON on its standard input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// What cleanup may touch beside the resources that the topology names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleanupSettings {
    /// Key of the tag that marks the application's own resources; without one nothing is ever deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_tag: Option<Text>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_value: Option<Text>,
    /// CloudFormation stacks of the networks.
    #[serde(rename = "stack", skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<NetworkStack>,
}

/// A CloudFormation stack that made a region's network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkStack {
    /// Its region.
    pub region: Region,
    /// Its name.
    pub name: Text,
}

/// What becomes of a service when its region is evacuated and scaled to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnEvacuate {
    /// Keeps running, such as one that consumes a queue.
    Keep,
    /// Stops.
    #[default]
    Stop,
}

impl EvacuationMethod {
    /// All, in the order in which a topology that names none tries those that are wired.
    pub const ALL: [Self; 5] =
        [Self::RoutingControl, Self::SwitchObject, Self::SwitchMetric, Self::HealthCheck, Self::Record];

    /// The word in topologies, plans and journals.
    pub fn word(self) -> &'static str {
        match self {
            Self::RoutingControl => "routing-control",
            Self::SwitchObject => "switch-object",
            Self::SwitchMetric => "switch-metric",
            Self::HealthCheck => "health-check",
            Self::Record => "record",
        }
    }

    /// The method of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.word() == word)
    }
}
