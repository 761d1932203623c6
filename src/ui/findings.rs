//! All findings, worst first; the selected one with its evidence.
//!
//! What it is for: the whole list that the banner can only begin. What it must not do: judge or reorder.

use super::banner::sentence;
use super::page::Page;
use super::panes::finding_mark;
use super::pen::Pen;
use super::theme::{Mark, Theme};
use super::timeline::rule;
use crate::app::App;
use crate::app::command::selected_finding;
use crate::app::screen::Findings;

/// Paints the list into all of `pen`.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, list: &Findings, theme: Theme) {
    let Some(verdict) = app.fleet.verdict() else {
        rule(pen, 0, "findings", theme);
        pen.put(1, 1, u16::MAX, "nothing has been judged yet", theme.quiet());
        return;
    };
    let count = |mark: Mark| verdict.findings.iter().filter(|finding| finding_mark(finding) == mark).count();
    let warnings = count(Mark::Warning);
    let title = format!(
        "findings: {} critical, {} unknown, {warnings} warning{}",
        count(Mark::Critical),
        count(Mark::Unknown),
        if warnings == 1 { "" } else { "s" }
    );
    rule(pen, 0, &title, theme);
    let selected = selected_finding(list, &verdict.findings);
    let room = pen.width().saturating_sub(1);
    let mut page = Page::default();
    for (index, finding) in verdict.findings.iter().enumerate() {
        let mark = finding_mark(finding);
        let here = selected == Some(index);
        if here {
            page.select_next();
        }
        let lead = format!("  {} ", mark.symbol());
        let style = if here { theme.strong() } else { theme.plain() };
        page.text((&lead, theme.mark(mark)), &sentence(finding), room, style);
        if here {
            for evidence in &finding.evidence {
                page.text(("      ", theme.plain()), evidence.as_str(), room, theme.quiet());
            }
            if !finding.next.is_empty() {
                page.text(("      next: ", theme.strong()), finding.next.as_str(), room, theme.plain());
            }
            page.text(("      ", theme.plain()), &finding.code, room, theme.quiet());
        }
    }
    if page.is_empty() {
        page.line(vec![("  no finding: every check passes".to_owned(), theme.plain())]);
    }
    let height = pen.height().saturating_sub(1);
    page.paint(&mut pen.part(0, 1, u16::MAX, height), &list.scroll, theme);
}
