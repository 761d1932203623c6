//! Series of the last hour as charts, with axes in UTC and in the series' unit.
//!
//! What it is for: as many charts side by side as there is room for. What it must not do: draw a line
//! across a gap; what was not measured is not known.

use jiff::SignedDuration;
use ratatui::layout::Alignment;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use super::format;
use super::panes::Trend;
use super::pen::Pen;
use super::theme::{Mark, Theme};

const LEAST: u16 = 38;

/// Paints trends into all of `pen`, the first ones where not all fit.
pub(super) fn paint(pen: &mut Pen<'_>, trends: &[Trend<'_>], theme: Theme) {
    let fitting = (pen.width() / LEAST).clamp(1, trends.len().max(1) as u16);
    let room = pen.width() / fitting;
    for (index, trend) in trends.iter().take(fitting as usize).enumerate() {
        let height = pen.height();
        let mut part = pen.part(index as u16 * room, 0, room.saturating_sub(1), height);
        one(&mut part, trend, theme);
    }
}

/// The next round number, so that the axis reads well and seldom changes.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let unit = 10.0_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.iter().map(|step| step * unit).find(|round| *round >= value).unwrap_or(value)
}

fn one(pen: &mut Pen<'_>, trend: &Trend<'_>, theme: Theme) {
    let count = trend.history.len();
    // The newest value with the minute it belongs to: it may be older than the axis.
    let newest = trend.history.iter().rposition(Option::is_some);
    let newest = newest.and_then(|index| Some((index, trend.history.get(index).copied().flatten()?)));
    let now = newest.map_or("no data".to_owned(), |(index, value)| {
        let at = trend.end - SignedDuration::from_mins((count - index) as i64);
        format!("{} at {}", (trend.words)(value), format::minute(at))
    });
    let end = pen.width();
    let at = pen.put_right(end, 0, end, &now, theme.strong());
    pen.put(1, 0, at.saturating_sub(2), &trend.title, theme.quiet());

    let top = trend.history.iter().flatten().copied().fold(0.0_f64, f64::max);
    // A threshold is drawn when the series comes near it.
    let levels =
        trend.levels.map(|levels| [(levels.warning, Mark::Warning), (levels.critical, Mark::Critical)]);
    let near: Vec<(f64, Mark)> =
        levels.into_iter().flatten().filter(|(level, _)| *level <= top * 2.0 && *level > 0.0).collect();
    let top = near.iter().map(|(level, _)| *level).fold(top, f64::max);
    let top = round_up(top);

    // Stretches without a gap, each a dataset of its own.
    let mut stretches: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (minute, value) in trend.history.iter().enumerate() {
        match (value, stretches.last_mut()) {
            (Some(value), Some(stretch)) => stretch.push((minute as f64, *value)),
            (None, Some(stretch)) if !stretch.is_empty() => stretches.push(Vec::new()),
            _ => {}
        }
    }
    let last = count.saturating_sub(1).max(1) as f64;
    let thresholds: Vec<([(f64, f64); 2], Mark)> =
        near.iter().map(|(level, mark)| ([(0.0, *level), (last, *level)], *mark)).collect();
    let mut datasets: Vec<Dataset<'_>> = thresholds
        .iter()
        .map(|(line, mark)| {
            Dataset::default()
                .marker(Marker::Dot)
                .graph_type(GraphType::Line)
                .style(theme.mark(*mark))
                .data(line)
        })
        .collect();
    datasets.extend(stretches.iter().filter(|stretch| !stretch.is_empty()).map(|stretch| {
        // A lone minute has no line to be drawn with.
        let kind = if stretch.len() == 1 { GraphType::Scatter } else { GraphType::Line };
        Dataset::default().marker(Marker::Braille).graph_type(kind).style(theme.line()).data(stretch)
    }));
    let start = trend.end - SignedDuration::from_mins(count as i64);
    let middle = trend.end - SignedDuration::from_mins(count as i64 / 2);
    let times = [start, middle, trend.end].map(|at| Line::styled(format::minute(at), theme.quiet()));
    let values = [0.0, top / 2.0, top].map(|value| {
        // Right-aligned in a fixed width, so that the chart does not move when values change.
        Line::styled(format!("{:>7}", (trend.words)(value)), theme.quiet())
    });
    let chart = Chart::new(datasets)
        .x_axis(
            Axis::default()
                .bounds([0.0, last])
                .labels(times)
                .labels_alignment(Alignment::Center)
                .style(theme.quiet()),
        )
        .y_axis(Axis::default().bounds([0.0, top]).labels(values).style(theme.quiet()))
        .legend_position(None);
    let below = pen.part(0, 1, u16::MAX, u16::MAX).area();
    if below.width >= 16 && below.height >= 4 {
        chart.render(below, pen.buffer());
    }
}
