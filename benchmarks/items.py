"""The plugin inside pytest: idle, with one step, with 10,000 steps, and while it collects 1,000 files."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.measure import Cost, Ratio, Row, paired, pytest_command, spend

ITEMS = 10_000
FEWER_ITEMS = 2000
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
FILES_HERE = "pathlib.Path('.lok/workflows').glob('*.toml')"
READ = f"import pathlib, tomli; [tomli.loads(p.read_text()) for p in {FILES_HERE}]"
BARE = """
import pytest, tomli

def pytest_collect_file(file_path, parent):
    return File.from_parent(parent, path=file_path)

class File(pytest.File):
    def collect(self):
        steps = tomli.loads(self.path.read_text())["steps"]
        return [Item.from_parent(self, name=step["name"]) for step in steps]

class Item(pytest.Item):
    def runtest(self):
        pass
"""


def rows() -> Iterator[Row]:
    """CPU time, and memory for many items."""
    with tempfile.TemporaryDirectory() as name:
        yield from idle(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from start(Path(name))
    with tempfile.TemporaryDirectory() as name:
        yield from many(Path(name))
    for refer in (False, True):
        with tempfile.TemporaryDirectory() as name:
            yield from collection(Path(name), refer=refer)


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


def start(root: Path) -> Iterator[Row]:
    """A session of one test and one step, against the test alone: what it takes to have workflows at all."""
    (root / ".lok" / "workflows").mkdir(parents=True)
    (root / "test_one.py").write_text("def test_one(): pass\n")
    (root / ".lok" / "workflows" / "one.toml").write_text('[[steps]]\nname = "one"\nshell = "true"\n')
    group = "CPU of a session of one test and one shell step"
    for what, extra in (
        ("with --lok / without", {}),
        ("no bytecode can be written", {"PYTHONDONTWRITEBYTECODE": "1"}),
    ):
        ratio = paired(
            partial(installed_alone, root, extra, "--lok"), partial(installed_alone, root, extra), runs=9
        )
        yield Row(group=group, what=what, ratio=ratio, goal=1.5)


def installed_alone(root: Path, extra: Mapping[str, str], *options: str) -> float:
    """CPU of a session with the plugins of an environment that has this package and nothing else."""
    plugins = ("-p", "pytest_lok.plugin.hooks", "-p", "anyio.pytest_plugin")
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *options]
    return spend(command, cwd=root, **extra, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1").cpu


def many(root: Path) -> Iterator[Row]:
    """Steps that ask an offline backend, against plain functions; a session of one is taken off each."""
    for count in (1, FEWER_ITEMS, ITEMS):
        steps, functions = root / f"steps{count}", root / f"functions{count}"
        (steps / ".lok" / "workflows").mkdir(parents=True)
        (steps / "lok.toml").write_text(SCRIPTED)
        (steps / ".lok" / "workflows" / "many.toml").write_text(asks(count))
        functions.mkdir()
        (functions / "test_many.py").write_text("".join(f"def test_{n}(): pass\n" for n in range(count)))
    ours: list[Cost] = []
    plain: list[Cost] = []
    for _ in range(3):
        plain.append(grown(pytest_command(), root / "functions1", root / f"functions{ITEMS}"))
        ours.append(grown(pytest_command("--lok"), root / "steps1", root / f"steps{ITEMS}"))
    group = f"{ITEMS} steps that do nothing / {ITEMS} plain functions"
    cpus = [a.cpu / b.cpu for a, b in zip(ours, plain, strict=True)]
    peaks = [a.peak / b.peak for a, b in zip(ours, plain, strict=True)]
    yield Row(group=group, what="CPU", ratio=statistics.median(cpus), goal=1)
    yield Row(group=group, what="memory", ratio=statistics.median(peaks), goal=1.5)
    fewer = root / f"steps{FEWER_ITEMS}"
    few = [grown(pytest_command("--lok"), root / "steps1", fewer).cpu for _ in ours]
    yield Row(
        group="CPU per step that does nothing",
        what=f"of {ITEMS} / of {FEWER_ITEMS}",
        ratio=Ratio.median([a.cpu / ITEMS / (b / FEWER_ITEMS) for a, b in zip(ours, few, strict=True)]),
        goal=1.2,
        note="more where something loops over all steps for each",
    )


def grown(command: list[str], one: Path, all_: Path) -> Cost:
    """What the command costs in one project more than in the other, where there is less to do."""
    less, more = spend(command, cwd=one), spend(command, cwd=all_)
    return Cost(wall=more.wall - less.wall, cpu=more.cpu - less.cpu, peak=more.peak - less.peak)


def collection(root: Path, *, refer: bool) -> Iterator[Row]:
    """``--collect-only`` over many files, against reading and parsing them; starting up is taken off."""
    one, many = root / "one", root / "many"
    for project, count in ((one, 1), (many, FILES)):
        files = project / ".lok" / "workflows"
        files.mkdir(parents=True)
        (project / "lok.toml").write_text(SCRIPTED)
        (project / "bare.py").write_text(BARE)
        for number in range(count):
            (files / f"w{number}.toml").write_text("".join(review(number, n, refer=refer) for n in range(10)))
    ours = pytest_command("--collect-only", "--lok")
    bare = pytest_command("--collect-only", "-p", "no:lok", "-p", "bare", ".lok/workflows")
    read = [sys.executable, "-c", READ]

    def over_reading(command: list[str]) -> float:
        return paired(lambda: grown(command, one, many).cpu, lambda: grown(read, one, many).cpu, runs=3)

    group = f"CPU of collecting {FILES} workflow files of 10 steps, 2 KB / reading and tomli"
    if refer:
        yield Row(group=group, what="prompts that refer to the step before", ratio=over_reading(ours))
        return
    yield Row(group=group, what="prompts of plain text", ratio=over_reading(ours), goal=8)
    yield Row(
        group=group,
        what="a plugin that reads them and makes bare items",
        ratio=over_reading(bare),
        note="what pytest itself takes for so many items",
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
