//! The dialog of a plan.
//!
//! What it is for: everything that is about to be confirmed, without cutting a sentence: what blocks first, then
//! what may be lost, then every step with its calls. What it must not do: read anything but the dialog's own plan.
//!
//! ```text
//! ─ drain us-east-1 ─ plan 1a2b3c4d5e6f of 03:00:30 ─────────  ▲ 2 warnings
//!   take users and writers out of us-east-1
//!   n order: capacity first · z its tasks: kept  7 steps, about 9m, at most 40m
//!   ▲ headroom  eu-west-1 …
//!   1 raise capacity …
//! ──────────────────────────────────────────────────────────
//!  read-only: this is a preview; A arms
//! ```

use std::time::Duration;

use super::{domain, estimate, guard_mark, usual};
use crate::app::App;
use crate::app::acting::{Basis, Book, PlanDialog, estimate as reckon};
use crate::app::keymap::Layer;
use crate::domain::text::Text;
use crate::runbook::{Force, GuardFinding, GuardId, OnFailure, Plan, PlanError, Step};
use crate::ui::format;
use crate::ui::page::Page;
use crate::ui::pen::Pen;
use crate::ui::theme::{Mark, Theme};
use crate::ui::timeline::rule;

/// What is younger than this is not told to be old.
const MOMENT: Duration = Duration::from_secs(5);

/// Paints the dialog into all of `pen`.
pub(in crate::ui) fn paint(pen: &mut Pen<'_>, app: &App, dialog: &PlanDialog, theme: Theme) {
    let (wide, high) = (pen.width(), pen.height());
    if high == 0 {
        return;
    }
    heading(&mut pen.part(0, 0, wide, 1), dialog, theme);
    let status = u16::from(high >= 4);
    let page = page(app, dialog, wide.saturating_sub(1), theme);
    page.paint(&mut pen.part(0, 1, wide, high.saturating_sub(1 + status)), &dialog.scroll, theme);
    if status > 0 {
        self::status(&mut pen.part(0, high - 1, wide, 1), app, dialog, theme);
    }
}

fn heading(pen: &mut Pen<'_>, dialog: &PlanDialog, theme: Theme) {
    let place = match &dialog.params.region {
        Some(region) => region.as_str(),
        None => "the whole application",
    };
    let mut title = format!("{} {place}", dialog.book.id());
    if let (Some(plan), Some(digest)) = (dialog.plan(), &dialog.planning.digest) {
        title = format!("{title}: plan {digest}, made {} UTC", format::clock(plan.made_at));
    }
    rule(pen, 0, &title, theme);
    let (mark, words) = standing(dialog);
    let words = format!(" {} {words} ", mark.symbol());
    pen.put_right(pen.width().saturating_sub(1), 0, 24, &words, theme.mark(mark));
}

/// What the guards say, in a word.
fn standing(dialog: &PlanDialog) -> (Mark, String) {
    match dialog.planning.basis {
        None => return (Mark::Pending, "planning".to_owned()),
        Some(Basis::Known | Basis::Partly { .. }) => return (Mark::Pending, "reading anew".to_owned()),
        Some(Basis::Read | Basis::Renewed) => {}
    }
    if let Some(at) = dialog.changed {
        return (Mark::Warning, format!("CHANGED {}", format::clock(at)));
    }
    let Some(plan) = dialog.plan() else {
        return match dialog.planning.error {
            Some(PlanError::Choose { .. }) => (Mark::Warning, "choose first".to_owned()),
            _ => (Mark::Critical, "no plan".to_owned()),
        };
    };
    // A preview is not blocked by being one.
    let blocks = dialog.blocks().filter(|finding| finding.guard != GuardId::Armed).count();
    if blocks == 0 && dialog.blocks().next().is_some() {
        return (Mark::None, "preview".to_owned());
    }
    match (blocks, plan.findings.len()) {
        (0, 0) => (Mark::Healthy, "no guard complains".to_owned()),
        (0, 1) => (Mark::Warning, "1 warning".to_owned()),
        (0, several) => (Mark::Warning, format!("{several} warnings")),
        _ => (Mark::Critical, "BLOCKED".to_owned()),
    }
}

/// What Enter would do, in a line that never scrolls away.
fn status(pen: &mut Pen<'_>, app: &App, dialog: &PlanDialog, theme: Theme) {
    let armed = app.acting.armed_for(dialog.book, app.fleet.now()).is_some();
    let hard = dialog.blocks().find(|finding| !finding.may_override);
    let soft = dialog.blocks().next();
    let (mark, words) = if dialog.starting {
        (Mark::Pending, "confirmed; waiting for the run to begin".to_owned())
    } else if dialog.planning.basis.is_none() {
        (Mark::Pending, "the plan is being made; nothing is changed".to_owned())
    } else if dialog.eager.is_some() {
        (Mark::Pending, "Enter: asks for the name once all is read; any key takes it back".to_owned())
    } else if !dialog.choices().is_empty() {
        let keys = if dialog.is_restoring() { "b brings back, y keeps" } else { "Enter" };
        (Mark::Warning, format!("choose with the arrow keys and {keys}"))
    } else if dialog.plan().is_none() {
        (Mark::Critical, "there is no plan; r tries again".to_owned())
    } else if !armed && dialog.book == Book::Cleanup {
        (Mark::None, "preview only: cleanup wants an arming of its own: A".to_owned())
    } else if !armed {
        (Mark::None, "read-only: this is a preview, nothing is changed; arm with A".to_owned())
    } else if let Some(finding) = hard {
        (Mark::Critical, format!("blocked by {}; nothing overrides it", finding.guard.word()))
    } else if let Some(finding) = soft {
        (Mark::Critical, format!("blocked by {}; o overrides it, with a reason", finding.guard.word()))
    } else if dialog.planning.is_reading() && !dialog.book.is_emergency() {
        (Mark::Pending, "reading; Enter waits for it, then asks for the name".to_owned())
    } else {
        let confirm = dialog.plan().map_or("", |plan| plan.confirm.as_str());
        (Mark::Warning, format!("Enter, then type {confirm} and a reason: this changes AWS"))
    };
    pen.put(1, 0, 2, mark.symbol(), theme.mark(mark));
    pen.put(3, 0, u16::MAX, &words, theme.strong());
}

fn page(app: &App, dialog: &PlanDialog, room: u16, theme: Theme) -> Page {
    let mut page = Page::default();
    let indent = ("  ", theme.plain());
    if let Some(plan) = dialog.plan() {
        page.text(indent, plan.summary.as_str(), room, theme.strong());
    }
    choices(&mut page, dialog, room, theme);
    basis(&mut page, app, dialog, room, theme);
    if let Some(why) = &dialog.refused {
        page.text(("  ✖ not started: ", theme.mark(Mark::Critical)), why.as_str(), room, theme.strong());
    }
    if !dialog.differs.is_empty() {
        let title = match dialog.refused {
            Some(_) => "the world has moved; what differs now:",
            None if dialog.changed.is_some() => "the plan was renewed by itself; what changed:",
            None => "what the reading changed:",
        };
        list(&mut page, (Mark::Warning, title), &dialog.differs, room, theme);
    }
    if let Some(error) = &dialog.planning.error {
        trouble(&mut page, dialog, error, room, theme);
    }
    let Some(plan) = dialog.plan() else { return page };
    page.gap();
    guards(&mut page, dialog, plan, room, theme);
    let data = (Mark::Warning, "data at risk");
    list(&mut page, data, &plan.data_at_risk, room, theme);
    list(&mut page, (Mark::Critical, "cannot be undone"), &plan.irreversible, room, theme);
    page.gap();
    let time = estimate(reckon::of(plan));
    let count = plan.steps.len();
    let plural = if count == 1 { "" } else { "s" };
    let basis = reckon::basis(plan).unwrap_or_else(|| "typical; no past run tells".to_owned());
    page.text(
        ("  ", theme.plain()),
        &format!("{count} step{plural}, {time} ({basis})"),
        room,
        theme.strong(),
    );
    for (index, step) in plan.steps.iter().enumerate() {
        self::step(&mut page, app, plan, index, step, room, theme);
    }
    list(&mut page, (Mark::None, "to know"), &plan.notes, room, theme);
    page.gap();
    if let Some(digest) = &dialog.planning.digest {
        page.text(("  digest ", theme.quiet()), digest.as_str(), room, theme.quiet());
    }
    page
}

/// What the plan rests on, while the world is still being read.
fn basis(page: &mut Page, app: &App, dialog: &PlanDialog, room: u16, theme: Theme) {
    let words = match &dialog.planning.basis {
        Some(Basis::Known) => "on what was known; reading it anew".to_owned(),
        Some(Basis::Partly { waits }) => {
            let waits: Vec<&str> = waits.iter().map(Text::as_str).collect();
            format!("read anew; still as it was known: {}", waits.join(", "))
        }
        Some(Basis::Renewed) => "renewed by itself, on what is watched; r reads everything anew".to_owned(),
        Some(Basis::Read) | None => return,
    };
    let age = dialog.plan().and_then(|plan| oldest(app, plan)).unwrap_or_default();
    let lead = format!("  {} ", Mark::Pending.symbol());
    page.text((&lead, theme.mark(Mark::Pending)), &format!("{words}{age}"), room, theme.plain());
}

/// The oldest of what shaped a plan, with its age.
fn oldest(app: &App, plan: &Plan) -> Option<String> {
    let seen = plan.shaped_by.iter().filter_map(|(_, seen)| Some((seen.reading()?, seen.source())));
    let (reading, source) = seen.min_by_key(|(reading, _)| reading.as_of)?;
    let place = source.region.as_ref().map(|region| format!(" of {region}")).unwrap_or_default();
    let saved = if reading.saved { ", saved" } else { "" };
    let age = app.fleet.now().duration_since(reading.as_of).unsigned_abs();
    (age >= MOMENT)
        .then(|| format!(" (the oldest: {}{place}, {} old{saved})", source.kind.label(), format::span(age)))
}

/// How the dialog's wishes stand, each behind its key.
fn choices(page: &mut Page, dialog: &PlanDialog, room: u16, theme: Theme) {
    for choice in dialog.book.choices() {
        let binding = Layer::Plan.bindings().iter().find(|binding| binding.command == choice.command());
        let key = binding.map_or("", |binding| binding.shown);
        let lead = format!("  {key} ");
        page.text((&lead, theme.key()), &choice.words(&dialog.params), room, theme.plain());
    }
}

fn trouble(page: &mut Page, dialog: &PlanDialog, error: &PlanError, room: u16, theme: Theme) {
    page.gap();
    match error {
        PlanError::Params(why) | PlanError::Impossible(why) => {
            page.text(("  ✖ ", theme.mark(Mark::Critical)), why.as_str(), room, theme.strong());
        }
        PlanError::Choose { question, choices, proposed, .. } => {
            page.text(("  ▲ ", theme.mark(Mark::Warning)), question.as_str(), room, theme.strong());
            for (index, (word, sentence)) in choices.iter().enumerate() {
                let here = index == dialog.choice;
                if here {
                    page.select_next();
                }
                let style = if here { theme.strong() } else { theme.plain() };
                let lead = format!("    {word}: ");
                let words = super::offered(word, sentence, proposed.as_ref());
                page.text((&lead, theme.key()), &words, room, style);
            }
        }
    }
}

fn guards(page: &mut Page, dialog: &PlanDialog, plan: &Plan, room: u16, theme: Theme) {
    // Being read-only is told by the line that stays in sight, with what to do about it.
    let guards = || plan.findings.iter().filter(|finding| finding.guard != GuardId::Armed);
    if guards().next().is_none() {
        page.line(vec![
            (format!("  {} ", Mark::Healthy.symbol()), theme.mark(Mark::Healthy)),
            ("no guard complains".to_owned(), theme.plain()),
        ]);
    }
    // What is lost for good stands below in the same words, and once is enough.
    let said = |finding: &&GuardFinding| {
        finding.force == Force::Warn && plan.irreversible.contains(&finding.message)
    };
    let mut findings: Vec<_> = guards().filter(|finding| !said(finding)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.force));
    for (index, finding) in findings.iter().enumerate() {
        let overridden = finding.force == Force::Block && finding.may_override && dialog.overrides;
        let mark = if overridden { Mark::Warning } else { guard_mark(finding) };
        let force = match (finding.force, overridden) {
            (_, true) => "overridden ",
            (Force::Block, _) => "BLOCKS ",
            (Force::Warn, _) => "",
        };
        // What the runbook itself examines needs no name.
        let word = if finding.guard == GuardId::Runbook { "" } else { finding.guard.word() };
        let lead = format!("  {} {force}{word}", mark.symbol());
        let colon = if force.is_empty() && word.is_empty() { "" } else { ":" };
        let lead = format!("{}{colon} ", lead.trim_end());
        page.text((&lead, theme.mark(mark)), finding.message.as_str(), room, theme.plain());
        // What is to be done about several in a row is said once, after the last of them.
        let again = findings.get(index + 1).is_some_and(|next| next.next_step == finding.next_step);
        if !finding.next_step.is_empty() && !again {
            page.text(("      → ", theme.quiet()), finding.next_step.as_str(), room, theme.plain());
        }
    }
}

fn list(page: &mut Page, (mark, title): (Mark, &str), lines: &[Text], room: u16, theme: Theme) {
    if lines.is_empty() {
        return;
    }
    page.gap();
    page.line(vec![(format!("  {} ", mark.symbol()), theme.mark(mark)), (title.to_owned(), theme.strong())]);
    for line in lines {
        page.text(("    ", theme.plain()), line.as_str(), room, theme.plain());
    }
}

fn step(page: &mut Page, app: &App, plan: &Plan, index: usize, step: &Step, room: u16, theme: Theme) {
    let number = format!("  {:>2} ", index + 1);
    let most = format::span(step.timeout);
    let usually = usual(step).unwrap_or_else(|| format!("usually ~{}", format::span(step.expected())));
    let time = format!("{usually}, at most {most}");
    let after: Vec<String> = step
        .after
        .iter()
        .filter_map(|id| plan.steps.iter().position(|known| &known.id == id))
        .map(|index| (index + 1).to_string())
        .collect();
    page.text((&number, theme.key()), step.title.as_str(), room, theme.strong());
    let mut facts = vec![time];
    if !after.is_empty() {
        facts.push(format!("after {}", after.join(", ")));
    }
    if step.on_failure == OnFailure::Pass {
        facts.push("a failure is passed".to_owned());
    }
    if step.ways.is_empty() {
        facts.push("waits, calls nothing".to_owned());
    }
    let indent = "       ";
    page.text((indent, theme.plain()), &facts.join("; "), room, theme.quiet());
    for change in &step.changes {
        page.text(
            (&format!("{indent}± "), theme.key()),
            &change.as_str().replace("->", "→"),
            room,
            theme.plain(),
        );
    }
    for (index, way) in step.ways.iter().enumerate() {
        // What a way leans on is said once for all its calls.
        let domains =
            way.calls.iter().map(crate::runbook::Operation::domain).fold(Vec::new(), |mut all, one| {
                if !all.contains(&one) {
                    all.push(one);
                }
                all
            });
        let domains: Vec<(String, bool)> = domains.iter().map(|one| domain(app, one)).collect();
        let ill = domains.iter().any(|(_, ill)| *ill);
        let leans = domains.into_iter().map(|(words, _)| words).collect::<Vec<_>>().join(", ");
        let method = way.method.map(|method| format!("{}, ", method.word())).unwrap_or_default();
        let lead = if step.ways.len() > 1 { format!("way {}: ", index + 1) } else { String::new() };
        let words = format!("{lead}{method}by the {leans}");
        let words = words.replace("by the calls nothing", "calls nothing");
        page.text((indent, theme.plain()), &words, room, theme.plain());
        if ill {
            let lead = format!("{indent}▲ ");
            page.text((&lead, theme.mark(Mark::Warning)), "that looks ill now", room, theme.plain());
        }
        for operation in &way.calls {
            let lead = format!("{indent}> ");
            page.text((&lead, theme.key()), &operation.sentence(), room, theme.plain());
            // What is confirmed is what is sent: the call itself, with every parameter.
            let lead = format!("{indent}  ");
            page.text((&lead, theme.plain()), &operation.call().to_string(), room, theme.quiet());
            if operation.is_irreversible() {
                let lead = format!("{indent}✖ ");
                page.text((&lead, theme.mark(Mark::Critical)), "cannot be undone", room, theme.plain());
            }
        }
    }
}
