//! Evaluating metric math.
//!
//! What it is for: operators over scalars, series and arrays of series.
//! What it must not do: know a function (that is `functions`), or where series come from.

use std::collections::{BTreeSet, HashMap};

use super::super::stat::Points;
use super::functions;
use super::parse::{Expression, Operator};
use super::{Named, Series};

/// What an expression is worth.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim::cloudwatch) enum Outcome {
    /// A number.
    Scalar(f64),
    /// One series.
    Series(Series),
    /// Several.
    Array(Vec<Series>),
}

impl Outcome {
    /// The type's name, as it stands in errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "Scalar",
            Self::Series(_) => "TimeSeries",
            Self::Array(_) => "TimeSeries[]",
        }
    }
}

/// What an expression may see.
pub(in crate::sim::cloudwatch) struct Context<'a> {
    /// Values of the ids, in the order of the request.
    pub(in crate::sim::cloudwatch) named: &'a [(String, Option<Named>)],
    /// Where each id stands.
    pub(in crate::sim::cloudwatch) ids: &'a HashMap<&'a str, usize>,
    /// Every bucket of the window, for a period.
    pub(in crate::sim::cloudwatch) grid: &'a dyn Fn(i64) -> Vec<i64>,
    /// Period of series that are made from nothing.
    pub(in crate::sim::cloudwatch) period: i64,
}

impl Context<'_> {
    /// The value of an id.
    pub(super) fn named(&self, id: &str) -> Option<&Named> {
        self.ids.get(id).and_then(|index| self.named.get(*index)).and_then(|(_, named)| named.as_ref())
    }

    /// Evaluates an expression.
    pub(in crate::sim::cloudwatch) fn eval(&self, expression: &Expression) -> Result<Outcome, String> {
        match expression {
            Expression::Number(number) => Ok(Outcome::Scalar(*number)),
            Expression::Text(_) => Err("Unexpected string".to_owned()),
            Expression::Word(word) => Err(format!("Unknown identifier: {word}")),
            Expression::Id(id) => match self.named(id) {
                Some(named) => Ok(named.outcome.clone()),
                None => Err(format!("The following ids were not found in your request: [{id}]")),
            },
            Expression::Array(items) => {
                let mut all = Vec::new();
                for item in items {
                    match self.eval(item)? {
                        Outcome::Series(series) => all.push(series),
                        Outcome::Array(series) => all.extend(series),
                        Outcome::Scalar(_) => return Err("An array may hold time series only".to_owned()),
                    }
                }
                Ok(Outcome::Array(all))
            }
            Expression::Minus(inner) => Ok(map(self.eval(inner)?, |value| -value)),
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                binary(*operator, left, right)
            }
            Expression::Call(name, arguments) => functions::call(self, name, arguments),
        }
    }
}

/// Applies a function to every value.
pub(super) fn map(outcome: Outcome, f: impl Fn(f64) -> f64 + Copy) -> Outcome {
    let over = |mut series: Series| {
        series.points.values_mut().for_each(|value| *value = f(*value));
        series.points.retain(|_, value| value.is_finite());
        series
    };
    match outcome {
        Outcome::Scalar(value) => Outcome::Scalar(f(value)),
        Outcome::Series(series) => Outcome::Series(over(series)),
        Outcome::Array(all) => Outcome::Array(all.into_iter().map(over).collect()),
    }
}

/// `left operator right`. Between two series a missing value counts as 0; a point that divides by zero is
/// dropped.
fn binary(operator: Operator, left: Outcome, right: Outcome) -> Result<Outcome, String> {
    use Outcome::{Array, Scalar, Series as One};
    Ok(match (left, right) {
        (Scalar(a), Scalar(b)) => Scalar(apply(operator, a, b)),
        (One(a), Scalar(b)) => One(with_scalar(a, |value| apply(operator, value, b))),
        (Scalar(a), One(b)) => One(with_scalar(b, |value| apply(operator, a, value))),
        (One(a), One(b)) => One(zip(&a, &b, |x, y| apply(operator, x, y))),
        (Array(all), Scalar(b)) => Array(
            all.into_iter().map(|series| with_scalar(series, |value| apply(operator, value, b))).collect(),
        ),
        (Scalar(a), Array(all)) => Array(
            all.into_iter().map(|series| with_scalar(series, |value| apply(operator, a, value))).collect(),
        ),
        (Array(all), One(b)) => Array(
            all.iter()
                .map(|series| labelled(series, zip(series, &b, |x, y| apply(operator, x, y))))
                .collect(),
        ),
        (One(a), Array(all)) => Array(
            all.iter()
                .map(|series| labelled(series, zip(&a, series, |x, y| apply(operator, x, y))))
                .collect(),
        ),
        (left @ Array(_), right @ Array(_)) => {
            return Err(format!(
                "Unsupported operand type(s) for {}: '[{}, {}]'",
                operator.sign(),
                left.kind(),
                right.kind()
            ));
        }
    })
}

fn apply(operator: Operator, a: f64, b: f64) -> f64 {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b == 0.0 => f64::NAN,
        Operator::Divide => a / b,
        Operator::Power => a.powf(b),
        Operator::Less => truth(a < b),
        Operator::LessOrEqual => truth(a <= b),
        Operator::Greater => truth(a > b),
        Operator::GreaterOrEqual => truth(a >= b),
        // CloudWatch compares doubles as they are.
        #[allow(clippy::float_cmp)]
        Operator::Equal => truth(a == b),
        #[allow(clippy::float_cmp)]
        Operator::NotEqual => truth(a != b),
        Operator::And => truth(a != 0.0 && b != 0.0),
        Operator::Or => truth(a != 0.0 || b != 0.0),
    }
}

fn with_scalar(mut series: Series, f: impl Fn(f64) -> f64) -> Series {
    series.points.values_mut().for_each(|value| *value = f(*value));
    series.points.retain(|_, value| value.is_finite());
    series
}

fn labelled(from: &Series, mut series: Series) -> Series {
    series.label.clone_from(&from.label);
    series
}

/// Two series point by point.
fn zip(a: &Series, b: &Series, f: impl Fn(f64, f64) -> f64) -> Series {
    let period = a.period.max(b.period);
    let points = moments([a, b], period)
        .into_iter()
        .map(|at| (at, f(value_at(a, at), value_at(b, at))))
        .filter(|(_, value)| value.is_finite())
        .collect();
    Series { label: String::new(), period, points }
}

/// The value at a moment; missing is 0.
pub(super) fn value_at(series: &Series, at: i64) -> f64 {
    series.points.get(&at).copied().unwrap_or(0.0)
}

/// Every moment at which any of the series has a point, on the grid of the longest period among them.
pub(super) fn moments<'a>(all: impl IntoIterator<Item = &'a Series>, period: i64) -> BTreeSet<i64> {
    all.into_iter()
        .flat_map(|series| series.points.keys().copied())
        .filter(|at| at.rem_euclid(period) == 0)
        .collect()
}

/// A series with other points.
pub(super) fn with_points(series: &Series, points: Points) -> Series {
    Series { label: series.label.clone(), period: series.period, points }
}
