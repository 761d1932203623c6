//! `init`: from hostnames and regions to a topology file.

use std::path::PathBuf;

use super::args::{Global, Init};
use super::exit::{Exit, Failure};
use super::out;
use super::session::{WORKERS, real_cloud, worker};
use crate::cloud::CloudOptions;
use crate::cloud::discover::{DiscoverError, DiscoverRequest, Unread, discover};
use crate::domain::ids::HostName;
use crate::domain::observation::ErrorKind;
use crate::domain::text::Text;
use crate::files::places::names_a_file;
use crate::files::topology::{self, TopologyError, WriteError};
use crate::files::{Existing, Places};
use crate::ports::Clock;

/// Discovers, says what was found and what was not on stderr, writes, and prints the file's path. What could not be
/// read is said first, and by an exit code of its own: the file is written without it.
pub(super) fn run(global: &Global, args: &Init) -> Result<Exit, Failure> {
    // A name given with --topology names the application and its file.
    let named = global.topology.as_deref();
    let application = named.filter(|name| !names_a_file(name)).map(Text::from);
    let target = match (&args.output, named) {
        (Some(file), _) => file.clone(),
        (None, Some(file)) if names_a_file(file) => PathBuf::from(file),
        (None, Some(name)) => Places::of_environment()?.named(name),
        (None, None) => {
            let first = args.hostnames.first().map(HostName::as_str).unwrap_or_default();
            Places::of_environment()?.named(first)
        }
    };
    if !args.force && target.symlink_metadata().is_ok() {
        return Err(WriteError::Exists(target).into());
    }
    let options = CloudOptions { homes: args.regions.clone(), ..CloudOptions::default() };
    let cloud = real_cloud(options, global, Clock::real());
    let request = DiscoverRequest {
        application,
        hostnames: args.hostnames.clone(),
        regions: args.regions.clone(),
        profile: global.profile.clone(),
        probe_base: args.probe_base.clone(),
        control: args.probe_control.clone(),
        dns_server: args.dns_server,
    };
    let runtime = worker(WORKERS)?;
    let discovered = runtime.block_on(discover(&cloud, request));
    runtime.shutdown_background();
    let discovery = discovered.map_err(|error| refused(&error))?;

    let unread: Vec<Text> = discovery.unread.iter().map(|unread| unread.to_string().into()).collect();
    // What the file lacks is said before what it has.
    if let Some(words) = incomplete(&discovery.unread) {
        out::say(&words);
    }
    for (word, lines) in [
        ("found", &discovery.found),
        ("not found", &discovery.missing),
        ("not read", &unread),
        ("note", &discovery.notes),
    ] {
        for line in lines {
            out::say(&format!("{word:<10} {line}"));
        }
    }
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    topology::write(&target, &discovery.topology, existing)?;
    out::print(&format!("{}\n", target.display()))?;
    // What AWS holds may break a rule of ours. Then the file is there to be corrected.
    match topology::read(&target) {
        Ok(_) if unread.is_empty() => Ok(Exit::Done),
        Ok(_) => Ok(Exit::Degraded),
        Err(error @ TopologyError::Invalid { .. }) => Err(Failure::new(
            Exit::Usage,
            format_args!("{error}\ncorrect these lines; the file was written as it was discovered"),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Says that the file is not whole, what it lacks by place, and what to do; `None` when everything was read.
fn incomplete(unread: &[Unread]) -> Option<String> {
    let mut places: Vec<(&Text, Vec<&str>)> = Vec::new();
    for one in unread {
        match places.iter_mut().find(|(place, _)| *place == &one.place) {
            Some((_, what)) => what.push(one.what.as_str()),
            None => places.push((&one.place, vec![one.what.as_str()])),
        }
    }
    let places: Vec<String> =
        places.iter().map(|(place, what)| format!("{place} ({})", what.join(", "))).collect();
    (!places.is_empty()).then(|| {
        format!(
            "switchtower: the topology is incomplete, these could not be read: {}; run init again with --force when \
             they can",
            places.join("; ")
        )
    })
}

fn refused(error: &DiscoverError) -> Failure {
    let exit = match error.cause().map(|cause| cause.kind) {
        Some(ErrorKind::Denied | ErrorKind::Expired | ErrorKind::NoCredentials) => Exit::Credentials,
        Some(_) => Exit::Error,
        None => Exit::Usage,
    };
    Failure::new(exit, error)
}
