"""Request -> which of the project's workflows a session collects, which steps of them, and why not others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from pytest_lok.core.workflow.model import Step, Workflow
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import WorkflowError
from pytest_lok.plugin.request import UNFILED_PREFIX
from pytest_lok.plugin.session import LokSession

SELECTION = pytest.StashKey["WorkflowSelection"]()
"""Where nodes find the selection of their session: pytest makes them, so nobody hands it to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfiledWorkflow:
    """A workflow whose file is not in the project, or is broken: its node id is ``lok/NAME``.

    ``loaded`` is the workflow, or what is wrong with it. ``steps`` are those that were named; none means all.
    """

    name: str
    loaded: Workflow | WorkflowError
    steps: frozenset[str] = frozenset()


class WorkflowSelection:
    """Which workflows a session collects.

    ``files`` are the workflow files that were named, each with its named steps (none means all).
    ``unfiled`` are named workflows without a file in the project. ``whole_project``: ``--lok`` asks for every
    workflow that is collected by default, and pytest comes past their directory. ``requested_files`` are the
    files of all workflows that were asked for, whether or not pytest comes to them; ``is_typed``: somebody
    typed that they are to be run.
    """

    def __init__(self, session: LokSession) -> None:
        self.session = session
        self.files: dict[Path, frozenset[str]] = dict(session.request.files)
        self.unfiled: list[UnfiledWorkflow] = []
        self.whole_project = session.request.whole_project
        self.requested_files: list[Path] = []
        self.is_typed = False
        self._steps_at: dict[str, dict[str, tuple[Workflow, Step]] | None] = {}

    def is_collected(self, file: Path) -> bool:
        """Whether this session collects a file of the project's workflows directory."""
        return file in self.files or (self.whole_project and not self.exclusion_reason(file))

    def selected_steps(self, file: Path) -> frozenset[str]:
        """The steps that were asked for, where the whole file was not; none means all.

        pytest drops an argument below another one, and then walks the whole file.
        """
        if self.whole_project and not self.exclusion_reason(file):
            return frozenset()
        return self.files.get(file, frozenset())

    def exclusion_reason(self, file: Path) -> str:
        """Why ``--lok`` leaves a workflow out; "" if it does not, as for a broken file, which is shown."""
        try:
            workflow = self.session.load(file)
        except WorkflowError:
            return ""
        missing = self.session.request.arguments.missing(workflow)
        if missing:
            return f"needs --lok-arg {missing[0]}=VALUE"
        if workflow.collect:
            return ""
        return (
            "not collected by default" if workflow.by_name_only else "it reads arguments that have no value"
        )

    @cached_property
    def excluded(self) -> dict[str, str]:
        """The project's workflows that ``--lok`` does not run in this session, by name, and why not."""
        files = [file for file in self.requested_files if file not in self.files]
        return {file.stem: reason for file in files if (reason := self.exclusion_reason(file))}

    @cached_property
    def workflow_files(self) -> list[Path]:
        """The project's workflow files, sorted, whether or not this session collects them."""
        return sorted(self.session.request.workflows_dir.glob("*.toml"))

    def candidates(self) -> Iterator[Workflow]:
        """Every readable workflow this session may run; pytest itself reports a missing file."""
        collected = (file for file in self.workflow_files if self.is_collected(file))
        for file in dict.fromkeys([*filter(Path.is_file, self.files), *collected]):
            try:
                yield self.session.load(file)
            except WorkflowError:
                continue
        yield from (unfiled.loaded for unfiled in self.unfiled if isinstance(unfiled.loaded, Workflow))

    @property
    def is_broken(self) -> bool:
        """Whether a workflow that was looked at cannot be read."""
        unfiled = any(isinstance(unfiled.loaded, WorkflowError) for unfiled in self.unfiled)
        return unfiled or self.session.has_broken_files

    def step_at(self, nodeid: str) -> tuple[Workflow, Step] | None:
        """The step with that node id; None if the id is none of a step of this session's workflows."""
        parent, _, name = nodeid.partition("::")
        if parent not in self._steps_at:
            workflow = self._workflow_at(parent)
            by_name = {step.name: (workflow, step) for step in workflow.steps} if workflow else None
            self._steps_at[parent] = by_name
        steps = self._steps_at[parent]
        return None if steps is None else steps[name]

    def _workflow_at(self, nodeid: str) -> Workflow | None:
        for unfiled in self.unfiled:
            if nodeid == UNFILED_PREFIX + unfiled.name and isinstance(unfiled.loaded, Workflow):
                return unfiled.loaded
        session = self.session
        # node ids are relative to rootdir, and lead out of it by ".." if the project lies elsewhere
        file = Path(os.path.normpath(session.config.rootpath / nodeid))
        if file in self.files or (file.parent == session.request.workflows_dir and file.suffix == ".toml"):
            return session.load(file)
        return None
