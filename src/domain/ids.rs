//! Identifiers, each a type of its own, so that a table name never lands where a cluster belongs.
//!
//! What it is for: naming AWS resources. All of them are safe to print (see [`super::text`]).
//! What it must not do: look anything up, or decide whether a resource exists.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text;

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes any text; characters that a terminal would act on are replaced.
            pub fn new(raw: impl AsRef<str>) -> Self {
                Self(text::clean(raw.as_ref()))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(raw: &str) -> Self {
                Self::new(raw)
            }
        }

        impl From<String> for $name {
            fn from(raw: String) -> Self {
                Self::new(raw)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }
    )+};
}

ids! {
    /// An AWS region name, such as `eu-west-1`.
    Region;
    /// A twelve-digit AWS account number.
    AccountId;
    /// An Amazon resource name.
    Arn;
    /// A Route 53 hosted zone id without the `/hostedzone/` prefix.
    ZoneId;
    /// A Route 53 health check id.
    HealthCheckId;
    /// A DNS name, lower case, without the final dot.
    HostName;
    /// An ECS cluster name.
    ClusterName;
    /// An ECS service name.
    ServiceName;
    /// A subnet id, `subnet-…`.
    SubnetId;
    /// A DynamoDB table name.
    TableName;
    /// An Aurora global cluster identifier.
    GlobalClusterId;
    /// An Aurora (RDS) cluster identifier, unique in its region.
    DbClusterId;
    /// An S3 bucket name.
    BucketName;
    /// A CloudWatch alarm name.
    AlarmName;
}

/// One ECS service: the cluster and the name together, since names repeat across clusters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// The cluster that runs the service.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
}

impl ServiceKey {
    /// Application Auto Scaling's resource id, `service/CLUSTER/NAME`.
    pub fn resource_id(&self) -> String {
        format!("service/{}/{}", self.cluster, self.service)
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.service)
    }
}

impl HostName {
    /// Lower-cases, drops the final dot, and undoes Route 53's `\052` for `*`.
    pub fn normalized(raw: &str) -> Self {
        Self::new(raw.trim_end_matches('.').replace("\\052", "*").to_ascii_lowercase())
    }
}

impl Arn {
    fn part(&self, index: usize) -> Option<&str> {
        self.0.splitn(6, ':').nth(index).filter(|part| !part.is_empty())
    }

    /// `aws`, `aws-cn`, `aws-us-gov`…; `None` when the text is no ARN.
    pub fn partition(&self) -> Option<&str> {
        self.0.starts_with("arn:").then(|| self.part(1)).flatten()
    }

    /// The region field; `None` for global resources.
    pub fn region(&self) -> Option<Region> {
        self.part(3).map(Region::new)
    }

    /// The account field.
    pub fn account(&self) -> Option<AccountId> {
        self.part(4).map(AccountId::new)
    }

    /// Everything after the fifth colon.
    pub fn resource(&self) -> Option<&str> {
        self.part(5)
    }

    /// What follows the last `:` or `/`: the short name of most resources.
    pub fn short_name(&self) -> &str {
        self.0.rsplit([':', '/']).next().unwrap_or(&self.0)
    }

    /// The CloudWatch dimension of a load balancer (`app/NAME/HASH`) or target group
    /// (`targetgroup/NAME/HASH`), which is the part of the ARN that those metrics are keyed by.
    pub fn elb_dimension(&self) -> Option<&str> {
        let resource = self.part(5)?;
        Some(resource.strip_prefix("loadbalancer/").unwrap_or(resource))
    }
}
