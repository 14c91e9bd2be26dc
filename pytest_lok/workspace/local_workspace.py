"""A directory as the workspace of a run."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_lok.core.remote import Artifact
from pytest_lok.core.results import Json
from pytest_lok.engine.ports import CommandSpec, RunLock
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
        self.read, self.transaction = files.read, files.transaction
        self.comparison, self.text_at_base = git.comparison, git.text_at_base
        self.file_names, self.tree_names, self.commits = git.file_names, git.tree_names, git.commits
        self.snapshot = git.snapshot
        self._which = which
        self._nested = nested

    @property
    def root(self) -> str:
        """The directory, as an absolute path."""
        return str(self._root)

    def run_lock(self, *, alone: bool) -> RunLock:
        """See ``engine.ports.Workspace``; a nested run needs no lock."""
        return NoLock() if self._nested else self._files.run_lock(alone=alone)

    def project(self) -> Mapping[str, Json]:
        """``language`` ("" = unknown), ``root`` and ``tools`` of the directory."""
        language, tools = self._detected
        return {"language": language, "root": self.root, "tools": list[Json](sorted(tools))}

    def artifacts(self, patterns: Sequence[str]) -> Mapping[str, Artifact]:
        """See ``engine.remote.ports``; the limits are those of what comes back from other places."""
        from pytest_lok.workspace.travel.artifacts import collect

        return collect(self._root, patterns)

    def take_in(self, files: Mapping[str, Artifact]) -> None:
        """See ``engine.remote.ports``; directories on the way are made."""
        for name, made in files.items():
            self._files.put(name, made.content, executable=made.executable)

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
        language, tools = self._detected
        presets = VerifyPresets(root=self._root, language=language, tools=tools, which=self._which)
        return presets.command(preset)

    @functools.cached_property
    def _detected(self) -> tuple[str, frozenset[str]]:
        return detect(self._root)
