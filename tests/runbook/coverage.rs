//! What the thinned fault matrix leaves of the whole one, counted without playing a cell.
//!
//! The rule in the head of `matrix` promises that every runbook meets every fault, and that every kind of call and of
//! wait is struck. A plan that changes, or a hand at the rule, must not drop cells in silence.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use super::matrix::{ALL, Fault, Place, SCENES, product};

fn kinds<'a>(places: impl IntoIterator<Item = &'a Place>) -> BTreeSet<&'a str> {
    places.into_iter().map(|place| place.kind.as_str()).collect()
}

#[test]
fn what_is_left_out_by_default_is_struck_in_its_like() {
    let books: Vec<_> = SCENES
        .iter()
        .map(|scene| {
            let book = (scene.book)();
            let places = book.places();
            let cells = book.selection(places.clone(), scene.faults);
            (book, places, cells)
        })
        .collect();
    // A region is taken down in the same way whichever it is: here the role of a region tells nothing.
    let call = |kind: &str| kind.trim_end_matches(" here").trim_end_matches(" there").to_owned();
    let struck_in_a_region = |kind: &str| {
        let regional = books.iter().filter(|(other, ..)| other.name == "cleanup of a region");
        regional.flat_map(|(.., cells)| cells).any(|(place, _)| call(&place.kind) == call(kind))
    };
    let mut lines = Vec::new();
    for (book, places, cells) in &books {
        // Whatever can befall a place of this runbook at all befalls one by default.
        let possible = |fault: &Fault| places.iter().any(|place| fault.befalls(place));
        let missed: Vec<Fault> = ALL
            .into_iter()
            .filter(|fault| possible(fault) && !cells.iter().any(|(_, struck)| struck == fault))
            .collect();
        assert_eq!(missed, [], "{} never meets these", book.name);

        let struck = kinds(cells.iter().map(|(place, _)| place));
        let elsewhere = |place: &&Place| book.struck_elsewhere(place) && struck_in_a_region(&place.kind);
        let not_here = places.iter().filter(|place| !struck.contains(place.kind.as_str()));
        let never = not_here
            .filter(|place| !elsewhere(place))
            .map(|place| format!("{} at {}", place.kind, place.step));
        assert_eq!(never.collect::<Vec<_>>(), Vec::<String>::new(), "{} never strikes these", book.name);
        lines.push(format!(
            "{}: {} of {} places ({} of {} kinds), {} of {} cells",
            book.name,
            book.thinned(places.clone()).len(),
            places.len(),
            struck.len(),
            kinds(places).len(),
            cells.len(),
            product(places).len(),
        ));
    }
    let sum = |count: fn(&[Place], &[(Place, Fault)]) -> usize| -> usize {
        books.iter().map(|(_, places, cells)| count(places, cells)).sum()
    };
    lines.push(format!(
        "all: {} of {} cells",
        sum(|_, cells| cells.len()),
        sum(|places, _| product(places).len())
    ));
    insta::assert_snapshot!("cells", lines.join("\n"));
}
