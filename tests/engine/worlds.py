"""Worlds for engine tests: real processes, scripted backends, workflows as TOML text."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.events import Event
from pytest_lok.core.remote import Artifact, Snapshot
from pytest_lok.core.results import Json, Outcome, RunResult
from pytest_lok.core.text.inclusion import NamedText
from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.engine.ports import Backend, CommandSpec, Comparison, Limits, World
from pytest_lok.engine.run import run
from pytest_lok.workspace.files import Files, FileTransaction
from pytest_lok.workspace.git import Git
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.run_lock import FileRunLock
from pytest_lok.workspace.travel.artifacts import collect


@dataclass
class Tree:
    """A workspace that detects nothing but what it was given."""

    root: str
    facts: dict[str, Json] = field(default_factory=dict)
    preset: str = "true"

    def project(self) -> Mapping[str, Json]:
        return self.facts

    def verify_command(self, preset: str) -> str:
        return self.preset

    def run_lock(self, *, alone: bool) -> FileRunLock:
        return self._files.run_lock(alone=alone)

    def checkpoint(self, message: str) -> CommandSpec | None:
        return None

    def transaction(self) -> AbstractAsyncContextManager[FileTransaction]:
        return self._files.transaction()

    def read(self, path: str) -> bytes | None:
        return self._files.read(path)

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        return await self._git.comparison(paths)

    async def file_names(self) -> frozenset[str]:
        return await self._git.file_names()

    async def tree_names(self) -> frozenset[str]:
        return await self._git.tree_names()

    async def commits(self) -> tuple[str, str]:
        return "", ""

    async def text_at_base(self, path: str) -> str | None:
        return await self._git.text_at_base(path)

    async def snapshot(self) -> Snapshot:
        return await self._git.snapshot()

    def artifacts(self, patterns: Sequence[str]) -> Mapping[str, Artifact]:
        return collect(Path(self.root), patterns)

    def take_in(self, files: Mapping[str, Artifact]) -> None:
        for name, made in files.items():
            self._files.put(name, made.content, executable=made.executable)

    @property
    def _git(self) -> Git:
        return Git(self.root, LocalProcesses(self.root, {"PATH": os.environ["PATH"]}), ["main"])

    @property
    def _files(self) -> Files:
        return Files(self.root, Path(self.root).parent / "state")


def world(
    root: Path,
    *backends: Backend | Scripted,
    limits: Limits | None = None,
    env: Mapping[str, str] | None = None,
) -> World:
    base = {"PATH": os.environ["PATH"], **(env or {})}
    return World(
        backends={backend.name: backend for backend in backends},
        shell=LocalProcesses(root, base),
        workspace=Tree(str(root)),
        env=base,
        limits=limits or Limits(),
    )


def workflow(
    text: str, origin: Origin = Origin.PROJECT, inner: Mapping[str, str] = MappingProxyType({})
) -> Workflow:
    """The workflow of a text, whose steps may run the ``inner`` ones by name; it is called `w` itself."""
    every = {**inner, "w": text}

    def source(name: str) -> SourceText:
        return SourceText(text=every[name], path=f"{name}.toml", stem=name, origin=origin)

    return parse_workflow(
        source("w"),
        parent=lambda name, child: None,
        texts=Texts(),
        inner=lambda name, file: source(name) if name in every else None,
    )


class Texts:
    """Prompts and instructions of any name, each of which says its name."""

    def prompt(self, name: str) -> NamedText:
        return NamedText(text=f"This is {name}.", name=name, path=f".lok/prompts/{name}")

    def instruction(self, path: str) -> NamedText:
        return NamedText(text=f"Obey {path}.", name=path, path=path)


@dataclass
class Ran:
    """A finished run, its events, and short ways to ask about them."""

    result: RunResult
    events: list[Event]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {name: step.outcome for name, step in self.result.steps.items()}

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def ran(
    text: str,
    within: World,
    *,
    fail_fast: bool = False,
    origin: Origin = Origin.PROJECT,
    inner: Mapping[str, str] = MappingProxyType({}),
    **arguments: str,
) -> Ran:
    """Run a workflow to its end."""
    return run_plan(Plan.of(workflow(text, origin, inner), named=arguments), within, fail_fast=fail_fast)


def run_plan(plan: Plan, within: World, *, fail_fast: bool = False) -> Ran:
    """Run a plan to its end."""
    events: list[Event] = []
    return Ran(asyncio.run(run(plan, within, events.append, fail_fast=fail_fast)), events)
