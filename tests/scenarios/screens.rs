//! What the operator sees of each scenario a minute and a half after opening the console, at 80x24; and the
//! README's picture, which is the same screen in colour.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use switchtower::app::sight::Lookout;
use switchtower::app::{App, Event, Session};
use switchtower::ui::{self, Theme};

use super::operator::Operator;
use super::play::play;
use crate::console::stage::text;

/// Opens the console on a scenario, looks every five seconds as the console does, and paints at the end.
pub(crate) fn seen(scenario: &str, seconds: u64, (width, height): (u16, u16), theme: Theme) -> Buffer {
    play(scenario, async |play| {
        let session = Session { endpoint: None, demo: Some(scenario.into()) };
        let mut app = App::new(play.topology.clone(), session, play.clock.now());
        app.update(Event::Resize(width, height));
        let mut lookout = Lookout::default();
        for _ in 0..seconds / 5 {
            play.pass(Duration::from_secs(5)).await;
            let sight = lookout.look(&play.topology, play.snapshot());
            app.update(Event::Sight(Arc::new(sight)));
            app.update(Event::Tick(play.clock.now()));
        }
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        ui::draw(&app, theme, area, &mut buffer);
        buffer
    })
}

#[test]
fn every_scenario_at_80x24() {
    for scenario in super::NAMES {
        let screen = text(&seen(scenario, 90, (80, 24), Theme::MONOCHROME));
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "screens" }, {
            insta::assert_snapshot!(*scenario, screen);
        });
    }
}

/// The README's pictures are painted by the program. `UPDATE_PICTURES=1 cargo test` paints them anew.
fn is_painted(name: &str, buffer: &Buffer) {
    let path = format!("{}/assets/screenshots/{name}.svg", env!("CARGO_MANIFEST_DIR"));
    let picture = svg(buffer);
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::write(&path, &picture).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == picture, "the console looks otherwise now: UPDATE_PICTURES=1 cargo test picture");
}

#[test]
fn the_picture_of_the_readme_is_true() {
    is_painted("regional-outage", &seen("regional-outage", 90, (120, 40), Theme::COLOUR));
}

#[test]
fn nobody_promises_when_users_are_out_while_route_53_is_mute() {
    for (scenario, known) in [("control-plane-down", false), ("calm", true)] {
        let screen = play(scenario, async |play| {
            let mut operator = Operator::sits_down(play, scenario, (120, 40));
            operator.watches(90).await;
            operator.presses("! right right right").await;
            operator.screen()
        });
        let line = |label: &str| screen.lines().find(|line| line.starts_with(label)).unwrap().to_owned();
        assert_eq!(line(" users out").matches("not known").count(), if known { 0 } else { 3 }, "{screen}");
        let said = screen.contains("Route 53's API does not answer, and no other way out is wired");
        assert_eq!(said, !known, "{screen}");
    }
}

/// An operator arms, fails the region over by keys alone, and sees the proof; in the middle of it the README's picture.
#[test]
fn the_picture_of_a_failover_is_true() {
    let (picture, proof) = play("regional-outage", async |play| {
        let mut operator = Operator::sits_down(play, "regional-outage", (120, 40));
        operator.watches(90).await;
        operator.presses("shift-a").await;
        operator.types("orders").await;
        operator.presses("enter shift-f").await;
        // Where the writer is lost, what becomes of the database is asked first; what harms least stands first.
        operator.presses("down down enter enter").await;
        operator.types("us-east-1").await;
        operator.presses("tab").await;
        operator.types("INC-42: us-east-1 is dark").await;
        operator.presses("enter").await;
        operator.watches(70).await;
        let picture = operator.buffer(Theme::COLOUR);
        operator.watches_until("● DONE", 900).await;
        operator.watches(90).await;
        (picture, operator.screen())
    });
    is_painted("failover", &picture);
    // How many of the fence's steps a dark region lets through is a matter of luck.
    let counted = |done| proof.contains(&format!("{done} of 18 done, {} passed", 18 - done));
    assert!((13..18).any(counted), "steps are missing on\n{proof}");
    for words in ["(RTO)", "not measured", "in DNS", "none of 60 answers leads to us-east-1"] {
        assert!(proof.contains(words), "{words} is not on\n{proof}");
    }
}

/// A terminal's cells as a picture: monospaced text on a dark ground, one run of equal style at a time.
fn svg(buffer: &Buffer) -> String {
    const CELL_WIDTH: f64 = 8.4;
    const CELL_HEIGHT: f64 = 18.0;
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (columns as f64 * CELL_WIDTH + 16.0, rows as f64 * CELL_HEIGHT + 16.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#16181d\"/>\n"
    );
    for (row, cells) in buffer.content().chunks(columns).enumerate() {
        let top = row as f64 * CELL_HEIGHT + 8.0;
        let mut start = 0;
        while start < columns {
            let look = appearance(&cells[start]);
            let end = (start..columns).find(|at| appearance(&cells[*at]) != look).unwrap_or(columns);
            let words: String = cells[start..end].iter().map(Cell::symbol).collect();
            let left = start as f64 * CELL_WIDTH + 8.0;
            let length = (end - start) as f64 * CELL_WIDTH;
            if let Some(ground) = look.ground {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{ground}\"/>"
                );
            }
            if !words.trim().is_empty() {
                let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
                let base = top + 13.5;
                let _ = writeln!(
                    svg,
                    "<text x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{length:.1}\" xml:space=\"preserve\" fill=\"{}\"{weight}>{}</text>",
                    look.ink,
                    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
                );
            }
            start = end;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

#[derive(PartialEq)]
struct Appearance {
    ink: &'static str,
    ground: Option<&'static str>,
    bold: bool,
}

fn appearance(cell: &Cell) -> Appearance {
    let ink = colour(cell.fg).unwrap_or("#d7dae0");
    let ground = colour(cell.bg);
    let bold = cell.modifier.contains(Modifier::BOLD);
    if cell.modifier.contains(Modifier::REVERSED) {
        return Appearance { ink: ground.unwrap_or("#16181d"), ground: Some(ink), bold };
    }
    let ink = if cell.modifier.contains(Modifier::DIM) { "#7f8591" } else { ink };
    Appearance { ink, ground, bold }
}

fn colour(colour: Color) -> Option<&'static str> {
    Some(match colour {
        Color::Red | Color::LightRed => "#ff6b6b",
        Color::Green | Color::LightGreen => "#7bd88f",
        Color::Yellow | Color::LightYellow => "#ffd866",
        Color::Blue | Color::LightBlue => "#78a9ff",
        Color::Magenta | Color::LightMagenta => "#d4a5ff",
        Color::Cyan | Color::LightCyan => "#7ae0e6",
        Color::Black => "#16181d",
        Color::DarkGray => "#7f8591",
        Color::Gray | Color::White => "#f4f5f7",
        _ => return None,
    })
}
