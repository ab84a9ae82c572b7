//! The machine as a whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};
use ts_rs::TS;

use crate::{Gpu, Verdict, gpu, memory, verdict};

/// What this machine has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Machine {
    /// Name and version of the operating system.
    pub os: String,
    /// Instruction set: `x86_64`, `aarch64` ...
    pub architecture: String,
    /// The processor's own name.
    pub cpu: String,
    /// Physical cores; the number of threads a training uses.
    pub cores: u32,
    /// Threads that the processor runs at once.
    pub threads: u32,
    /// Whether the fast kernels can be used: AVX2 with FMA, or NEON.
    pub fast_kernels: bool,
    /// Memory in all, bytes; a container's own limit where there is one.
    pub memory_total: u64,
    /// Memory that can be had without swapping, bytes.
    pub memory_available: u64,
    /// Free bytes on the disk of the folder that was asked about.
    pub disk_free: u64,
    /// Graphics cards with a driver.
    pub gpus: Vec<Gpu>,
    /// What can be trained here.
    pub verdict: Verdict,
}

impl Machine {
    /// Looks at this machine, and at the disk that holds `folder` (which need not exist yet).
    pub fn read(folder: &Path) -> Self {
        let kind =
            RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::everything());
        let system = System::new_with_specifics(kind).ok();
        let cpus = system.as_ref().map(System::cpus).unwrap_or_default();
        let threads = cpus.len().max(1);
        let cores = System::physical_core_count().unwrap_or(threads).clamp(1, threads);
        let limits = system.as_ref().map(memory::limits).unwrap_or_default();
        let cpu = cpus.first().map(|cpu| cpu.brand().trim().to_owned()).filter(|name| !name.is_empty());
        Self {
            os: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
            architecture: System::cpu_arch(),
            cpu: cpu.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: cores as u32,
            threads: threads as u32,
            fast_kernels: fast_kernels(),
            memory_total: limits.total,
            memory_available: limits.available,
            disk_free: disk_free(folder).unwrap_or(0),
            gpus: gpu::read(Path::new("/proc/driver/nvidia/gpus")),
            verdict: verdict(limits.available, cores as u32),
        }
    }
}

/// Free bytes on the disk that holds `folder`, or that would hold it; `None` where the system does not tell.
pub fn disk_free(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let existing: PathBuf = folder.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage()).ok()?;
    let holding = disks.iter().filter(|disk| existing.starts_with(disk.mount_point()));
    // The innermost mount wins, and the last one when several lie on the same folder.
    holding.max_by_key(|disk| disk.mount_point().components().count()).map(sysinfo::Disk::available_space)
}

#[cfg(target_arch = "x86_64")]
fn fast_kernels() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn fast_kernels() -> bool {
    cfg!(target_arch = "aarch64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_core_memory_and_a_disk() {
        let machine = Machine::read(&std::env::temp_dir());
        assert!(machine.cores >= 1 && machine.cores <= machine.threads);
        assert!(machine.memory_available > 0 && machine.memory_available <= machine.memory_total);
        assert!(machine.disk_free > 0);
        assert!(!machine.cpu.is_empty() && !machine.os.is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not/yet/there");
        assert!(disk_free(&missing).is_some_and(|free| free > 0));
    }
}
