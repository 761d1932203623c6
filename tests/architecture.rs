//! The import rule, the shape of the repository, and a few invariants of the source text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of ours each module may import. `cli` and the crate root may import all.
const RULE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("files", &["domain"]),
    ("runbook", &["domain", "ports"]),
    ("cloud", &["domain", "ports", "runbook"]),
    ("sim", &["domain", "ports"]),
    ("poll", &["domain", "ports", "cloud"]),
    ("app", &["domain", "runbook"]),
    ("ui", &["app", "domain", "runbook"]),
    ("tui", &["app", "ui", "domain", "ports"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&root().join("src"), &mut found);
    assert!(found.len() > 20, "the walk found only {} files", found.len());
    found
}

/// The module of `src` that a file belongs to.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Code without comments: paths in prose are no imports.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every module of ours that the code names, as `crate::x`, `switchtower::x`, or in a grouped import.
fn named_modules(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for prefix in ["crate::", "switchtower::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let end = group.find("};").unwrap_or(group.len());
                let mut depth = 0;
                let mut word = String::new();
                for c in group[..end].chars().chain([',']) {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            named.push(word.trim().split("::").next().unwrap_or_default().to_owned());
                            word.clear();
                        }
                        c => word.push(c),
                    }
                }
            } else {
                let name =
                    rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
                named.push(name.to_owned());
            }
        }
    }
    named.retain(|name| !name.is_empty());
    named
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let here = module(&path);
        let Some((_, allowed)) = RULE.iter().find(|(name, _)| *name == here) else {
            assert!(
                ["lib", "main", "build", "cli"].contains(&here.as_str()),
                "{} belongs to no module of the import rule",
                path.display()
            );
            continue;
        };
        for name in named_modules(&code(&text)) {
            if name != here && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} imports {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let seen =
        named_modules("use crate::cloud::Cloud; use crate::{app::App, ui::{draw, Theme}}; crate::poll::x()");
    assert_eq!(seen, ["cloud", "app", "ui", "poll"]);
}

#[test]
fn only_cloud_names_the_sdk_and_only_ui_names_colours() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let here = module(&path);
        let code = code(&text);
        let mut forbid = |words: &[&str], home: &[&str]| {
            for word in words {
                if code.contains(word) && !home.contains(&here.as_str()) {
                    wrong.push(format!("{} names {word}", path.display()));
                }
            }
        };
        forbid(&["aws_sdk_", "aws_config", "aws_types"], &["cloud"]);
        forbid(&["aws_smithy_"], &["cloud", "sim"]);
        forbid(&["ratatui"], &["ui", "tui"]);
        forbid(&["Color::"], &["ui"]);
        // Chords are crossterm's key events; crokey hands them to the keymap.
        forbid(&["crossterm"], &["tui", "app"]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.trim_start().starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no module documentation in:\n{}", silent.join("\n"));
}

#[test]
fn rooms_are_small() {
    let big: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 600)
        .map(|(path, text)| format!("{} has {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(big.is_empty(), "{}", big.join("\n"));
}

#[test]
fn the_top_level_holds_only_what_it_may() {
    const ALLOWED: &[&str] = &[
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "assets",
        "tests",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "target",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name.starts_with('.') || ALLOWED.contains(&name.as_str()),
            "{name} does not belong at the top level"
        );
    }
}
