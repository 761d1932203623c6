//! Operations in words: as AWS's call, as the line of the `aws` command line, and as a sentence.
//!
//! What it is for: what a plan shows is what will be sent, and what an operator could send without this program.
//! What it must not do: print a character that a terminal or a shell would act on, or leave out a parameter.
//!
//! | module | what it is |
//! |---|---|
//! | `calls` | the parameters of each operation, in AWS's names |
//! | `records` | record sets as Route 53's JSON |
//! | `quote` | shell words |
//! | `line` | from parameters to a command line |
//! | `sentence` | an operation in a few words |

mod calls;
mod line;
mod quote;
mod records;
mod sentence;

use std::fmt;

use crate::domain::ids::Region;
use crate::runbook::operation::Operation;

pub(super) use line::{Line, aws};
pub(crate) use quote::quoted;
pub(super) use quote::{comment, literal};
pub(super) use records::{exact, record_query, record_query_of};

/// One call, exactly: what AWS is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallForm {
    /// Service as IAM names it: `route53`, `elasticloadbalancing`.
    pub service: &'static str,
    /// Operation as AWS names it: `UpdateHealthCheck`.
    pub operation: &'static str,
    /// Region that signs and answers.
    pub region: Region,
    /// Parameters as AWS names them, in the order of the command line; lists and structures as JSON.
    pub parameters: Vec<(String, String)>,
}

impl fmt::Display for CallForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} in {}", self.service, self.operation, self.region)?;
        for (name, value) in &self.parameters {
            write!(f, " {name}={}", crate::domain::text::clean(value))?;
        }
        Ok(())
    }
}

impl Operation {
    /// The call with its exact parameters. [`Operation::EmptyBucket`] is many calls; its last one is told.
    pub fn call(&self) -> CallForm {
        let call = calls::of(self);
        CallForm {
            service: call.service,
            operation: call.operation,
            region: self.region(),
            parameters: call
                .parameters
                .iter()
                .map(|parameter| (parameter.name.to_owned(), parameter.value.text()))
                .collect(),
        }
    }
}
