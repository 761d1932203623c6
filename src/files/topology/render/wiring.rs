//! How runbooks act, as commented TOML: ways out of a region, the lease, who is told, what cleanup may touch.
//!
//! What it is for: the parts of the file that watching does not need. What is not set stands there as a comment,
//! ready to be used. What it must not do: leave out what is set.

use std::fmt::{self, Write};

use super::{entry, list, optional, section};
use crate::domain::ids::{Arn, HealthCheckId};
use crate::domain::text::Text;
use crate::domain::topology::{
    ArcSettings, CleanupSettings, EvacuationMethod, LeaseSettings, NotifySettings, OnEvacuate, Service,
    Switch, SwitchWire, SyntheticSettings,
};

/// Ways to take a region out of service; a key of the whole file, so before its first table.
pub(super) fn evacuation(out: &mut String, methods: &[EvacuationMethod]) -> fmt::Result {
    if methods.is_empty() {
        return Ok(());
    }
    writeln!(out, "# Ways to take a region out of DNS, in the order in which they are tried.")?;
    writeln!(out, "evacuation = {}", list(methods.iter().map(|method| method.word())))
}

/// What becomes of a service.
pub(super) fn service(out: &mut String, service: &Service) -> fmt::Result {
    let word = match service.on_evacuate {
        OnEvacuate::Keep => "keep",
        OnEvacuate::Stop => "stop",
    };
    entry(out, "on_evacuate", word)?;
    writeln!(out, "uses_database = {}", service.uses_database)
}

/// Evacuation switches.
pub(super) fn switches(out: &mut String, switches: &[Switch]) -> fmt::Result {
    section(
        out,
        &[
            "Evacuation switches: written in `home`, each turns a child check of the records of `region` unhealthy.",
            "`kind` is object, whose existence takes the region out, or metric, where 1 means out and 0 in.",
        ],
        switches,
        |out, switch| {
            writeln!(out, "[[switch]]")?;
            entry(out, "region", switch.region.as_str())?;
            entry(out, "home", switch.home.as_str())?;
            optional(out, "health_check", switch.health_check.as_ref().map(HealthCheckId::as_str))?;
            match &switch.wire {
                SwitchWire::Object { bucket, key } => {
                    entry(out, "kind", "object")?;
                    entry(out, "bucket", bucket.as_str())?;
                    entry(out, "key", key)
                }
                SwitchWire::Metric { namespace, name } => {
                    entry(out, "kind", "metric")?;
                    entry(out, "namespace", namespace)?;
                    entry(out, "name", name)
                }
            }
        },
    )
}

/// Amazon Application Recovery Controller; few applications pay for it, so nothing stands there without it.
pub(super) fn arc(out: &mut String, arc: Option<&ArcSettings>) -> fmt::Result {
    let Some(arc) = arc else { return Ok(()) };
    writeln!(out)?;
    writeln!(out, "# Amazon Application Recovery Controller.")?;
    writeln!(out, "[arc]")?;
    let comment = "The cluster's five endpoints; whichever answers takes the change.";
    section(out, &[comment], &arc.endpoints, |out, endpoint| {
        writeln!(out, "[[arc.endpoint]]")?;
        entry(out, "url", &endpoint.url)?;
        entry(out, "region", endpoint.region.as_str())
    })?;
    let comment = "Routing controls, each keeping one region in DNS while it is On.";
    section(out, &[comment], &arc.routing_controls, |out, control| {
        writeln!(out, "[[arc.routing_control]]")?;
        entry(out, "region", control.region.as_str())?;
        entry(out, "arn", control.arn.as_str())?;
        optional(out, "health_check", control.health_check.as_ref().map(HealthCheckId::as_str))
    })
}

/// Where the lease lies.
pub(super) fn lease(out: &mut String, lease: Option<&LeaseSettings>) -> fmt::Result {
    writeln!(out)?;
    writeln!(
        out,
        "# The DynamoDB table (keys `pk` and `sk`, text) by which runs of two hosts see each other; it is"
    )?;
    writeln!(
        out,
        "# written in one region, better one that serves no traffic. Without it each host sees only its own."
    )?;
    let Some(lease) = lease else {
        writeln!(out, "# [lease]")?;
        writeln!(out, "# table = \"switchtower-lease\"")?;
        return writeln!(out, "# region = \"us-west-2\"");
    };
    writeln!(out, "[lease]")?;
    entry(out, "table", lease.table.as_str())?;
    entry(out, "region", lease.region.as_str())
}

/// Whom runs tell.
pub(super) fn notify(out: &mut String, notify: Option<&NotifySettings>) -> fmt::Result {
    writeln!(out)?;
    writeln!(
        out,
        "# Who hears of a run's start, halt and end: SNS topics, of which those in the failing region are passed"
    )?;
    writeln!(
        out,
        "# over, and a program with its arguments, which gets the event as JSON on its standard input."
    )?;
    let Some(notify) = notify else {
        writeln!(out, "# [notify]")?;
        writeln!(out, "# topics = [\"arn:aws:sns:eu-west-1:123456789012:oncall\"]")?;
        return writeln!(out, "# command = [\"/usr/local/bin/page\", \"--team\", \"orders\"]");
    };
    writeln!(out, "[notify]")?;
    if !notify.topics.is_empty() {
        writeln!(out, "topics = {}", list(notify.topics.iter().map(Arn::as_str)))?;
    }
    if !notify.command.is_empty() {
        writeln!(out, "command = {}", list(notify.command.iter().map(String::as_str)))?;
    }
    Ok(())
}

/// What cleanup may touch.
pub(super) fn cleanup(out: &mut String, cleanup: Option<&CleanupSettings>) -> fmt::Result {
    writeln!(out)?;
    writeln!(
        out,
        "# What cleanup may delete: only what this file names and what carries this tag. Without a tag, nothing."
    )?;
    let Some(cleanup) = cleanup else {
        writeln!(out, "# [cleanup]")?;
        writeln!(out, "# owner_tag = \"application\"")?;
        return writeln!(out, "# owner_value = \"orders\"");
    };
    writeln!(out, "[cleanup]")?;
    optional(out, "owner_tag", cleanup.owner_tag.as_ref().map(Text::as_str))?;
    optional(out, "owner_value", cleanup.owner_value.as_ref().map(Text::as_str))?;
    let comment =
        "CloudFormation stacks that made the networks; a network of no stack is named and left alone.";
    section(out, &[comment], &cleanup.stacks, |out, stack| {
        writeln!(out, "[[cleanup.stack]]")?;
        entry(out, "region", stack.region.as_str())?;
        entry(out, "name", stack.name.as_str())
    })
}

/// What runbooks send through the public name as proof; an example where nothing is set.
pub(super) fn synthetic(out: &mut String, synthetic: &SyntheticSettings) -> fmt::Result {
    writeln!(out)?;
    writeln!(
        out,
        "# Proof that users are served, sent through each hostname by failover and drain at their end."
    )?;
    writeln!(out, "[synthetic]")?;
    match &synthetic.path {
        Some(path) => entry(out, "path", path)?,
        None => writeln!(out, "# path = \"/health\"      # default: that of [probe]")?,
    }
    writeln!(
        out,
        "# A small write that does no harm proves that writes work too. {{token}} is a word of its own each time."
    )?;
    writeln!(
        out,
        "# With a {{token}} in read_back a failover also measures its recovery point: it writes every few seconds until the"
    )?;
    writeln!(out, "# new writer is promoted, and looks which of those writes are there afterwards.")?;
    let Some(write) = &synthetic.write else {
        writeln!(out, "# [synthetic.write]")?;
        writeln!(out, "# method = \"PUT\"")?;
        writeln!(out, "# path = \"/canary/{{token}}\"")?;
        writeln!(out, "# body = \"{{token}}\"")?;
        return writeln!(out, "# read_back = \"/canary/{{token}}\"");
    };
    writeln!(out, "[synthetic.write]")?;
    entry(out, "method", &write.method)?;
    entry(out, "path", &write.path)?;
    entry(out, "body", &write.body)?;
    entry(out, "content_type", &write.content_type)?;
    if let Some(status) = write.status {
        writeln!(out, "status = {status}")?;
    }
    write.read_back.as_ref().map_or(Ok(()), |path| entry(out, "read_back", path))
}
