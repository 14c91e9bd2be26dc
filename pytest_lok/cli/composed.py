"""The text of a verb's workflow -> the run of it, with a report of the verb's own on stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.core.results import RunResult
    from pytest_lok.wiring import Project

ACCEPTS = (
    "backend",
    "timeout",
    "max_parallel",
    "cache",
    "trust",
    "verbose",
    "json",
    "output",
    *COMMON_OPTIONS,
)


def toml_option() -> click.Option:
    """``--toml``: print the workflow file instead of running it."""
    return click.Option(
        ["--toml"],
        is_flag=True,
        help="Print the workflow file of this verb and run nothing; in .lok/workflows/ it replaces the verb.",
    )


def opened() -> tuple[Invocation, Project]:
    """This call and its project, which the user trusts; UsageError otherwise."""
    from pytest_lok.cli.trust import require_trust

    call = Invocation.of(click.get_current_context())
    return call, require_trust(call, call.project())


def text_of(words: Iterable[str], what: str) -> str:
    """The words of the command line as one text; UsageError if it is empty. ``what`` names it: "task"."""
    text = " ".join(words)
    if not text.strip():
        raise UsageError(f"the {what} is empty", hint=f"give the {what} in quotes")
    return text


def able_backends(call: Invocation, project: Project, task: str) -> list[str]:
    """The backends of ``-b`` in that order, else those that can answer, the best for the task first.

    BackendError with the reason of each if none can.
    """
    from pytest_lok.core.workflow.model import EVERYBODY

    if call.options.backend not in ("", EVERYBODY):
        return list(project.settings.members(project.settings.defaults.backends))
    from pytest_lok.engine.asking.route import route, routes

    world = project.world()
    names = [one.backend for one in routes(task, world) if one.problem is None]
    return names or [route(task, world).backend]


def without_results(call: Invocation) -> Invocation:
    """The call of a verb that has a document of its own: what it runs prints no results."""
    return replace(call, options=replace(call.options, json=False, output=None, quiet=True))


def run_facts(results: Sequence[RunResult]) -> dict[str, object]:
    """What the document of such a verb says of its runs: how the last one ended, and what all have used."""
    from pytest_lok.core.results import NO_USAGE

    reasons = [step.reason for result in results for step in result.steps.values() if step.reason]
    usage = sum((result.usage for result in results), NO_USAGE)
    return {"outcome": results[-1].outcome if results else None, "reasons": reasons, "usage": usage}


def run_text(
    call: Invocation,
    project: Project,
    text: str,
    *,
    stem: str,
    values: Mapping[str, str],
    report: Callable[[RunResult], str],
    printed: bool,
) -> int:
    """Run the workflow of this text with these arguments; returns the exit code.

    ``printed``: nothing is run, and the text itself is the result (``--toml``).
    """
    if printed:
        call.deliver(text)
        return 0
    from pytest_lok.cli.run import run_plan
    from pytest_lok.core.workflow.plan import Plan

    plan = Plan.of(project.catalog.written(stem, text), named=values)
    return run_plan(call, project, plan, report=report)
