//! Memory: of the machine, and of this process.

use std::sync::atomic::{AtomicU64, Ordering};

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// Bytes, in all and free to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub total: u64,
    pub available: u64,
}

/// The machine's memory, or less where this process runs in a container with a limit of its own.
pub(crate) fn limits(system: &System) -> Limits {
    let machine = Limits { total: system.total_memory(), available: system.available_memory() };
    match system.cgroup_limits() {
        Some(group) if group.total_memory > 0 => Limits {
            total: machine.total.min(group.total_memory),
            // A group counts the file cache as used although it gives way; hence its resident part only.
            available: machine.available.min(group.total_memory.saturating_sub(group.rss)),
        },
        _ => machine,
    }
}

/// Memory that can be had without swapping, bytes.
pub fn available_memory() -> u64 {
    let kind = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    System::new_with_specifics(kind).map_or(0, |system| limits(&system).available)
}

/// Memory that this process holds now, bytes; 0 where the system does not tell.
pub fn resident_memory() -> u64 {
    let resident = status_line("VmRSS:").or_else(from_process_table).unwrap_or(0);
    SEEN.fetch_max(resident, Ordering::Relaxed);
    resident
}

/// The most memory that this process ever held, bytes: the operating system's own figure on Linux, elsewhere the
/// largest [`resident_memory`] that was read.
pub fn peak_memory() -> u64 {
    status_line("VmHWM:").unwrap_or_else(|| {
        resident_memory();
        SEEN.load(Ordering::Relaxed)
    })
}

static SEEN: AtomicU64 = AtomicU64::new(0);

#[cfg(target_os = "linux")]
fn status_line(key: &str) -> Option<u64> {
    let status = hone_job::fs::read_to_string(std::path::Path::new("/proc/self/status")).ok()?;
    parse_status(&status, key)
}

#[cfg(not(target_os = "linux"))]
fn status_line(_key: &str) -> Option<u64> {
    None
}

/// The value of a line such as `VmRSS:   1234 kB`, bytes.
#[cfg(any(target_os = "linux", test))]
fn parse_status(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn from_process_table() -> Option<u64> {
    let this = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let kind = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[this]), false, kind);
    system.process(this).map(sysinfo::Process::memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_read_in_bytes() {
        let status = "Name:\thone\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(parse_status(status, "VmHWM:"), Some(2 * 1024 * 1024));
        assert_eq!(parse_status(status, "VmSwap:"), None);
    }

    #[test]
    fn the_peak_is_never_below_what_is_held() {
        let block = vec![1u8; 8 << 20];
        let held = resident_memory();
        assert!(held >= block.len() as u64, "{held}");
        assert!(peak_memory() >= held);
        assert_eq!(block[block.len() - 1], 1);
    }
}
