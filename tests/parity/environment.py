"""Runs the calling script inside a virtual environment that holds exactly `requirements.txt`."""

import os
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def enter(cache):
    """Makes `cache/venv` if needed (several GB, once) and starts this script again with its Python.

    Returns when this already is that Python, or with `HONE_PARITY_PYTHON=this`: the packages are then taken as they are, for a machine
    with a graphics card, whose PyTorch is another build. The environment is filled anew when `requirements.txt` changed. `cargo xtask`
    makes the same environment with the same stamp.
    """
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error",
                      PYTHONWARNINGS="ignore")
    if os.environ.get("HONE_PARITY_PYTHON") == "this":
        return
    venv = Path(cache).resolve() / "venv"
    if Path(sys.prefix).resolve() == venv:
        return
    python = venv / "bin" / "python"
    wanted = REQUIREMENTS.read_text()
    stamp = venv / "hone-requirements.txt"
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"parity: installing the pinned Python packages into {venv}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted)
    os.execv(python, [str(python), *sys.argv])
