//! The pure core: what is known of a fleet, and what it means.
//!
//! What it is for: identifiers, observed values, the topology, the snapshot, derived rows, checks and
//! verdicts, the timeline. What it must not do: any input or output, any clock, any other module of ours.

pub mod changes;
pub mod checks;
pub mod derive;
pub mod evacuation;
pub mod health;
pub mod ids;
pub mod metric;
pub mod observation;
pub mod pin;
pub mod policy;
pub mod probes;
pub mod shared;
pub mod snapshot;
pub mod standing;
pub mod synthetic;
pub mod text;
pub mod topology;

pub use health::{Finding, Health, Severity, Verdict};
pub use observation::{ErrorKind, Observed, ProbeError, Reading, Source, SourceKind};
pub use snapshot::{DnsSnapshot, FleetSnapshot, RegionSnapshot};
pub use standing::Standing;
pub use topology::Topology;
