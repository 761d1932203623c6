//! Pins: what keeps a region out by our own act is as the run left it, and what follows from it is no illness.
//!
//! A change is told once the records of runs were read after it was seen: until then it may be our own. What was
//! last seen before the pin was proven, or is too old, is neither a change nor a sign that all is well.

use super::Fleet;
use crate::domain::derive::AlarmSubject;
use crate::domain::health::{Finding, Severity};
use crate::domain::observation::{ErrorKind, Observed};
use crate::domain::pin::{Held, Pin, Subject, Value};

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let known = fleet.snapshot.pins.pins.iter();
    let here = known.filter(|pin| fleet.topology.region(&pin.region).is_some());
    here.flat_map(|pin| of_pin(fleet, pin)).collect()
}

/// What a look at one setting says.
enum Seen {
    /// As it was left, or not looked at since.
    Still,
    /// Somebody changed it.
    Changed(String),
    /// Nobody can tell.
    Unknown(String),
}

fn of_pin(fleet: &Fleet<'_>, pin: &Pin) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut unknown: Vec<(&Held, String)> = Vec::new();
    for held in &pin.held {
        match look(fleet, pin, held) {
            Seen::Still => {}
            Seen::Changed(now) => findings.push(changed(fleet, pin, held, &now)),
            Seen::Unknown(why) => unknown.push((held, why)),
        }
    }
    if let Some((first, _)) = unknown.first() {
        let message = format!("whether {} is still pinned cannot be told now", pin.region);
        let mut finding =
            Finding::new("pin.unknown", Severity::Warning, Some(&pin.region), first.subject.name(), message)
                .blind();
        for (held, why) in &unknown {
            finding = finding.because(format!("{}: {why}", held.subject.words()));
        }
        findings.push(finding);
    }
    if findings.is_empty() {
        let message = format!("taken out of service on purpose, by {} at {}", pin.runbook, since(pin));
        let finding = Finding::new("pin.held", Severity::Info, Some(&pin.region), pin.run.clone(), message);
        findings.push(signed(finding, pin));
    }
    findings
}

/// A moment and not an age: it is read in a journal next, and a screen must not change with every second.
fn since(pin: &Pin) -> String {
    pin.since.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn signed(finding: Finding, pin: &Pin) -> Finding {
    finding.because(format!("run {}, by {}", pin.run, pin.by))
}

/// One setting, as it is seen now.
fn look(fleet: &Fleet<'_>, pin: &Pin, held: &Held) -> Seen {
    let Some(seen) = held.subject.seen(fleet.snapshot) else {
        return Seen::Unknown("nothing here asks for it".to_owned());
    };
    // An answer that it does not exist is an answer.
    if let Some(error) = seen.error().filter(|error| error.kind == ErrorKind::NotFound) {
        return if held.is == Value::On(false) || error.at <= held.proven {
            Seen::Still
        } else {
            told(fleet, error.at, "gone".to_owned())
        };
    }
    if matches!(held.subject, Subject::Metric(..))
        && let Some(error) = seen.error().filter(|error| error.kind == ErrorKind::NoData)
    {
        return by_verdict(fleet, pin, error.at);
    }
    if seen.reading().is_some_and(|reading| !reading.saved && reading.as_of <= held.proven)
        && !is_old(fleet, &seen)
    {
        return Seen::Still;
    }
    match (fleet.fresh(&seen), seen.as_of()) {
        (Some(value), _) if *value == held.is => Seen::Still,
        (Some(value), Some(as_of)) => told(fleet, as_of, value.words()),
        _ => Seen::Unknown(why_not(&seen)),
    }
}

/// A metric that has had no value for so long that CloudWatch knows none: what its health check makes of that is a
/// setting of the check (InsufficientDataHealthStatus), so that Route 53's own verdict says whether users are kept out.
fn by_verdict(fleet: &Fleet<'_>, pin: &Pin, at: jiff::Timestamp) -> Seen {
    let rows = fleet.regions.iter().filter(|rows| rows.region == pin.region).flat_map(|rows| &rows.route53);
    let verdicts: Vec<bool> = rows.filter_map(|row| fleet.fresh(&row.verdict).copied()).collect();
    if verdicts.contains(&true) {
        return told(fleet, at, "without a value, and Route 53 calls the region healthy again".to_owned());
    }
    if verdicts.is_empty() {
        let why = "it has had no value for two weeks, and Route 53 gives no verdict; P publishes it again";
        return Seen::Unknown(why.to_owned());
    }
    Seen::Still
}

fn is_old(fleet: &Fleet<'_>, seen: &Observed<Value>) -> bool {
    seen.is_stale(fleet.snapshot.now, &fleet.topology.freshness)
}

/// A change is told when the records of runs are newer than it.
fn told(fleet: &Fleet<'_>, at: jiff::Timestamp, now: String) -> Seen {
    let read = fleet.snapshot.pins.read_at.is_some_and(|read| read >= at);
    if read { Seen::Changed(now) } else { Seen::Still }
}

fn why_not(seen: &Observed<Value>) -> String {
    match (seen.error(), seen.as_of()) {
        (Some(error), _) => error.to_string(),
        (None, Some(at)) => format!("last seen at {}", at.strftime("%H:%M:%SZ")),
        (None, None) => "no answer yet".to_owned(),
    }
}

fn changed(fleet: &Fleet<'_>, pin: &Pin, held: &Held, now: &str) -> Finding {
    let what = held.subject.words();
    let effect = if held.subject.steers() { "users may come back" } else { "its tasks may come back" };
    let message = format!("the pin was changed: {what} is {now}; left {}; {effect}", held.is.words());
    let mut finding =
        Finding::new("pin.changed", Severity::Critical, Some(&pin.region), held.subject.name(), message)
            .because(format!(
                "proven last at {}, by run {}",
                held.proven.strftime("%Y-%m-%d %H:%M:%SZ"),
                held.run
            ))
            .because(format!("pinned since {} by {}: {}", since(pin), pin.runbook, pin.by));
    finding.next = format!(
        "P puts it back (what still holds is skipped), as does switchtower run {}; R if the region is to serve again",
        again(pin)
    )
    .into();
    match &fleet.snapshot.pins.unread {
        Some(why) => finding.because(format!("it may be a run of another host: {why}")),
        None => finding,
    }
}

/// The command line that puts a pin back.
fn again(pin: &Pin) -> String {
    let zero = if pin.is_at_zero() { " --scale-to-zero" } else { "" };
    match pin.runbook.as_str() {
        "failover" => format!("failover --region {} --database leave", pin.region),
        runbook => format!("{runbook} --region {} --now{zero}", pin.region),
    }
}

/// Takes the weight off findings that only say that our own act took effect. Whatever else a pinned region suffers
/// from keeps its weight.
pub(super) fn own_acts(fleet: &Fleet<'_>, findings: &mut [Finding]) {
    if fleet.snapshot.pins.pins.is_empty() {
        return;
    }
    for finding in findings.iter_mut().filter(|finding| finding.severity > Severity::Info && !finding.blind) {
        let pin = finding.region.as_ref().and_then(|region| fleet.snapshot.pins.of(region));
        let Some(pin) = pin else { continue };
        if finding.code == "alb.5xx" && pin.is_at_zero() {
            // Users who kept their connection do fail there: that stays to be seen, and is no outage.
            finding.severity = Severity::Warning;
            finding
                .evidence
                .push("its tasks were stopped: clients that keep their connection get 503".into());
        } else if follows(fleet, pin, finding) {
            finding.severity = Severity::Info;
            finding.next = "R restores the region when it is to serve again".into();
        } else {
            continue;
        }
        let meant = format!("meant so: {} at {}, run {}", pin.runbook, since(pin), pin.run);
        finding.evidence.push(meant.into());
    }
}

/// True when a finding follows from the pin alone.
fn follows(fleet: &Fleet<'_>, pin: &Pin, finding: &Finding) -> bool {
    let resource = finding.resource.as_str();
    let by_record = || {
        pin.held.iter().any(|held| {
            held.is == Value::Record(None)
                && matches!(&held.subject, Subject::Record(_, name, ..) if name.as_str() == resource)
        })
    };
    let off = Value::Flags { inverted: true, disabled: true };
    let by_check = || {
        let records = fleet.topology.records.iter().filter(|record| record.name.as_str() == resource);
        let mut checks = records
            .filter(|record| record.region == pin.region)
            .filter_map(|record| record.health_check.clone());
        checks.any(|check| pin.holds(&Subject::Check(check)) == Some(&off))
    };
    let stopped = || {
        pin.held.iter().any(|held| {
            held.is == Value::Desired(0)
                && matches!(&held.subject, Subject::Desired(_, key) if key.service.as_str() == resource)
        })
    };
    // An alarm about what the pin switched off fires because of it; one about data does not.
    let alarm = || {
        let rows = fleet.regions.iter().flat_map(|rows| &rows.alarms);
        rows.filter(|row| row.name.as_str() == resource).any(|row| match &row.subject {
            AlarmSubject::HealthCheck(region) => *region == pin.region,
            AlarmSubject::Serving => pin.is_at_zero(),
            AlarmSubject::Link(_) | AlarmSubject::Other => false,
        })
    };
    match finding.code.as_str() {
        "route53.out_of_dns" => true,
        "route53.pinned" => by_check(),
        "route53.record" => by_record(),
        "route53.unhealthy" => pin.is_by_switch() || by_check(),
        "region.disagreement" => pin.is_by_switch() || pin.is_at_zero(),
        "ecs.scaled_to_zero" => stopped(),
        "alarms.firing" => alarm(),
        "alb.no_targets" | "alb.no_healthy_targets" | "probe.status" | "route53.checkers" => pin.is_at_zero(),
        _ => false,
    }
}
