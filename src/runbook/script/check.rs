//! A condition as commands that print `true`.
//!
//! What it is for: a script waits by what AWS says, in one line a fact, without a parser.
//! What it must not do: claim to check what one line cannot tell; that is for the operator's eyes.

use serde_json::{Value, json};

use crate::domain::Topology;
use crate::domain::ids::{Arn, GlobalClusterId, Region, ServiceKey};
use crate::domain::synthetic::TOKEN;
use crate::domain::text::Text;
use crate::runbook::condition::Condition;
use crate::runbook::fact::Fact;
use crate::runbook::print::{Line, aws, literal, quoted, record_query_of};

/// How a script sees one part of a condition.
pub(super) enum Check {
    /// A command that prints `true` when it is so.
    Command {
        /// What is so then.
        words: String,
        /// `aws …`, or `arc …` for ARC.
        line: String,
    },
    /// Time has to pass.
    Wait {
        /// For what.
        words: String,
        /// How long.
        seconds: u64,
    },
    /// A person has to look.
    Look {
        /// At what.
        words: String,
        /// Commands that show it.
        hints: Vec<String>,
    },
}

/// Every part of the condition.
pub(super) fn checks(condition: &Condition, topology: &Topology) -> Vec<Check> {
    match condition {
        Condition::Always => Vec::new(),
        Condition::All { of } => of.iter().flat_map(|part| checks(part, topology)).collect(),
        // Whatever else may end the wait sooner, the time alone is enough.
        Condition::Any { of } if of.iter().any(is_time) => {
            of.iter().filter(|part| is_time(part)).flat_map(|part| checks(part, topology)).collect()
        }
        Condition::Elapsed { span, name } => {
            let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
            vec![Check::Wait { words: name.to_string(), seconds }]
        }
        other => {
            let at = At { topology };
            match at.lines(other) {
                Some(lines) if !lines.is_empty() => lines
                    .into_iter()
                    .map(|(words, line)| Check::Command {
                        words: words.unwrap_or_else(|| other.sentence()),
                        line,
                    })
                    .collect(),
                _ => vec![Check::Look { words: other.sentence(), hints: at.hints(other) }],
            }
        }
    }
}

fn is_time(condition: &Condition) -> bool {
    matches!(condition, Condition::Elapsed { .. })
}

/// Commands, with the words of each where they are not the condition's own; `None`: no command tells it.
type Lines = Option<Vec<(Option<String>, String)>>;

struct At<'a> {
    topology: &'a Topology,
}

impl At<'_> {
    fn call(&self, service: &str, command: &str, region: &Region) -> Line {
        let scope = self.topology.scope(region.as_str());
        aws(service, command).at(Some(region), scope.profile.as_deref())
    }

    fn dns(&self, command: &str) -> Line {
        aws("route53", command).at(None, self.topology.scope("dns").profile.as_deref())
    }

    fn lines(&self, condition: &Condition) -> Lines {
        let one = |line: Line, query: String| Some(vec![(None, asking(line, &query))]);
        match condition {
            Condition::HealthCheckFlags { check, inverted, disabled } => one(
                self.dns("get-health-check").option("health-check-id", check.as_str()),
                format!(
                    "HealthCheck.HealthCheckConfig.[Inverted || `false`, Disabled || `false`] == {}",
                    tick(&json!([inverted, disabled]))
                ),
            ),
            Condition::RoutingControls { controls, on } => Some(
                controls
                    .iter()
                    .map(|control| {
                        let state = if *on { "On" } else { "Off" };
                        let line = Line::new("arc route53-recovery-cluster get-routing-control-state")
                            .at(None, self.topology.scope("arc").profile.as_deref())
                            .option("routing-control-arn", control.as_str());
                        let words = format!("routing control {} is {state}", control.short_name());
                        (
                            Some(words),
                            asking(line, &format!("RoutingControlState == {}", tick(&json!(state)))),
                        )
                    })
                    .collect(),
            ),
            Condition::Flag { fact, is, .. } => self.flag(fact, *is),
            Condition::Record { zone, name, record_type, set_identifier, is } => {
                let identifier = set_identifier.as_ref().map(Text::as_str);
                let found = record_query_of(name.as_str(), record_type.as_str(), identifier)?;
                one(
                    self.dns("list-resource-record-sets").option("hosted-zone-id", zone.as_str()),
                    format!("length({found}) == `{}`", u8::from(is.is_some())),
                )
            }
            Condition::Scaling { region, service, min, max, at_least, suspended } => {
                let compare = if *at_least { ">=" } else { "==" };
                let mut query = format!("ScalableTargets[0] | MinCapacity {compare} `{min}`");
                if let Some(max) = max {
                    query.extend([format!(" && MaxCapacity {compare} `{max}`")]);
                }
                if let Some(suspended) = suspended {
                    query.extend([format!(
                        " && SuspendedState.[DynamicScalingInSuspended, DynamicScalingOutSuspended, \
                         ScheduledScalingSuspended] == {}",
                        tick(&json!([suspended.scale_in, suspended.scale_out, suspended.scheduled]))
                    )]);
                }
                let line = self
                    .call("application-autoscaling", "describe-scalable-targets", region)
                    .option("service-namespace", "ecs")
                    .option("scalable-dimension", "ecs:service:DesiredCount")
                    .option("resource-ids", &service.resource_id());
                one(line, query)
            }
            Condition::Desired { region, service, tasks, at_least } => {
                let compare = if *at_least { ">=" } else { "==" };
                one(self.service(region, service), format!("services[0].desiredCount {compare} `{tasks}`"))
            }
            Condition::Serving { region, service, groups, tasks } => {
                let mut lines = vec![(
                    Some(format!("at least {tasks} tasks of {service} run in {region}")),
                    asking(self.service(region, service), &format!("services[0].runningCount >= `{tasks}`")),
                )];
                lines.extend(groups.iter().map(|group| {
                    let words = format!(
                        "at least {tasks} targets of {} are healthy",
                        group.resource().unwrap_or_default()
                    );
                    let query = format!(
                        "length(TargetHealthDescriptions[?TargetHealth.State == `\"healthy\"`]) >= `{tasks}`"
                    );
                    (Some(words), asking(self.targets(region, group), &query))
                }));
                Some(lines)
            }
            Condition::Stopped { region, service } => one(
                self.service(region, service),
                "services[0].[runningCount, pendingCount] == `[0,0]`".to_owned(),
            ),
            Condition::Writer { ask, global, cluster } => one(
                self.global(ask, global)?,
                format!(
                    "GlobalClusters[0] | {IDLE} && length(GlobalClusterMembers[?IsWriter && DBClusterArn == {}]) == `1`",
                    literal(cluster.as_str())?
                ),
            ),
            Condition::GlobalIdle { ask, global } => {
                one(self.global(ask, global)?, format!("GlobalClusters[0] | {IDLE}"))
            }
            Condition::Synchronized { ask, global } => one(
                self.global(ask, global)?,
                "GlobalClusters[0].GlobalClusterMembers[?IsWriter == `false`] | length(@) > `0` && \
                 length([?SynchronizationStatus != `\"connected\"`]) == `0`"
                    .to_owned(),
            ),
            Condition::Detached { ask, global, cluster } => one(
                self.global(ask, global)?,
                format!(
                    "length(GlobalClusters[].GlobalClusterMembers[] | [?DBClusterArn == {}]) == `0`",
                    literal(cluster.as_str())?
                ),
            ),
            Condition::Gone { fact: Fact::Service(region, service), .. } => one(
                self.service(region, service),
                "length(services[?status != `\"INACTIVE\"`]) == `0`".to_owned(),
            ),
            Condition::Owned { region, arn, key, value } => one(
                self.call("resourcegroupstaggingapi", "get-resources", region)
                    .option("resource-arn-list", arn.as_str()),
                format!(
                    "length(ResourceTagMappingList[].Tags[] | [?Key == {} && Value == {}]) == `1`",
                    literal(key.as_str())?,
                    literal(value.as_str())?
                ),
            ),
            Condition::NoReplica { ask, table, replica } if ask != replica => one(
                self.call("dynamodb", "describe-table", ask).option("table-name", table.as_str()),
                format!(
                    "length((Table.Replicas || `[]`)[?RegionName == {}]) == `0`",
                    literal(replica.as_str())?
                ),
            ),
            Condition::Always
            | Condition::All { .. }
            | Condition::Any { .. }
            | Condition::Alive { .. }
            | Condition::AliveFor { .. }
            | Condition::EndpointMoved { .. }
            | Condition::RpoLag { .. }
            | Condition::AnswersOmit { .. }
            | Condition::AnswersInclude { .. }
            | Condition::TrafficBelow { .. }
            | Condition::ErrorsBelow { .. }
            | Condition::Elapsed { .. }
            | Condition::Synthetic { .. }
            | Condition::SyntheticWrite { .. }
            | Condition::Gone { .. }
            | Condition::NoReplica { .. } => None,
        }
    }

    fn flag(&self, fact: &Fact, is: bool) -> Lines {
        let (line, query) = match fact {
            Fact::SwitchObject(region, bucket, key) => (
                self.call("s3api", "list-objects-v2", region)
                    .option("bucket", bucket.as_str())
                    .option("prefix", key),
                format!("length((Contents || `[]`)[?Key == {}]) == `{}`", literal(key)?, u8::from(is)),
            ),
            Fact::Table(region, table) => (
                self.call("dynamodb", "describe-table", region).option("table-name", table.as_str()),
                format!("(Table.DeletionProtectionEnabled || `false`) == `{is}`"),
            ),
            Fact::GlobalCluster(region, global) => (
                self.global(std::slice::from_ref(region), global)?,
                format!("GlobalClusters[0].DeletionProtection == `{is}`"),
            ),
            Fact::DbCluster(region, cluster) => (
                self.call("rds", "describe-db-clusters", region)
                    .option("db-cluster-identifier", cluster.as_str()),
                format!("DBClusters[0].DeletionProtection == `{is}`"),
            ),
            Fact::BlueGreen(region, cluster, global) => {
                let (one, all) = (
                    literal(&format!(":cluster:{cluster}"))?,
                    literal(&format!(":global-cluster:{global}"))?,
                );
                let ours = |key: &str| format!("ends_with({key}, {one}) || ends_with({key}, {all})");
                (
                    self.call("rds", "describe-blue-green-deployments", region),
                    format!(
                        "(length(BlueGreenDeployments[?Status != {} && ({} || {})]) == `0`) == `{}`",
                        literal("SWITCHOVER_COMPLETED")?,
                        ours("Source"),
                        ours("Target"),
                        !is
                    ),
                )
            }
            Fact::Balancer(region, arn) if arn.as_str().contains(":loadbalancer/") => (
                self.call("elbv2", "describe-load-balancer-attributes", region)
                    .option("load-balancer-arn", arn.as_str()),
                format!("Attributes[?Key == `\"deletion_protection.enabled\"`].Value == `[\"{is}\"]`"),
            ),
            _ => return None,
        };
        Some(vec![(None, asking(line, &query))])
    }

    fn service(&self, region: &Region, service: &ServiceKey) -> Line {
        self.call("ecs", "describe-services", region)
            .option("cluster", service.cluster.as_str())
            .option("services", service.service.as_str())
    }

    fn targets(&self, region: &Region, group: &Arn) -> Line {
        self.call("elbv2", "describe-target-health", region).option("target-group-arn", group.as_str())
    }

    fn global(&self, ask: &[Region], global: &GlobalClusterId) -> Option<Line> {
        let region = ask.first()?;
        Some(
            self.call("rds", "describe-global-clusters", region)
                .option("global-cluster-identifier", global.as_str()),
        )
    }

    /// Our own requests to the region's load balancers, by the first public name.
    fn requests(&self, region: &Region) -> Vec<String> {
        let entry = self.topology.region(region);
        let Some(host) = self.topology.hostnames.first() else { return Vec::new() };
        let url = format!("https://{}{}", host.name, self.topology.probe.path);
        let balancers = entry.iter().flat_map(|entry| &entry.load_balancers);
        balancers
            .map(|balancer| {
                let to = format!("{}:443:{}:443", host.name, balancer.dns_name);
                format!("{CURL} --connect-to {} {}", quoted(&to), quoted(&url))
            })
            .collect()
    }

    /// Commands that show what no command judges.
    fn hints(&self, condition: &Condition) -> Vec<String> {
        match condition {
            Condition::Any { of } => of
                .iter()
                .flat_map(|part| match self.lines(part) {
                    Some(lines) => lines.into_iter().map(|(_, line)| line).collect(),
                    None => self.hints(part),
                })
                .collect(),
            Condition::Alive { region, groups } | Condition::AliveFor { region, groups, .. } => {
                let targets = groups.iter().map(|group| {
                    self.targets(region, group)
                        .option("output", "text")
                        .option("query", "TargetHealthDescriptions[].TargetHealth.State")
                        .end()
                });
                targets.chain(self.requests(region)).collect()
            }
            Condition::AnswersOmit { names, .. } | Condition::AnswersInclude { names, .. } => {
                names.iter().map(|name| format!("dig +noall +answer {}", quoted(name.as_str()))).collect()
            }
            Condition::Synthetic { name } => {
                let path = self.topology.synthetic.path.as_ref().unwrap_or(&self.topology.probe.path);
                vec![format!("{CURL} {}", quoted(&format!("https://{name}{path}")))]
            }
            // By hand one writes with a token of one's own.
            Condition::SyntheticWrite { name } => {
                let write = self.topology.synthetic.write.iter();
                let by_hand = |text: &str| text.replace(TOKEN, "by-hand");
                write
                    .map(|write| {
                        let url = format!("https://{name}{}", by_hand(&write.path));
                        let kind = format!("Content-Type: {}", write.content_type);
                        format!(
                            "{CURL} -X {} -H {} --data {} {}",
                            write.method,
                            quoted(&kind),
                            quoted(&by_hand(&write.body)),
                            quoted(&url)
                        )
                    })
                    .collect()
            }
            Condition::RpoLag { region, cluster, .. } => vec![
                self.call("cloudwatch", "list-metrics", region)
                    .option("namespace", "AWS/RDS")
                    .option("metric-name", "AuroraGlobalDBRPOLag")
                    .option("dimensions", &format!("Name=DBClusterIdentifier,Value={cluster}"))
                    .end(),
            ],
            Condition::Gone { fact, .. } => self.gone(fact).map(Line::end).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A command that ends with "not found" when the thing is gone.
    fn gone(&self, fact: &Fact) -> Option<Line> {
        Some(match fact {
            Fact::HealthCheck(check) => {
                self.dns("get-health-check").option("health-check-id", check.as_str())
            }
            Fact::Table(region, table) => {
                self.call("dynamodb", "describe-table", region).option("table-name", table.as_str())
            }
            Fact::DbCluster(region, cluster) => self
                .call("rds", "describe-db-clusters", region)
                .option("db-cluster-identifier", cluster.as_str()),
            Fact::DbInstance(region, instance) => self
                .call("rds", "describe-db-instances", region)
                .option("db-instance-identifier", instance.as_str()),
            Fact::GlobalCluster(region, global) => self.global(std::slice::from_ref(region), global)?,
            Fact::Balancer(region, arn) if arn.as_str().contains(":targetgroup/") => {
                self.call("elbv2", "describe-target-groups", region).option("target-group-arns", arn.as_str())
            }
            Fact::Balancer(region, arn) => self
                .call("elbv2", "describe-load-balancers", region)
                .option("load-balancer-arns", arn.as_str()),
            Fact::Bucket(region, bucket) => {
                self.call("s3api", "head-bucket", region).option("bucket", bucket.as_str())
            }
            Fact::Stack(region, stack) => {
                self.call("cloudformation", "describe-stacks", region).option("stack-name", stack.as_str())
            }
            _ => return None,
        })
    }
}

/// Prints the status of a request.
const CURL: &str = r"curl -sS -o /dev/null -w '%{http_code}\n' --max-time 5";

/// The cluster is available and nothing is in flight.
const IDLE: &str = "Status == `\"available\"` && not_null(FailoverState.Status, `\"\"`) == `\"\"`";

fn asking(line: Line, query: &str) -> String {
    line.option("output", "json").option("query", query).end()
}

/// A value as JMESPath writes it.
fn tick(value: &Value) -> String {
    format!("`{value}`")
}
