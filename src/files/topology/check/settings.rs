//! Rules for what is set rather than discovered: DNS, probe, thresholds, freshness, policy.

use super::Checker;
use super::values::{Expected, url_like};
use crate::domain::ids::Region;
use crate::domain::synthetic::TOKEN;
use crate::domain::topology::{DNS_REGION, Levels};

impl Checker<'_> {
    pub(super) fn probe(&mut self) {
        let probe = &self.topology.probe;
        if !probe.path.starts_with('/') || probe.path.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            self.say("probe.path", "is no path; it starts with / and holds no blanks, such as \"/health\"");
        }
        for (key, url) in [("control", &probe.control), ("base", &probe.base)] {
            if let Some(url) = url
                && !url_like(url)
            {
                self.say(
                    format!("probe.{key}"),
                    "is no URL; it starts with https:// or http:// and names a host",
                );
            }
        }
        if !(1..=60).contains(&probe.timeout_seconds) {
            self.say("probe.timeout_seconds", "must be from 1 to 60 seconds");
        }
    }

    pub(super) fn synthetic(&mut self) {
        let synthetic = &self.topology.synthetic;
        let path_like = |path: &str| {
            path.starts_with('/') && !path.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        let write = synthetic.write.as_ref();
        let paths = [
            ("synthetic.path", synthetic.path.as_ref()),
            ("synthetic.write.path", write.map(|write| &write.path)),
            ("synthetic.write.read_back", write.and_then(|write| write.read_back.as_ref())),
        ];
        for (key, path) in paths {
            if path.is_some_and(|path| !path_like(path)) {
                self.say(
                    key,
                    "is no path; it starts with / and holds no blanks, such as \"/canary/{token}\"",
                );
            }
        }
        let Some(write) = write else { return };
        if !["POST", "PUT", "PATCH"].contains(&write.method.as_str()) {
            self.say("synthetic.write.method", "writes nothing; write POST, PUT or PATCH");
        }
        if !write.path.contains(TOKEN) && !write.body.contains(TOKEN) {
            self.say(
                "synthetic.write.body",
                "two writes could not be told apart: put {token} into the body or the path",
            );
        }
        if write.status.is_some_and(|status| !(200..400).contains(&status)) {
            self.say("synthetic.write.status", "is no status of success; write one from 200 to 399");
        }
        if write.content_type.is_empty() || write.content_type.contains(char::is_control) {
            self.say("synthetic.write.content_type", "is no type, such as \"application/json\"");
        }
    }

    pub(super) fn dns(&mut self) {
        let dns = &self.topology.dns;
        if dns.server.is_some_and(|server| server.port() == 0 || server.ip().is_unspecified()) {
            self.say("dns.server", "is nowhere; write a server's own address and its port, mostly 53");
        }
        for (index, alarm) in dns.alarms.iter().enumerate() {
            if alarm.as_str().trim().is_empty() {
                self.say(format!("dns.alarms[{index}]"), "is empty; name an alarm or delete it");
            }
        }
        for (index, topic) in dns.topics.iter().enumerate() {
            let expected = Expected {
                service: "sns",
                region: None,
                resource: "",
                example: "arn:aws:sns:us-east-1:123456789012:NAME",
            };
            self.arn(&format!("dns.topics[{index}]"), topic, &expected);
        }
        // Watched twice, an alarm would be shown twice; in another account it is another alarm.
        let here = Region::new(DNS_REGION);
        let account = |scope: &str| self.topology.scope(scope).account;
        let listed = self.topology.region(&here).filter(|_| account("dns") == account(DNS_REGION));
        let twice = listed.and_then(|entry| dns.alarms.iter().position(|alarm| entry.alarms.contains(alarm)));
        if let Some(index) = twice {
            let path = format!("dns.alarms[{index}]");
            self.say(path, format!("is listed in [[region]] {here} too; delete one"));
        }
    }

    pub(super) fn thresholds(&mut self) {
        let t = &self.topology.thresholds;
        // The last column says which way is worse.
        let rows: [(&str, Levels, bool); 9] = [
            ("error_5xx_percent", t.error_5xx_percent, true),
            ("p99_ms", t.p99_ms, true),
            ("replication_latency_ms", t.replication_latency_ms, true),
            ("aurora_lag_ms", t.aurora_lag_ms, true),
            ("checkers_percent", t.checkers_percent, false),
            ("s3_latency_seconds", t.s3_latency_seconds, true),
            ("cpu_percent", t.cpu_percent, true),
            ("certificate_days", t.certificate_days, false),
            ("probe_ms", t.probe_ms, true),
        ];
        for (key, levels, more_is_worse) in rows {
            let path = format!("thresholds.{key}");
            for (name, level) in [("warning", levels.warning), ("critical", levels.critical)] {
                if !level.is_finite() || level < 0.0 {
                    self.say(
                        format!("{path}.{name}"),
                        format!("{level} is no threshold; write a number, 0 or more"),
                    );
                } else if key.ends_with("_percent") && level > 100.0 {
                    self.say(format!("{path}.{name}"), format!("{level} is more than 100 percent"));
                }
            }
            let reversed = if more_is_worse {
                levels.warning > levels.critical
            } else {
                levels.warning < levels.critical
            };
            if reversed {
                let (word, comes) = if more_is_worse { ("above", "more") } else { ("below", "less") };
                self.say(
                    &path,
                    format!(
                        "warning {} is {word} critical {}, but {comes} is worse here; swap the two",
                        levels.warning, levels.critical
                    ),
                );
            }
        }
        let severe = t.replication_latency_severe_ms;
        if !severe.is_finite() || severe < t.replication_latency_ms.critical {
            self.say(
                "thresholds.replication_latency_severe_ms",
                format!(
                    "{severe} is below critical {} of replication_latency_ms; write a larger number",
                    t.replication_latency_ms.critical
                ),
            );
        }
    }

    pub(super) fn freshness(&mut self) {
        let f = &self.topology.freshness;
        let rows = [
            ("targets", f.targets),
            ("services", f.services),
            ("scaling", f.scaling),
            ("tables", f.tables),
            ("aurora", f.aurora),
            ("metrics", f.metrics),
            ("replication", f.replication),
            ("alarms", f.alarms),
            ("topics", f.topics),
            ("identity", f.identity),
            ("probe", f.probe),
            ("records", f.records),
            ("health_checks", f.health_checks),
            ("checkers", f.checkers),
        ];
        for (key, seconds) in rows {
            if seconds == 0 {
                self.say(
                    format!("freshness.{key}"),
                    "0 would make every value stale; write seconds, 1 or more",
                );
            }
        }
    }

    pub(super) fn policy(&mut self) {
        let policy = &self.topology.policy;
        if !policy.max_rpo_lag_ms.is_finite() || policy.max_rpo_lag_ms < 0.0 {
            self.say("policy.max_rpo_lag_ms", "must be a number of milliseconds, 0 or more");
        }
        if policy.armed_minutes == 0 {
            self.say("policy.armed_minutes", "0 would disarm at once; write minutes, 1 or more");
        }
        for (index, freeze) in policy.freezes.iter().enumerate() {
            let path = format!("policy.freeze[{index}]");
            if freeze.until <= freeze.from {
                self.say(format!("{path}.until"), "is not after `from`; correct the one or the other");
            }
            if freeze.reason.is_empty() {
                self.say(format!("{path}.reason"), "is empty; say why, for whoever is refused");
            }
        }
    }
}
