//! The decision card: wait, drain, drain --now, failover.
//!
//! What it is for: what each way costs users and data, how long it takes, what it never brings back and what it
//! needs, side by side where there is room and one under the other where there is not.
//! What it must not do: recommend; the operator decides.
//!
//! ```text
//! ─ decide: us-east-1 ─────────────────────── ✖ failing ─ not in DNS ─
//!   6.9k requests fail a minute (1m old)
//!  ▸ wait          │   drain         │   drain --now   │   failover
//! ```

use std::time::Duration;

use ratatui::style::Style;

use super::estimate;
use crate::app::App;
use crate::app::acting::card::{Card, Failing, Way, failing};
use crate::app::acting::{Planning, estimate as reckon};
use crate::domain::text::Text;
use crate::runbook::{Force, GuardFinding, GuardId, Plan, PlanError};
use crate::ui::columns;
use crate::ui::format;
use crate::ui::page::Page;
use crate::ui::pen::{Pen, fit, width};
use crate::ui::theme::{Mark, Theme};
use crate::ui::timeline::rule;

/// From this width on the ways stand side by side.
const BESIDE: u16 = 110;

/// A line of a way: label, words, style.
type Said = (&'static str, String, Style);

/// Paints the card into all of `pen`.
pub(in crate::ui) fn paint(pen: &mut Pen<'_>, app: &App, card: &Card, theme: Theme) {
    rule(pen, 0, &format!("decide: {}", card.region), theme);
    let view = app.fleet.region(&card.region);
    let wide = pen.width();
    let mut top = 1;
    let fails = view.as_ref().and_then(failing);
    if let Some(view) = &view {
        let mark = Mark::of_health(view.health());
        let (dns, style) = columns::dns(view, theme, true);
        let at = pen.put_right(wide.saturating_sub(1), 0, 14, &format!(" {dns} "), style);
        pen.put_right(at, 0, 14, &format!(" {} {} ", mark.symbol(), view.word()), theme.mark(mark));
    }
    let (words, style) = match fails {
        Some(fails) if fails.per_minute > 0.0 => (
            format!(
                "{} requests a minute fail here ({} old)",
                format::count(fails.per_minute),
                format::since(fails.as_of, app.fleet.now())
            ),
            theme.strong(),
        ),
        Some(_) => ("no request fails here".to_owned(), theme.plain()),
        None => ("how many requests fail here is not known".to_owned(), theme.missing()),
    };
    pen.put(2, top, wide.saturating_sub(2), &words, style);
    top += 1;
    let room = pen.height().saturating_sub(top);
    let mut body = pen.part(0, top, wide, room);
    if wide >= BESIDE {
        beside(&mut body, card, fails, theme);
    } else {
        below(&mut body, card, fails, theme);
    }
}

/// The ways as columns.
fn beside(pen: &mut Pen<'_>, card: &Card, fails: Option<Failing>, theme: Theme) {
    let (wide, high) = (pen.width(), pen.height());
    let count = Way::ALL.len() as u16;
    let room = wide / count;
    for (index, (way, planning)) in Way::ALL.iter().zip(&card.ways).enumerate() {
        let x = index as u16 * room;
        let here = index == card.selected;
        let (mark, word) = standing(*way, planning);
        let style = if here { theme.cursor() } else { theme.strong() };
        if here {
            pen.put(x + 1, 1, 1, "▸", theme.key());
        }
        let at = pen.put(x + 3, 1, room - 4, &format!(" {} ", way.title()), style);
        let rest = (x + room).saturating_sub(at + 2);
        pen.put(at + 1, 1, rest, &format!("{} {word}", mark.symbol()), theme.mark(mark));
        let mut page = Page::default();
        for (label, words, style) in said(*way, planning, card, fails, theme) {
            page.gap();
            page.line(vec![(label.to_owned(), theme.quiet())]);
            page.text(("", theme.plain()), &words, room.saturating_sub(4), style);
        }
        // Columns are not scrolled: what does not fit is in the way's own dialog.
        let scroll = crate::app::screen::Scroll::default();
        page.paint(&mut pen.part(x + 3, 3, room.saturating_sub(3), high.saturating_sub(3)), &scroll, theme);
        if index > 0 {
            for y in 1..high {
                pen.put(x, y, 1, "│", theme.quiet());
            }
        }
    }
}

/// The ways as a list.
fn below(pen: &mut Pen<'_>, card: &Card, fails: Option<Failing>, theme: Theme) {
    const LABEL: usize = 14;
    let room = pen.width().saturating_sub(1);
    let mut page = Page::default();
    for (index, (way, planning)) in Way::ALL.iter().zip(&card.ways).enumerate() {
        let here = index == card.selected;
        if here {
            page.select_next();
        }
        let (mark, word) = standing(*way, planning);
        let style = if here { theme.cursor() } else { theme.strong() };
        page.line(vec![
            ("  ".to_owned(), theme.plain()),
            (format!(" {} ", way.title()), style),
            (format!("  {} {word}", mark.symbol()), theme.mark(mark)),
        ]);
        let said = said(*way, planning, card, fails, theme);
        if !here {
            // One line of the others, so that all four are in sight.
            let words: Vec<String> =
                said.iter().map(|(label, words, _)| format!("{label}: {words}")).collect();
            let words = fit(&words.join(" · "), usize::from(room.saturating_sub(4)));
            page.line(vec![("    ".to_owned(), theme.plain()), (words, theme.plain())]);
            continue;
        }
        for (label, words, style) in said {
            let blank = " ".repeat(LABEL.saturating_sub(width(label) as usize));
            page.text((&format!("    {label}{blank}"), theme.quiet()), &words, room, style);
        }
    }
    page.paint(pen, &card.scroll, theme);
}

/// Whether the way is open, in a word.
fn standing(way: Way, planning: &Planning) -> (Mark, String) {
    if way == Way::Wait {
        return (Mark::None, "changes nothing".to_owned());
    }
    match (&planning.plan, &planning.error) {
        (Some(plan), _) => {
            let blocks = plan.findings.iter().filter(|finding| finding.force == Force::Block);
            let blocks = blocks.filter(|finding| finding.guard != GuardId::Armed).count();
            match blocks {
                0 => (Mark::Healthy, "open".to_owned()),
                _ => (Mark::Critical, "BLOCKED".to_owned()),
            }
        }
        (None, Some(PlanError::Choose { .. })) => (Mark::Warning, "a choice first".to_owned()),
        (None, Some(_)) => (Mark::Critical, "no plan".to_owned()),
        (None, None) => (Mark::Pending, "planning".to_owned()),
    }
}

/// What a way means, line by line.
fn said(way: Way, planning: &Planning, card: &Card, fails: Option<Failing>, theme: Theme) -> Vec<Said> {
    let plain = theme.plain();
    if way == Way::Wait {
        let users = match fails {
            Some(fails) if fails.per_minute > 0.0 => {
                format!("{} fail each minute, with no end in sight", format::count(fails.per_minute))
            }
            Some(_) => "none fail".to_owned(),
            None => "not known".to_owned(),
        };
        return vec![
            ("users", users, plain),
            ("data", "as it is; what is not copied yet waits".to_owned(), plain),
            ("never back", "nothing".to_owned(), plain),
        ];
    }
    let plan = match (&planning.plan, &planning.error) {
        (Some(plan), _) => plan,
        (None, Some(PlanError::Choose { question, choices, .. })) => {
            let words: Vec<&str> = choices.iter().map(|(word, _)| word.as_str()).collect();
            return vec![
                ("needs", question.to_string(), theme.strong()),
                ("choices", words.join(", "), plain),
            ];
        }
        (None, Some(error)) => return vec![("needs", error.to_string(), theme.strong())],
        (None, None) => return Vec::new(),
    };
    let time = reckon::of(plan);
    let mut lines = Vec::new();
    if let (Way::Failover, Some(database)) = (way, card.assumed) {
        lines.push(("if you choose", format!("--database {}", database.word()), theme.mark(Mark::Warning)));
    }
    lines.extend([
        ("users", users(fails, time.likely), plain),
        ("time", estimate(time), plain),
        ("data", joined(&plan.data_at_risk, "none named"), plain),
    ]);
    let style = if plan.irreversible.is_empty() { plain } else { theme.mark(Mark::Critical) };
    lines.push(("never back", joined(&plan.irreversible, "nothing"), style));
    lines.push(needs(plan, theme));
    lines
}

/// How many requests fail until the plan is through, at the present rate.
fn users(fails: Option<Failing>, time: Duration) -> String {
    match fails {
        None => "not known".to_owned(),
        Some(fails) if fails.per_minute <= 0.0 => "none fail now".to_owned(),
        Some(fails) => {
            let sum = fails.per_minute * time.as_secs_f64() / 60.0;
            format!("about {} more fail at this rate, until its last step", format::count(sum))
        }
    }
}

fn joined(lines: &[Text], none: &str) -> String {
    if lines.is_empty() {
        return none.to_owned();
    }
    lines.iter().map(Text::as_str).collect::<Vec<_>>().join("; ")
}

fn needs(plan: &Plan, theme: Theme) -> Said {
    let read_only = |finding: &&GuardFinding| finding.guard == GuardId::Armed;
    let blocks: Vec<&GuardFinding> =
        plan.findings.iter().filter(|finding| finding.force == Force::Block && !read_only(finding)).collect();
    let warnings = plan.findings.iter().filter(|finding| finding.force == Force::Warn).count();
    let mut parts: Vec<String> =
        plan.findings.iter().filter(read_only).map(|_| "arming: A".to_owned()).collect();
    let blocked = blocks.iter().map(|finding| format!("{}: {}", finding.guard.word(), finding.message));
    parts.extend(blocked);
    match warnings {
        0 => {}
        1 => parts.push("a reason for 1 warning".to_owned()),
        several => parts.push(format!("a reason for {several} warnings")),
    }
    if parts.is_empty() {
        parts.push("nothing more".to_owned());
    }
    let style = if blocks.is_empty() { theme.plain() } else { theme.mark(Mark::Critical) };
    ("needs", fit(&parts.join("; "), 600), style)
}
