//! Screens of the acting half: prompts, plans, the decision card, runs.
//!
//! What it is for: painting what `app::acting` holds, and the words that these screens share.
//! What it must not do: decide anything, or leave out what the operator is about to confirm.

pub(super) mod card;
pub(super) mod plan;
pub(super) mod prompt;
pub(super) mod run;
pub(super) mod undo;

use super::format;
use super::theme::Mark;
use crate::app::App;
use crate::app::acting::estimate::Estimate;
use crate::domain::Standing;
use crate::domain::text::Text;
use crate::runbook::{FailureDomain, Force, GuardFinding, Step};

/// How long something takes, in words that say how far they may be trusted: measured is `about`, typical is `usually`.
fn estimate(estimate: Estimate) -> String {
    let (likely, most) = (format::span(estimate.likely), format::span(estimate.most));
    let word = if estimate.measured { "about " } else { "usually ~" };
    if likely == most { format!("{word}{likely}") } else { format!("{word}{likely}, at most {most}") }
}

/// How long a step took before: `usually 1m10s (3 past runs)`; `None` when no past run tells.
fn usual(step: &Step) -> Option<String> {
    let measured = step.measured?;
    let plural = if measured.runs == 1 { "" } else { "s" };
    Some(format!("usually {} ({} past run{plural})", format::span(measured.median), measured.runs))
}

/// What a choice would do, marked when the runbook proposes it.
fn offered(choice: &Text, sentence: &Text, proposed: Option<&Text>) -> String {
    if proposed == Some(choice) { format!("{sentence} (proposed)") } else { sentence.to_string() }
}

/// What a call leans on, and whether that looks ill.
fn domain(app: &App, domain: &FailureDomain) -> (String, bool) {
    let ill = |region: &str| {
        let standing = app.fleet.regions().find(|known| known.as_str() == region);
        let standing = standing.and_then(|region| app.fleet.standing(region));
        matches!(standing, Some(Standing::Failing | Standing::Impaired | Standing::Unknown))
    };
    match domain {
        FailureDomain::DataPlane => ("data planes in several regions".to_owned(), false),
        FailureDomain::Regional(region) => (format!("control plane of {region}"), ill(region.as_str())),
        FailureDomain::Global => ("control plane of Route 53, us-east-1".to_owned(), ill("us-east-1")),
        FailureDomain::None => ("calls nothing".to_owned(), false),
    }
}

/// The mark of a finding.
fn guard_mark(finding: &GuardFinding) -> Mark {
    match finding.force {
        Force::Block => Mark::Critical,
        Force::Warn => Mark::Warning,
    }
}
