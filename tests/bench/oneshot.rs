//! Figures of runs that end by themselves, and of the program file.

use std::fs;
use std::time::Instant;

use crate::Effort;
use crate::budgets::{Row, median};
use crate::stage::Stage;

/// `status` as a whole process, over the far link.
pub(crate) fn status(stage: &Stage, effort: Effort) -> Vec<Row> {
    let topology = stage.topology();
    let mut took = Vec::new();
    for _ in 0..effort.starts {
        let started = Instant::now();
        if let Err(why) = stage.run(&["status", "--json", "--topology", &topology]) {
            return vec![Row::at_most("`status`, whole process", 300.0, "ms", None, &why)];
        }
        took.push(started.elapsed());
    }
    let (value, spread) = median(&took);
    vec![Row::at_most("`status` as a whole process, same link", 300.0, "ms", value, &spread)]
}

/// The program file.
pub(crate) fn size() -> Row {
    let bytes = fs::metadata(env!("CARGO_BIN_EXE_switchtower")).map(|file| file.len()).ok();
    Row::at_most("binary, stripped", 23.0, "MB", bytes.map(|bytes| bytes as f64 / 1e6), "")
}
