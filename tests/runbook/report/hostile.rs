//! Strings from AWS, operators and files are text, whatever they look like.

use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use serde_json::Value;
use switchtower::cli::report::{html, markdown};
use switchtower::runbook::Entry;
use switchtower::runbook::journal;
use switchtower::runbook::report::Report;

use super::{failover, told};

/// Markup, links, entities, ends of comments, attributes and cells, in one.
const HOSTILE: &str = r#"<script>alert(1)</script> <img src=x onerror=alert(1)> "'></svg></style><b>|*_`[a](javascript:1)![b](https://evil.example/x.png) &lt;{{ 7*7 }}{% raw %}"#;

/// The run with every string that came from outside made hostile.
fn hostile() -> Report {
    let (run, bytes) = failover();
    let mut poisoned = journal::tell(&bytes);
    for entry in &mut poisoned.entries {
        let mut json = serde_json::to_value(&*entry).unwrap();
        poison(&mut json, "");
        *entry = serde_json::from_value::<Entry>(json).unwrap();
    }
    told(&run, &poisoned, false)
}

/// Puts the string into every field that is free text. Names of regions come from the topology, and are drawn.
fn poison(json: &mut Value, name: &str) {
    const FREE: [&str; 20] = [
        "reason",
        "evidence",
        "why",
        "words",
        "title",
        "holder",
        "host",
        "message",
        "next_step",
        "summary",
        "request_id",
        "region",
        "to",
        "whom",
        "application",
        "unknown",
        "progress",
        "by",
        "version",
        "confirm",
    ];
    match json {
        Value::String(text) if FREE.contains(&name) => *text = format!("{text}{HOSTILE}"),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, name)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| poison(value, name)),
        _ => {}
    }
}

#[test]
fn nothing_becomes_markup_in_html() {
    let page = html(&hostile()).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)"), "the strings are there, as text");
    for word in ["<script", "<img", "<b>", "onerror=alert(1)>", "49{%"] {
        assert!(!page.contains(word), "{word} in the page");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    let pictures = page.matches("<svg ").count();
    assert!(pictures >= 3, "{pictures} pictures");
    assert_eq!(page.matches("</svg>").count(), pictures);
    // Every attribute of the page was written by us.
    let plain = html(&told(&failover().0, &journal::tell(&failover().1), false)).unwrap();
    let attributes = |page: &str| {
        let mut found: Vec<String> = tags(page).iter().flat_map(|tag| names(tag)).collect();
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(attributes(&page), attributes(&plain));
}

/// The tags of a page: what stands between `<` and `>`.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect()
}

/// Names of tag and attributes.
fn names(tag: &str) -> Vec<String> {
    let mut quoted = false;
    let plain: String = tag
        .chars()
        .filter(|c| {
            quoted ^= *c == '"';
            !quoted && *c != '"'
        })
        .collect();
    plain.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let (run, bytes) = failover();
    for page in [html(&told(&run, &journal::tell(&bytes), false)).unwrap(), html(&hostile()).unwrap()] {
        assert!(page.contains(r#"content="default-src 'none'; style-src 'unsafe-inline'""#));
        for tag in tags(&page) {
            let foreign = tag.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            for word in ["http:", "https:", "src=", "href=", "url(", "@import"] {
                assert!(!foreign.contains(word), "<{tag}> reaches out");
            }
        }
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        assert!(!style.contains("url(") && !style.contains("@import"));
    }
}

#[test]
fn the_pictures_are_well_formed_and_say_what_they_are() {
    let (run, bytes) = failover();
    for page in [html(&told(&run, &journal::tell(&bytes), false)).unwrap(), html(&hostile()).unwrap()] {
        let pictures: Vec<&str> =
            page.split("<svg ").skip(1).map(|rest| rest.split("</svg>").next().unwrap()).collect();
        assert!(!pictures.is_empty());
        for picture in pictures {
            let picture = format!("<svg {picture}</svg>");
            let mut reader = Reader::from_str(&picture);
            let (mut depth, mut titles) = (0, 0);
            loop {
                match reader.read_event().unwrap_or_else(|error| panic!("{error}: {picture}")) {
                    Xml::Start(tag) => {
                        titles += usize::from(tag.name().as_ref() == "title");
                        depth += 1;
                        tag.attributes().for_each(|attribute| drop(attribute.unwrap()));
                    }
                    Xml::Empty(tag) => tag.attributes().for_each(|attribute| drop(attribute.unwrap())),
                    Xml::End(_) => depth -= 1,
                    Xml::Eof => break,
                    _ => {}
                }
            }
            assert_eq!((depth, titles), (0, 1), "{picture}");
        }
    }
}

#[test]
fn nothing_becomes_markup_in_markdown() {
    let document = markdown(&hostile());
    assert!(document.contains("alert(1)"), "the strings are there");
    for line in document.lines() {
        // Outside of code, each character that acts has a backslash before it, and no address is a link.
        let plain = without_code(line);
        let mut before = ' ';
        for (at, c) in plain.char_indices() {
            assert!(!matches!(c, '<' | '[' | ']') || before == '\\', "{c} at {at} acts in {plain}");
            before = if before == '\\' { ' ' } else { c };
        }
        assert!(!plain.contains("s://"), "a link in {plain}");
    }
    // Tables stay tables: of each, every row has as many cells as its heading.
    let mut columns = None;
    for line in document.lines() {
        let bars = line.char_indices().filter(|(at, c)| *c == '|' && !line[..*at].ends_with('\\')).count();
        columns = line.starts_with('|').then(|| columns.unwrap_or(bars));
        assert!(columns.is_none_or(|columns| columns == bars), "{line}");
    }
}

/// A line without its spans of code, each of which ends with as many back ticks as it began with.
fn without_code(line: &str) -> String {
    let (mut plain, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('`') {
        if rest[..at].ends_with('\\') {
            plain += &rest[..=at];
            rest = &rest[at + 1..];
            continue;
        }
        let fence: String = rest[at..].chars().take_while(|c| *c == '`').collect();
        let inside = &rest[at + fence.len()..];
        let end = inside.find(&fence).unwrap_or_else(|| panic!("code without an end in {line}"));
        plain += &rest[..at];
        rest = &inside[end + fence.len()..];
    }
    plain + rest
}
