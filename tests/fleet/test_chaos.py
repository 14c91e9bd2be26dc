"""A workflow of 200 steps while workers are killed: the steps count their executions, and the verdict holds."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.clusters import ROOT, DaskProcesses
from tests.fleet.stories import alive
from tests.workspace.test_git_state import ENV, git

STEPS, KILLS = 200, 20
MARK = "0.3000001"  # seconds that each step sleeps


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_workers_that_are_killed_cost_steps_in_error_and_nothing_else(
    cluster: DaskProcesses, tmp_path: Path, seed: int
) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    _write(root / ".lok/workflows/here.toml", _workflow(tmp_path / "here", ""))
    there = "needs = { cores = 0.5 }\nartifacts = []\nretries = {retries}\n"
    _write(root / ".lok/workflows/there.toml", _workflow(tmp_path / "there", there))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    here = json.loads(_lok(root, "here").communicate()[0])["steps"]
    cluster.ensure()
    _write(root / "lok.toml", f'[fleet]\nscheduler = "{cluster.address}"\n')
    run = _lok(root, "there")
    kills = _kill_workers(run, cluster, tmp_path / "there", random.Random(seed))
    out, err = run.communicate(timeout=300)
    ended = time.monotonic()
    report = json.loads(out)
    steps: dict[str, Any] = report["steps"]

    attempts = [line.split() for line in (tmp_path / "there").read_text().splitlines()]
    begun = Counter((name, place) for what, name, place in attempts if what == "begun")
    done = {name for what, name, _ in attempts if what == "done"}
    assert max(begun.values()) == 1  # one execution of each attempt
    by_step = Counter(name for name, _ in begun)
    assert all(count <= steps[name]["attempts"] for name, count in by_step.items())
    errors = {name for name, step in steps.items() if step["outcome"] == "error"}
    assert kills == KILLS
    assert errors, "nobody was hit"
    for name, step in steps.items():
        if step["outcome"] == "passed":
            assert name in done, "a false green"
        if name in errors:
            assert "its outcome is unknown" in step["reason"] or "was not started" in step["reason"], step
        elif step["outcome"] == "skipped":
            assert step["blocked_by"] in errors or here[name]["outcome"] == "skipped"
        else:
            assert (step["outcome"], step["exit_code"]) == (here[name]["outcome"], here[name]["exit_code"])
    assert run.returncode != 0, err
    while alive(MARK):
        assert time.monotonic() - ended < 35
        time.sleep(0.1)
    print(f"seed {seed}: {len(errors)} in error, {Counter(step['outcome'] for step in steps.values())}")


def _workflow(counts: Path, keys: str) -> str:
    """Steps that exit as their number says; each fourth needs the one before, each tenth may be tried again."""
    steps = []
    for number in range(STEPS):
        name = f"s{number}"
        after = f'depends_on = ["s{number - 1}"]\n' if number % 4 == 3 else ""
        note = f"{name} ${{PWD##*/}} >> {counts}"
        text = f"echo begun {note}; sleep {MARK}; echo done {note}; exit {int(number % 7 == 6)}"
        steps.append(
            f"[[steps]]\nname = '{name}'\nshell = '{text}'\n{after}"
            + keys.replace("{retries}", str(int(number % 10 == 9)))
        )
    return "max_parallel = 8\n" + "\n".join(steps)


def _kill_workers(
    run: subprocess.Popen[bytes], cluster: DaskProcesses, counts: Path, numbers: random.Random
) -> int:
    """Kill one worker after the other, each at a random moment of the run; the number of those killed."""
    kills = 0
    while kills < KILLS and run.poll() is None:
        begun = counts.read_text().count("begun") if counts.exists() else 0
        if begun < (kills + numbers.random()) * STEPS / (KILLS + 1):
            time.sleep(0.02)
            continue
        time.sleep(numbers.uniform(0, 0.3))
        cluster.send(numbers.choice(sorted(cluster.workers)), signal.SIGKILL)
        kills += 1
        cluster.ensure()
    return kills


def _lok(root: Path, name: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "pytest_lok.cli.main", "run", name, "--json", "--trust"]
    env = {**ENV, "PYTHONPATH": str(ROOT), "HOME": str(root)}
    return subprocess.Popen(argv, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
