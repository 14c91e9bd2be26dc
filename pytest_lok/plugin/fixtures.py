"""The object behind the ``lok`` fixture: workflows and questions from inside a Python test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from pytest_lok.core.results import RunResult
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import AUTO, EVERYBODY, Ask, Origin, Step, Strategy, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.errors import UsageError
from pytest_lok.reports.console import closing, details, status
from pytest_lok.reports.failure_text import table_of
from pytest_lok.reports.untrusted import escape_untrusted

if TYPE_CHECKING:
    from pytest_lok.core.results import Json
    from pytest_lok.engine.ports import Backend
    from pytest_lok.plugin.runner import WorkflowRunner
    from pytest_lok.plugin.session import LokSession
    from pytest_lok.settings import Settings

_POLL_INTERVAL = 0.2  # seconds; a longer wait would keep Ctrl-C from getting through


class Lok:
    """Runs workflows and asks backends for one test, with the session's settings and backends."""

    def __init__(
        self,
        request: pytest.FixtureRequest,
        session: LokSession,
        runner: WorkflowRunner,
        backends: Mapping[str, Backend],
        settings: Settings,
    ) -> None:
        self._request = request
        self._session = session
        self._runner = runner
        self._backends = backends
        self._settings = settings

    def run(self, workflow: str, /, *values: Json, **arguments: Json) -> RunResult:
        """Run a workflow by its name or the path of its file; a wrong name or argument fails the test.

        ``values`` are its positional arguments. One that is no text counts as its JSON: ``count=3``.
        The result says whether it ``passed``, what every
        step came to, and its ``output``.
        """
        try:
            found = self._session.find(workflow)
            plan = self._session.project.plan(
                found,
                named={name: _text(value) for name, value in arguments.items()},
                positional=[*map(_text, values)],
            )
        except UsageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        return self._run_plan(plan)

    def ask(
        self, prompt: str, *, backend: str | tuple[str, ...] = (), model: str = "", system: str = ""
    ) -> RunResult:
        """Ask a backend (the settings' default, or several: their synthesis); ``output`` is the answer.

        A role is its backends, which agree as it says where it is asked alone. A wrong name fails the
        test.
        """
        given = (backend,) if isinstance(backend, str) else backend
        names = tuple(name.strip() for several in given for name in several.split(","))
        roles = self._settings.roles
        for name in names:
            self._check_backend(name)
        alone = roles.get(",".join(names))
        ask = Ask(
            prompt=Template.literal(prompt),
            backends=tuple(b for name in names for b in (roles[name].backends if name in roles else [name])),
            consensus=Strategy((alone and alone.consensus) or Strategy.SYNTHESIS),
            model=model,
            system=Template.literal(system) if system else None,
        )
        step = Step(name="ask", action=ask)
        return self._run_plan(Plan.of(Workflow(stem="ask", name="ask", steps=(step,), origin=Origin.VERB)))

    def _check_backend(self, backend: str) -> None:
        """Fail the test if a name is neither one of its backends nor a role nor ``auto``."""
        known = sorted({*self._backends, *self._settings.roles})
        if backend not in (*known, AUTO, EVERYBODY):
            error = UsageError(f"no backend is called {backend!r}", hint=f"there are: {', '.join(known)}")
            raise pytest.fail.Exception(str(error), pytrace=False)

    def _run_plan(self, plan: Plan) -> RunResult:
        session = self._session
        try:
            handle = session.background.start(plan, session.world(self._settings, self._backends))
        except UsageError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        self._request.session.addfinalizer(self._runner.end)  # before the backends' fixture is torn down
        try:
            while (result := handle.wait(_POLL_INTERVAL)) is None:
                pass
        except BaseException:  # Ctrl-C, or a time limit of the test: its steps end with it
            handle.cancel("the test that started it was stopped")
            raise
        self._add_report_section(result)
        return result

    def _add_report_section(self, result: RunResult) -> None:
        """Add what happened to the test's report; pytest shows it if the test fails."""
        lines = closing(result)
        for step in result.steps.values():
            lines += [status(step), *(f"    {row}" for row in table_of(step)), *details(step, output=True)]
        self._request.node.add_report_section("call", "lok", escape_untrusted("\n".join(lines)))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
