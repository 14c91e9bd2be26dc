"""`python -m tools.faults.soak [SECONDS [SEED]]`: runs with faults, in one process and in many. What leaks?

A server and a process with many runs live all the time. Beside them, sessions of pytest and single runs
begin and end, and a few are killed. The exit code is 1 after a leak, a false green, or a run that was
not green without a fault.
"""

from __future__ import annotations

import json
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.faults.draws import RATE, RULES, draw
from tools.faults.soaking import FALSE_GREEN, PROJECT_FILE, leaks, wrong
from tools.faults.surfaces import OLD_JUNIT, OLD_SARIF
from tools.faults.trial import LOK, PYTEST, ROOT, alive, environment

SETTINGS = """
[defaults]
backend = "server"
[backends.server]
type = "openai"
base_url = "{url}/v1"
model = "fake"
"""
REPORTS = {
    LOK: ("--report", "junit=r.xml", "--report", "sarif=r.sarif"),
    PYTEST: ("--junitxml=r.xml", "--lok-report=sarif=r.sarif"),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
KEPT = 20  # records, which is lok's default
SETTLED = 3  # records more than that may be those of runs that were killed while the next one began


@contextmanager
def _server(place: Path) -> Iterator[str]:
    """The address of a server that is a process of its own."""
    (place / "rules.json").write_text(json.dumps(RULES))
    words = ["--port", "0", "--port-file", "port", "--rules", "rules.json"]
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "fake_llm_api.py"), *words],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (place / "port").exists() or not (place / "port").read_text().strip():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{(place / 'port').read_text().strip()}"
    finally:
        server.kill()
        server.wait()


def _project(place: Path, name: str, url: str) -> Path:
    project = place / name
    (project / PROJECT_FILE).parent.mkdir(parents=True)
    (project / "lok.toml").write_text(SETTINGS.replace("{url}", url))
    return project


def _process(project: Path, dice: random.Random, number: int, environ: Mapping[str, str]) -> dict[str, Any]:
    """One run in a process of its own, sometimes killed: what was wrong with it."""
    drawn = draw(dice, number)
    (project / PROJECT_FILE).write_text(drawn.text)
    (project / "proof").unlink(missing_ok=True)
    (project / "r.xml").write_text(OLD_JUNIT)
    (project / "r.sarif").write_text(OLD_SARIF)
    words = dice.choice((LOK, PYTEST))
    kill = dice.choice(SIGNALS) if dice.random() < 2 * RATE else None
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, *words, *REPORTS[words]],
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        if kill is not None:
            # when lok has taken the old reports away, the run has begun
            while (project / "r.sarif").exists() and process.poll() is None:
                time.sleep(0.01)
            time.sleep(dice.random() * 0.5)
            process.send_signal(kill)
        try:
            code: int | None = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
        found = wrong(drawn, code, project, killed=kill is not None)
        out.seek(0)
        said = out.read().decode(errors="replace")[-2000:] if found else ""
    return {"faults": drawn.faults, "wrong": found, "said": said, "killed": kill is not None}


def soak(seconds: float, seed: int) -> int:
    """Soak for so long, print what was seen, and return the exit code."""
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="lok-soak-") as name, _server(Path(name)) as url:
        place = Path(name)
        one, many = _project(place, "one", url), _project(place, "many", url)
        environ = environment(place, token)
        with (place / "runs.jsonl").open("w") as out, (place / "errors").open("w") as errors:
            command = [sys.executable, "-m", "tools.faults.one_process", str(seed), str(seconds)]
            lasting = subprocess.Popen(command, cwd=one, env=environ, stdout=out, stderr=errors)
            dice, end = random.Random(seed + 1), time.monotonic() + seconds
            processes: list[dict[str, Any]] = []
            while time.monotonic() < end:
                processes.append(_process(many, dice, len(processes), environ))
            code = lasting.wait(120)
        runs = [json.loads(line) for line in (place / "runs.jsonl").read_text().splitlines()]
        problems = (
            [] if code == 0 else [f"the one process ended with {code}: {(place / 'errors').read_text()}"]
        )
        left = {
            "processes": alive(token),
            "temporary files": sorted(it.name for it in Path(environ["TMPDIR"]).iterdir()),
        }
        records = [len(list((project / ".lok" / "runs").glob("*-*"))) for project in (one, many)]
    problems += (f"one process: {it}" for it in leaks([run["held"] for run in runs]))
    problems += (f"left: {name}: {', '.join(them)}" for name, them in left.items() if them)
    problems += (f"{count} records are kept" for count in records if count > KEPT + SETTLED)
    print(f"seed {seed}, {seconds:g} s")
    _told("one process", runs)
    if runs:
        first, last = runs[len(runs) // 5]["held"], runs[-1]["held"]
        print("  holds", ", ".join(f"{name} {first[name]} -> {last[name]}" for name in last))
    _told("many processes", processes)
    print("  left:", ", ".join(f"{len(them)} {name}" for name, them in left.items()), "; records:", *records)
    for run in (*runs, *processes):
        problems += (f"{it} (faults: {', '.join(run['faults'])})\n{run['said']}" for it in run["wrong"])
    for problem in problems:
        print(f"!! {problem}")
    greens = sum(FALSE_GREEN in it for run in (*runs, *processes) for it in run["wrong"])
    print(f"problems: {len(problems)}, false greens: {greens}")
    return int(bool(problems))


def _told(name: str, runs: list[dict[str, Any]]) -> None:
    faults = sum(bool(run["faults"]) for run in runs)
    killed = sum(run.get("killed", False) for run in runs)
    print(f"{name}: {len(runs)} runs, {faults} with faults" + (f", {killed} killed" if killed else ""))


if __name__ == "__main__":
    given = [*sys.argv[1:], *("180", "1")[len(sys.argv) - 1 :]]
    sys.exit(soak(float(given[0]), int(given[1])))
