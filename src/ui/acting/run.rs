//! The run view, and the run in a word for the banner of every screen.
//!
//! What it is for: where a run is, what was sent and what proves it, beside what users feel meanwhile; and at a
//! halt, what is done, what can be undone and what was not begun. What it must not do: read anything of the run but
//! its events.
//!
//! ```text
//! ─ run: drain us-east-1, 2 of 7 done, 4m10s, about 5m left ───── ▶ RUNNING ─
//!   ● 1 notify                                   done     2s │ ✖ us-east-1
//!   ▶ 2 raise eu-west-1 prod/api                 running 40s │   0 req/s  5XX 62 %
//!       4 of 6 tasks serve                                   │ ● eu-west-1
//!       > SetDesired …  accepted 1f3c…                       │
//! ```

use jiff::Timestamp;
use ratatui::style::Style;

use crate::app::acting::run::{Fate, Halt, RunState, RunStep, Standing};
use crate::app::acting::{RunView, run::CallState};
use crate::app::{App, RegionView};
use crate::domain::text::Text;
use crate::runbook::undo::UNDO;
use crate::runbook::{ActFailure, LeaseOutcome, Outcome, StepId, StepState};
use crate::ui::columns;
use crate::ui::format;
use crate::ui::page::Page;
use crate::ui::panes::{Pick, region_mark};
use crate::ui::pen::{Pen, fit, width, wrap};
use crate::ui::slot::sparkline;
use crate::ui::theme::{Mark, Theme};
use crate::ui::timeline::rule;
use crate::ui::value::{Lens, Trust, Value};

/// From this width on the regions stand beside the steps.
const BESIDE: u16 = 112;

/// Their width there.
const REGIONS: u16 = 40;

/// Calls of a step that are shown, the newest.
const CALLS: usize = 6;

/// The current run, for the banner.
pub(in crate::ui) fn in_a_word(app: &App, theme: Theme) -> Option<(String, Style)> {
    let (_, run) = app.acting.current()?;
    let (at, of) = run.progress();
    let name = run.name();
    Some(match &run.standing {
        Standing::Running => (format!("run: {name} {at}/{of} done: v"), theme.strong()),
        Standing::Undoing => (format!("run: {name} undoing: v"), theme.strong()),
        Standing::Stopping => (format!("run: {name} stopping"), theme.mark(Mark::Warning)),
        Standing::Halted(_) => (format!("run HALTED: {name} {at}/{of} done: v"), theme.sign(Mark::Critical)),
        Standing::Ended { outcome, .. } => {
            (format!("run: {name} {}", outcome.word()), theme.mark(ended(*outcome)))
        }
    })
}

/// Paints the run into all of `pen`.
pub(in crate::ui) fn paint(pen: &mut Pen<'_>, app: &App, view: &RunView, theme: Theme) {
    let Some(run) = app.acting.run(&view.run) else {
        rule(pen, 0, &format!("run {}", view.run), theme);
        pen.put(2, 1, u16::MAX, "nothing is known of this run", theme.quiet());
        return;
    };
    heading(&mut pen.part(0, 0, u16::MAX, 1), app, run, theme);
    let (wide, high) = (pen.width(), pen.height().saturating_sub(1));
    let regions = app.fleet.regions().len() as u16;
    let (steps, side) = if wide >= BESIDE { (wide - REGIONS - 1, high) } else { (wide, 0) };
    let under = if side == 0 && high >= 10 { (regions + 1).min(high / 3) } else { 0 };
    let room = steps.saturating_sub(1);
    let mut page = self::page(app, run, view, room, false, theme);
    // What is over gives way to what goes on, where there is no room for both.
    if page.len() > usize::from(high - under) && run.is_live() {
        page = self::page(app, run, view, room, true, theme);
    }
    page.paint(&mut pen.part(0, 1, steps, high - under), &view.scroll, theme);
    if side > 0 {
        for y in 1..=high {
            pen.put(steps, y, 1, "│", theme.quiet());
        }
        beside(&mut pen.part(steps + 2, 1, REGIONS - 1, high), app, theme);
    }
    if under > 0 {
        below(&mut pen.part(0, 1 + high - under, wide, under), app, theme);
    }
}

fn heading(pen: &mut Pen<'_>, app: &App, run: &RunState, theme: Theme) {
    let now = app.fleet.now();
    let (at, of) = run.progress();
    let until = if run.is_live() { now } else { run.last.unwrap_or(now) };
    let spent = run.began.map(|began| until.duration_since(began).unsigned_abs());
    let spent = spent.map(|spent| format!(", {}", format::span(spent))).unwrap_or_default();
    let left = run.left(now).filter(|_| run.standing == Standing::Running);
    let left = left.map(|left| match (left.likely.is_zero(), left.measured) {
        (true, _) if left.most.is_zero() => ", longer than it may take".to_owned(),
        (true, _) => format!(", longer than usual, at most {} left", format::span(left.most)),
        (false, true) => format!(", about {} left", format::span(left.likely)),
        (false, false) => format!(", ~{} left", format::span(left.likely)),
    });
    let left = left.unwrap_or_default();
    let passed = match run.passed() {
        0 => String::new(),
        some => format!(", {some} passed"),
    };
    let (mark, word) = match &run.standing {
        Standing::Running => (Mark::Warning, "▶ RUNNING"),
        Standing::Undoing => (Mark::Warning, "▶ UNDOING"),
        Standing::Stopping => (Mark::Warning, "STOPPING"),
        Standing::Halted(_) => (Mark::Critical, "✖ HALTED"),
        Standing::Ended { outcome: Outcome::Done, .. } => (Mark::Healthy, "● DONE"),
        Standing::Ended { outcome: Outcome::Halted, .. } => (Mark::Critical, "✖ LEFT HALTED"),
        Standing::Ended { outcome: Outcome::Aborted, .. } => (Mark::Warning, "▲ ABORTED"),
        Standing::Ended { outcome: Outcome::Undone, .. } => (Mark::Warning, "▲ UNDONE"),
        Standing::Ended { outcome: Outcome::Superseded, .. } => (Mark::Warning, "▲ SUPERSEDED"),
    };
    let sign = format!(" {word} ");
    // Where it is narrow the numbers stay and words go.
    let name = run.name();
    let titles = [
        format!("run: {name}, {at} of {of} done{passed}{spent}{left}"),
        format!("{name}, {at} of {of} done{passed}{spent}{left}"),
        format!("{name}, {at}/{of} done{passed}{spent}{left}"),
        format!("{name}, {at}/{of}{passed}{spent}{left}"),
    ];
    let room = pen.width().saturating_sub(4 + width(&sign));
    let title = titles.iter().find(|title| width(title) <= room).unwrap_or(&titles[3]);
    rule(pen, 0, title, theme);
    pen.put_right(pen.width().saturating_sub(1), 0, 18, &sign, theme.sign(mark));
}

fn ended(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Done => Mark::Healthy,
        Outcome::Halted => Mark::Critical,
        Outcome::Aborted | Outcome::Undone | Outcome::Superseded => Mark::Warning,
    }
}

fn page(app: &App, run: &RunState, view: &RunView, room: u16, short: bool, theme: Theme) -> Page {
    let mut page = Page::default();
    // What waits for the operator, and how it ended, come before what went on.
    if !matches!(run.standing, Standing::Running | Standing::Undoing) {
        page.select_next();
    }
    match &run.standing {
        Standing::Halted(halt) => halted(&mut page, app, run, halt, room, theme),
        Standing::Ended { outcome, rto, rpo_ms } => {
            let mark = ended(*outcome);
            let mut words = format!("the run ended: {}", outcome.word());
            if let Some(rto) = rto {
                let rto = format::span(*rto);
                words = format!("{words}; users were answered elsewhere after {rto} (RTO)");
            }
            if let Some(point) = &run.point {
                words = format!("{words}; RPO {}", point.words());
            } else if let Some(rpo) = rpo_ms {
                let rpo = format::millis(*rpo);
                words = format!("{words}; last lag before the promotion {rpo} (RPO, estimated)");
            }
            page.text((&format!("  {} ", mark.symbol()), theme.mark(mark)), &words, room, theme.strong());
            // What was done stays, and this screen can do no more about it.
            if matches!(outcome, Outcome::Aborted | Outcome::Halted) {
                let words = format!(
                    "what was done stays; `switchtower runs resume {0}` goes on, `runs undo {0}` takes it back",
                    view.run
                );
                page.text(("  → ", theme.key()), &words, room, theme.plain());
            }
            for line in run.leaves() {
                page.text(("    ", theme.plain()), line.as_str(), room, theme.plain());
            }
            page.gap();
        }
        Standing::Stopping => {
            page.text(
                ("  ▲ ", theme.mark(Mark::Warning)),
                "it stops before its next call",
                room,
                theme.strong(),
            );
        }
        Standing::Running | Standing::Undoing => {}
    }
    for words in &run.alarms {
        let lead = format!("  {} ", Mark::Critical.symbol());
        page.text((&lead, theme.mark(Mark::Critical)), words.as_str(), room, theme.strong());
    }
    // What is under way is kept in sight.
    let current = match run.standing {
        Standing::Undoing => run.steps.iter().position(is_undoing),
        _ => run.steps.iter().position(|step| matches!(step.state, StepState::UnderWay | StepState::Failed)),
    };
    for (index, step) in run.steps.iter().enumerate() {
        if Some(index) == current && matches!(run.standing, Standing::Running | Standing::Undoing) {
            page.select_next();
        }
        self::step(&mut page, app, run, index, step, (room, short), theme);
    }
    page.gap();
    page.text(("  lease ", theme.quiet()), &lease(run), room, theme.plain());
    if let Some(opening) = &run.opening {
        let who = format!("{} on {}, pid {}: {}", opening.holder, opening.host, opening.pid, opening.reason);
        page.text(("  by ", theme.quiet()), &who, room, theme.plain());
    }
    for (at, words) in run.notes.iter().rev() {
        let lead = format!("  {} ", format::clock(*at));
        page.text((&lead, theme.quiet()), words.as_str(), room, theme.plain());
    }
    page.text(("  ", theme.plain()), view.run.as_str(), room, theme.quiet());
    page
}

fn halted(page: &mut Page, app: &App, run: &RunState, halt: &Halt, room: u16, theme: Theme) {
    // Which step is said by its title; AWS's words come after what can be done about it.
    let title = halt.failed.as_ref().and_then(|id| run.step(id)).map(|step| step.title.as_str());
    let why = halt.why.as_str();
    let reason = title
        .map_or("", |title| why.strip_prefix(title).and_then(|why| why.strip_prefix(": ")).unwrap_or(why));
    let lead = ("  ✖ waits for you: ", theme.mark(Mark::Critical));
    page.text(lead, title.unwrap_or(why), room, theme.strong());
    let armed = app.acting.armed(app.fleet.now()).is_some();
    let undone =
        halt.failed.as_ref().and_then(|id| run.step(id)).is_some_and(|step| step.state == StepState::Undone);
    let words = match (undone, halt.undoable.is_empty()) {
        (true, true) => "r do it again · s go on without it · o hand over · a abort",
        (true, false) => "r do it again · s go on without it · u undo more · o hand over · a abort",
        (false, true) => "r retry · s skip it · o hand over · a abort",
        (false, false) => "r retry · s skip it · u undo a step or all · o hand over · a abort",
    };
    page.text(("  → ", theme.key()), words, room, theme.strong());
    if !armed {
        page.text(
            ("    ", theme.plain()),
            "retry, skip and undo want an armed console: A",
            room,
            theme.plain(),
        );
    }
    let names = |steps: &[StepId]| {
        let titles: Vec<&str> =
            steps.iter().map(|id| run.step(id).map_or(id.as_str(), |step| step.title.as_str())).collect();
        if titles.is_empty() { "nothing".to_owned() } else { titles.join("; ") }
    };
    // Which steps are done stands in the list below; what an undo would take back is a choice to be made here.
    let done = format!("{} of {} steps", halt.done.len(), run.steps.len());
    // What was not begun stands below in its order; here it is enough to know what would come next.
    let next = halt.not_run.first().map(|first| names(std::slice::from_ref(first)));
    let not_begun = match (halt.not_run.len(), next) {
        (1, Some(next)) => next,
        (count, Some(next)) => format!("{count} steps, the next: {next}"),
        (_, None) => "nothing".to_owned(),
    };
    let undone = run.steps.iter().filter(|step| step.state == StepState::Undone);
    let undone: Vec<&str> = undone.map(|step| step.title.as_str()).collect();
    let lines = [
        ("why", reason.to_owned()),
        ("done", done),
        ("undone", undone.join("; ")),
        ("can be undone", names(&halt.undoable)),
        ("not begun", not_begun),
    ];
    for (label, words) in lines.into_iter().filter(|(_, words)| !words.is_empty()) {
        let lead = format!("    {label}{}", " ".repeat(15 - label.len()));
        page.text((&lead, theme.quiet()), &words, room, theme.plain());
    }
    page.gap();
}

fn step(
    page: &mut Page,
    app: &App,
    run: &RunState,
    index: usize,
    step: &RunStep,
    (room, short): (u16, bool),
    theme: Theme,
) {
    const RIGHT: usize = 26;
    const LINE: usize = 100;
    // A run that is over leaves its steps where they were; nothing of it runs on.
    let live = run.is_live();
    let now = if live { app.fleet.now() } else { run.last.unwrap_or(app.fleet.now()) };
    let (symbol, style) = match step.state {
        StepState::UnderWay if !live => (Mark::Warning.symbol(), theme.mark(Mark::Warning)),
        state => sign(state, theme),
    };
    let planned = run.plan.as_ref().and_then(|plan| plan.step(&step.id));
    let time = match (step.state, step.elapsed(now)) {
        (StepState::UnderWay, Some(elapsed)) => {
            let elapsed = format::span(elapsed);
            match planned {
                Some(step) if live => format!("{elapsed} of ~{}", format::span(step.expected())),
                _ => elapsed,
            }
        }
        // From its beginning until somebody undid it is nobody's measure.
        (StepState::Undone, _) | (_, None) => String::new(),
        (_, Some(elapsed)) => format::span(elapsed),
    };
    let right = match step.state {
        StepState::UnderWay if !live => format!("left {time}"),
        _ if live && is_undoing(step) => "undoing".to_owned(),
        state => format!("{} {time}", state.word()),
    };
    let right = right.trim_end();
    let right = fit(right, RIGHT);
    // The state stands at the right edge, as far as the eye follows a line, and the title has all the rest.
    let edge = usize::from(room).min(LINE);
    let title_room = edge.saturating_sub(10 + usize::from(width(&right)));
    // What goes on, or waits for a decision, is told whole; the others as far as their line goes.
    let whole = matches!(step.state, StepState::UnderWay | StepState::Failed);
    let lines = if whole {
        wrap(step.title.as_str(), title_room)
    } else {
        vec![fit(step.title.as_str(), title_room)]
    };
    let mut lines = lines.into_iter();
    let title = lines.next().unwrap_or_default();
    let blank = edge.saturating_sub(8 + usize::from(width(&title) + width(&right)));
    let over = matches!(step.state, StepState::NotBegun);
    let title_style = if over { theme.plain() } else { theme.strong() };
    page.line(vec![
        (format!("  {symbol} "), style),
        (format!("{:>2} ", index + 1), theme.quiet()),
        (title, title_style),
        (" ".repeat(blank), theme.plain()),
        (right, style),
    ]);
    let indent = "       ";
    for more in lines {
        page.text((indent, theme.plain()), &more, room, title_style);
    }
    let left_out = short && matches!(step.state, StepState::Done | StepState::Held);
    if !step.words.is_empty() && !left_out {
        let share = step.share.map(|share| format!("{:.0} %, ", share.clamp(0.0, 1.0) * 100.0));
        let before = planned.filter(|_| step.state == StepState::UnderWay).and_then(super::usual);
        let before = before.map(|before| format!("; {before}")).unwrap_or_default();
        let words = format!("{}{}{before}", share.unwrap_or_default(), step.words);
        let style = if step.state == StepState::UnderWay { theme.strong() } else { theme.plain() };
        page.text((indent, theme.plain()), &words, room, style);
    }
    // Calls of steps that are over are told by their evidence; the journal has them all.
    if !matches!(step.state, StepState::UnderWay | StepState::Failed) && !is_undoing(step) {
        return;
    }
    if let Some(ways) = planned.map(|step| step.ways.len()).filter(|ways| *ways > 1) {
        let method = planned.and_then(|planned| planned.ways.get(step.way)?.method);
        let method = method.map(|method| format!(": {}", method.word())).unwrap_or_default();
        let words = format!("way {} of {ways}{method}", (step.way + 1).min(ways));
        page.text((indent, theme.plain()), &words, room, theme.quiet());
    }
    let tries = tries(&step.calls);
    let skipped = tries.len().saturating_sub(CALLS);
    if skipped > 0 {
        page.text((indent, theme.plain()), &format!("{skipped} calls before these"), room, theme.quiet());
    }
    for (last, first, times) in tries.into_iter().skip(skipped) {
        self::sent(page, last, (first, times), room, theme);
    }
}

/// The last try of each call, when it was first sent and how often, the call that was sent last at the end: what the
/// same call met a minute ago says nothing that its last answer does not.
fn tries(calls: &[CallState]) -> Vec<(&CallState, Timestamp, usize)> {
    let mut tries: Vec<(&CallState, Timestamp, usize)> = Vec::new();
    for sent in calls {
        let same = |(last, ..): &(&CallState, Timestamp, usize)| {
            (last.way, last.call) == (sent.way, sent.call)
                && last.operation.sentence() == sent.operation.sentence()
        };
        let (first, times) = match tries.iter().position(same) {
            Some(at) => {
                let (_, first, times) = tries.remove(at);
                (first, times + 1)
            }
            None => (sent.at, 1),
        };
        tries.push((sent, first, times));
    }
    tries
}

fn sent(page: &mut Page, sent: &CallState, (first, times): (Timestamp, usize), room: u16, theme: Theme) {
    let again = if times > 1 {
        format!(" (sent {times} times since {})", format::clock(first))
    } else {
        String::new()
    };
    let undo = if sent.call >= UNDO { "undo: " } else { "" };
    let words = format!("{undo}{}{again}", sent.operation.sentence());
    let lead = format!("       {} > ", format::clock(sent.at));
    page.text((&lead, theme.quiet()), &words, room, theme.plain());
    let (mark, words) = fate(&sent.fate);
    let lead = format!("                {} ", mark.symbol());
    page.text((&lead, theme.mark(mark)), &words, room, theme.plain());
}

/// What became of a call, in words that do not say more than is known.
fn fate(fate: &Fate) -> (Mark, String) {
    match fate {
        Fate::Sent => (Mark::Pending, "no answer yet".to_owned()),
        Fate::Accepted(Some(id)) => (Mark::None, format!("accepted, not proven; request {id}")),
        Fate::Accepted(None) => (Mark::None, "accepted, not proven".to_owned()),
        Fate::Not(failure) => {
            let (mark, word) = match failure {
                ActFailure::Busy { .. } => (Mark::Warning, "busy, sent again soon"),
                ActFailure::Moved { .. } => (Mark::Warning, "the world had moved"),
                ActFailure::Refused { .. } => (Mark::Critical, "refused"),
                ActFailure::Credentials { .. } => (Mark::Critical, "credentials"),
                ActFailure::NotSent { .. } => (Mark::Critical, "not sent"),
                ActFailure::Unknown { .. } => (Mark::Unknown, "sent, outcome not known"),
            };
            (mark, format!("{word}: {}", failure.why()))
        }
    }
}

/// True while the last that was sent for a step was to undo it.
fn is_undoing(step: &RunStep) -> bool {
    step.state != StepState::Undone && step.calls.last().is_some_and(|sent| sent.call >= UNDO)
}

fn sign(state: StepState, theme: Theme) -> (&'static str, Style) {
    match state {
        StepState::NotBegun => ("·", theme.quiet()),
        StepState::UnderWay => ("▶", theme.mark(Mark::Warning)),
        StepState::Held | StepState::Done => (Mark::Healthy.symbol(), theme.mark(Mark::Healthy)),
        StepState::Passed | StepState::Skipped | StepState::Undone => {
            (Mark::Warning.symbol(), theme.mark(Mark::Warning))
        }
        StepState::Failed => (Mark::Critical.symbol(), theme.mark(Mark::Critical)),
    }
}

fn lease(run: &RunState) -> String {
    match &run.lease {
        None => "not asked for yet".to_owned(),
        Some(LeaseOutcome::Taken { number }) => format!("ours, number {number}"),
        Some(LeaseOutcome::TakenOver { number, from }) => {
            format!("ours, number {number}, taken over from {}", from.claim.holder)
        }
        Some(LeaseOutcome::Unreachable { why }) => format!("none: {why}"),
        Some(LeaseOutcome::NotConfigured) => "none: the topology names no table".to_owned(),
        Some(LeaseOutcome::Lost { to }) => format!("LOST to {} on {}", to.claim.holder, to.claim.host),
        Some(LeaseOutcome::Released) => "given back".to_owned(),
    }
}

/// Traffic and errors of a region over its load balancers; an unknown part makes the whole unknown.
fn felt<'a>(view: &RegionView<'a>) -> (Value<'a>, Value<'a>) {
    let lens = Lens::of(view);
    let rows = &view.rows.alb;
    let rates: Vec<Value<'a>> =
        rows.iter().map(|row| lens.show(&row.requests_per_s, |rate| format::rate(*rate))).collect();
    let shares: Vec<Value<'a>> =
        rows.iter().map(|row| lens.show(&row.error_5xx_percent, |share| format::percent(*share))).collect();
    let sum: f64 = rows.iter().filter_map(|row| row.requests_per_s.value()).sum();
    let worst = rows
        .iter()
        .filter_map(|row| row.error_5xx_percent.value())
        .fold(None, |worst: Option<f64>, share| Some(worst.map_or(*share, |worst| worst.max(*share))));
    let sum = (rows.len() > 1).then(|| format::rate(sum));
    (whole(rates, sum), whole(shares, worst.filter(|_| rows.len() > 1).map(format::percent)))
}

/// Of several values the least trustworthy; of good ones their sum, or the only one.
fn whole(values: Vec<Value<'_>>, sum: Option<String>) -> Value<'_> {
    let worst = values.into_iter().max_by_key(|value| value.trust);
    match (worst, sum) {
        (Some(worst), Some(sum)) if worst.trust == Trust::Fresh => Value { text: sum, ..worst },
        (Some(worst), _) => worst,
        (None, _) => Value::known(Text::default().to_string()),
    }
}

/// The regions in a column, two lines each, with the last hour of errors.
fn beside(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    let lines = pen.height();
    let mut y = 0;
    for region in app.fleet.listed() {
        let Some(view) = app.fleet.region(region) else { continue };
        if y + 2 > lines {
            break;
        }
        columns::region_heading(&mut pen.part(0, y, u16::MAX, 1), app, &view, theme);
        let (rate, share) = felt(&view);
        let at = pen.put(1, y + 1, 12, &rate.words(12), rate.style(theme)) + 2;
        let at = pen.put(at.max(14), y + 1, 4, "5XX ", theme.quiet());
        pen.put(at, y + 1, 8, &share.words(8), share.style(theme));
        if let Some(row) = view.rows.alb.first() {
            let line = sparkline(&row.error_history, 10, 5.0, Pick::Highest);
            pen.put(27, y + 1, 10, &line, theme.line());
        }
        y += 3;
    }
}

/// The regions as lines.
fn below(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    rule(pen, 0, "what users feel", theme);
    let lines = pen.height().saturating_sub(1) as usize;
    let wide = pen.width();
    for (index, region) in app.fleet.listed().into_iter().take(lines).enumerate() {
        let Some(view) = app.fleet.region(region) else { continue };
        let y = index as u16 + 1;
        let mark = region_mark(&view);
        pen.put(1, y, 1, mark.symbol(), theme.mark(mark));
        pen.put(3, y, 14, region.as_str(), theme.plain());
        pen.put(18, y, 9, view.word(), theme.mark(mark));
        let (dns, style) = columns::dns(&view, theme, true);
        pen.put(28, y, 11, &dns, style);
        let (rate, share) = felt(&view);
        pen.put(40, y, 12, &rate.words(12), rate.style(theme));
        let at = pen.put(54, y, 4, "5XX ", theme.quiet());
        pen.put(at, y, 8, &share.words(8), share.style(theme));
        if let Some(row) = view.rows.alb.first() {
            let room = wide.saturating_sub(69).min(10);
            let line = sparkline(&row.error_history, usize::from(room), 5.0, Pick::Highest);
            pen.put(68, y, room, &line, theme.line());
        }
    }
}
