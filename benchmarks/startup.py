"""What the start of a verb costs: CPU time of the whole process against `python -c pass`, side by side."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Ratio, Row, output_of, spend

ROUNDS = 9
SHOWN = 10
"""Imports that are shown."""

VERBS: dict[str, tuple[Sequence[str], float | None]] = {
    "lok --help": (("--help",), 4.5),
    "lok run, one shell step": (("run", "one"), 15),
    "lok ask, a tool that answers at once": (("ask", "-b", "tool", "what?"), 18),
    "lok workflow list": (("workflow", "list"), 10),
    "lok suggest": (("suggest", "find bugs"), 10),
    "lok backends": (("backends",), 10),
    "lok plan": (("plan", "one"), None),
    "lok workflow validate": (("workflow", "validate"), None),
    "lok schema": (("schema",), None),
}


def rows() -> Iterator[Row]:
    """The least of several rounds for each verb, then the imports that cost a run the most."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _write_project(root)
        # the script that is installed, as people start it
        lok = [sys.executable, str(Path(sys.executable).with_name("lok"))]
        commands = {"pass": [sys.executable, "-c", "pass"]}
        commands |= {what: [*lok, *arguments] for what, (arguments, _) in VERBS.items()}
        for command in commands.values():
            spend(command, cwd=root)  # the first one writes the bytecode
        costs: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(ROUNDS):
            for what, command in commands.items():
                costs[what].append(spend(command, cwd=root).cpu)
        floor = min(costs["pass"])
        for what, (_, goal) in VERBS.items():
            yield Row(
                group="CPU time of the start / `python -c pass`, each the least of its rounds",
                what=what,
                ratio=Ratio.least(costs[what], floor),
                goal=goal,
                note=f"{min(costs[what]) * 1000:.0f} ms",
            )
        run = commands["lok run, one shell step"]
        yield Row(
            group="the same where no bytecode can be kept",
            what="lok run, one shell step",
            ratio=Ratio.least([spend(run, cwd=root, **_NO_BYTECODE).cpu for _ in range(3)], floor),
        )
        timed = [run[0], "-X", "importtime", *run[1:]]
        yield from _imports([output_of(timed, cwd=root) for _ in range(ROUNDS)], floor)


_NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/nonexistent"}


def _imports(reports: Sequence[str], floor: float) -> Iterator[Row]:
    """The dearest imports in reports of `-X importtime`: each at its least, without what it imports."""
    found: dict[str, int] = {}
    for report in reports:
        for own, module in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", report):
            found[module] = min(int(own), found.get(module, int(own)))
    dearest = sorted(((own, module) for module, own in found.items()), reverse=True)[:SHOWN]
    for own, module in dearest:
        yield Row(
            group=f"the {SHOWN} dearest of {len(found)} imports of `lok run`, wall time / `python -c pass`",
            what=module,
            ratio=own / 1e6 / floor,
            note=f"{own / 1000:.1f} ms",
        )


def _write_project(root: Path) -> None:
    """A project with a workflow of one step, and a tool that answers."""
    (root / ".lok" / "workflows").mkdir(parents=True)
    (root / ".lok" / "workflows" / "one.toml").write_text('[[steps]]\nname = "a"\nshell = "true"\n')
    tool = root / "tool"
    tool.write_text("#!/bin/sh\ncat >/dev/null\necho yes\n")
    tool.chmod(0o755)
    settings = root / ".config" / "lok"
    settings.mkdir(parents=True)
    (settings / "lok.toml").write_text(f"[backends.tool]\ntype = 'command'\ncommand = '{tool}'\n")
