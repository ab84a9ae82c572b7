#!/bin/bash
# Everything that a machine with an NVIDIA card can check, also one without Rust:
#
#     tests/parity/card.sh PROGRAMS OUT
#
# PROGRAMS is a folder with the worker and the test programs, each stripped, under the names used below. `cargo xtask build-cuda` leaves the
# compiler in `cuda/unpacked/nvidia/cu13` and the stand-ins in `cuda/stand-ins` of xtask's cache. With CUDA_HOME, CUDA_PATH and CUDA_ROOT set to the
# former, NVCC to its bin/nvcc, CUDA_COMPUTE_CAP=80 and LIBRARY_PATH to the latter, this makes the programs and names their files:
#
#     cargo build --package hone --features cuda
#     cargo test --no-run --package hone --package hone-model --package hone-train --features hone/cuda \
#         --test families_golden --test objectives_golden --test engine --lib
#
# The tests look for the repository and the worker where they were built. Python has PyTorch for the card, transformers, peft and gguf.
# Each part writes its output to OUT; a part that fails does not keep the others from running.
set -u
programs=$(realpath "$1") out=$2
mkdir -p "$out" && out=$(realpath "$out")
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
libraries=$(find / -xdev \( -name 'libcublas.so.13' -o -name 'libcurand.so.10' -o -name 'libcudart.so.13' \) -exec dirname {} + 2>/dev/null | sort -u | paste -sd:)
export LD_LIBRARY_PATH="$libraries:${LD_LIBRARY_PATH:-}" HONE_TEST_DEVICE=cuda:0 HONE_PARITY_PYTHON=this HONE_MODELS="$scratch/models"
mkdir -p "$HONE_MODELS" && cp tests/parity/golden/families/gemma3.gguf "$HONE_MODELS"

part() { # name, seconds, command: runs it, says how it ended
    local name=$1 seconds=$2
    shift 2
    timeout "$seconds" "$@" >"$out/$name.txt" 2>&1
    echo "$name: $? after $SECONDS s"
}

nvidia-smi >"$out/card.txt" 2>&1
# Alone and first: the driver compiles the kernels for this card once and keeps them.
part doctor 120 "$programs/hone" doctor
tail -n 3 "$out/doctor.txt"
(cd crates/model && part engine 150 "$programs/engine" device:: --test-threads 4 --nocapture) &
(cd crates/cli && part families 150 "$programs/families_golden" --test-threads 4) &
(cd crates/cli && part objectives 150 "$programs/objectives_golden" --test-threads 4) &
(cd crates/train && part runs 150 "$programs/hone_train" a_run_ --test-threads 2) &
for seed in 101 201 301 401; do
    mkdir "$scratch/$seed"
    part "shapes-$seed" 150 python3 tests/parity/shapes.py --hone "$programs/hone" --cache "$scratch/$seed" --device cuda:0 --seed $seed --count 8 &
done
wait
part bench 240 python3 tests/parity/card.py --hone "$programs/hone" --cache "$scratch" --rounds 1 --only gemma-shape qwen --out "$out/benchmarks.md"
grep -hE 'FAILED|panicked|^test result|^shapes:' "$out"/*.txt
