from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.edits.edits import FileChange
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.files import Files


class Crash(BaseException):
    """The process dies here."""


class Dying(Sequence[FileChange]):
    """Changes that end the process when the n-th of them is about to be written."""

    def __init__(self, changes: Sequence[FileChange], at: int, die: str = "raise") -> None:
        self._changes, self._at, self._die, self._passes = changes, at, die, 0

    def __iter__(self) -> Iterator[FileChange]:
        self._passes += 1
        for number, change in enumerate(self._changes):
            if self._passes == 2 and number == self._at:
                if self._die == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise Crash
            yield change

    def __len__(self) -> int:
        return len(self._changes)

    @overload
    def __getitem__(self, index: int) -> FileChange: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[FileChange]: ...
    def __getitem__(self, index: int | slice) -> FileChange | Sequence[FileChange]:
        return self._changes[index]


def edited(
    root: Path, state: Path, changes: Sequence[FileChange], *, keep: bool = True, crash: bool = False
) -> None:
    async def one() -> None:
        files = Files(root, state)
        if not crash:
            async with files.transaction() as transaction:
                transaction.write(changes)
                if keep:
                    transaction.commit()
            return
        begun = await files.transaction().__aenter__()
        with pytest.raises(Crash):
            begun.write(changes)

    asyncio.run(one())


def tree(root: Path) -> dict[str, tuple[bytes, int] | None]:
    """Everything below a directory: bytes and mode of files, None for directories."""
    return {
        str(path.relative_to(root)): None
        if path.is_dir()
        else (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (made / "run.sh").write_bytes(b"#!/bin/sh\r\necho \xff\n")
    (made / "run.sh").chmod(0o755)
    (made / "a.py").write_bytes(b"a\n")
    return made


CHANGES = [
    FileChange(file="run.sh", before=b"#!/bin/sh\r\necho \xff\n", after=b"changed"),
    FileChange(file="new/deep/file.txt", before=None, after=b"new"),
    FileChange(file="a.py", before=b"a\n", after=b"b\n"),
]


def test_what_is_kept_stays_with_its_permissions(root: Path, tmp_path: Path) -> None:
    edited(root, tmp_path / "state", CHANGES)
    assert (root / "run.sh").read_bytes() == b"changed"
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o755
    assert (root / "new/deep/file.txt").read_bytes() == b"new"
    assert sorted(path.name for path in root.iterdir()) == ["a.py", "new", "run.sh"]


def test_what_is_not_kept_is_restored_with_times_and_directories(root: Path, tmp_path: Path) -> None:
    before, when = tree(root), (root / "a.py").stat().st_mtime_ns
    edited(root, tmp_path / "state", CHANGES, keep=False)
    assert tree(root) == before
    assert (root / "a.py").stat().st_mtime_ns == when


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_process_killed_between_two_writes_is_undone_at_the_next_start(
    root: Path, tmp_path: Path, at: int
) -> None:
    before = tree(root)
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from tests.workspace.test_files import CHANGES, Dying, edited
        edited(Path({str(root)!r}), Path({str(tmp_path / "state")!r}), Dying(CHANGES, {at}, "kill"))
        """
    )
    died = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], env=dict(os.environ)
    )
    assert died.returncode == -signal.SIGKILL
    assert (tree(root) == before) == (at == 0), "it died where it was meant to"
    edited(root, tmp_path / "state", [])
    assert tree(root) == before


@settings(max_examples=60, deadline=None)
@given(
    files=st.dictionaries(
        st.sampled_from(["a", "b", "d/c", "d/e/f"]),
        st.tuples(st.binary(max_size=9), st.sampled_from([0o600, 0o755])),
    ),
    targets=st.lists(st.sampled_from(["a", "b", "d/c", "d/e/f", "x/y", "z"]), unique=True, min_size=1),
    crash_at=st.none() | st.integers(0, 5),
    keep=st.booleans(),
)
def test_the_tree_is_before_or_after_never_between(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, tuple[bytes, int]],
    targets: list[str],
    crash_at: int | None,
    keep: bool,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    state = tmp_path_factory.mktemp("state")
    for name, (content, mode) in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    before = tree(root)
    old = {name: files[name][0] if name in files else None for name in targets}
    changes = [FileChange(file=name, before=old[name], after=b"after " + name.encode()) for name in targets]
    crashes = crash_at is not None and crash_at < len(changes)
    edited(root, state, Dying(changes, crash_at if crash_at is not None else -1), keep=keep, crash=crashes)
    if crashes:
        edited(root, state, [])
    if crashes or not keep:
        assert tree(root) == before
    else:
        after = tree(root)
        assert {name: (root / name).read_bytes() for name in targets} == {c.file: c.after for c in changes}
        untouched = before.keys() - set(targets)
        assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_one_transaction_at_a_time(root: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    async def one(name: str) -> None:
        async with Files(root, tmp_path / "state").transaction():
            seen.append(f"{name} in")
            await asyncio.sleep(0.02)
            seen.append(f"{name} out")

    async def both() -> None:
        await asyncio.gather(one("x"), one("y"), one("z"))

    asyncio.run(both())
    for entered, left in zip(seen[::2], seen[1::2], strict=True):
        assert entered.split()[0] == left.split()[0]


def test_a_file_that_changes_meanwhile_is_not_overwritten(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_bytes(b"somebody else\n")
    before = tree(root)
    with pytest.raises(StepUnableError, match="changed while"):
        edited(root, tmp_path / "state", CHANGES)
    assert tree(root) == before


def reading(root: Path, tmp_path: Path, path: str) -> bytes | None:
    async def one() -> bytes | None:
        async with Files(root, tmp_path / "state").transaction() as transaction:
            return transaction.read(path)

    return asyncio.run(one())


def test_reading(root: Path, tmp_path: Path) -> None:
    assert reading(root, tmp_path, "a.py") == b"a\n"
    assert reading(root, tmp_path, "no/such/file") is None
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("s")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "file-link").symlink_to(tmp_path / "outside/secret")
    os.mkfifo(root / "fifo")
    (root / "hard").hardlink_to(tmp_path / "outside/secret")
    for path, why in [
        ("link/secret", "symbolic link"),
        ("file-link", "symbolic link"),
        ("fifo", "no regular file"),
        ("hard", "hard link"),
        ("a.py/x", "no directory"),
    ]:
        with pytest.raises(ValueError, match=why):
            reading(root, tmp_path, path)


def test_who_only_looks_reads_every_regular_file_but_through_no_link(root: Path, tmp_path: Path) -> None:
    files = Files(root, tmp_path / "state")
    (root / "link").symlink_to(root / "a.py")
    (root / "hard").hardlink_to(root / "a.py")
    os.mkfifo(root / "fifo")
    assert files.read("a.py") == files.read("hard") == b"a\n"
    assert files.read("no/such/file") is files.read("fifo") is files.read(".") is None
    with pytest.raises(ValueError, match="symbolic link"):
        files.read("link")
    assert not (tmp_path / "state").exists()


def test_a_directory_that_becomes_a_link_is_not_written_through(root: Path, tmp_path: Path) -> None:
    """The race between check and write: the parent is swapped for a link to the outside."""
    (root / "d").mkdir()
    (root / "d/f").write_bytes(b"x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"x")

    class Swapping(Dying):
        def __iter__(self) -> Iterator[FileChange]:
            for change in super().__iter__():
                if self._passes == 2:
                    (root / "d").rename(root / "moved")
                    (root / "d").symlink_to(outside)
                yield change

    changes = [FileChange(file="d/f", before=b"x", after=b"y")]
    with pytest.raises(StepUnableError, match="could not be undone"):
        edited(root, tmp_path / "state", Swapping(changes, -1))
    assert (outside / "f").read_bytes() == b"x"
