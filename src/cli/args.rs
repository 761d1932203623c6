//! The command line.
//!
//! What it is for: every subcommand and flag with the words of `--help`, completions and the manual page.
//! What it must not do: act on them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::exit::{Exit, Failure};
use crate::domain::ids::{HostName, Region};
use crate::runbook::{DatabaseChoice, Differing, Params};

/// The whole command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "switchtower",
    version,
    about = "A terminal operations console for applications that run active-active in several AWS regions",
    long_about = "A terminal operations console for applications that run active-active in several AWS regions.\n\n\
        Without a subcommand it opens the console on the configured topology. It is read-only until it is \
        armed; then runbooks act, each as a plan that is shown first and confirmed by typing.",
    after_help = "Exit codes: 0 done or healthy, 1 error, 2 wrong usage or configuration, 3 credentials or \
        permission, 4 blocked by a guard, 5 halted, 6 stopped, 10 degraded, 11 impaired, 12 unknown.",
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(super) struct Cli {
    /// What to do; nothing means the console.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Flags of every subcommand.
    #[command(flatten)]
    pub(super) global: Global,
}

impl Cli {
    /// Reads the command line. Describing every subcommand takes longer than reading a topology: without one the
    /// flags alone are read, and whatever they are not is left to the whole, with its help and its words.
    pub(super) fn read() -> Result<Self, clap::Error> {
        let flag = |word: std::ffi::OsString| word.as_encoded_bytes().starts_with(b"-");
        if std::env::args_os().nth(1).is_none_or(flag)
            && let Ok(Flags { global }) = Flags::try_parse()
        {
            return Ok(Self { command: None, global });
        }
        Self::try_parse()
    }
}

/// The command line of the console.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true)]
struct Flags {
    #[command(flatten)]
    global: Global,
}

/// Flags of every subcommand.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Topology to use: a file, or the name of one in the configuration folder
    #[arg(long, global = true, value_name = "FILE|NAME")]
    pub(super) topology: Option<String>,
    /// Profile of the AWS configuration, in place of those that the topology names
    #[arg(long, global = true, value_name = "PROFILE")]
    pub(super) profile: Option<String>,
    /// Ask this endpoint instead of AWS, such as that of `switchtower sim`
    #[arg(long, global = true, value_name = "URL", value_parser = endpoint)]
    pub(super) endpoint_url: Option<String>,
    /// Let runbooks act on a custom endpoint; observing never needs it
    #[arg(long, global = true)]
    pub(super) allow_endpoint: bool,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
    /// Write the log to this file instead of the state folder
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,
    /// Log more; twice logs everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Open the console on an embedded simulated AWS: no credentials, no network
    Demo(Demo),
    /// Discover an application from its hosted zone and write its topology
    #[command(
        after_help = "The exit code is 10 when something could not be read: the file is written without it, \
        and the first line on standard error names what it lacks."
    )]
    Init(Init),
    /// Observe everything once and say what is ill
    #[command(after_help = "The exit code is the verdict: 0 healthy, 10 degraded, 11 impaired, 12 unknown; \
        3 when every region refuses the credentials.")]
    Status(Status),
    /// Show the guards and steps of a runbook; changes nothing
    #[command(after_help = "The exit code is 4 when a guard blocks.")]
    Plan(PlanArgs),
    /// Carry a runbook out
    #[command(
        after_help = "Nothing is asked: what is typed in the console is given as --confirm and --reason. \
        The exit code is 0 when all is done, 4 when nothing was done because a guard blocks, 5 when the run \
        halted and needs attention, 6 when it was stopped."
    )]
    Run(RunArgs),
    /// Show runs, follow them, stop them and take them up again
    Runs(RunsArgs),
    /// Serve the simulated AWS on loopback to any AWS client
    Sim(SimArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// What is simulated.
#[derive(Clone, Debug, Args)]
pub(super) struct World {
    /// What goes wrong; an unknown name lists all
    #[arg(long, value_name = "NAME", default_value = "calm")]
    pub(super) scenario: String,
    /// Makes the same world again
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(super) seed: u64,
    /// How many regions
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=30))]
    pub(super) regions: u8,
    /// Switches that take a region out of DNS without Route 53's own API
    #[arg(long, value_name = "SWITCH,…", value_enum, value_delimiter = ',')]
    pub(super) wire: Vec<Wired>,
}

/// An evacuation switch of a simulated world. Its variants say nothing to clap, which would spread every help over
/// two screens for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Wired {
    // A routing control of Amazon Application Recovery Controller.
    RoutingControl,
    // An object in a bucket of a third region.
    SwitchObject,
    // A metric in a third region.
    SwitchMetric,
}

/// `demo`.
#[derive(Clone, Debug, Args)]
pub(super) struct Demo {
    /// What is simulated.
    #[command(flatten)]
    pub(super) world: World,
    /// How many times as fast as real time
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub(super) speed: f64,
}

/// `sim`.
#[derive(Clone, Debug, Args)]
pub(super) struct SimArgs {
    /// Address to serve on, loopback only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = loopback)]
    pub(super) listen: SocketAddr,
    /// Also answer DNS for the simulated zone here, UDP and TCP, loopback only; port 0 takes a free one. Clients
    /// of 198.18.N.0/24 (EDNS client subnet) are near region N: 0 us-east-1, 1 eu-west-1, and so on
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = loopback)]
    pub(super) dns: Option<SocketAddr>,
    /// What is simulated.
    #[command(flatten)]
    pub(super) world: World,
    /// How many times as fast as AWS tasks start, health checks notice and Aurora moves; the clock stays real
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub(super) speed: f64,
}

/// `init`.
#[derive(Clone, Debug, Args)]
pub(super) struct Init {
    /// A public name of the application; may be given several times
    #[arg(long = "hostname", value_name = "NAME", required = true, value_parser = hostname)]
    pub(super) hostnames: Vec<HostName>,
    /// Its regions, separated by commas, in the order of the screen
    #[arg(long, value_name = "REGION,…", required = true, value_delimiter = ',', value_parser = region)]
    pub(super) regions: Vec<Region>,
    /// Where to write; by default a file named after the application in the configuration folder
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    pub(super) force: bool,
    /// Where our own requests go instead of the load balancers; {region} is replaced
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub(super) probe_base: Option<String>,
    /// A URL outside AWS that should always answer, to tell "our network" from "their region"
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub(super) probe_control: Option<String>,
    /// Name server that proves where DNS sends people, instead of the hosted zone's own; port 53 if none is given
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = name_server)]
    pub(super) dns_server: Option<SocketAddr>,
}

/// `status`.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Status {
    /// Print JSON (switchtower.status/1); what is for people goes to stderr
    #[arg(long)]
    pub(super) json: bool,
    /// Observe again and again, every 15 seconds, until interrupted; with --json one object a line
    #[arg(long)]
    pub(super) watch: bool,
}

/// What is asked of a runbook.
#[derive(Clone, Debug, Args)]
pub(super) struct Wishes {
    /// The region that is acted on
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(super) region: Option<Region>,
    /// Where the database's writer goes
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(super) to: Option<Region>,
    /// drain: out of DNS first, scale meanwhile, move the writer afterwards; for a region that is ill but answers
    #[arg(long)]
    pub(super) now: bool,
    /// drain: stop the region's tasks at the end
    #[arg(long)]
    pub(super) scale_to_zero: bool,
    /// failover: what becomes of the database
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(super) database: Option<Database>,
    /// failover: declare the region down, with what you know; counts as one signal
    #[arg(long, value_name = "WHY", value_parser = some_words)]
    pub(super) declare: Option<String>,
    /// failover: when the incident began, such as 2026-11-21T03:00:00Z; recovery time is measured from then
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<jiff::Timestamp>,
    /// failover: replace the tasks of this service once its writes still fail; may be given several times
    #[arg(long, value_name = "SERVICE")]
    pub(super) redeploy: Vec<String>,
    /// restore: leave this item as it is now; may be given several times
    #[arg(long, value_name = "ITEM")]
    pub(super) keep: Vec<String>,
    /// restore: give this item its saved value back; may be given several times
    #[arg(long, value_name = "ITEM")]
    pub(super) saved: Vec<String>,
    /// cleanup: take no final snapshots
    #[arg(long)]
    pub(super) skip_snapshots: bool,
}

/// What becomes of the database in a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Database {
    /// Nothing
    Leave,
    /// Move the writer without loss; the primary must answer
    Switchover,
    /// Promote a secondary; what it has not received is lost
    Failover,
    /// Take the survivor out of the global cluster; the last resort
    Detach,
}

impl Wishes {
    /// The parameters of a run.
    pub(super) fn params(&self) -> Result<Params, Failure> {
        if let Some(item) = self.keep.iter().find(|item| self.saved.contains(*item)) {
            let words = format!("{item} is given to both --keep and --saved; say which");
            return Err(Failure::new(Exit::Usage, words));
        }
        let kept = self.keep.iter().map(|item| (item.as_str().into(), Differing::Keep));
        let saved = self.saved.iter().map(|item| (item.as_str().into(), Differing::Saved));
        Ok(Params {
            region: self.region.clone(),
            to: self.to.clone(),
            now: self.now,
            scale_to_zero: self.scale_to_zero,
            database: self.database.map(|choice| match choice {
                Database::Leave => DatabaseChoice::Leave,
                Database::Switchover => DatabaseChoice::Switchover,
                Database::Failover => DatabaseChoice::Failover,
                Database::Detach => DatabaseChoice::Detach,
            }),
            since: self.since,
            declared: self.declare.as_deref().map(Into::into),
            differing: kept.chain(saved).collect(),
            skip_snapshots: self.skip_snapshots,
            redeploy: self.redeploy.iter().map(|service| service.as_str().into()).collect(),
        })
    }
}

/// `plan`.
#[derive(Clone, Debug, Args)]
pub(super) struct PlanArgs {
    /// drain, failover, restore, switchover or cleanup
    #[arg(value_name = "RUNBOOK")]
    pub(super) runbook: String,
    /// What is asked.
    #[command(flatten)]
    pub(super) wishes: Wishes,
    /// Print JSON (switchtower.plan/1)
    #[arg(long, conflicts_with = "script")]
    pub(super) json: bool,
    /// Print a shell script of aws commands that works without this program
    #[arg(long)]
    pub(super) script: bool,
}

/// `run`.
#[derive(Clone, Debug, Args)]
pub(super) struct RunArgs {
    /// drain, failover, restore, switchover or cleanup
    #[arg(value_name = "RUNBOOK")]
    pub(super) runbook: String,
    /// What is asked.
    #[command(flatten)]
    pub(super) wishes: Wishes,
    /// The region's name once more; for cleanup the application's
    #[arg(long, value_name = "NAME")]
    pub(super) confirm: String,
    /// Why; it stands in the journal
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    /// Let the reason cover blocks that a reason may cover
    #[arg(long = "override")]
    pub(super) override_guards: bool,
    /// Take the lease over from a holder that is gone
    #[arg(long, value_name = "WHY", value_parser = some_words)]
    pub(super) take_over: Option<String>,
    /// Print each event as JSON, one a line (switchtower.event/1)
    #[arg(long)]
    pub(super) json: bool,
}

/// `runs`.
#[derive(Clone, Debug, Args)]
pub(super) struct RunsArgs {
    /// What to do; nothing means list.
    #[command(subcommand)]
    pub(super) command: Option<RunsCommand>,
}

/// What to do with runs.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// List the runs of this host, newest first, and who holds the lease
    List {
        /// Print JSON (switchtower.runs/1)
        #[arg(long)]
        json: bool,
    },
    /// Show a run's plan and everything that happened
    Show {
        /// Its name
        run: String,
        /// Print each event as JSON, one a line (switchtower.event/1)
        #[arg(long)]
        json: bool,
    },
    /// Follow a run, live; leaving does not touch it
    Attach {
        /// Its name
        run: String,
        /// Print each event as JSON, one a line (switchtower.event/1)
        #[arg(long)]
        json: bool,
    },
    /// Stop a run before its next call, or end one for good that was left at a halt
    Abort {
        /// Its name
        run: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// How, when no process has the run.
        #[command(flatten)]
        here: Here,
    },
    /// At a halt: try the failed step again
    Retry {
        /// Its name
        run: String,
        /// How, when no process has the run.
        #[command(flatten)]
        here: Here,
    },
    /// At a halt: pass over the failed step
    Skip {
        /// Its name
        run: String,
        /// The step that failed, to be sure that it is the one that is meant
        step: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// How, when no process has the run.
        #[command(flatten)]
        here: Here,
    },
    /// At a halt: restore what was changed, of one step or of all
    Undo {
        /// Its name
        run: String,
        /// This step and no other; the run waits again afterwards
        #[arg(long, value_name = "STEP")]
        step: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// How, when no process has the run.
        #[command(flatten)]
        here: Here,
    },
    /// At a halt: leave the rest to somebody else, who resumes it
    HandOver {
        /// Its name
        run: String,
    },
    /// Take a run up again where its journal ends, from what is true now
    Resume {
        /// Its name
        run: String,
        /// The region's name once more; for cleanup the application's
        #[arg(long, value_name = "NAME")]
        confirm: String,
        /// Why; it stands in the journal
        #[arg(long, value_name = "TEXT", default_value = "resumed")]
        reason: String,
        /// Go on although the journal is damaged
        #[arg(long)]
        accept_damage: bool,
        /// Take the lease over from a holder that is gone
        #[arg(long, value_name = "WHY", value_parser = some_words)]
        take_over: Option<String>,
        /// Print each event as JSON, one a line (switchtower.event/1)
        #[arg(long)]
        json: bool,
    },
    /// Copy a run of another host from the lease table
    Import {
        /// Its name
        run: String,
    },
    /// Tell a run as a document, also one that goes on or broke off
    Report {
        /// Its name
        run: String,
        /// Markdown for a ticket, JSON (switchtower.report/1), or one HTML page with charts
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ReportFormat::Md)]
        format: ReportFormat,
    },
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// Markdown
    Md,
    /// JSON
    Json,
    /// HTML
    Html,
}

/// A decision about a run that no process has: it is taken up here, and goes on by the decision.
#[derive(Clone, Debug, Args)]
pub(super) struct Here {
    /// When no process has the run: the region's name once more; for cleanup the application's
    #[arg(long, value_name = "NAME")]
    pub(super) confirm: Option<String>,
    /// Then: go on although the journal is damaged
    #[arg(long)]
    pub(super) accept_damage: bool,
    /// Then: take the lease over from a holder that is gone
    #[arg(long, value_name = "WHY", value_parser = some_words)]
    pub(super) take_over: Option<String>,
    /// Then: print each event as JSON, one a line (switchtower.event/1)
    #[arg(long)]
    pub(super) json: bool,
}

fn endpoint(url: &str) -> Result<String, String> {
    let parsed: http::Uri =
        url.replace("{region}", "region").parse().map_err(|_| "this is no URL".to_owned())?;
    match (parsed.scheme_str(), parsed.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(url.to_owned()),
        _ => Err("write a URL with http:// or https:// and a host".into()),
    }
}

fn some_words(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("say it in a few words".into()) } else { Ok(text.to_owned()) }
}

fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "write a time with its zone, such as 2026-11-21T03:00:00Z".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0.01 to 10000".into()),
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "write an address and a port, such as 127.0.0.1:5005".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the simulation answers anyone, so it serves on loopback only; write 127.0.0.1:PORT".into())
    }
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let server = text
        .parse()
        .or_else(|_| bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)))
        .map_err(|_| "write an address, such as 192.0.2.53 or 127.0.0.1:5053".to_owned())?;
    if server.port() == 0 || server.ip().is_unspecified() {
        return Err("write a server's own address, such as 192.0.2.53 or 127.0.0.1:5053".into());
    }
    Ok(server)
}

fn hostname(text: &str) -> Result<HostName, String> {
    let plain = text.contains('.') && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace());
    if plain {
        Ok(HostName::normalized(text))
    } else {
        Err("write the name alone, such as api.example.com".into())
    }
}

fn region(text: &str) -> Result<Region, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let numbered = parts.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let letters = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if letters && numbered && parts.len() >= 3 && !parts.contains(&"") {
        Ok(Region::new(text))
    } else {
        Err("write region codes, such as us-east-1,eu-west-1".into())
    }
}
