//! `sim`: the simulated AWS on a socket, and its zone on another.

use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};

use super::args::SimArgs;
use super::exit::{Exit, Failure};
use super::out;
use super::session::{WORKERS, simulation, worker};
use crate::domain::ids::Region;
use crate::files::topology::render_wiring;
use crate::ports::Clock;
use crate::sim::dns::clients_near;
use crate::sim::dns::server::NameServer;
use crate::sim::listen::{ListenError, listen};

/// Serves until a signal, or until nobody reads what it printed.
pub(super) fn run(args: &SimArgs) -> Result<Exit, Failure> {
    let sim = simulation(&args.world, Clock::real(), args.speed)?;
    let regions: Vec<Region> = sim.topology().regions.into_iter().map(|region| region.name).collect();
    let wiring = render_wiring(&sim.topology());
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
        let refused = |error| match error {
            ListenError::NotLoopback(_) => Failure::new(Exit::Usage, error),
            ListenError::Bind { .. } => {
                Failure::error(format_args!("{error}; choose another port, or 0 for any free one"))
            }
        };
        let names = match args.dns {
            Some(address) => Some(NameServer::bind(sim.clone(), address).await.map_err(refused)?),
            None => None,
        };
        let asked_at = names.as_ref().map(NameServer::address);
        let ready = |address: SocketAddr| {
            let url = format!("http://{address}");
            let hostname = hostname.as_ref().map_or("api.example.com", |name| name.as_str());
            // Whoever started this may wait for the address on stdout, and may have gone.
            let _ = out::print(&format!("listening on {url}\n"));
            if let Some(server) = asked_at {
                let _ = out::print(&format!("answering DNS on {server}\n"));
                out::say(&clients(server, hostname, &regions));
            }
            let names = asked_at.map(|server| format!(" --dns-server {server}")).unwrap_or_default();
            let regions: Vec<&str> = regions.iter().map(Region::as_str).collect();
            out::say(&format!(
                "any AWS client: AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=sim AWS_SECRET_ACCESS_KEY=sim\n\
                 a topology of it: switchtower init --endpoint-url {url} --hostname {hostname} --regions {} \
                 --probe-base {url}/_sim/app/{{region}}{names} --output sim.toml\n\
                 what init cannot find, to be added to that file:",
                regions.join(",")
            ));
            out::say(wiring.trim_start());
            out::say("Ctrl-C ends it");
        };
        let asked = async {
            match names {
                Some(server) => server.serve(std::future::pending()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            served = listen(sim, args.listen, ready, stop) => served.map_err(refused),
            () = asked => Ok(()),
        }
    });
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}

/// How to ask for the zone as a client near each region.
fn clients(server: SocketAddr, hostname: &str, regions: &[Region]) -> String {
    let near = regions.iter().filter_map(|region| Some((region, clients_near(region.as_str())?)));
    let lines = near.map(|(region, subnet)| {
        let (address, port) = (server.ip(), server.port());
        format!("as a client near {region}: dig @{address} -p {port} {hostname} +subnet={subnet}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
