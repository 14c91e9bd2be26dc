"""What the plugin's parts share in one process: the request, the project, the engine, the records."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_lok.core.events import FRESH_START, ResumeState
from pytest_lok.core.workflow.model import Format, Gate, Nested, Step, Workflow
from pytest_lok.engine.background import Background
from pytest_lok.errors import UsageError, WorkflowError
from pytest_lok.plugin.options import STRICTER, fail_on, record_mode, setting_overrides
from pytest_lok.plugin.typed import discard_untyped, typed_ini_value
from pytest_lok.settings import Settings, in_ci
from pytest_lok.store.run_claims import ClaimStore
from pytest_lok.store.runs import RunDirectory
from pytest_lok.wiring import Project
from pytest_lok.wiring.secrecy import redactor_of

if TYPE_CHECKING:
    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import Backend, World
    from pytest_lok.plugin.request import Request
    from pytest_lok.wiring.resume import Resumption

RUN_DIRECTORY = "lok_runs"
"""The key under which an xdist worker is told the directory that its session is recorded in."""


class LokSession:
    """The state of one pytest process; it knows none of the parts that use it.

    ``not_typed`` names the options that do not count, because in CI only the command line may set them.
    ``is_green`` is None until the session has ended, then whether no step of it is red.
    """

    def __init__(self, config: pytest.Config, request: Request, started: float) -> None:
        """``started``: when the session began, in seconds since the epoch. UsageError for wrong settings."""
        self.config = config
        self.request = request
        opened = Project.open(
            request.root,
            environ=_environ(),
            options=setting_overrides(config),
            search_up=False,
            trust=True,  # pytest runs the checkout's conftest.py too
        )
        self.not_typed = discard_untyped(config, os.environ) if in_ci(os.environ) else ()
        opened = opened.recording(record_mode(config)).caching(config.getoption("lok_cache"))
        self.project = replace(opened, since=started)
        self.background = Background()
        self.is_green: bool | None = None
        self._fail_on = fail_on(config)
        self._loaded: dict[Path, Workflow | WorkflowError] = {}

    @cached_property
    def runs(self) -> RunDirectory:
        """Where this session is recorded; the process that started an xdist worker tells it the directory."""
        given = getattr(self.config, "workerinput", {}).get(RUN_DIRECTORY)
        if given:
            return RunDirectory(Path(given))
        words = ("pytest", *self.config.invocation_params.args)
        command = redactor_of(self.project.settings, self.project.environ).value(tuple(map(str, words)))
        return self.project.new_record(command, self.request.root / ".lok" / "runs")

    @cached_property
    def claims(self) -> ClaimStore:
        """Which of this session's processes runs which workflow."""
        worker = getattr(self.config, "workerinput", {}).get("workerid")
        return ClaimStore(self.runs.path, f"worker {worker}" if worker else "pytest")

    @property
    def is_worker(self) -> bool:
        """Whether this process is one of pytest-xdist's workers."""
        return hasattr(self.config, "workerinput")

    @property
    def is_recorded(self) -> bool:
        """Whether anything has been run, or may have been by a worker."""
        return "runs" in self.__dict__

    def close(self) -> None:
        """End the engine whatever it does, and let go of the records. Idempotent."""
        self.background.close()
        if "_resumption" in self.__dict__:
            self._resumption.close()
        try:
            if "claims" in self.__dict__:
                self.claims.close()
            if self.is_recorded and not self.is_worker:
                self._end_record()
        except OSError as lost:
            # without its end the record is one of a killed session, and nobody takes it for green
            warning = f"lok: the record of this session is not whole: {lost}"
            print(warning, file=sys.stderr)
        finally:
            if self.is_recorded:
                self.runs.close()

    def _end_record(self) -> None:
        session = self.config.pluginmanager.get_plugin("session")
        if isinstance(session, pytest.Session) and self.runs.path.is_dir():
            self.runs.end(int(session.exitstatus) or int(self.is_green is False))

    def left_of(self, plan: Plan) -> ResumeState:
        """What an earlier session has left of the workflow, where this one goes on from it.

        With ``--lf`` a selected step that did not pass there is not kept: it was selected to run again.
        """
        if not self.config.getoption("lok_resume"):
            return FRESH_START
        left = self._resumption.newest(plan, self.config.getoption("lok_again"))
        if left is None or not self.config.getoption("lf", False):
            return left or FRESH_START
        red = {
            name
            for name in plan.selected
            if (it := left.recorded.get(name)) and it.result and not it.result.passed and not it.effects
        }
        return replace(left, again=left.again | red)

    @cached_property
    def _resumption(self) -> Resumption:
        from pytest_lok.wiring.resume import Resumption

        return Resumption(self.project.run_store(self.request.root / ".lok" / "runs"))

    def passed_over(self, result: RunResult) -> list[str]:
        """Why this run did not go on from the newest record, where it was to: a line, or none."""
        if not self.config.getoption("lok_resume"):
            return []
        from pytest_lok.wiring.resume import earlier_run, passed_over

        store = self.project.run_store(self.request.root / ".lok" / "runs")
        aside: dict[str, str] = {}
        earlier = earlier_run(store, result.path, result.workflow, aside.__setitem__)
        return [passed_over(result.workflow, earlier, aside)] if aside else []

    def load(self, file: Path) -> Workflow:
        """The project's workflow in this file, read once; WorkflowError holds every mistake in it."""
        if file not in self._loaded:
            try:
                self._loaded[file] = self._with_fail_on(self.project.load(file))
            except WorkflowError as error:
                # kept, so that a broken file is parsed once although several hooks ask for it
                self._loaded[file] = error
        loaded = self._loaded[file]
        if isinstance(loaded, WorkflowError):
            raise loaded
        return loaded

    def find(self, name: str) -> Workflow:
        """The workflow of that name, or of the path of a .toml file, seen from where pytest was started."""
        name_or_path = self.config.invocation_params.dir / name if name.endswith(".toml") else name
        return self._with_fail_on(self.project.load(name_or_path))

    @property
    def has_broken_files(self) -> bool:
        """Whether a file that was loaded cannot be read as a workflow."""
        return any(isinstance(loaded, WorkflowError) for loaded in self._loaded.values())

    def node_id(self, file: Path) -> str:
        """The node id of a workflow's file; pytest has none that is the same for every argument above it."""
        return Path(os.path.relpath(file, self.config.rootpath)).as_posix()

    def _with_fail_on(self, workflow: Workflow) -> Workflow:
        """The workflow with the ini key ``lok_fail_on`` in its gate, if it has findings that a gate judges.

        In CI a value that nobody typed only makes a gate stricter.
        """
        finds = workflow.gate is not None or any(s.output_format is Format.FINDINGS for s in workflow.steps)
        if self._fail_on is None:
            return workflow
        if any(isinstance(step.action, Nested) for step in workflow.steps):
            workflow = replace(workflow, steps=tuple(map(self._with_inner_fail_on, workflow.steps)))
        if not finds:
            return workflow
        least = self._fail_on
        typed = not in_ci(os.environ) or typed_ini_value(self.config, os.environ, "lok_fail_on") is not None
        if workflow.gate is not None and not typed:
            least = max(least, workflow.gate.fail_on, key=STRICTER.index)
        return replace(workflow, gate=replace(workflow.gate or Gate(), fail_on=least))

    def _with_inner_fail_on(self, step: Step) -> Step:
        if not isinstance(step.action, Nested):
            return step
        inner = self._with_fail_on(step.action.workflow)
        return replace(step, action=replace(step.action, workflow=inner))

    def world_of(self, settings: object, backends: object) -> World:
        """The world made of the fixtures' values; UsageError for values that are nothing of the kind."""
        if not isinstance(settings, Settings):
            raise UsageError(f"the fixture lok_settings gave {type(settings).__name__}, not Settings")
        if not isinstance(backends, Mapping) or not all(hasattr(b, "ask") for b in backends.values()):
            raise UsageError("the fixture lok_backends must give a mapping of names to backends")
        return self.world(settings, backends)

    def world(self, settings: Settings, backends: Mapping[str, Backend] | None = None) -> World:
        """The world of this moment, with the environment that fixtures have made by now."""
        from pytest_lok.store.artifacts import RecordedArtifacts

        world = replace(self.project, settings=settings, environ=_environ()).world(backends)
        return replace(world, artifacts=RecordedArtifacts(lambda: self.runs.path))


def _environ() -> dict[str, str]:
    """A copy: pytest writes its own variable into the real one at every phase, while commands start."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
