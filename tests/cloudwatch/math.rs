//! Metric math, case by case, through GetMetricData.

use aws_sdk_cloudwatch::types::ScanBy;

use super::lab::{Lab, ago, asks, computes, message, metric};

/// `30 - 0`: three minutes, the second without a point.
fn parse(text: &str) -> Vec<Option<f64>> {
    text.split_whitespace().map(|word| if word == "-" { None } else { Some(word.parse().unwrap()) }).collect()
}

/// Series by id, an expression, and the rows that it yields.
type Case = (&'static [(&'static str, &'static str)], &'static str, &'static [&'static str]);

/// Evaluates an expression over series; each result as a row of the same shape.
async fn rows(series: &[(&str, &str)], expressions: &[&str]) -> Result<Vec<String>, String> {
    let mut lab = Lab::default();
    let mut width = 0;
    let mut queries = Vec::new();
    for (id, values) in series {
        let values = parse(values);
        width = values.len();
        let metric = metric(id, &[("Id", id)]);
        lab = lab.series(&metric, &values);
        queries.push(asks(id, &metric, "Sum"));
    }
    for (index, expression) in expressions.iter().enumerate() {
        queries.push(computes(&format!("e{index}"), expression));
    }
    let result = lab
        .client()
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(ago(width as i64))
        .end_time(ago(0))
        .scan_by(ScanBy::TimestampAscending)
        .send()
        .await;
    let output = match result {
        Ok(output) => output,
        failed => return Err(message(failed)),
    };
    let wanted = format!("e{}", expressions.len() - 1);
    let rows = output
        .metric_data_results()
        .iter()
        .filter(|result| result.id() == Some(wanted.as_str()))
        .map(|result| {
            let mut row = vec!["-".to_owned(); width];
            for (at, value) in result.timestamps().iter().zip(result.values()) {
                let index = (at.secs() - ago(width as i64).secs()) / 60;
                row[index as usize] = format!("{}", (value * 1000.0).round() / 1000.0);
            }
            row.join(" ")
        })
        .collect();
    Ok(rows)
}

#[tokio::test]
async fn values_are_those_of_the_guide() {
    // Where a case comes from the CloudWatch guide's own tables, it says so.
    let cases: &[Case] = &[
        // Arithmetic: a missing value counts as 0, a point that divides by zero is dropped.
        (&[("m1", "1 2 3")], "m1 + 1", &["2 3 4"]),
        (&[("m1", "1 2 3"), ("m2", "10 - 30")], "m1 + m2", &["11 2 33"]),
        (&[("m1", "1 - 3"), ("m2", "10 20 -")], "m1 - m2", &["-9 -20 3"]),
        (&[("m1", "6 6 6"), ("m2", "2 0 -")], "m1 / m2", &["3 - -"]),
        (&[("m1", "6 - 6"), ("m2", "2 3 4")], "100 * m1 / m2", &["300 0 150"]),
        (&[("m1", "1 2 3")], "m1 + 2 * 3 ^ 2", &["19 20 21"]),
        (&[("m1", "1 2 3")], "(m1 + 2) * 3", &["9 12 15"]),
        (&[("m1", "1 2 3")], "-m1 ^ 2", &["-1 -4 -9"]),
        (&[("m1", "1 2 3")], "2 ^ 3 ^ m1", &["8 512 134217728"]),
        (&[("m1", "1 2 3")], "10 - m1 - 1", &["8 7 6"]),
        (&[("m1", "1 2 3")], "m1 * 1.5e1 + .5", &["15.5 30.5 45.5"]),
        (&[("m1", "- - -"), ("m2", "1 2 3")], "m1 + m2", &["1 2 3"]),
        (&[("m1", "- - -")], "m1 + 1", &["- - -"]),
        // Arrays keep one series each.
        (&[("m1", "1 2"), ("m2", "3 4")], "METRICS() * 10", &["10 20", "30 40"]),
        (&[("m1", "1 2"), ("m2", "3 4")], "[m1, m2] / m2", &["0.333 0.5", "1 1"]),
        (&[("m1", "1 2"), ("m2", "3 4")], "m2 - [m1, m2]", &["2 2", "0 0"]),
        (&[("m1", "1 2"), ("m2", "3 4")], "-[m1, m2]", &["-1 -2", "-3 -4"]),
        // Comparison and logic, from the guide.
        (&[("m1", "30 20 0 0"), ("m2", "20 - 20 -")], "m1 < m2", &["0 0 1 0"]),
        (&[("m1", "30 20 0 0")], "m1 >= 30", &["1 0 0 0"]),
        (&[("m1", "30 20 0 0"), ("m2", "20 - 20 -")], "m1 > 15 AND m2 > 15", &["1 0 0 0"]),
        (&[("m1", "30 20 0 0"), ("m2", "20 - 20 -")], "m1 > 15 || m2 > 15", &["1 1 1 0"]),
        (&[("m1", "1 2 3")], "m1 == 2", &["0 1 0"]),
        (&[("m1", "1 2 3")], "m1 != 2 && m1 <= 3", &["1 0 1"]),
        // IF, from the guide.
        (
            &[("m1", "1 1 0 0 -"), ("m2", "30 - 0 0 30"), ("m3", "0 0 20 - 20")],
            "IF(m1, m2, m3)",
            &["30 0 20 - -"],
        ),
        (&[("m1", "1 1 0 0 -"), ("m3", "0 0 20 - 20")], "IF(m1, 5, m3)", &["5 5 20 - -"]),
        (&[("m1", "1 1 0 0 -"), ("m2", "30 - 0 0 30")], "IF(m1, m2, 5)", &["30 0 5 5 -"]),
        (&[("m1", "100 400 500")], "IF(m1 < 400, m1)", &["100 - -"]),
        (&[("m1", "100 400 500")], "IF(m1 < 400, 10, 2)", &["10 2 2"]),
        (&[("m1", "1 2"), ("m2", "3 4")], "IF(0, m1, m2)", &["3 4"]),
        (&[("m1", "1 2")], "IF(0, m1)", &["- -"]),
        // FILL fills gaps; what has no point at all stays empty.
        (&[("m1", "1 - 3 -")], "FILL(m1, 0)", &["1 0 3 0"]),
        (&[("m1", "- 1 - -")], "FILL(m1, REPEAT)", &["- 1 1 1"]),
        (&[("m1", "- 1 - 4 -")], "FILL(m1, LINEAR)", &["- 1 2.5 4 -"]),
        (&[("m1", "1 - 3"), ("m2", "7 8 9")], "FILL(m1, m2)", &["1 8 3"]),
        (&[("m1", "4 - 2")], "FILL(m1, MIN(m1))", &["4 2 2"]),
        (&[("m1", "- - -")], "FILL(m1, 0)", &["- - -"]),
        (&[("m1", "1 -"), ("m2", "- 2")], "FILL(METRICS(), 0)", &["1 0", "0 2"]),
        // Functions of one series.
        (&[("m1", "120 60 -")], "m1 / PERIOD(m1)", &["2 1 -"]),
        (&[("m1", "60 120 - 360")], "RATE(m1)", &["- 1 - 2"]),
        (&[("m1", "60 120 - 360")], "DIFF(m1)", &["- 60 - 240"]),
        (&[("m1", "60 120 - 360")], "DIFF_TIME(m1)", &["- 60 - 120"]),
        (&[("m1", "1 2 - 3")], "RUNNING_SUM(m1)", &["1 3 - 6"]),
        (&[("m1", "-1.5 1.5")], "ABS(m1)", &["1.5 1.5"]),
        (&[("m1", "-1.5 1.5")], "CEIL(m1)", &["-1 2"]),
        (&[("m1", "-1.5 1.5")], "FLOOR(m1)", &["-2 1"]),
        (&[("m1", "1 100 0")], "LOG10(m1)", &["0 2 -"]),
        (&[("m1", "2 1")], "MINUTE(m1)", &["58 59"]),
        (&[("m1", "2 1")], "HOUR(m1) + DAY(m1) * 100", &["602 602"]),
        // Summaries: a number of one series, a series of several.
        (&[("m1", "1 2 3")], "m1 - AVG(m1)", &["-1 0 1"]),
        (&[("m1", "1 2 3")], "m1 * 0 + SUM(m1) + MAX(m1) + MIN(m1)", &["10 10 10"]),
        (&[("m1", "1 - 3")], "m1 * 0 + DATAPOINT_COUNT(m1)", &["2 - 2"]),
        (&[("m1", "1 2 -"), ("m2", "3 - -")], "SUM(METRICS())", &["4 2 -"]),
        (&[("m1", "1 2 -"), ("m2", "3 - -")], "AVG([m1, m2])", &["2 1 -"]),
        (&[("m1", "1 2 -"), ("m2", "3 - -")], "MIN([m1, m2])", &["1 2 -"]),
        (&[("m1", "1 2 -"), ("m2", "3 - -")], "MAX([m1, m2])", &["3 2 -"]),
        (&[("m1", "2 4"), ("m2", "4 8")], "STDDEV(METRICS())", &["1 2"]),
        (&[("m1", "2 4"), ("m2", "4 8")], "m1 * METRIC_COUNT(METRICS())", &["4 8"]),
        (
            &[("err_a", "1 2"), ("err_b", "3 4"), ("req", "10 10")],
            "SUM(METRICS(\"err\"))/req*100",
            &["40 60"],
        ),
        // Arrays.
        (&[("m1", "1 2"), ("m2", "5 6")], "FIRST(SORT(METRICS(), AVG, DESC))", &["5 6"]),
        (&[("m1", "1 2"), ("m2", "5 6")], "LAST(SORT(METRICS(), MAX, DESC))", &["1 2"]),
        (&[("m1", "1 2"), ("m2", "5 6"), ("m3", "3 3")], "SORT(METRICS(), SUM, ASC, 2)", &["1 2", "3 3"]),
        (&[("m1", "1 2"), ("m2", "5 6"), ("m3", "3 3")], "SLICE(METRICS(), 1)", &["5 6", "3 3"]),
        (&[("m1", "1 2"), ("m2", "5 6"), ("m3", "3 3")], "SLICE(METRICS(), 0, 1)", &["1 2"]),
        (&[("m1", "1 2"), ("m2", "- -")], "REMOVE_EMPTY(METRICS())", &["1 2"]),
        (&[("m1", "1 2")], "TIME_SERIES(MAX(m1))", &["2 2"]),
    ];
    for (series, expression, expected) in cases {
        assert_eq!(
            rows(series, &[expression]).await.as_deref(),
            Ok(expected.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>().as_slice()),
            "{expression} over {series:?}"
        );
    }
}

#[tokio::test]
async fn expressions_use_expressions_in_any_order() {
    let rows = rows(&[("m1", "1 2")], &["e1 * 2", "m1 + 1", "e0 + e1"]).await;
    assert_eq!(rows.as_deref(), Ok(["6 9".to_owned()].as_slice()));
}

#[tokio::test]
async fn expressions_that_cannot_be_are_refused() {
    let deep = format!("{}m1{}", "(".repeat(900), ")".repeat(900));
    let cases: &[(&str, &str)] = &[
        ("m1 +", "Invalid syntax"),
        ("m1 m1", "Invalid syntax"),
        ("(m1", "Invalid syntax"),
        ("m1 # 2", "Invalid syntax"),
        ("FILL(m1", "Invalid syntax"),
        ("1.2.3 * m1", "Invalid syntax"),
        ("m2 / m9", "The following ids were not found in your request: [m2, m9]"),
        ("e0 + 1", "Expressions refer to each other in a circle"),
        ("5", "The expression must return a time series or an array of time series"),
        ("SUM(m1)", "The expression must return a time series or an array of time series"),
        ("NOPE(m1)", "Unknown function: NOPE"),
        ("Sum(m1)", "Unknown function: Sum"),
        ("METRICS() + METRICS()", "Unsupported operand type(s) for +: '[TimeSeries[], TimeSeries[]]'"),
        ("FILL(m1)", "Wrong number of arguments for FILL: 1"),
        ("SEARCH('{Lab} x', 'Sum', 60)", "The simulated CloudWatch does not have the function SEARCH"),
        (&deep, "Expression is nested too deeply"),
    ];
    for (expression, reason) in cases {
        let expected = Err(format!("Error in expression 'e0': {reason}"));
        assert_eq!(rows(&[("m1", "1 2")], &[expression]).await, expected, "{expression}");
    }
}

#[tokio::test]
async fn expressions_that_wait_for_each_other_are_refused() {
    let rows = rows(&[("m1", "1 2")], &["e1 + m1", "e0 + m1"]).await;
    assert_eq!(rows, Err("Error in expression 'e0': Expressions refer to each other in a circle".to_owned()));
}
