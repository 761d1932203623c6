//! The decision card: wait, drain, drain --now, failover.
//!
//! What it is for: what users feel now and what data is only here, said once; then the ways side by side in figures,
//! at any width; then the way that the cursor is on, in full sentences.
//! What it must not do: recommend; the operator decides.
//!
//! ```text
//! ─ decide: us-east-1 ─────────────────────── ✖ failing ─ not in DNS ─
//!   users  6.9k requests a minute fail here (1m old)
//!   data   Aurora my-global: 160 s not yet in eu-west-1 (1m old)
//!
//!                    wait          ▸ drain       drain --now   failover
//!   way              changes nothing ● open      ● open        ● open
//!   users are out    …
//!
//!   drain: …
//! ```

use ratatui::style::Style;

use super::estimate;
use crate::app::App;
use crate::app::acting::card::{Behind, Card, Failing, Lag, Way, behind, failing};
use crate::app::acting::estimate::Estimate;
use crate::app::acting::{Planning, estimate as reckon};
use crate::domain::Observed;
use crate::domain::snapshot::DnsSnapshot;
use crate::runbook::{DatabaseChoice, Force, GuardFinding, GuardId, Plan, PlanError};
use crate::ui::columns;
use crate::ui::format;
use crate::ui::page::Page;
use crate::ui::panes::region_mark;
use crate::ui::pen::{Pen, fit, width};
use crate::ui::theme::{Mark, Theme};
use crate::ui::timeline::rule;

/// Columns of the labels in front of the figures.
const LABEL: u16 = 13;

/// The widest that a column of figures needs to be.
const COLUMN: u16 = 30;

/// What is known of the region, whichever way is taken.
struct Felt {
    fails: Option<Failing>,
    /// Whether DNS sends users there, when that is known.
    in_dns: Option<bool>,
    behind: Vec<Behind>,
    /// Out by our own act.
    pinned: bool,
    /// Route 53's API does not answer, by the last attempts to read it.
    mute: bool,
}

impl Felt {
    /// True when a plan takes users out by what does not answer now: nobody knows when that will be.
    fn waits(&self, plan: &Plan) -> bool {
        self.mute && reckon::only_by_route_53(plan)
    }
}

/// Whether Route 53's API is silent, though its DNS goes on answering.
fn route_53_is_mute(dns: &DnsSnapshot) -> bool {
    let records = dns.records.values().filter_map(Observed::error);
    let checks = dns.health_checks.values().filter_map(Observed::error);
    records.chain(checks).any(|error| error.kind.blames_region())
}

/// A figure of a way, short enough for a column.
type Figure = (String, Style);

/// A row of figures: its name, and what it says of a way.
type Row = (&'static str, fn(Way, &Planning, &Card, &Felt, Theme) -> Figure);

/// Paints the card into all of `pen`.
pub(in crate::ui) fn paint(pen: &mut Pen<'_>, app: &App, card: &Card, theme: Theme) {
    rule(pen, 0, &format!("decide: {}", card.region), theme);
    let wide = pen.width();
    let view = app.fleet.region(&card.region);
    if let Some(view) = &view {
        let mark = region_mark(view);
        let (dns, style) = columns::dns(view, theme, true);
        let at = pen.put_right(wide.saturating_sub(1), 0, 14, &format!(" {dns} "), style);
        pen.put_right(at, 0, 14, &format!(" {} {} ", mark.symbol(), view.word()), theme.mark(mark));
    }
    let felt = Felt {
        fails: view.as_ref().and_then(failing),
        in_dns: view.as_ref().and_then(|view| view.rows.in_dns.value().copied()),
        behind: behind(&app.fleet, &card.region),
        pinned: app.fleet.snapshot().pins.of(&card.region).is_some(),
        mute: route_53_is_mute(&app.fleet.snapshot().dns),
    };
    let room = wide.saturating_sub(1);
    let mut page = Page::default();
    users(&mut page, app, card, &felt, room, theme);
    data(&mut page, app, &felt, room, theme);
    page.gap();
    figures(&mut page, card, &felt, room, theme);
    page.gap();
    sentences(&mut page, card, &felt, room, theme);
    let high = pen.height().saturating_sub(1);
    page.paint(&mut pen.part(0, 1, wide, high), &card.scroll, theme);
}

/// What users feel now, and whether it ends by itself.
fn users(page: &mut Page, app: &App, card: &Card, felt: &Felt, room: u16, theme: Theme) {
    let fails = felt.fails.is_some_and(|fails| fails.per_minute > 0.0);
    let (mut words, style) = match felt.fails {
        Some(seen) if fails => {
            let old = format::since(seen.as_of, app.fleet.now());
            (
                format!("{} requests a minute fail here ({old} old)", format::count(seen.per_minute)),
                theme.strong(),
            )
        }
        Some(_) => ("no request fails here".to_owned(), theme.plain()),
        None => ("how many requests fail here is not known".to_owned(), theme.missing()),
    };
    match felt.in_dns {
        Some(false) if fails => {
            let lingering = card.lingering().and_then(|note| note.as_str().split(" (").next());
            let lingering = lingering
                .unwrap_or("clients with open connections stay up to their keep-alive, 60 min or as set");
            let ends = "and that should end: DNS sends nobody here any more; kept answers live 60 s";
            words = format!("{words}, {ends}, {lingering}");
        }
        Some(false) => words.push_str("; DNS sends nobody here"),
        Some(true) => {}
        None => words.push_str("; whether DNS sends users here is not known"),
    }
    page.text(("  users  ", theme.quiet()), &words, room, style);
}

/// What data is only here.
fn data(page: &mut Page, app: &App, felt: &Felt, room: u16, theme: Theme) {
    let now = app.fleet.now();
    let mut lead = "  data   ";
    let mut line = |words: &str, style| {
        page.text((lead, theme.quiet()), words, room, style);
        lead = "         ";
    };
    if felt.behind.is_empty() {
        return line("nothing is written only here", theme.plain());
    }
    // With one other region its name is said once.
    let first = felt.behind.first().map(|behind| &behind.place);
    let one = first.filter(|place| felt.behind.iter().all(|behind| behind.place == **place));
    for (promoted, fate, style) in [
        (true, "lost by a promotion", theme.strong()),
        (false, "there when the region returns", theme.plain()),
    ] {
        let mut oldest = None;
        let mut said = Vec::new();
        for behind in felt.behind.iter().filter(|behind| behind.promoted == promoted) {
            let place = if one.is_some() { String::new() } else { format!(" ({})", behind.place) };
            said.push(match behind.lag {
                Some((lag, as_of)) => {
                    oldest = Some(oldest.map_or(as_of, |oldest| as_of.min(oldest)));
                    format!("{} {}{place}", behind.what, amount(lag))
                }
                None => format!("{} not known{place}", behind.what),
            });
        }
        if said.is_empty() {
            continue;
        }
        let place = one.map_or_else(|| "elsewhere".to_owned(), ToString::to_string);
        let old = oldest.map(|oldest| format!(" ({} old)", format::since(oldest, now))).unwrap_or_default();
        line(&format!("not yet in {place}, {fate}: {}{old}", said.join(", ")), style);
    }
}

fn amount(lag: Lag) -> String {
    match lag {
        Lag::Ms(ms) => format::millis(ms),
        Lag::Bytes(bytes) => format::bytes(bytes),
    }
}

/// The ways side by side.
fn figures(page: &mut Page, card: &Card, felt: &Felt, room: u16, theme: Theme) {
    let columns = (room.saturating_sub(LABEL) / Way::ALL.len() as u16).min(COLUMN);
    let ways = || Way::ALL.iter().copied().zip(&card.ways).enumerate();
    let cell = |words: &str| {
        let words = fit(words, usize::from(columns.saturating_sub(1)));
        let blank = usize::from(columns.saturating_sub(width(&words)));
        format!("{words}{}", " ".repeat(blank))
    };
    let label = |words: &str| (format!(" {words:<width$}", width = usize::from(LABEL - 1)), theme.quiet());
    let mut heads = vec![label("")];
    for (index, (way, _)) in ways() {
        let here = index == card.selected;
        let head = cell(&format!("{} {}", if here { "▸" } else { " " }, way.title()));
        heads.push((head, if here { theme.cursor() } else { theme.strong() }));
    }
    page.line(heads);
    let rows: [Row; 7] = [
        ("", standing),
        ("users out", out),
        ("more fail", failing_until),
        ("all done", done),
        ("writes lost", lost),
        ("never back", never_back),
        ("needs", needs),
    ];
    for (name, figure) in rows {
        let mut line = vec![label(name)];
        for (_, (way, planning)) in ways() {
            let (words, style) = figure(way, planning, card, felt, theme);
            line.push((cell(&format!("  {words}")), style));
        }
        page.line(line);
    }
}

/// Whether the way is open, in a word.
fn standing(way: Way, planning: &Planning, _: &Card, _: &Felt, theme: Theme) -> Figure {
    let (mark, word) = match (way, &planning.plan, &planning.error) {
        (Way::Wait, ..) => return ("–".to_owned(), theme.plain()),
        (_, Some(plan), _) if blocks(plan).next().is_some() => (Mark::Critical, "BLOCKED"),
        (_, Some(_), _) => (Mark::Healthy, "open"),
        (_, None, Some(PlanError::Choose { .. })) => (Mark::Warning, "choose"),
        (_, None, Some(_)) => (Mark::Critical, "no plan"),
        (_, None, None) => (Mark::Pending, "planning"),
    };
    // On what was known; the reading may change it.
    let mark = if planning.is_reading() { Mark::Pending } else { mark };
    (format!("{} {word}", mark.symbol()), theme.mark(mark))
}

/// When users are out.
fn out(way: Way, planning: &Planning, _: &Card, felt: &Felt, theme: Theme) -> Figure {
    if felt.in_dns == Some(false) {
        return ("out of DNS".to_owned(), theme.plain());
    }
    let Some(plan) = planning.plan.as_ref().filter(|_| way != Way::Wait) else {
        return (if way == Way::Wait { "not at all" } else { "–" }.to_owned(), theme.plain());
    };
    if felt.waits(plan) {
        return ("not known".to_owned(), theme.missing());
    }
    (reckon::until_out(plan).map_or_else(|| "they stay".to_owned(), short), theme.plain())
}

/// How many requests fail until then, at the present rate.
fn failing_until(way: Way, planning: &Planning, _: &Card, felt: &Felt, theme: Theme) -> Figure {
    let Some(fails) = felt.fails else { return ("not known".to_owned(), theme.missing()) };
    if fails.per_minute <= 0.0 {
        return ("none fail now".to_owned(), theme.plain());
    }
    if felt.in_dns == Some(false) {
        return ("it ends".to_owned(), theme.plain());
    }
    let per_minute = || (format!("{} a minute", format::count(fails.per_minute)), theme.plain());
    if way == Way::Wait {
        return per_minute();
    }
    let Some(plan) = &planning.plan else { return ("–".to_owned(), theme.plain()) };
    if felt.waits(plan) {
        return ("not known".to_owned(), theme.missing());
    }
    match reckon::until_out(plan) {
        Some(out) => {
            let sum = fails.per_minute * out.likely.as_secs_f64() / 60.0;
            (format!("~{}", format::count(sum)), theme.plain())
        }
        None => per_minute(),
    }
}

/// When everything is done.
fn done(way: Way, planning: &Planning, _: &Card, _: &Felt, theme: Theme) -> Figure {
    match &planning.plan {
        Some(plan) if way != Way::Wait => (short(reckon::of(plan)), theme.plain()),
        _ => ("–".to_owned(), theme.plain()),
    }
}

/// `~9m ≤25m`: likely, and at most.
fn short(estimate: Estimate) -> String {
    let (likely, most) = (format::span(estimate.likely), format::span(estimate.most));
    if likely == most { format!("~{likely}") } else { format!("~{likely} ≤{most}") }
}

/// What a promotion gives up.
fn lost(way: Way, planning: &Planning, _: &Card, felt: &Felt, theme: Theme) -> Figure {
    let Some(plan) = planning.plan.as_ref().filter(|_| way != Way::Wait) else {
        return (if way == Way::Wait { "none" } else { "–" }.to_owned(), theme.plain());
    };
    if !matches!(plan.params.database, Some(DatabaseChoice::Failover | DatabaseChoice::Detach)) {
        return ("none".to_owned(), theme.plain());
    }
    let mut lags = felt.behind.iter().filter(|behind| behind.promoted).map(|behind| behind.lag);
    let worst = lags.try_fold(0.0_f64, |worst, lag| match lag {
        Some((Lag::Ms(ms), _)) => Some(worst.max(ms)),
        _ => None,
    });
    let words = worst.map_or_else(|| "not known".to_owned(), format::millis);
    (words, theme.mark(Mark::Critical))
}

fn never_back(way: Way, planning: &Planning, _: &Card, _: &Felt, theme: Theme) -> Figure {
    match &planning.plan {
        Some(plan) if way != Way::Wait && !plan.irreversible.is_empty() => {
            let count = plan.irreversible.len();
            (format!("{count} thing{}", if count == 1 { "" } else { "s" }), theme.mark(Mark::Critical))
        }
        None if way != Way::Wait => ("–".to_owned(), theme.plain()),
        _ => ("nothing".to_owned(), theme.plain()),
    }
}

fn needs(way: Way, planning: &Planning, _: &Card, _: &Felt, theme: Theme) -> Figure {
    let Some(plan) = planning.plan.as_ref().filter(|_| way != Way::Wait) else {
        return ("–".to_owned(), theme.plain());
    };
    let arm = plan.findings.iter().any(|finding| finding.guard == GuardId::Armed);
    let hard = blocks(plan).any(|finding| !finding.may_override);
    let soft = blocks(plan).next().is_some();
    let word = match (hard, soft) {
        (true, _) => "impossible",
        (_, true) => "override",
        _ => "reason",
    };
    let style = if soft { theme.mark(Mark::Critical) } else { theme.plain() };
    (if arm && !hard { format!("arm, {word}") } else { word.to_owned() }, style)
}

/// What blocks, being read-only left out: that is the operator's to change.
fn blocks(plan: &Plan) -> impl Iterator<Item = &GuardFinding> {
    let findings = plan.findings.iter().filter(|finding| finding.force == Force::Block);
    findings.filter(|finding| finding.guard != GuardId::Armed)
}

/// The way that the cursor is on, in full.
fn sentences(page: &mut Page, card: &Card, felt: &Felt, room: u16, theme: Theme) {
    let way = card.way();
    let normal = theme.plain();
    let Some(planning) = card.ways.get(card.selected).filter(|_| way != Way::Wait) else {
        let words = match (felt.in_dns, felt.fails) {
            (Some(false), _) if felt.pinned => {
                "wait: the region stays out by our own act until R restores it, whatever becomes of it"
            }
            (Some(false), _) => {
                "wait: DNS has taken users out by itself, and brings them back by itself once the region looks well again"
            }
            (_, Some(fails)) if fails.per_minute > 0.0 => {
                "wait: requests go on failing until the region recovers or DNS takes it out by itself"
            }
            (_, None) => "wait: nothing changes, and how many requests fail stays unknown",
            _ => "wait: nothing changes",
        };
        page.text(("  ", normal), words, room, normal);
        return;
    };
    let plan = match (&planning.plan, &planning.error) {
        (Some(plan), _) => plan,
        (None, Some(PlanError::Choose { question, choices, proposed, .. })) => {
            page.text(("  ▲ ", theme.mark(Mark::Warning)), question.as_str(), room, theme.strong());
            for (word, sentence) in choices {
                let words = super::offered(word, sentence, proposed.as_ref());
                page.text((&format!("    {word}: "), theme.key()), &words, room, normal);
            }
            return;
        }
        (None, Some(error)) => {
            page.text(("  ✖ ", theme.mark(Mark::Critical)), &error.to_string(), room, theme.strong());
            return;
        }
        (None, None) => return,
    };
    page.text(("  ", normal), plan.summary.as_str(), room, theme.strong());
    if felt.waits(plan) && felt.in_dns != Some(false) {
        let words =
            "when users are out is not known: Route 53's API does not answer, and no other way out is wired";
        page.text(("  ▲ ", theme.mark(Mark::Warning)), words, room, normal);
    }
    if let (Way::Failover, Some(database)) = (way, card.assumed) {
        let words = format!("taken for granted here, asked there: --database {}", database.word());
        page.text(("  ▲ ", theme.mark(Mark::Warning)), &words, room, normal);
    }
    let count = plan.steps.len();
    let plural = if count == 1 { "" } else { "s" };
    let words = format!("{count} step{plural}, {}", estimate(reckon::of(plan)));
    page.text(("  ", normal), &words, room, normal);
    for line in &plan.irreversible {
        page.text(("  ✖ never back: ", theme.mark(Mark::Critical)), line.as_str(), room, normal);
    }
    for finding in blocks(plan) {
        let lead = format!("  ✖ {}: ", finding.guard.word());
        page.text((&lead, theme.mark(Mark::Critical)), finding.message.as_str(), room, normal);
    }
    for finding in plan.findings.iter().filter(|finding| finding.force == Force::Warn) {
        let lead = format!("  ▲ {}: ", finding.guard.word());
        page.text((&lead, theme.mark(Mark::Warning)), finding.message.as_str(), room, normal);
    }
}
