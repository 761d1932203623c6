//! What a process used, as Linux counts it.

use std::fs;
use std::time::Duration;

/// Counters of one process since its start.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Time on a processor, of all threads that live.
    pub(crate) cpu: Duration,
    /// How often a thread slept and was woken.
    pub(crate) wakeups: u64,
    /// Memory that is resident now, KiB.
    pub(crate) resident: u64,
}

impl Usage {
    /// Of a process now.
    pub(crate) fn of(pid: u32) -> Self {
        let mut usage = Self { resident: field(&format!("/proc/{pid}/status"), "VmRSS:"), ..Self::default() };
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let path = thread.path();
            let ran = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            usage.cpu += Duration::from_nanos(
                ran.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or_default(),
            );
            usage.wakeups += field(&path.join("status").display().to_string(), "voluntary_ctxt_switches:");
        }
        usage
    }
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
