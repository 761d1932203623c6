//! What to do next about a finding.
//!
//! What it is for: one table from codes to a sentence, beside the checks. A code without a line has no step that
//! is right in every case.
//! What it must not do: promise that a step mends anything, or tell to act on a region; that is for runbooks.

/// The step for a code. `region.` stands for `route53.` too where both cannot be read for the same reason.
pub fn next(code: &str) -> Option<&'static str> {
    let find = |code: &str| NEXT.iter().find(|(known, _)| *known == code).map(|(_, step)| *step);
    find(code).or_else(|| find(&format!("region.{}", code.strip_prefix("route53.")?)))
}

/// Every code that has a next step.
pub const NEXT: &[(&str, &str)] = &[
    ("probe.our_network", "trust no verdict from this machine; look from another network"),
    ("probe.failed", "ask the same URL from another network before you blame the region"),
    ("probe.certificate", "renew the certificate in ACM, or attach the renewed one to the listener"),
    ("alb.no_healthy_targets", "read the targets' reasons, and the services' events (ECS)"),
    ("alb.unhealthy_targets", "read the targets' reasons, and the services' events (ECS)"),
    (
        "alb.no_targets",
        "look whether the services were scaled to zero; until there are targets users get 503",
    ),
    (
        "ecs.failing_tasks",
        "read why tasks stopped: aws ecs describe-tasks, of list-tasks --desired-status STOPPED",
    ),
    ("ecs.rollout", "read the deployment's reason; the former task definition is the way back"),
    ("ecs.at_max", "raise MaxCapacity of its scalable target before more load comes"),
    ("ecs.scaled_to_zero", "find out who did it: aws application-autoscaling describe-scaling-activities"),
    ("ecs.scaling_suspended", "find out who needs it suspended, and resume it when nobody does"),
    ("aurora.headless", "add an instance before this cluster is needed as the writer"),
    ("dynamodb.fuse", "enable the region, or give access to the KMS key back, before twenty hours are over"),
    ("dynamodb.throttles", "raise the table's capacity or its quota, or switch it to on-demand"),
    (
        "route53.all_unhealthy",
        "mend one region's endpoint first: until then Route 53 answers as if all were healthy",
    ),
    ("route53.last_region", "take no other region out of service"),
    ("route53.inverted", "disable the check as well, or traffic comes back when its endpoint really fails"),
    ("route53.disabled", "enable the check unless this is meant: a disabled one counts as healthy"),
    ("alarms.no_data", "look whether what it watches still exists under these dimensions"),
    ("alarms.unheard", "confirm a subscription of its topic, or enable its actions"),
    (
        "identity.account",
        "use the credentials of the account that the topology names, or correct its scope there",
    ),
    ("identity.expiry", "renew the credentials before you begin anything long"),
    ("region.credentials", "renew the credentials, for instance with aws sso login"),
    (
        "region.denied",
        "grant the permission that the evidence names; assets/iam/observe.json has all of them",
    ),
    ("region.throttled", "wait: this program slows down by itself; look who else asks so much"),
    ("region.timed_out", "look whether other regions answer: if they do, it is not your network"),
    ("region.unreachable", "look whether other regions answer: if they do, it is not your network"),
    ("region.service_down", "compare with https://health.aws.amazon.com/health/status"),
    ("region.disabled", "enable the region for the account, or delete it from the topology"),
    ("region.clock_skew", "set this machine's clock; chronyc tracking or timedatectl says how far it is off"),
    ("region.not_found", "run switchtower init again, or delete from the topology what no longer exists"),
    ("region.stale", "read again (r), and look at the call's error if it stays old"),
];
