//! What stands on disk: topologies, the baseline, and where they are kept.

mod baseline;
mod places;
mod topology;
