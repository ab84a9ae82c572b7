"""What the benchmarks share: a command's output, time and peak memory, the machine's name, and a table kept between two marker lines."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path


def measured(command, **more):
    """Runs a command; what it printed, and its peak memory in bytes. Ends the program when the command fails."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **more) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}\n{printed}")
    return printed, usage.ru_maxrss * 1024


def last_object(printed, key):
    """The last line that is a JSON object with this key: a worker's result event or a plain object."""
    line = next(line for line in reversed(printed.splitlines()) if line.startswith("{") and f'"{key}"' in line)
    value = json.loads(line)
    return value.get("value", value)


def processor():
    """The processor's name and its logical cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line for line in lines if line.startswith("flags")), "")
    vectors = "AVX-512" if " avx512f" in flags else "AVX2" if " avx2" in flags else "no AVX2"
    return f"{name} ({vectors}), {os.cpu_count()} logical cores"


def save(text, path, name, title):
    """Puts `text` between the marker lines `name` of a Markdown file; appends them under `title` where they are missing."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = f"{begin}\n{text}\n{end}"
    path = Path(path)
    old = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    if begin in old:
        head, rest = old.split(begin, 1)
        old = head + text + rest.split(end, 1)[1]
    else:
        old = old.rstrip("\n") + f"\n\n## {title}\n\n{text}\n"
    path.write_text(old, encoding="utf-8")
