"""A directory as the workspace of a run."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from pytest_lok.core.results import Json
from pytest_lok.engine.ports import CommandSpec, Comparison, RunLock, Transaction
from pytest_lok.workspace.detection import detect
from pytest_lok.workspace.files import Files
from pytest_lok.workspace.git import Git
from pytest_lok.workspace.run_lock import NoLock
from pytest_lok.workspace.verify_presets import VerifyPresets, Which


class LocalWorkspace:
    """An ``engine.ports.Workspace``: a directory, its ``files`` and its ``git`` repository.

    Its language and tools are detected once, when they are first asked for. ``which`` says where a program
    is installed; None = nowhere. ``nested`` = this run is inside a step of another run.
    """

    def __init__(
        self, root: Path, *, files: Files, git: Git, which: Which = shutil.which, nested: bool = False
    ) -> None:
        self._root = root
        self._files = files
        self._git = git
        self._which = which
        self._nested = nested

    @property
    def root(self) -> str:
        """The directory, as an absolute path."""
        return str(self._root)

    def run_lock(self, *, alone: bool) -> RunLock:
        """See ``engine.ports.Workspace``; a nested run needs no lock."""
        return NoLock() if self._nested else self._files.run_lock(alone=alone)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """The edits of one step; see ``engine.ports.Workspace``."""
        return self._files.transaction()

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; see ``engine.ports.Workspace``."""
        return self._files.read(path)

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        """What the change did to these files; see ``engine.ports.Workspace``."""
        return await self._git.comparison(paths)

    async def file_names(self) -> frozenset[str]:
        """The path of every file; see ``engine.ports.Workspace``."""
        return await self._git.file_names()

    async def text_at_base(self, path: str) -> str | None:
        """The text of a file on the base; see ``engine.ports.Workspace``."""
        return await self._git.text_at_base(path)

    def project(self) -> Mapping[str, Json]:
        """``language`` ("" = unknown), ``root`` and ``tools`` of the directory."""
        language, tools = self._detected
        return {"language": language, "root": self.root, "tools": list[Json](sorted(tools))}

    def checkpoint(self, message: str) -> CommandSpec | None:
        """The checkpoint command of git-agent, where that is installed and has a session (as in lok)."""
        try:
            session = (self._root / ".agent" / "current").read_text("utf-8")
        except (OSError, ValueError):
            return None
        if not session.strip() or self._which("git-agent") is None:
            return None
        return CommandSpec(argv=("git-agent", "checkpoint", "-m", message))

    def verify_command(self, preset: str) -> str:
        """The shell command of a preset; see ``VerifyPresets.command``."""
        return VerifyPresets(self._root, *self._detected, self._which).command(preset)

    @functools.cached_property
    def _detected(self) -> tuple[str, frozenset[str]]:
        return detect(self._root)
