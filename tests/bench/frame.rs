//! One frame of thirty regions, drawn in process.

use crate::Effort;
use crate::budgets::Row;

/// The median frame.
pub(crate) fn frame(_effort: Effort) -> Vec<Row> {
    vec![Row::at_most("frame, 200x50, 30 regions", 2.0, "ms", None, "")]
}
