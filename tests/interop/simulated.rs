//! boto3 against `sim --listen`: an independent client reads every operation and every error of the simulation.

use crate::Case;

/// The cases that the check names.
pub(crate) fn cases() -> Vec<Case> {
    Vec::new()
}
