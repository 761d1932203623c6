//! Reading `status --json`: measured fields, and what they should be by the manifest.

use jiff::Timestamp;
use serde_json::Value;

/// How old the newest whole bucket may be, seconds: one minute incomplete, some more for a slow run.
const NEWEST_BUCKET: i64 = 330;

/// The row of an array in which every one of `keys` has the value given.
pub(crate) fn row<'a>(rows: &'a Value, keys: &[(&str, &str)]) -> Result<&'a Value, String> {
    let all = rows.as_array().ok_or_else(|| format!("no array: {rows}"))?;
    all.iter()
        .find(|row| keys.iter().all(|(key, value)| row[*key] == **value))
        .ok_or_else(|| format!("no row with {keys:?} among {rows}"))
}

/// The number of rows of an array.
pub(crate) fn count(rows: &Value, wanted: usize) -> Result<(), String> {
    let found = rows.as_array().map(Vec::len);
    if found == Some(wanted) { Ok(()) } else { Err(format!("{wanted} rows expected: {rows}")) }
}

/// A field that was measured, is fresh and has no error.
pub(crate) fn measured<'a>(row: &'a Value, name: &str) -> Result<&'a Value, String> {
    let field = &row[name];
    let whole = field["as_of"].is_string() && field["stale"] == false && field["error"].is_null();
    if whole && !field["value"].is_null() {
        Ok(field)
    } else {
        Err(format!("{name} is not a fresh value: {field}"))
    }
}

/// A field is measured, and has this value.
pub(crate) fn equals(row: &Value, name: &str, wanted: &Value) -> Result<(), String> {
    let field = measured(row, name)?;
    let same = match (field["value"].as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => close(found, wanted),
        _ => &field["value"] == wanted,
    };
    if same { Ok(()) } else { Err(format!("{name}: {field}, seeded {wanted}")) }
}

/// A field is a metric's newest whole minute: computed by `value` from the seeded series at that minute.
pub(crate) fn equals_at(
    json: &Value,
    row: &Value,
    name: &str,
    value: impl Fn(i64) -> Option<f64>,
) -> Result<(), String> {
    let field = measured(row, name)?;
    let end = seconds(&field["as_of"])?;
    let now = seconds(&json["as_of"])?;
    if end % 60 != 0 || !(0..NEWEST_BUCKET).contains(&(now - end)) {
        return Err(format!("{name}: {field} is not of the newest whole minutes at {}", json["as_of"]));
    }
    let wanted = value(end - 60).ok_or_else(|| format!("{name}: nothing was seeded at {end}"))?;
    match field["value"].as_f64() {
        Some(found) if close(found, wanted) => Ok(()),
        _ => Err(format!("{name}: {field}, seeded {wanted}")),
    }
}

/// What was seeded for the minute that starts at `at`: of the metric in a region whose dimensions hold `dimension`.
pub(crate) fn seeded(manifest: &Value, region: &str, metric: &str, dimension: &str, at: i64) -> Option<f64> {
    let of_it = |series: &&Value| {
        series["region"] == region
            && series["metric"] == metric
            && series["dimensions"].as_array().is_some_and(|all| all.iter().any(|pair| pair[1] == dimension))
    };
    manifest["series"].as_array()?.iter().find(of_it)?["points"][at.to_string()].as_f64()
}

/// A field that could not be read: no value, and an error of this kind.
pub(crate) fn failed<'a>(row: &'a Value, name: &str, kind: &str) -> Result<&'a Value, String> {
    let field = &row[name];
    if field["value"].is_null() && field["error"]["kind"] == kind {
        Ok(&field["error"])
    } else {
        Err(format!("{name} should have failed with {kind}: {field}"))
    }
}

fn seconds(time: &Value) -> Result<i64, String> {
    let text = time.as_str().ok_or_else(|| format!("no time: {time}"))?;
    Ok(text.parse::<Timestamp>().map_err(|why| why.to_string())?.as_second())
}

fn close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= 1e-6 * wanted.abs().max(1.0)
}
