//! The executor: how the engine sees and touches the world.
//!
//! What it is for: the one trait between runbooks and AWS; `cloud` implements it with the same SDK clients
//! that the panes use. What it must not do: decide anything; it observes what it is asked and sends what is approved.

use super::approval::Approval;
use super::event::ActFailure;
use super::fact::{Fact, Facts};
use super::operation::Operation;
use crate::domain::ids::{Arn, Region};
use crate::domain::text::Text;
use crate::ports::BoxFuture;

/// What AWS answered to an accepted call. It proves nothing: conditions are verified by observing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Request id.
    pub request_id: Option<Text>,
}

/// Observes and acts.
pub trait Executor: Send + Sync {
    /// Observes the facts, batched where AWS allows, each with a deadline of its own: a dead region delays
    /// nothing but its own facts, which then carry the error. Every asked fact is in the answer.
    fn observe<'a>(&'a self, facts: &'a [Fact]) -> BoxFuture<'a, Facts>;

    /// The same, and hands over what has come as it comes, so that nothing waits for the slowest. What only `dark`, a
    /// region that is given up, could tell is not waited for as long as the rest.
    fn observe_each<'a>(
        &'a self,
        facts: &'a [Fact],
        dark: Option<&'a Region>,
        told: &'a (dyn Fn(Facts) + Send + Sync),
    ) -> BoxFuture<'a, ()> {
        let _ = dark;
        Box::pin(async move { told(self.observe(facts).await) })
    }

    /// Sends one call, once. Refuses what the approval does not cover. Never repeats by itself.
    fn apply<'a>(
        &'a self,
        operation: &'a Operation,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<Receipt, ActFailure>>;

    /// Publishes to a topic; not part of a plan.
    fn publish<'a>(
        &'a self,
        topic: &'a Arn,
        subject: &'a Text,
        message: &'a str,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<(), Text>>;
}
