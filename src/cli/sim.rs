//! `sim`: the simulated AWS on a socket.

use tokio::signal::unix::{SignalKind, signal};

use super::args::SimArgs;
use super::exit::{Exit, Failure};
use super::out;
use super::session::{WORKERS, simulation, worker};
use crate::domain::text::Text;
use crate::ports::Clock;
use crate::sim::listen::{ListenError, listen};

/// Serves until a signal, or until nobody reads what it printed.
pub(super) fn run(args: &SimArgs) -> Result<Exit, Failure> {
    let sim = simulation(&args.world, Clock::real(), args.speed)?;
    let regions: Vec<Text> =
        sim.topology().regions.iter().map(|region| region.name.as_str().into()).collect();
    let hostname = sim.topology().hostnames.first().map(|host| host.name.clone());
    let runtime = worker(WORKERS)?;
    let served = runtime.block_on(async {
        let failed = |error| Failure::error(format_args!("signals cannot be watched: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let stop = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let ready = |address: std::net::SocketAddr| {
            let url = format!("http://{address}");
            // Whoever started this may wait for the address on stdout, and may have gone.
            let _ = out::print(&format!("listening on {url}\n"));
            let regions: Vec<&str> = regions.iter().map(Text::as_str).collect();
            let hostname = hostname.as_ref().map_or("api.example.com", |name| name.as_str());
            out::say(&format!(
                "any AWS client: AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=sim AWS_SECRET_ACCESS_KEY=sim\n\
                 a topology of it: switchtower init --endpoint-url {url} --hostname {hostname} --regions {} \
                 --probe-base {url}/_sim/app/{{region}} --output sim.toml\n\
                 Ctrl-C ends it",
                regions.join(",")
            ));
        };
        let served = listen(sim, args.listen, ready, stop).await;
        served.map_err(|error| match error {
            ListenError::NotLoopback(_) => Failure::new(Exit::Usage, error),
            ListenError::Bind { .. } => {
                Failure::error(format_args!("{error}; choose another port, or 0 for any free one"))
            }
        })
    });
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}
