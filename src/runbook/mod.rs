//! Runbooks: what may be done, planned before it is done, done once, and never forgotten.
//!
//! What it is for: operations and plans as data, guards, approval, the engine that carries a plan out, its
//! journal and its lease. Whoever starts a run, console or command line, goes through this one way.
//! What it must not do: name an SDK type, paint, or read a clock but [`crate::ports::Clock`].
//!
//! | module | what it is |
//! |---|---|
//! | [`params`] | what the operator asks |
//! | [`catalog`] | the runbooks: from a situation to a plan |
//! | [`situation`] | what all that is known means |
//! | [`guard`], [`guards`] | what is examined first |
//! | [`evacuation`] | how a region leaves DNS |
//! | [`fact`], [`condition`] | what is observed, and what must hold |
//! | [`operation`] | what is called |
//! | [`print`], [`script`] | a call as a command line, a plan as a shell script |
//! | [`plan`], [`approval`] | what was confirmed |
//! | [`typical`] | how long a step takes before one was measured |
//! | [`executor`], [`lease`] | the world, as traits |
//! | [`event`], [`state`] | what happened, and where it leaves each step |
//! | [`undo`] | what the undo of one step would do |
//! | [`engine`] | how a confirmed plan is carried out |
//! | [`journal`] | what happened, on disk |
//! | [`pin`] | what runs left so that a region stays out of service |
//! | [`recovery`], [`aftermath`] | what a promotion lost, and what RDS tells of it |
//! | [`sample`] | what users felt meanwhile |
//! | [`report`] | a run told afterwards |

pub mod aftermath;
pub mod approval;
pub mod catalog;
pub mod condition;
pub mod engine;
pub mod evacuation;
pub mod event;
pub mod executor;
pub mod fact;
pub mod guard;
pub mod guards;
pub mod journal;
pub mod lease;
pub mod operation;
pub mod params;
pub mod pin;
pub mod plan;
pub mod print;
pub mod recovery;
pub mod report;
pub mod sample;
pub mod script;
pub mod situation;
pub mod state;
pub mod typical;
pub mod undo;

pub use aftermath::{Aftermath, Told};
pub use approval::{Approval, ApprovalError, Arming};
pub use catalog::{LeaseState, Peaks, PlanError, Runbook, RunbookSpec, Situation};
pub use condition::{Condition, Judgement, Moment};
pub use event::{ActFailure, Decision, Entry, Event, LeaseOutcome, Opening, Outcome, RunId};
pub use executor::{Executor, Receipt};
pub use fact::{Answer, Dependency, Fact, Facts, Known, RdsEvent, RunsOn, Subnet, TaskSize};
pub use guard::{Force, GuardFinding, GuardId};
pub use lease::{Claim, HEARTBEAT, LEASE_LIFE, Lease, LeaseError, LeaseStore, LeaseView};
pub use operation::{FailureDomain, Operation, RecordAction, RecordChange, Resend, Steering, Suspended};
pub use params::{DatabaseChoice, Differing, Params};
pub use plan::{Digest, Measured, OnFailure, Plan, Step, StepId, Way};
pub use print::CallForm;
pub use recovery::{Found, RecoveryPoint};
pub use sample::{Measure, RegionSample, SampleLine, Sampler, Timed};
pub use script::script;
pub use state::StepState;
