"""``lok backends``: what is configured, of which type, and why one cannot answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.terminal import columns

if TYPE_CHECKING:
    from pytest_lok.wiring import Project


def backend_states(project: Project) -> list[dict[str, object]]:
    """Facts about each configured backend for a table or JSON, in the order of preference."""
    configured, backends = project.settings.backends, project.world(shown=True).backends
    found = []
    for name, backend in backends.items():
        problem = backend.unavailable()
        settings = configured.get(name)
        found.append(
            {
                "name": name,
                "type": settings.type if settings else "",
                "model": settings.model if settings else "",
                "enabled": settings.enabled if settings else True,
                "available": problem is None,
                "problem": problem.message if problem else "",
                "hint": problem.hint if problem else "",
            }
        )
    return found


def _backends() -> int:
    from pytest_lok.cli.trust import with_distrust_note
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    found = backend_states(with_distrust_note(call, call.project()))
    if call.json:
        call.deliver(dumps(found))
        return 0
    rows = [("NAME", "TYPE", "MODEL", "STATE")]
    for state in found:
        says = ": ".join(filter(None, [str(state["problem"]) or "available", str(state["hint"])]))
        rows.append((str(state["name"]), str(state["type"]), str(state["model"]) or "-", says))
    call.deliver(columns(rows))
    return 0


command = OptionsCommand(
    "backends",
    callback=_backends,
    accepts=("json", "output", *COMMON_OPTIONS),
    short_help="Show the configured backends, and why one cannot be used.",
    help="""Show every configured backend in the order of preference: its type, its model ("-" = its own
    default), and whether it can answer. Nothing is asked and nothing is spent.
    """,
)
