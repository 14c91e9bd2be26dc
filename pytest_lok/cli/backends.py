"""``lok backends``: what is configured, of which type, and why one cannot answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.terminal import columns
from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_lok.wiring import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendState:
    """What is known of a backend without a question.

    ``model`` "" = its own default. ``problem`` is why it cannot answer, with a ``hint``; "" = it can.
    ``by_name`` is why it is asked only where it is named, "" = it need not be. ``is_written``: a settings
    file speaks of it. ``is_keyless``: no file speaks of it, and its key is not there, so nobody misses it.
    """

    name: str
    type: str
    model: str
    enabled: bool
    problem: str
    hint: str
    by_name: str
    is_written: bool
    is_keyless: bool

    def document(self) -> dict[str, object]:
        """The state as JSON shows it."""
        return {
            "name": self.name,
            "type": self.type,
            "model": self.model,
            "enabled": self.enabled,
            "available": not self.problem,
            "problem": self.problem,
            "hint": self.hint,
            "only_by_name": self.by_name,
        }

    @property
    def shown_problem(self) -> str:
        """The problem for a line that begins with the backend's name."""
        return self.problem.removeprefix(f"{self.name}: ").removeprefix(f"{self.name} ")


def backend_states(project: Project) -> list[BackendState]:
    """Each backend, in the order of preference; servers are looked at."""
    from pytest_lok.engine.asking.route import problem_of
    from pytest_lok.engine.ports import HasServer

    configured, choice = project.settings.backends, project.choice
    found = []
    for name, backend in choice.backends.items():
        problem, settings = problem_of(backend), configured[name]
        by_name = choice.only_by_name.get(name, "")
        server_model = backend.usual_model() if isinstance(backend, HasServer) and problem is None else ""
        found.append(
            BackendState(
                name=name,
                type=settings.type,
                model=settings.model or server_model,
                enabled=settings.enabled,
                problem=problem.message if problem else "",
                hint=problem.hint if problem else "",
                by_name="" if problem else by_name,
                is_written=name in project.settings.mentioned,
                is_keyless=bool(problem and by_name),
            )
        )
    return found


def _backends() -> int:
    from pytest_lok.cli.trust import with_distrust_note
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    found = backend_states(with_distrust_note(call, call.project()))
    if call.json:
        call.deliver(dumps([state.document() for state in found]))
        return 0
    rows = [("NAME", "TYPE", "MODEL", "STATE")]
    for state in found:
        able = "only where it is named" if state.by_name else "available"
        rows.append((state.name, state.type, state.model or "-", state.shown_problem or able))
    call.deliver(columns(rows, width=call.screen_width, whole=True))
    if any(state.problem for state in found):
        call.terminal.note("`lok doctor` says what to do about each")
    return 0


command = OptionsCommand(
    "backends",
    callback=_backends,
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Show every backend in the order of preference: its type, its model ("-" = its own default), and
    whether it can answer. Nothing is asked and nothing is spent.
    """,
)
