//! The top of every screen: how the fleet is, why, and who is looking.
//!
//! What it is for: a stranger names the failing region within five seconds. What it must not do: shorten
//! the verdict away; everything else goes first.
//!
//! ```text
//!  ✖ IMPAIRED  us-east-1 is failing; eu-west-1 is healthy                 03:12:44 UTC
//!  ✖ us-east-1 ALB api: no healthy target in api (0 of 4)                        +5 more
//!  ✖ us-east-1 ECS api: 0 of 4 tasks run
//!  orders · READ-ONLY · DEMO · 123456789012 · credentials 42m · ops-oncall/alice
//! ```

use super::format;
use super::panes::finding_mark;
use super::pen::{Pen, fit, width};
use super::theme::{Mark, Theme};
use super::value::Lens;
use crate::app::{App, PaneId};
use crate::domain::ids::Region;
use crate::domain::snapshot::Identity;
use crate::domain::{ErrorKind, Finding, Health, Observed, Standing, derive};

/// How many lines the banner takes on a screen of this height.
pub(super) fn height(screen: u16) -> u16 {
    match screen {
        24.. => 4,
        16..=23 => 3,
        8..=15 => 2,
        _ => 1,
    }
}

/// Paints the banner into all of `pen`.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    verdict(pen, app, theme);
    let lines = pen.height();
    if lines >= 2 {
        who(pen, lines - 1, app, theme);
    }
    if lines >= 3 {
        reasons(pen, 1, lines - 2, app, theme);
    }
}

fn verdict(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    let settling = app.fleet.is_settling();
    let health = app.fleet.verdict().map(|verdict| verdict.fleet);
    let health = health.filter(|health| *health != Health::Unknown || !settling);
    let mark = Mark::of_health(health);
    let word = match health {
        Some(health) => health.word().to_uppercase(),
        None if settling => "READING".to_owned(),
        None => "WAITING".to_owned(),
    };
    let wide = pen.width();
    let clock = format::clock(app.fleet.now());
    // The region's name is worth more than the word; the symbol says the same.
    let sign = if wide < 34 { format!(" {} ", mark.symbol()) } else { format!(" {} {word} ", mark.symbol()) };
    let at = pen.put(0, 0, wide, &sign, theme.sign(mark));
    let mut right = wide;
    if wide >= 60 {
        right = pen.put_right(wide.saturating_sub(1), 0, 12, &format!("{clock} UTC"), theme.quiet());
    }
    if app.paused_since.is_some() && wide >= 40 {
        let sign = theme.sign(Mark::Warning);
        right = pen.put_right(right.saturating_sub(1), 0, 8, " PAUSED ", sign);
    }
    pen.put(at + 1, 0, right.saturating_sub(at + 2), &summary(app), theme.strong());
}

/// The verdict in a sentence.
fn summary(app: &App) -> String {
    let Some(verdict) = app.fleet.verdict() else {
        return format!("waiting for the first answers from {} regions", app.fleet.regions().len());
    };
    if verdict.fleet == Health::Unknown && app.fleet.is_settling() {
        return "first answers are coming in".to_owned();
    }
    let all = verdict.regions.len();
    if app.fleet.regions().all(|region| app.fleet.standing(region) == Some(Standing::Healthy)) {
        let regions = match all {
            1 => "the region is healthy".to_owned(),
            2 => "both regions are healthy".to_owned(),
            all => format!("all {all} regions are healthy"),
        };
        // The fleet may be ill where no region is: in DNS, or in our own network.
        let elsewhere = verdict
            .findings
            .iter()
            .find(|finding| finding.region.is_none() && finding_mark(finding) > Mark::Pending);
        return match elsewhere {
            Some(finding) if verdict.fleet != Health::Healthy => {
                format!("{regions}, but {}", finding.message)
            }
            _ => regions,
        };
    }
    let pins = &app.fleet.snapshot().pins;
    let out = |region: &Region| pins.of(region).is_some();
    let standing = |wanted: Standing, lags_out: bool| -> Vec<&str> {
        let stands = |region: &&Region| {
            app.fleet.standing(region) == Some(wanted)
                && (wanted != Standing::Lagging || out(region) == lags_out)
        };
        app.fleet.regions().filter(stands).map(Region::as_str).collect()
    };
    // What was not read yet is told in the word of the regions' headings.
    let (one, several) =
        if app.fleet.is_settling() { ("is waiting", "waiting") } else { ("is unknown", "unknown") };
    let mut clauses = Vec::new();
    for (wanted, lags_out, one, several) in [
        (Standing::Failing, false, "is failing", "failing"),
        (Standing::Impaired, false, "is impaired", "impaired"),
        (Standing::Unknown, false, one, several),
        (Standing::Lagging, false, "serves, data lags", "serve, data lags"),
        // A region that is out by our own act serves nobody.
        (Standing::Lagging, true, "⊘ pinned, data lags", "⊘ pinned, data lags"),
        (Standing::Degraded, false, "is degraded", "degraded"),
        (Standing::Pinned, false, "is ⊘ pinned", "⊘ pinned"),
        (Standing::Healthy, false, "is healthy", "healthy"),
    ] {
        let regions = standing(wanted, lags_out);
        let names = regions.join(", ");
        clauses.push(match (all, regions.len()) {
            (_, 0) => continue,
            (..=3, 1) => format!("{names} {one}"),
            (..=3, _) => format!("{names}: {several}"),
            (_, count) if wanted >= Standing::Lagging && count < all => format!("{count} {several}"),
            (_, count) if wanted >= Standing::Lagging => format!("all {count} {several}"),
            (_, count) => format!("{count} of {all} {several}: {names}"),
        });
    }
    clauses.join("; ")
}

/// The worst findings, in words.
fn reasons(pen: &mut Pen<'_>, top: u16, lines: u16, app: &App, theme: Theme) {
    let wide = pen.width();
    let Some(verdict) = app.fleet.verdict() else { return };
    let mut worst: Vec<&Finding> = Vec::new();
    let ill = || verdict.findings.iter().filter(|finding| finding_mark(finding) > Mark::Pending);
    // One line for each region and pane: the same illness told twice teaches nothing.
    for finding in ill() {
        if worst.iter().all(|known| (&known.region, known.pane()) != (&finding.region, finding.pane())) {
            worst.push(finding);
        }
    }
    let mending = mending(app);
    let for_findings = lines.saturating_sub(u16::from(mending.is_some())).max(1) as usize;
    let more = ill().count().saturating_sub(worst.len().min(for_findings));
    if worst.is_empty() {
        pen.put(1, top, wide, "no finding", theme.quiet());
    }
    for (line, finding) in worst.iter().take(for_findings).enumerate() {
        let y = top + line as u16;
        let mark = finding_mark(finding);
        pen.put(1, y, 1, mark.symbol(), theme.mark(mark));
        let mut end = wide;
        if line == 0 && more > 0 {
            let more = format!("+{more} more: f");
            end = pen.put_right(wide.saturating_sub(1), y, 16, &more, theme.quiet());
        }
        let room = end.saturating_sub(4);
        let mut words = sentence(finding);
        // The resource's name goes before the message is cut.
        if width(&words) > room {
            words = place(finding, false);
        }
        pen.put(3, y, room, &keep_reason(&words, room as usize), theme.plain());
    }
    if let Some(step) = mending.filter(|_| lines >= 2 || worst.is_empty()) {
        let y = top + lines - 1;
        let at = pen.put(1, y, 2, "→ ", theme.mark(Mark::Warning));
        pen.put(at, y, wide, step, theme.strong());
    }
}

/// The longest reason that is worth cutting what stands before it.
const REASON: u16 = 24;

/// Cuts a sentence in its middle, so that what stands after its last colon, the reason, stays.
fn keep_reason(words: &str, room: usize) -> String {
    if width(words) as usize > room
        && let Some((head, reason)) = words.rsplit_once(": ")
        && width(reason) <= REASON
    {
        let left = room.saturating_sub(2 + usize::from(width(reason)));
        return format!("{}: {reason}", fit(head, left));
    }
    words.to_owned()
}

/// A finding with its place.
pub(super) fn sentence(finding: &Finding) -> String {
    place(finding, true)
}

fn place(finding: &Finding, with_resource: bool) -> String {
    let mut words = String::new();
    if let Some(region) = &finding.region {
        words.push_str(region.as_str());
        words.push(' ');
    }
    if let Some(pane) = PaneId::of_code(finding.pane()) {
        words.push_str(pane.title());
        words.push(' ');
    }
    if with_resource {
        words.push_str(finding.resource.as_str());
    }
    let words = words.trim_end();
    if words.is_empty() { finding.message.to_string() } else { format!("{words}: {}", finding.message) }
}

fn identities(app: &App) -> impl Iterator<Item = &Observed<Identity>> {
    let snapshot = app.fleet.snapshot();
    snapshot.regions.iter().map(|region| &region.identity).chain([&snapshot.dns.identity])
}

/// What to do about credentials, when that is what is wrong.
fn mending(app: &App) -> Option<&str> {
    let errors = identities(app).filter_map(Observed::error);
    let mut ours = errors.filter(|error| matches!(error.kind, ErrorKind::Expired | ErrorKind::NoCredentials));
    ours.find(|error| !error.next_step.is_empty()).map(|error| error.next_step.as_str())
}

/// Application, mode, account, identity, credentials, our network: of little room the last suffer first.
fn who(pen: &mut Pen<'_>, y: u16, app: &App, theme: Theme) {
    let wide = pen.width();
    let (quiet, plain, loud) = (theme.quiet(), theme.plain(), theme.mark(Mark::Warning));
    let now = app.fleet.now();
    let mut words = vec![(app.fleet.topology().application.to_string(), theme.strong())];
    match super::frame::armed(app) {
        Some(armed) => words.push((armed, theme.sign(Mark::Critical))),
        None => words.push(("READ-ONLY".to_owned(), plain)),
    }
    if let Some(run) = super::acting::run::in_a_word(app, theme) {
        words.push(run);
    }
    if let Some(demo) = &app.session.demo {
        words.push((if wide < 100 { "DEMO".to_owned() } else { format!("DEMO {demo}") }, loud));
    }
    if let Some(endpoint) = &app.session.endpoint {
        words.push((format!("endpoint {endpoint}"), loud));
    }
    let mut accounts: Vec<&str> = Vec::new();
    for identity in identities(app).filter_map(Observed::value) {
        if !accounts.contains(&identity.account.as_str()) {
            accounts.push(identity.account.as_str());
        }
    }
    let failed = identities(app).find_map(Observed::error);
    match (accounts.as_slice(), failed) {
        ([account], _) => words.push(((*account).to_owned(), plain)),
        ([], Some(error)) => words.push((error.kind.label().to_owned(), theme.missing())),
        ([], None) => words.push(("account …".to_owned(), quiet)),
        (several, _) => words.push((format!("{} accounts", several.len()), plain)),
    }
    let ended = failed.is_some_and(|error| error.kind == ErrorKind::Expired);
    let ends = identities(app).filter_map(Observed::value).filter_map(|identity| identity.expires).min();
    if ended {
        words.push(("credentials ended".to_owned(), theme.mark(Mark::Critical)));
    } else if let Some(ends) = ends {
        let soon = ends.duration_since(now).as_secs() < 900;
        words.push((format!("credentials {}", format::left(ends, now)), if soon { loud } else { plain }));
    }
    if let Some(identity) = identities(app).find_map(Observed::value) {
        words.push((short_identity(identity.arn.resource().unwrap_or_default()).to_owned(), plain));
    }
    if let Some(control) = derive::control(app.fleet.snapshot()) {
        let lens = Lens { now, freshness: &app.fleet.topology().freshness };
        let shown = lens.show(&control.total_ms, |ms| format::millis(*ms));
        words.push((format!("our network {}", shown.words(12)), shown.style(theme)));
    }
    let mut at = 1;
    for (index, (text, style)) in words.iter().enumerate() {
        let lead = if index == 0 { 0 } else { 3 };
        // A word that is cut to a stump says nothing.
        if index > 0 && at + lead + width(text).min(10) >= wide {
            break;
        }
        if index > 0 {
            at = pen.put(at, y, 3, " · ", quiet);
        }
        at = pen.put(at, y, wide.saturating_sub(at + 1), text, *style);
    }
}

/// `assumed-role/ops-oncall/alice` as `ops-oncall/alice`, `user/alice` as `alice`.
fn short_identity(resource: &str) -> &str {
    resource.split_once('/').map_or(resource, |(_, name)| name)
}
