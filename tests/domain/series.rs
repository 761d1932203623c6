//! Series of one value a minute: gaps stay gaps, and what is old is forgotten.

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::metric::{Point, Series};

fn at(minute: i64) -> Timestamp {
    "2026-11-21T03:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

fn points(points: &[(i64, f64)]) -> Vec<Point> {
    points.iter().map(|(minute, value)| Point { at: at(*minute), value: *value }).collect()
}

#[test]
fn points_in_any_order_become_minutes() {
    let series = Series::new(points(&[(5, 5.0), (2, 2.0), (9, f64::NAN), (5, 6.0), (1, f64::INFINITY)]));
    assert_eq!(series.points(), points(&[(2, 2.0), (5, 6.0)]), "finite ones; of two the later in the list");
    assert_eq!(series.last(), Some(Point { at: at(5), value: 6.0 }));
    assert_eq!(
        (series.at(at(2)), series.at(at(3)), series.at(at(1)), series.at(at(6))),
        (Some(2.0), None, None, None)
    );
    assert_eq!(series.minutes(at(7), 6), [None, Some(2.0), None, None, Some(6.0), None]);
}

#[test]
fn newer_points_join_on_either_side() {
    let mut series = Series::new(points(&[(10, 1.0), (11, 2.0)]));
    series.merge(points(&[(11, 3.0), (14, 4.0), (8, 0.5)]));
    assert_eq!(series.points(), points(&[(8, 0.5), (10, 1.0), (11, 3.0), (14, 4.0)]));
    series.merge([]);
    series.merge(points(&[(12, f64::NAN)]));
    assert_eq!(series.points().len(), 4);
}

#[test]
fn forgetting_stops_at_a_point() {
    for (oldest, left) in [(0, 3), (4, 3), (5, 2), (7, 2), (8, 1), (9, 0), (50, 0)] {
        let mut series = Series::new(points(&[(4, 1.0), (7, 2.0), (8, 3.0)]));
        series.forget_before(at(oldest));
        assert_eq!(series.points().len(), left, "before {oldest}");
        assert_eq!(series.is_empty(), left == 0);
        assert_eq!(series, Series::new(series.points()), "it is the series of what is left");
    }
    let mut series = Series::new(points(&[(4, 1.0), (7, 2.0)]));
    series.forget_before(at(4) + SignedDuration::from_secs(1));
    assert_eq!(series.points(), points(&[(7, 2.0)]), "a point lies at the start of its minute");
}

#[test]
fn a_point_of_another_age_costs_no_memory() {
    let ages = [Timestamp::UNIX_EPOCH, Timestamp::MIN, at(-3 * 24 * 60)];
    for old in ages {
        let mut series = Series::new([Point { at: old, value: 1.0 }]);
        series.merge(points(&[(0, 2.0)]));
        assert_eq!(series.points(), points(&[(0, 2.0)]), "what lies a day before the newest is forgotten");
    }
    let series = Series::new([Point { at: Timestamp::MAX, value: 1.0 }, Point { at: at(0), value: 2.0 }]);
    assert_eq!(series.points().len(), 1);
}

#[test]
fn files_hold_points_with_their_times() {
    let series = Series::new(points(&[(2, 2.0), (5, 6.5)]));
    let text = serde_json::to_string(&series).unwrap();
    assert_eq!(
        text,
        r#"{"points":[{"at":"2026-11-21T03:02:00Z","value":2.0},{"at":"2026-11-21T03:05:00Z","value":6.5}]}"#
    );
    assert_eq!(serde_json::from_str::<Series>(&text).unwrap(), series);
}
