"""``lok ask PROMPT``: one question to several backends, each answer printed when it is there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import StepUnableError, UsageError

if TYPE_CHECKING:
    from pytest_lok.core.events import Event
    from pytest_lok.core.results import RunResult
    from pytest_lok.engine.ports import Backend


def _ask(prompt: str) -> int:
    from pytest_lok.cli.execute import execute
    from pytest_lok.cli.progress_lines import ProgressLines
    from pytest_lok.cli.trust import require_trust
    from pytest_lok.cli.views import view
    from pytest_lok.core.events import StepFinished
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.reports.console import answer, closing
    from pytest_lok.reports.json_report import json_report
    from pytest_lok.verbs.ask import ask_workflow

    call = Invocation.of(click.get_current_context())
    text = _question(prompt)
    project = require_trust(call, call.project())
    wanted = call.options.cache
    project = project.caching(project.settings.cache.enabled if wanted is None else wanted)
    world, named = project.world(), bool(call.options.backend)
    # `-b` sets defaults.backend, so the settings have refused an unknown name already
    names = (
        project.settings.members(project.settings.defaults.backends) if named else _available(world.backends)
    )
    progress = view(call.terminal, ProgressLines(finished=False), color=call.color)
    print_early = not call.json and call.options.output is None

    def on_event(event: Event) -> None:
        if print_early and isinstance(event, StepFinished):
            with progress.paused():
                call.terminal.result(f"{answer(event.result, backend=event.result.name)}\n\n")

    plan = Plan.of(ask_workflow(text, names, tolerant=not named))
    result, code = execute(plan, world, progress, on_event)
    code = code or _verdict(result)
    call.terminal.note("\n".join(closing(result)))
    if call.json:
        call.deliver(json_report(result, code))
    elif not print_early:
        call.deliver("\n\n".join(answer(step, backend=name) for name, step in result.steps.items()))
    return code


def _question(prompt: str) -> str:
    if prompt == "-":
        prompt = sys.stdin.read() if sys.stdin is not None else ""
    if not prompt.strip():
        raise UsageError("there is nothing to ask", hint="give a prompt, or - to read it from standard input")
    return prompt


def _available(backends: Mapping[str, Backend]) -> list[str]:
    """The backends that can answer; StepUnableError with each problem if none can."""
    problems = {name: backend.unavailable() for name, backend in backends.items()}
    able = [name for name, problem in problems.items() if problem is None]
    if not able:
        why = "; ".join(problem.of(name) for name, problem in problems.items() if problem)
        raise StepUnableError(
            f"no backend is available ({why or 'none is configured'})",
            hint="`lok doctor` says what to do about each",
        )
    return able


def _verdict(result: RunResult) -> int:
    """0 if a backend answered, 3 if none did (a soft failure is no answer)."""
    return 0 if any(step.passed for step in result.steps.values()) else 3


command = OptionsCommand(
    "ask",
    callback=_ask,
    params=[click.Argument(["prompt"], metavar="PROMPT|-")],
    accepts=("backend", "timeout", "max_parallel", "cache", "trust", "json", "output", *COMMON_OPTIONS),
    short_help="Ask backends a question, side by side.",
    help="""Ask several backends PROMPT (- reads it from standard input), and print each answer when it is
    there.

    -b a,b names the backends: then each of them must answer. Without it every available one is
    asked, and one answer is enough.

    An answer to the same question that is younger than a day is given again, and says `(cached)`; so
    it is for a tool that reads the project only while git sees no change in it. --no-cache asks anew.

    \b
    Exit codes:  0  answered as just said
                 3  a named backend gave no answer, or nobody did
    """,
)
