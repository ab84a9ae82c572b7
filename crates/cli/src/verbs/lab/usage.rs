//! Processor time, as Linux tells it; elsewhere nothing is told.

use std::path::Path;

use hone_job::fs;

/// Processor time of all threads so far, seconds.
pub fn cpu_seconds() -> Option<f64> {
    /// `USER_HZ`, the same on every Linux that Hone runs on.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(Path::new("/proc/self/stat")).ok()?;
    // The second field, the name in brackets, may hold spaces; user and system time are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
