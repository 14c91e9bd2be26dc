"""Edits by processes that are killed before any of their system calls, again and again: a state machine.

Whatever happens, what the next process finds is the tree before a transaction or after it.
"""

from __future__ import annotations

import json
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.workspace import crashing

Tree: TypeAlias = dict[str, tuple[bytes, int]]

QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where waiting for the disk takes no time."""

NAMES = ("a", "b", "d/c", "d/e/f", "x/y", "x/z/deep")
CONTENT = st.binary(max_size=6)
EDITS = st.dictionaries(st.sampled_from(NAMES), CONTENT, min_size=1, max_size=4)


class Worker:
    """The program that forks; one for all examples."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", crashing.__name__],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, job: dict[str, object]) -> int:
        """The exit code of a process that did it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(job)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def working() -> Iterator[Worker]:
    worker = Worker()
    try:
        yield worker
    finally:
        worker.close()


class Crashes(RuleBasedStateMachine):
    """``tree`` is what should be there; after a crash, ``after`` is what may be there instead."""

    worker: Worker

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=QUICK))
        self.root, self.state = self.home / "work", self.home / "state"
        self.root.mkdir()
        self.tree: Tree = {}
        self.after: Tree | None = None

    @initialize(
        files=st.dictionaries(st.sampled_from(NAMES), st.tuples(CONTENT, st.sampled_from([0o600, 0o755])))
    )
    def begin(self, files: Tree) -> None:
        for name, (content, mode) in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(mode)
        self.tree = self.found()

    @precondition(lambda self: self.after is None)
    @rule(edits=EDITS, keep=st.booleans())
    def edit(self, edits: dict[str, bytes], keep: bool) -> None:
        assert self.run(edits, keep=keep) == 0
        if keep:
            self.tree = self.edited(edits)
        assert self.found() == self.tree

    @precondition(lambda self: self.after is None)
    @rule(edits=EDITS, keep=st.booleans(), at=st.integers(0, 80))
    def die(self, edits: dict[str, bytes], keep: bool, at: int) -> None:
        code = self.run(edits, keep=keep, dies_at=at)
        if code == -signal.SIGKILL:
            self.after = self.edited(edits) if keep else self.tree
        else:  # it was done before it got so far
            assert code == 0
            self.tree = self.edited(edits) if keep else self.tree

    @precondition(lambda self: self.after is not None)
    @rule(at=st.integers(0, 40))
    def die_while_recovering(self, at: int) -> None:
        if self.run({}, keep=True, dies_at=at) == 0:
            self.recovered()

    @precondition(lambda self: self.after is not None)
    @rule()
    def recover(self) -> None:
        assert self.run({}, keep=True) == 0
        self.recovered()

    def recovered(self) -> None:
        found = self.found()
        assert found in (self.tree, self.after)
        self.tree, self.after = found, None
        (own,) = self.state.iterdir()
        assert not [path for path in own.iterdir() if path.is_dir()], "no journal is left"

    def run(self, edits: dict[str, bytes], *, keep: bool, dies_at: int | None = None) -> int:
        changes = [
            (
                name,
                self.tree[name][0].decode("latin-1") if name in self.tree else None,
                content.decode("latin-1"),
            )
            for name, content in edits.items()
        ]
        job = {"root": str(self.root), "state": str(self.state), "changes": changes, "keep": keep}
        return self.worker.run({**job, "dies_at": dies_at})

    def edited(self, edits: dict[str, bytes]) -> Tree:
        fresh = {name: (content, self.tree.get(name, (b"", NEW))[1]) for name, content in edits.items()}
        return {**self.tree, **fresh}

    def found(self) -> Tree:
        return {
            str(path.relative_to(self.root)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
            for path in self.root.rglob("*")
            if path.is_file()
        }

    def teardown(self) -> None:
        if self.after is not None:
            self.recover()
        assert self.found() == self.tree
        shutil.rmtree(self.home)


def mode_of_new_files() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.touch()
        return stat.S_IMODE(path.stat().st_mode)


NEW = mode_of_new_files()


@pytest.mark.skipif(sys.platform != "linux", reason="forks of a program that has imported much are safe here")
def test_the_tree_is_before_or_after_a_transaction_whenever_processes_die() -> None:
    with working() as worker:
        Crashes.worker = worker
        machine = Crashes.TestCase
        machine.settings = settings(max_examples=40, stateful_step_count=10, deadline=None)
        machine("runTest").runTest()


def test_every_single_system_call_may_be_the_last(tmp_path: Path) -> None:
    """All of them, one after the other, of one transaction with each kind of change."""
    root, state = tmp_path / "work", tmp_path / "state"
    root.mkdir()
    files = {"a": b"one", "b": b"two"}
    for name, content in files.items():
        (root / name).write_bytes(content)
    changes = [("a", "one", "1"), ("new/deep/c", None, "3"), ("b", "two", "2")]
    job = {"root": str(root), "state": str(state), "keep": True}
    outcomes = []
    with working() as worker:
        for at in range(1000):
            code = worker.run({**job, "changes": changes, "dies_at": at})
            assert worker.run({**job, "changes": [], "dies_at": None}) == 0
            found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
            assert found in (files, {"a": b"1", "b": b"2", "new/deep/c": b"3"})
            assert code in (0, -signal.SIGKILL)
            outcomes.append(found == files)
            if code == 0:
                break
            if found != files:
                shutil.rmtree(root / "new")
                for name, content in files.items():
                    (root / name).write_bytes(content)
    assert len(outcomes) > 20, "it died in many places"
    assert outcomes == sorted(outcomes, reverse=True), "before until it was kept, after from then on"
    assert not outcomes[-1]
