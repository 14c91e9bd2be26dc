"""The plugin inside pytest: idle, with 10,000 steps, and while it collects 1,000 files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Cost, Row, paired, pytest_command, spend

ITEMS = 10_000
FILES = 1000
SCRIPTED = """
[defaults]
backend = "echo"
max_parallel = 50
[backends.echo]
type = "scripted"
[[backends.echo.replies]]
reply = "ok"
"""
IMPORTS = "import pathlib, sys, tomli"
READ = f"{IMPORTS}; [tomli.loads(p.read_text()) for p in pathlib.Path(sys.argv[1]).glob('*.toml')]"


def rows() -> Iterator[Row]:
    """CPU time, and memory for many items."""
    with tempfile.TemporaryDirectory() as name:
        yield from idle(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from many(Path(name))
    for refer in (False, True):
        with tempfile.TemporaryDirectory() as name:
            yield collection(Path(name), refer=refer)


def idle(root: Path) -> Iterator[Row]:
    """A session of one test that uses no workflow."""
    (root / "test_one.py").write_text("def test_one(): pass\n")
    plain = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly"]
    group = "CPU of a session without workflows"
    yield Row(
        group=group,
        what="with the plugin / with -p no:lok",
        ratio=paired(lambda: cpu(plain, root), lambda: cpu([*plain, "-p", "no:lok"], root), runs=15),
        goal=1.02,
    )
    yield Row(
        group=group,
        what="with anyio's own plugin / with -p no:anyio",
        ratio=paired(lambda: cpu(plain, root), lambda: cpu([*plain, "-p", "no:anyio"], root), runs=9),
        note="httpx brings anyio; -p no:anyio in addopts is the way out",
    )


def many(root: Path) -> Iterator[Row]:
    """Steps that ask an offline backend, against plain functions; what starting up costs is taken off."""
    empty, steps, functions = root / "empty", root / "steps", root / "functions"
    for directory in (empty, steps / ".lok" / "workflows", functions):
        directory.mkdir(parents=True)
    (empty / "test_one.py").write_text("def test_one(): pass\n")
    (functions / "test_many.py").write_text("".join(f"def test_{n}(): pass\n" for n in range(ITEMS)))
    (steps / "lok.toml").write_text(SCRIPTED)
    (steps / ".lok" / "workflows" / "many.toml").write_text(asks(ITEMS))
    start = spend(pytest_command(), cwd=empty)
    ours = spend(pytest_command("--lok"), cwd=steps)
    plain = spend(pytest_command(), cwd=functions)
    group = f"{ITEMS} steps that do nothing / {ITEMS} plain functions"
    yield Row(group=group, what="CPU", ratio=(ours.cpu - start.cpu) / (plain.cpu - start.cpu), goal=1.2)
    yield Row(group=group, what="memory", ratio=_grown(ours, start) / _grown(plain, start), goal=1.5)


def _grown(cost: Cost, start: Cost) -> float:
    return cost.peak - start.peak


def collection(root: Path, *, refer: bool) -> Row:
    """``--collect-only`` over many files, against reading and parsing them; starting up is taken off both."""
    for project, count in (("one", 1), ("all", FILES)):
        files = root / project / ".lok" / "workflows"
        files.mkdir(parents=True)
        (root / project / "lok.toml").write_text(SCRIPTED)
        for number in range(count):
            (files / f"w{number}.toml").write_text("".join(review(number, n, refer=refer) for n in range(10)))
    collect = pytest_command("--collect-only", "--lok")

    def ours() -> float:
        return cpu(collect, root / "all") - cpu(collect, root / "one")

    def floor() -> float:
        start = cpu([sys.executable, "-c", IMPORTS], root)
        return cpu([sys.executable, "-c", READ, str(root / "all" / ".lok" / "workflows")], root) - start

    return Row(
        group=f"CPU of collecting {FILES} workflow files of 10 steps, 2 KB / reading and tomli",
        what="prompts that refer to the step before" if refer else "prompts of plain text",
        ratio=paired(ours, floor, runs=3),
        goal=None if refer else 4,
    )


def review(file: int, step: int, *, refer: bool) -> str:
    """A step of ordinary size; no two prompts are the same text."""
    subject = f"{{{{ steps.s{step - 1}.output }}}}" if refer and step else "the change"
    return f"""[[steps]]
name = "s{step}"
backend = "echo"
timeout = "2m"
retries = 2
prompt = '''
You review file number {file}. Say what is wrong with part {step}, one line each, and nothing else:
{subject}
'''
output_format = "lines"

"""


def asks(count: int) -> str:
    """A workflow of independent steps."""
    return "".join(f'[[steps]]\nname = "s{n}"\nprompt = "say ok"\n\n' for n in range(count))


def cpu(command: list[str], cwd: Path) -> float:
    return spend(command, cwd=cwd).cpu
