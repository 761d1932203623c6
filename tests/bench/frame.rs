//! One frame of thirty regions of fifty services, drawn in process: the model's picture into a buffer, and what of
//! it changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crokey::key;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use switchtower::app::event::Event;
use switchtower::app::{App, Session, Sight};
use switchtower::cloud::Cloud;
use switchtower::poll;
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions, http_client};
use switchtower::ui::{self, Theme};

use crate::Effort;
use crate::budgets::{Row, median, quantile};

/// Frames of the overview with the cursor moving and time passing.
pub(crate) fn frame(effort: Effort) -> Vec<Row> {
    match app().and_then(|app| draw(app, effort.keys)) {
        Ok(took) => {
            let (value, _) = median(&took);
            let worst = quantile(&took, 0.99).unwrap_or_default();
            let detail = format!("median; p99 {worst:.1} ms");
            vec![Row::at_most("frame, 200x50, 30 regions", 2.0, "ms", value, &detail)]
        }
        Err(why) => vec![Row::at_most("frame, 200x50, 30 regions", 2.0, "ms", None, &why)],
    }
}

fn draw(mut app: App, count: usize) -> Result<Vec<Duration>, String> {
    let mut terminal = Terminal::new(TestBackend::new(200, 50)).map_err(|why| why.to_string())?;
    app.update(Event::Resize(200, 50));
    let mut took = Vec::new();
    for index in 0..count {
        app.update(Event::Key(if index % 20 < 10 { key!(j) } else { key!(k) }));
        app.update(Event::Tick(Clock::real().now()));
        let started = Instant::now();
        terminal
            .draw(|frame| {
                let area = frame.area();
                ui::draw(&app, Theme::COLOUR, area, frame.buffer_mut());
            })
            .map_err(|why| why.to_string())?;
        took.push(started.elapsed());
    }
    Ok(took)
}

/// A console that has seen a whole simulated fleet once.
fn app() -> Result<App, String> {
    let clock = Clock::real();
    let options = SimOptions {
        regions: SimOptions::first_regions(30),
        services: 50,
        latency: false,
        ..SimOptions::default()
    };
    let sim = Sim::new(options, clock).map_err(|why| why.to_string())?;
    let topology = Arc::new(sim.topology());
    let keys = sim.credentials();
    let cloud = Cloud::simulated(
        http_client(&sim),
        clock,
        &switchtower::cloud::Keys {
            access_key: &keys.access_key_id,
            secret_key: &keys.secret_access_key,
            session_token: Some(&keys.session_token),
            expires: Some(keys.expires),
        },
    );
    let runtime = tokio::runtime::Runtime::new().map_err(|why| why.to_string())?;
    let snapshot = runtime.block_on(poll::observe_once(
        cloud,
        Arc::clone(&topology),
        sim.probe(),
        clock,
        Duration::from_mins(1),
    ));
    let mut app = App::new(Arc::clone(&topology), Session::default(), clock.now());
    app.update(Event::Sight(Arc::new(Sight::new(&topology, snapshot, Arc::from([])))));
    Ok(app)
}
