"""`python -m tools.faults.one_process SEED SECONDS`: many runs in this process, and what it held after each.

The current directory is the project. Each line of the output is a run, as JSON: its faults, what was wrong
with it, and the descriptors, threads, children, temporary files and memory of the process.
"""

from __future__ import annotations

import gc
import io
import json
import os
import random
import sys
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from pytest_lok.cli.main import main as lok
from tools.faults.draws import draw
from tools.faults.soaking import PROJECT_FILE, wrong


def held() -> dict[str, int]:
    """What this process holds now; memory in KiB."""
    gc.collect()
    me = Path("/proc/self")
    children = "".join(task.read_text() for task in me.glob("task/*/children"))
    return {
        "descriptors": len(list((me / "fd").iterdir())),
        "threads": threading.active_count(),
        "children": len(children.split()),
        "temporary files": len(list(Path(os.environ["TMPDIR"]).iterdir())),
        "memory": int((me / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024,
    }


def main(seed: str, seconds: str) -> None:
    """Run until the time is over."""
    dice, end, number = random.Random(seed), time.monotonic() + float(seconds), 0
    while time.monotonic() < end:
        number += 1
        drawn = draw(dice, number)
        PROJECT_FILE.write_text(drawn.text)
        Path("proof").unlink(missing_ok=True)
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = lok(["w", "--report", "junit=r.xml", "--report", "sarif=r.sarif"])
        line = {"faults": drawn.faults, "wrong": wrong(drawn, code, Path()), "held": held()}
        if line["wrong"]:
            line["said"] = said.getvalue()[-2000:]
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
