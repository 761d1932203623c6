//! A report as Markdown, for a ticket.
//!
//! What it is for: tables and lists that GitHub, GitLab and Jira show, and that read well as plain text.
//! What it must not do: let a string of AWS become markup, a link or an image.

use std::fmt::Write;

use super::View;
use super::view::List;
use crate::runbook::report::Report;

/// The report as Markdown (tables as GitHub and GitLab have them).
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, &View::of(report));
    out
}

fn write(out: &mut String, view: &View) -> std::fmt::Result {
    writeln!(out, "# {}", text(&view.title))?;
    for warning in &view.warnings {
        writeln!(out, "\n> **Read this first.** {}", text(warning))?;
    }
    writeln!(out)?;
    for (index, fact) in view.facts.iter().enumerate() {
        let value = if fact.code { code_cell(&fact.value) } else { cell(&fact.value) };
        writeln!(out, "| {} | {value} |", fact.name)?;
        if index == 0 {
            writeln!(out, "|:--|:--|")?;
        }
    }
    steps(out, view)?;
    left(out, view)?;
    samples(out, view)?;
    calls(out, view)?;
    guards(out, view)?;
    view.lists.iter().try_for_each(|list| self::list(out, "##", list))?;
    if !view.happenings.is_empty() {
        writeln!(out, "\n## What else happened\n")?;
        for happened in &view.happenings {
            let bad = if happened.bad { "**!** " } else { "" };
            writeln!(out, "- {} {bad}{}", happened.at, text(&happened.words))?;
        }
    }
    writeln!(out, "\n{}", text(&view.footer))
}

fn steps(out: &mut String, view: &View) -> std::fmt::Result {
    if view.steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Steps\n")?;
    writeln!(out, "| # | Step | Began | Took | Result | Evidence |")?;
    writeln!(out, "|--:|:--|:--|--:|:--|:--|")?;
    for step in &view.steps {
        let result =
            if step.tone == "bad" { format!("**{}**", cell(&step.result)) } else { cell(&step.result) };
        let (title, evidence) = (cell(&step.title), cell(&step.evidence));
        writeln!(
            out,
            "| {} | {title} | {} | {} | {result} | {evidence} |",
            step.number, step.began, step.took
        )?;
    }
    Ok(())
}

fn left(out: &mut String, view: &View) -> std::fmt::Result {
    writeln!(out, "\n## What is left")?;
    if view.left.is_empty() && view.undo.is_empty() && view.next.is_empty() {
        return writeln!(out, "\nNothing.");
    }
    view.left.iter().try_for_each(|list| self::list(out, "###", list))?;
    if !view.next.is_empty() {
        writeln!(out, "\n### Next\n")?;
        for next in &view.next {
            let command = next.command.as_ref().map(|command| format!(": {}", code(command)));
            writeln!(out, "- {}{}", text(&next.words), command.unwrap_or_default())?;
        }
    }
    if !view.undo.is_empty() {
        writeln!(out, "\n### What undoes what was done, the newest first\n")?;
        for undo in &view.undo {
            writeln!(out, "- {}", text(&undo.title))?;
            for (words, aws) in &undo.calls {
                writeln!(out, "  - {}: {}", text(words), code(aws))?;
            }
        }
    }
    Ok(())
}

fn samples(out: &mut String, view: &View) -> std::fmt::Result {
    writeln!(out, "\n## What users felt, and how far data was behind\n")?;
    if view.samples.is_empty() {
        return writeln!(out, "No samples were recorded.");
    }
    writeln!(out, "| Measure | Region | Before | Least | Most | Last | Not known |")?;
    writeln!(out, "|:--|:--|:--|:--|:--|:--|:--|")?;
    for sample in &view.samples {
        let cells =
            [&sample.place, &sample.before, &sample.least, &sample.most, &sample.last, &sample.unknown];
        let cells: Vec<String> = cells.into_iter().map(|words| cell(words)).collect();
        writeln!(out, "| {} | {} |", sample.measure, cells.join(" | "))?;
    }
    Ok(())
}

fn calls(out: &mut String, view: &View) -> std::fmt::Result {
    writeln!(out, "\n## Calls\n")?;
    if view.calls.is_empty() {
        return writeln!(out, "Nothing was sent.");
    }
    writeln!(out, "| Sent | Step | What | Call | Region | Result | Request id |")?;
    writeln!(out, "|:--|--:|:--|:--|:--|:--|:--|")?;
    for call in &view.calls {
        let result =
            if call.tone == "bad" { format!("**{}**", cell(&call.result)) } else { cell(&call.result) };
        let request =
            if call.request == super::view::NONE { call.request.clone() } else { code_cell(&call.request) };
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {result} | {request} |",
            call.at,
            call.step,
            cell(&call.words),
            code_cell(&call.api),
            cell(&call.region)
        )?;
    }
    Ok(())
}

fn guards(out: &mut String, view: &View) -> std::fmt::Result {
    writeln!(out, "\n## Guards at the confirmation\n")?;
    if view.findings.is_empty() {
        return writeln!(out, "No guard complained.");
    }
    for finding in &view.findings {
        let next =
            if finding.next.is_empty() { String::new() } else { format!(" → {}", text(&finding.next)) };
        let force =
            if finding.tone == "bad" { format!("**{}**", finding.force) } else { finding.force.to_owned() };
        writeln!(out, "- **{}** {force}: {}{next}", finding.name, text(&finding.message))?;
    }
    Ok(())
}

fn list(out: &mut String, level: &str, list: &List) -> std::fmt::Result {
    writeln!(out, "\n{level} {}\n", list.title)?;
    list.items.iter().try_for_each(|item| writeln!(out, "- {}", text(item)))
}

/// Text in a paragraph: nothing in it is markup, at its beginning neither.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let number = raw.bytes().take_while(u8::is_ascii_digit).count();
    // `3. ` begins a list, `3.5` does not.
    let listed = raw.get(number..).is_some_and(|rest| rest.starts_with(['.', ')']))
        && raw.get(number + 1..).is_none_or(|rest| rest.is_empty() || rest.starts_with(' '));
    for (at, c) in raw.char_indices() {
        let acts = matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&');
        // A list, a heading or a line below a heading begins so.
        let begins = at == 0 && matches!(c, '#' | '-' | '+' | '=') || number > 0 && at == number && listed;
        // A bare address becomes a link by itself.
        let links = c == ':' && raw.get(at..).is_some_and(|rest| rest.starts_with("://"));
        if acts || begins || links {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text in a cell of a table.
fn cell(raw: &str) -> String {
    if raw.is_empty() { " ".to_owned() } else { text(raw) }
}

/// Machine text in a cell of a table, where the table's bar acts also within it.
fn code_cell(raw: &str) -> String {
    code(raw).replace('|', "\\|")
}

/// Machine text. Within it only its own fence acts.
fn code(raw: &str) -> String {
    let longest = raw.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let room = if longest > 0 || raw.starts_with(' ') { " " } else { "" };
    format!("{fence}{room}{raw}{room}{fence}")
}
