//! Lines over time, with the steps marked, as SVG.
//!
//! What it is for: one picture a measure, drawn with plotters' shapes in pixels. Its colours are those of a light page;
//! the page's style sheet exchanges them where the reader's is dark.
//! What it must not do: join two points over a gap, need a font, or fail on a number: what cannot be drawn is left out.

use jiff::Timestamp;
use plotters::backend::SVGBackend;
use plotters::drawing::IntoDrawingArea;
use plotters::element::{Circle, Cross, PathElement, Text, TriangleMarker};
use plotters::prelude::DrawingArea;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::view::amount;
use crate::runbook::StepState;
use crate::runbook::report::{Line, StepReport};

/// Pixels.
const SIZE: (i32, i32) = (860, 280);
/// Where the lines are: left, top, right, bottom.
const FRAME: (i32, i32, i32, i32) = (64, 34, 700, 246);
/// Lines beyond these are in the table only: nobody reads more.
const LINES: usize = 8;
/// Steps whose marks would lie closer share a label.
const CLOSE: i32 = 16;
/// Numbers beyond this are no measurement of anything here, and would only break the scale.
const LIMIT: f64 = 1e12;

/// Text and frame. The style sheet knows these colours by their letters.
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2F);
const GRID: RGBColor = RGBColor(0xD8, 0xDE, 0xE4);
const STEP: RGBColor = RGBColor(0x6E, 0x77, 0x81);
const FAILED: RGBColor = RGBColor(0xCF, 0x22, 0x2E);
const REGIONS: [RGBColor; 6] = [
    RGBColor(0x00, 0x60, 0xA8),
    RGBColor(0xB8, 0x50, 0x00),
    RGBColor(0x00, 0x73, 0x4F),
    RGBColor(0x8A, 0x3A, 0x80),
    RGBColor(0x7A, 0x5C, 0x00),
    RGBColor(0x50, 0x50, 0x51),
];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A picture of the lines; `None` when they have no point.
pub(super) fn draw(name: &str, unit: &str, lines: &[&Line], steps: &[StepReport]) -> Option<String> {
    let mut lines: Vec<&Line> = lines.iter().copied().filter(|line| !line.points.is_empty()).collect();
    lines.truncate(LINES);
    let scale = Scale::of(&lines, steps)?;
    let mut svg = String::new();
    let size = (SIZE.0.unsigned_abs(), SIZE.1.unsigned_abs());
    let drawn = {
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        paint(&canvas, &scale, unit, &lines, steps).and_then(|()| Ok(canvas.present()?))
    };
    if let Err(error) = drawn {
        tracing::warn!("a chart was not drawn: {error}");
        return None;
    }
    // The picture says by itself what it is, to who hears it and does not see it.
    let body = svg.split_once('>').map(|(_, body)| body)?;
    let names: Vec<String> = lines.iter().map(|line| line.place()).collect();
    let words = escape(&format!(
        "{name} of {} over the run; vertical lines mark the beginnings of steps",
        names.join(", ")
    ));
    Some(format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\"><title>{words}</title>{body}",
        SIZE.0, SIZE.1
    ))
}

/// What XML acts on, as plain characters.
pub(super) fn escape(raw: &str) -> String {
    raw.chars().fold(String::with_capacity(raw.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

/// From time and number to pixels.
struct Scale {
    from: f64,
    until: f64,
    top: f64,
    step: f64,
}

impl Scale {
    fn of(lines: &[&Line], steps: &[StepReport]) -> Option<Self> {
        let points = || lines.iter().flat_map(|line| &line.points);
        let sampled = points().map(|point| point.at.as_second());
        let marked =
            steps.iter().flat_map(|step| [step.began, step.ended]).flatten().map(Timestamp::as_second);
        let (first, last) = (sampled.clone().min()?, sampled.max()?);
        let (from, until) = (first.min(marked.clone().min()?), last.max(marked.max()?));
        let most = points().map(|point| point.value).filter(|value| value.abs() <= LIMIT).fold(0.0, f64::max);
        let step = nice(most / 4.0);
        let top = step * (most / step).ceil().max(1.0);
        let until = if until > from { until } else { from + 60 };
        Some(Self { from: from as f64, until: until as f64, top, step })
    }

    fn x(&self, at: Timestamp) -> i32 {
        let part = (at.as_second() as f64 - self.from) / (self.until - self.from);
        FRAME.0 + (part.clamp(0.0, 1.0) * f64::from(FRAME.2 - FRAME.0)).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let part = (value / self.top).clamp(0.0, 1.0);
        FRAME.3 - (part * f64::from(FRAME.3 - FRAME.1)).round() as i32
    }
}

/// The next of 1, 2, 2.5, 5, 10, … at or above.
fn nice(raw: f64) -> f64 {
    if raw <= 0.0 || !raw.is_finite() {
        return 0.25;
    }
    let decade = 10_f64.powf(raw.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .map(|digit| digit * decade)
        .find(|tick| *tick >= raw)
        .unwrap_or(10.0 * decade)
}

fn paint(canvas: &Canvas<'_>, scale: &Scale, unit: &str, lines: &[&Line], steps: &[StepReport]) -> Drawn {
    grid(canvas, scale, unit)?;
    marks(canvas, scale, steps)?;
    for (index, line) in lines.iter().enumerate() {
        self::line(canvas, scale, line, index)?;
    }
    labels(canvas, scale, lines)
}

fn font(size: i32, colour: RGBColor, across: HPos, up: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", size).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(across, up) }
}

fn thin(colour: RGBColor, width: u32) -> ShapeStyle {
    ShapeStyle { color: colour.into(), filled: false, stroke_width: width }
}

fn filled(colour: RGBColor) -> ShapeStyle {
    ShapeStyle { color: colour.into(), filled: true, stroke_width: 1 }
}

fn grid(canvas: &Canvas<'_>, scale: &Scale, unit: &str) -> Drawn {
    let (left, top, right, bottom) = FRAME;
    let mut value = 0.0;
    while value <= scale.top * 1.001 {
        let y = scale.y(value);
        canvas.draw(&PathElement::new(vec![(left, y), (right, y)], thin(GRID, 1)))?;
        let style = font(15, INK, HPos::Right, VPos::Center);
        // On one axis all numbers have one unit.
        let words = match unit {
            "ms" if scale.top >= 10_000.0 => amount(value / 1_000.0, "s"),
            unit => amount(value, unit),
        };
        canvas.draw(&Text::new(words, (left - 6, y), style))?;
        value += scale.step;
    }
    let every = pace(scale.until - scale.from);
    let mut second = (scale.from / every).ceil() * every;
    while second <= scale.until {
        if let Ok(at) = Timestamp::from_second(second as i64) {
            let x = scale.x(at);
            canvas.draw(&PathElement::new(vec![(x, bottom), (x, bottom + 5)], thin(INK, 1)))?;
            let style = font(15, INK, HPos::Center, VPos::Top);
            let format = if every < 60.0 { "%H:%M:%S" } else { "%H:%M" };
            canvas.draw(&Text::new(at.strftime(format).to_string(), (x, bottom + 9), style))?;
        }
        second += every;
    }
    let frame = vec![(left, top), (left, bottom), (right, bottom)];
    Ok(canvas.draw(&PathElement::new(frame, thin(INK, 1)))?)
}

/// Seconds between two times on the axis, so that six or fewer stand there.
fn pace(span: f64) -> f64 {
    const PACES: [f64; 14] = [
        10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0,
        86_400.0, 604_800.0,
    ];
    // A journal may tell of two ages of the world; then its ends are enough.
    PACES.into_iter().find(|pace| span / pace <= 7.0).unwrap_or(span.max(1.0))
}

/// A line where each step began, its number above; in another colour where one failed.
fn marks(canvas: &Canvas<'_>, scale: &Scale, steps: &[StepReport]) -> Drawn {
    let mut marks: Vec<(i32, usize, bool)> = steps
        .iter()
        .filter_map(|step| {
            let failed = matches!(step.state, StepState::Failed | StepState::Passed);
            Some((scale.x(step.began?), step.number, failed))
        })
        .collect();
    marks.sort_unstable();
    for (x, _, failed) in &marks {
        let colour = if *failed { FAILED } else { STEP };
        canvas.draw(&PathElement::new(vec![(*x, FRAME.1), (*x, FRAME.3)], thin(colour, 1)))?;
    }
    for close in marks.chunk_by(|a, b| b.0 - a.0 < CLOSE) {
        let Some((first, last)) = close.first().zip(close.last()) else { continue };
        let mut numbers: Vec<usize> = close.iter().map(|(_, number, _)| *number).collect();
        numbers.sort_unstable();
        let failed = close.iter().any(|(.., failed)| *failed);
        let style = font(14, if failed { FAILED } else { STEP }, HPos::Center, VPos::Bottom);
        canvas.draw(&Text::new(numbered(&numbers), (i32::midpoint(first.0, last.0), FRAME.1 - 5), style))?;
    }
    Ok(())
}

/// `3`, `3, 5`, `3–6`.
fn numbered(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| b - a <= 1).filter_map(|run| {
        let (first, last) = run.first().zip(run.last())?;
        Some(if first == last { first.to_string() } else { format!("{first}–{last}") })
    });
    runs.collect::<Vec<_>>().join(", ")
}

fn line(canvas: &Canvas<'_>, scale: &Scale, line: &Line, index: usize) -> Drawn {
    let colour = REGIONS[index % REGIONS.len()];
    for stretch in line.stretches() {
        let points: Vec<(i32, i32)> = stretch
            .iter()
            .filter(|point| point.value.abs() <= LIMIT)
            .map(|point| (scale.x(point.at), scale.y(point.value)))
            .collect();
        // Shapes tell lines apart where colours do not: on paper, and for many eyes.
        for at in &points {
            match index % 3 {
                0 => canvas.draw(&Circle::new(*at, 3, filled(colour)))?,
                1 => canvas.draw(&TriangleMarker::new(*at, 5, filled(colour)))?,
                _ => canvas.draw(&Cross::new(*at, 4, thin(colour, 2)))?,
            }
        }
        if points.len() > 1 {
            canvas.draw(&PathElement::new(points, thin(colour, 2)))?;
        }
    }
    Ok(())
}

/// The name of each line at its end, none over another.
fn labels(canvas: &Canvas<'_>, scale: &Scale, lines: &[&Line]) -> Drawn {
    let mut labels: Vec<(i32, usize, String)> = lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((scale.y(line.points.last()?.value), index, line.place())))
        .collect();
    labels.sort();
    let mut free = FRAME.1;
    let room = labels.len() as i32 * 16;
    for (rest, (y, index, name)) in labels.into_iter().enumerate() {
        let below = room - rest as i32 * 16;
        let y = y.max(free).min(FRAME.3 + 8 - below);
        free = y + 16;
        let style = font(15, REGIONS[index % REGIONS.len()], HPos::Left, VPos::Center);
        let short: String = name.chars().take(24).collect();
        canvas.draw(&Text::new(short, (FRAME.2 + 8, y), style))?;
    }
    Ok(())
}
