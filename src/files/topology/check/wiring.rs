//! Rules for how runbooks act: ways out of a region, the lease, who is told, what cleanup may touch.

use super::Checker;
use super::values::{Expected, identifier, url_like};
use crate::domain::ids::HealthCheckId;
use crate::domain::topology::{
    ArcSettings, CleanupSettings, LeaseSettings, NotifySettings, RoutingControl, Switch, SwitchWire,
};

/// Every ARC cluster has so many endpoints, each in a region of its own.
const ENDPOINTS: usize = 5;

impl Checker<'_> {
    /// All of them.
    pub(super) fn wiring(&mut self) {
        let topology = self.topology;
        for (index, method) in topology.evacuation.iter().enumerate() {
            if topology.evacuation[..index].contains(method) {
                self.say(format!("evacuation[{index}]"), "is named twice; delete one");
            }
        }
        for (index, switch) in topology.switches.iter().enumerate() {
            self.switch(&format!("switch[{index}]"), index, switch);
        }
        if let Some(arc) = &topology.arc {
            self.arc(arc);
        }
        if let Some(lease) = &topology.lease {
            self.lease(lease);
        }
        if let Some(notify) = &topology.notify {
            self.notify(notify);
        }
        if let Some(cleanup) = &topology.cleanup {
            self.cleanup(cleanup);
        }
    }

    fn switch(&mut self, path: &str, index: usize, switch: &Switch) {
        self.listed_region(&format!("{path}.region"), &switch.region);
        let home = format!("{path}.home");
        self.region_name(&home, &switch.home);
        if switch.home == switch.region {
            let region = &switch.region;
            self.say(&home, format!("is the region that it takes out; write it in another than {region}"));
        }
        self.check_id(&format!("{path}.health_check"), switch.health_check.as_ref());
        match &switch.wire {
            SwitchWire::Object { bucket, key } => {
                if !identifier(bucket.as_str()) {
                    self.say(
                        format!("{path}.bucket"),
                        "is no bucket name; write the name alone, without the ARN",
                    );
                }
                if key.trim().is_empty() {
                    self.say(
                        format!("{path}.key"),
                        "is empty; name the object, such as \"evacuate/us-east-1\"",
                    );
                }
            }
            SwitchWire::Metric { namespace, name } => {
                for (key, value) in [("namespace", namespace), ("name", name)] {
                    if value.trim().is_empty() {
                        self.say(format!("{path}.{key}"), "is empty; write it as the alarm has it");
                    }
                }
                if namespace.starts_with("AWS/") {
                    self.say(format!("{path}.namespace"), "belongs to AWS; write one of your own");
                }
            }
        }
        let same = |other: &Switch| other.home == switch.home && other.wire == switch.wire;
        if self.topology.switches[..index].iter().any(same) {
            self.say(path, "is the switch of an earlier entry; give each region its own");
        }
    }

    fn arc(&mut self, arc: &ArcSettings) {
        let count = arc.endpoints.len();
        if count != ENDPOINTS {
            self.say(
                "arc.endpoint",
                format!("there are {count}, but a cluster has five, and any may be the one that answers; list them all"),
            );
        }
        for (index, endpoint) in arc.endpoints.iter().enumerate() {
            let path = format!("arc.endpoint[{index}]");
            if !url_like(&endpoint.url) {
                self.say(
                    format!("{path}.url"),
                    "is no URL; it starts with https:// or http:// and names a host",
                );
            }
            self.region_name(&format!("{path}.region"), &endpoint.region);
            if arc.endpoints[..index].iter().any(|earlier| earlier.url == endpoint.url) {
                self.say(format!("{path}.url"), "is listed twice; write the other endpoint");
            }
        }
        if arc.routing_controls.is_empty() {
            self.say("arc", "has no [[arc.routing_control]]; add one for each region, or delete [arc]");
        }
        for (index, control) in arc.routing_controls.iter().enumerate() {
            let path = format!("arc.routing_control[{index}]");
            self.routing_control(&path, control);
            if arc.routing_controls[..index].iter().any(|earlier| earlier.arn == control.arn) {
                self.say(format!("{path}.arn"), "is listed twice; give each region its own");
            }
        }
    }

    fn routing_control(&mut self, path: &str, control: &RoutingControl) {
        self.listed_region(&format!("{path}.region"), &control.region);
        let expected = Expected {
            service: "route53-recovery-control",
            region: None,
            resource: "controlpanel/",
            example: "arn:aws:route53-recovery-control::123456789012:controlpanel/ID/routingcontrol/ID",
        };
        let key = format!("{path}.arn");
        if self.arn(&key, &control.arn, &expected) && !control.arn.as_str().contains("/routingcontrol/") {
            self.say(
                &key,
                "is a control panel's; write the routing control's, which ends in /routingcontrol/ID",
            );
        }
        self.check_id(&format!("{path}.health_check"), control.health_check.as_ref());
    }

    /// Its region need be none of the application's: better it is not.
    fn lease(&mut self, lease: &LeaseSettings) {
        if !identifier(lease.table.as_str()) {
            self.say("lease.table", "is no table name; write the name alone, without the ARN");
        }
        self.region_name("lease.region", &lease.region);
    }

    fn notify(&mut self, notify: &NotifySettings) {
        for (index, topic) in notify.topics.iter().enumerate() {
            let expected = Expected {
                service: "sns",
                region: None,
                resource: "",
                example: "arn:aws:sns:eu-west-1:123456789012:NAME",
            };
            let path = format!("notify.topics[{index}]");
            if self.arn(&path, topic, &expected) && topic.region().is_none() {
                self.say(path, format!("names no region; write one such as {}", expected.example));
            }
        }
        if notify.command.first().is_some_and(|program| program.trim().is_empty()) {
            self.say("notify.command[0]", "is empty; name the program, its arguments after it");
        }
    }

    fn cleanup(&mut self, cleanup: &CleanupSettings) {
        let (tag, value) = (&cleanup.owner_tag, &cleanup.owner_value);
        for (key, found, other) in [("owner_tag", tag, value), ("owner_value", value, tag)] {
            let path = format!("cleanup.{key}");
            match found {
                Some(found) if found.as_str().trim().is_empty() => {
                    self.say(
                        path,
                        "is empty; write what the application's resources carry, or delete both keys",
                    );
                }
                None if other.is_some() => {
                    self.say(path, "is missing; a tag is a key and a value: write both or neither");
                }
                _ => {}
            }
        }
        for (index, stack) in cleanup.stacks.iter().enumerate() {
            let path = format!("cleanup.stack[{index}]");
            self.listed_region(&format!("{path}.region"), &stack.region);
            if stack.name.as_str().trim().is_empty() {
                self.say(format!("{path}.name"), "is empty; write the stack's name");
            }
            if cleanup.stacks[..index].contains(stack) {
                self.say(path, "is listed twice; delete one");
            }
        }
    }

    /// The id of a health check, where one is named.
    pub(super) fn check_id(&mut self, path: &str, check: Option<&HealthCheckId>) {
        if check.is_some_and(|check| !identifier(check.as_str())) {
            self.say(
                path,
                "is no health check id; copy it from Route 53, or delete the key if there is none",
            );
        }
    }
}
