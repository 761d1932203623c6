//! Alarms: DescribeAlarms, DescribeAlarmsForMetric, DescribeAlarmHistory, ListTagsForResource.
//!
//! What it is for: what alarms there are and what is known of their past.
//! What it must not do: evaluate an alarm (the world does), or know a wire protocol.

use jiff::Timestamp;
use serde_json::json;

use super::input::{Input, Style};
use super::metrics::{STATISTICS, dimensions};
use super::series::by_set;
use super::source::{Alarm, MetricId, MetricSource};
use super::token::{self, Position};
use super::value::Value;
use crate::sim::call::{Call, Fault};

const TYPES: [&str; 3] = ["CompositeAlarm", "MetricAlarm", "LogAlarm"];
const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

/// Page size when the caller names none, and the most it may name.
const PAGE: i64 = 50;
const MOST: i64 = 100;

fn kind(alarm: &Alarm) -> &'static str {
    if alarm.rule.is_some() { "CompositeAlarm" } else { "MetricAlarm" }
}

/// Answers DescribeAlarms. Composite alarms are left out unless `AlarmTypes` names them.
pub(super) fn describe_alarms(source: &dyn MetricSource, call: &Call, value: &Value) -> Result<Value, Fault> {
    const OPERATION: &str = "DescribeAlarms";
    let input = Input::new(value, Style::Validation);
    let names = input.texts("AlarmNames", 100)?;
    let prefix = input.text("AlarmNamePrefix", 255)?;
    let types = input.texts("AlarmTypes", usize::MAX)?;
    let state = input.one_of("StateValue", &STATES)?;
    let action = input.text("ActionPrefix", 1024)?;
    let children_of = input.text("ChildrenOfAlarmName", 255)?;
    let parents_of = input.text("ParentsOfAlarmName", 255)?;
    let most = input.int("MaxRecords", 1, MOST)?.unwrap_or(PAGE) as usize;
    if !names.is_empty() && prefix.is_some() {
        return Err(input.invalid("AlarmNamePrefix and AlarmNames are mutually exclusive"));
    }
    let related = children_of.is_some() || parents_of.is_some();
    let others =
        !names.is_empty() || prefix.is_some() || !types.is_empty() || state.is_some() || action.is_some();
    if related && (others || (children_of.is_some() && parents_of.is_some())) {
        return Err(input.invalid(
            "ChildrenOfAlarmName and ParentsOfAlarmName may be combined with MaxRecords and NextToken only",
        ));
    }
    if let Some(unknown) = types.iter().find(|kind| !TYPES.contains(kind)) {
        return Err(input.invalid(format!(
            "1 validation error detected: Value '[{unknown}]' at 'alarmTypes' failed to satisfy constraint: \
             Member must satisfy enum value set: [{}]",
            TYPES.join(", ")
        )));
    }
    let wanted: &[&str] = if related {
        &TYPES
    } else if types.is_empty() {
        &["MetricAlarm"]
    } else {
        &types
    };
    let position = token::read(OPERATION, &call.region, value)?;
    let now = position.and_then(|page| Timestamp::from_millisecond(page.asked_at).ok()).unwrap_or(call.now);
    let offset = position.map_or(0, |page| page.offset);

    let all = source.alarms(&call.region, now);
    let children = children_of.and_then(|parent| all.iter().find(|alarm| alarm.name == parent)).map(ruled);
    let mut matching: Vec<&Alarm> = all
        .iter()
        .filter(|alarm| wanted.contains(&kind(alarm)))
        .filter(|alarm| names.is_empty() || names.contains(&alarm.name.as_str()))
        .filter(|alarm| prefix.is_none_or(|prefix| alarm.name.starts_with(prefix)))
        .filter(|alarm| state.is_none_or(|state| state == alarm.state))
        .filter(|alarm| {
            action.is_none_or(|prefix| alarm.alarm_actions.iter().any(|action| action.starts_with(prefix)))
        })
        .filter(|alarm| {
            children_of.is_none()
                || children
                    .as_ref()
                    .is_some_and(|names| names.contains(&alarm.name) || names.contains(&alarm.arn))
        })
        .filter(|alarm| parents_of.is_none_or(|child| ruled(alarm).iter().any(|name| name == child)))
        .collect();
    matching.sort_by(|a, b| (kind(a), &a.name).cmp(&(kind(b), &b.name)));

    let end = (offset + most).min(matching.len());
    let shown = matching.get(offset..end).unwrap_or_default();
    let of = |wanted: &str, show: fn(&Alarm) -> Value| {
        Value::List(shown.iter().filter(|alarm| kind(alarm) == wanted).map(|alarm| show(alarm)).collect())
    };
    let next = (end < matching.len()).then(|| {
        let position = Position { offset: end, asked_at: now.as_millisecond() };
        token::write(OPERATION, &call.region, value, position)
    });
    Ok(Value::structure([
        ("CompositeAlarms", Some(of("CompositeAlarm", composite_alarm))),
        ("MetricAlarms", Some(of("MetricAlarm", metric_alarm))),
        ("NextToken", next),
    ]))
}

/// The alarms that a composite alarm's rule names, as `ALARM("x")`, `OK(x)` or with an ARN.
fn ruled(alarm: &Alarm) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = alarm.rule.as_deref().unwrap_or_default();
    while let Some((before, after)) = rest.split_once('(') {
        let function =
            before.rsplit(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap_or_default();
        rest = after;
        if !STATES.contains(&function) {
            continue;
        }
        let quote = after.trim_start().chars().next().filter(|c| matches!(c, '"' | '\''));
        let (name, tail) = match quote {
            Some(quote) => after.trim_start()[1..].split_once(quote).unwrap_or((after, "")),
            None => after.split_once(')').unwrap_or((after, "")),
        };
        names.push(name.trim().to_owned());
        rest = tail;
    }
    names
}

fn composite_alarm(alarm: &Alarm) -> Value {
    let mut members = shared(alarm);
    members.push(("AlarmRule", alarm.rule.as_deref().map(Value::from)));
    Value::structure(members)
}

fn metric_alarm(alarm: &Alarm) -> Value {
    let mut members = shared(alarm);
    if let Some(metric) = &alarm.metric {
        members.push(("MetricName", Some(Value::from(metric.name.as_str()))));
        members.push(("Namespace", Some(Value::from(metric.namespace.as_str()))));
        members.push(("Dimensions", Some(dimensions(&metric.dimensions))));
        let extended = !STATISTICS.contains(&alarm.statistic.as_str());
        let name = if extended { "ExtendedStatistic" } else { "Statistic" };
        members.push((name, Some(Value::from(alarm.statistic.as_str()))));
        members.push(("Period", Some(Value::Int(alarm.period.into()))));
    }
    members.extend([
        ("EvaluationPeriods", Some(Value::Int(alarm.evaluation_periods.into()))),
        ("Threshold", Some(Value::Double(alarm.threshold))),
        ("ComparisonOperator", Some(Value::from(alarm.comparison.as_str()))),
        ("TreatMissingData", Some(Value::from(alarm.treat_missing_data.as_str()))),
    ]);
    Value::structure(members)
}

fn shared(alarm: &Alarm) -> Vec<(&'static str, Option<Value>)> {
    let described = !alarm.description.is_empty();
    vec![
        ("AlarmName", Some(Value::from(alarm.name.as_str()))),
        ("AlarmArn", Some(Value::from(alarm.arn.as_str()))),
        ("AlarmDescription", described.then(|| Value::from(alarm.description.as_str()))),
        ("AlarmConfigurationUpdatedTimestamp", Some(Value::Time(alarm.updated))),
        ("ActionsEnabled", Some(Value::Bool(alarm.actions_enabled))),
        ("OKActions", Some(Value::List(Vec::new()))),
        ("AlarmActions", Some(Value::texts(&alarm.alarm_actions))),
        ("InsufficientDataActions", Some(Value::List(Vec::new()))),
        ("StateValue", Some(Value::from(alarm.state.as_str()))),
        ("StateReason", Some(Value::from(alarm.reason.as_str()))),
        ("StateUpdatedTimestamp", Some(Value::Time(alarm.since))),
        ("StateTransitionedTimestamp", Some(Value::Time(alarm.since))),
    ]
}

/// Answers DescribeAlarmsForMetric.
pub(super) fn describe_alarms_for_metric(
    source: &dyn MetricSource,
    call: &Call,
    value: &Value,
) -> Result<Value, Fault> {
    let input = Input::new(value, Style::Validation);
    let asked = by_set(&MetricId {
        name: input.required_text("MetricName", 255)?.to_owned(),
        namespace: input.namespace()?.ok_or_else(|| input.missing("Namespace"))?.to_owned(),
        dimensions: input.dimensions("Dimensions")?,
    });
    let plain = input.one_of("Statistic", &STATISTICS)?;
    let extended = input.text("ExtendedStatistic", 64)?;
    let period = input.int("Period", 1, i64::MAX)?;
    // No alarm of this world watches a unit, so that asking for one finds nothing.
    let unit = input.text("Unit", 255)?;
    let alarms = source
        .alarms(&call.region, call.now)
        .iter()
        .filter(|alarm| alarm.metric.as_ref().is_some_and(|metric| by_set(metric) == asked))
        .filter(|alarm| plain.or(extended).is_none_or(|stat| stat == alarm.statistic))
        .filter(|alarm| period.is_none_or(|period| period == i64::from(alarm.period)))
        .filter(|_| unit.is_none())
        .map(metric_alarm)
        .collect();
    Ok(Value::structure([("MetricAlarms", Some(Value::List(alarms)))]))
}

/// Answers DescribeAlarmHistory with what the world knows: when each alarm was last put, and when it came
/// into its state. The state before is not known and is not made up.
pub(super) fn describe_alarm_history(
    source: &dyn MetricSource,
    call: &Call,
    value: &Value,
) -> Result<Value, Fault> {
    const OPERATION: &str = "DescribeAlarmHistory";
    const ITEMS: [&str; 5] = [
        "ConfigurationUpdate",
        "StateUpdate",
        "Action",
        "AlarmContributorStateUpdate",
        "AlarmContributorAction",
    ];
    let input = Input::new(value, Style::Validation);
    let name = input.text("AlarmName", 255)?;
    let types = input.texts("AlarmTypes", usize::MAX)?;
    let item_type = input.one_of("HistoryItemType", &ITEMS)?;
    let (from, to) = (input.time("StartDate")?, input.time("EndDate")?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(input.invalid("The parameter StartDate must be less than the parameter EndDate."));
    }
    let most = input.int("MaxRecords", 1, MOST)?.unwrap_or(MOST) as usize;
    let ascending =
        input.one_of("ScanBy", &["TimestampDescending", "TimestampAscending"])? == Some("TimestampAscending");
    let position = token::read(OPERATION, &call.region, value)?;
    let now = position.and_then(|page| Timestamp::from_millisecond(page.asked_at).ok()).unwrap_or(call.now);
    let offset = position.map_or(0, |page| page.offset);

    let alarms = source.alarms(&call.region, now);
    let mut items: Vec<Item<'_>> =
        alarms
            .iter()
            .filter(|alarm| name.is_none_or(|name| name == alarm.name))
            .filter(|alarm| {
                if types.is_empty() { kind(alarm) == "MetricAlarm" } else { types.contains(&kind(alarm)) }
            })
            .flat_map(history)
            .filter(|item| item_type.is_none_or(|wanted| wanted == item.kind))
            .filter(|item| from.is_none_or(|from| item.at >= from) && to.is_none_or(|to| item.at <= to))
            .collect();
    items.sort_by(|a, b| (a.at, &a.alarm.name, a.kind).cmp(&(b.at, &b.alarm.name, b.kind)));
    if !ascending {
        items.reverse();
    }
    let end = (offset + most).min(items.len());
    let shown = items.get(offset..end).unwrap_or_default().iter().map(|item| {
        Value::structure([
            ("AlarmName", Some(Value::from(item.alarm.name.as_str()))),
            ("AlarmType", Some(Value::from(kind(item.alarm)))),
            ("Timestamp", Some(Value::Time(item.at))),
            ("HistoryItemType", Some(Value::from(item.kind))),
            ("HistorySummary", Some(Value::from(item.summary.as_str()))),
            ("HistoryData", Some(Value::from(item.data.as_str()))),
        ])
    });
    let shown = Value::List(shown.collect());
    let next = (end < items.len()).then(|| {
        let position = Position { offset: end, asked_at: now.as_millisecond() };
        token::write(OPERATION, &call.region, value, position)
    });
    Ok(Value::structure([("AlarmHistoryItems", Some(shown)), ("NextToken", next)]))
}

struct Item<'a> {
    alarm: &'a Alarm,
    at: Timestamp,
    kind: &'static str,
    summary: String,
    data: String,
}

fn history(alarm: &Alarm) -> [Item<'_>; 2] {
    let state =
        json!({"version": "1.0", "newState": {"stateValue": alarm.state, "stateReason": alarm.reason}});
    let put = json!({"version": "1.0", "type": "Update", "updatedAlarm": {"alarmName": alarm.name, "alarmArn": alarm.arn}});
    [
        Item {
            alarm,
            at: alarm.since,
            kind: "StateUpdate",
            summary: format!("Alarm updated to {}", alarm.state),
            data: state.to_string(),
        },
        Item {
            alarm,
            at: alarm.updated,
            kind: "ConfigurationUpdate",
            summary: format!("Alarm \"{}\" updated", alarm.name),
            data: put.to_string(),
        },
    ]
}

/// A fault with the members of its shape.
pub(super) type Detailed = (Fault, Vec<(String, Value)>);

/// Answers DeleteAlarms: all of them, or none when one does not exist.
pub(super) fn delete_alarms(
    source: &dyn MetricSource,
    call: &Call,
    value: &Value,
) -> Result<Value, Detailed> {
    let input = Input::new(value, Style::Validation);
    let plain = |fault: Fault| (fault, Vec::new());
    let names = input.texts("AlarmNames", 100).map_err(plain)?;
    if names.is_empty() {
        return Err(plain(input.missing("AlarmNames")));
    }
    let there = source.alarms(&call.region, call.served);
    let unknown: Vec<&str> =
        names.iter().copied().filter(|name| there.iter().all(|alarm| alarm.name != *name)).collect();
    if !unknown.is_empty() {
        let words = format!("Alarms not found: {}", unknown.join(", "));
        return Err(plain(Fault::with_status(404, "ResourceNotFound", words)));
    }
    source.delete_alarms(&call.region, &names, call.served);
    Ok(Value::empty())
}

/// Answers ListTagsForResource.
pub(super) fn list_tags_for_resource(
    source: &dyn MetricSource,
    call: &Call,
    value: &Value,
) -> Result<Value, Detailed> {
    let input = Input::new(value, Style::Parameter);
    let arn = input.required_text("ResourceARN", 1024).map_err(|fault| (fault, Vec::new()))?;
    let id = arn.splitn(7, ':').nth(6).filter(|_| arn.starts_with("arn:") && arn.contains(":cloudwatch:"));
    let Some(id) = id else {
        let fault = input.invalid(format!("The value {arn} for parameter ResourceARN is not a valid ARN."));
        return Err((fault, Vec::new()));
    };
    if source.alarms(&call.region, call.now).iter().any(|alarm| alarm.arn == arn) {
        let tag = |(key, value): (&str, &str)| {
            Value::structure([("Key", Some(Value::from(key))), ("Value", Some(Value::from(value)))])
        };
        let tags = source.tags(arn).into_iter().map(tag).collect();
        return Ok(Value::structure([("Tags", Some(Value::List(tags)))]));
    }
    let fault = Fault::with_status(404, "ResourceNotFoundException", format!("Unknown resource {arn}"));
    let details =
        vec![("ResourceType".to_owned(), Value::from("Alarm")), ("ResourceId".to_owned(), Value::from(id))];
    Err((fault, details))
}
