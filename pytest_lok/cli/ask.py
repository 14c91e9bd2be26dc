"""``lok ask PROMPT``: one question to several backends, each answer printed when it is there."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.core.events import Event
    from pytest_lok.engine.ports import World
    from pytest_lok.settings import Settings


def _ask(words: tuple[str, ...]) -> int:
    from contextlib import closing

    from pytest_lok.cli.execute import execute
    from pytest_lok.cli.progress_lines import ProgressLines
    from pytest_lok.cli.trust import require_trust
    from pytest_lok.cli.views import view
    from pytest_lok.core.events import StepFinished
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.reports.console import answer, duration, summary
    from pytest_lok.reports.json_report import json_report
    from pytest_lok.verbs.ask import ask_exit_code, ask_workflow

    call, everybody = _whom(Invocation.of(click.get_current_context()))
    text = _question(" ".join(words))
    project = require_trust(call, call.project())
    wanted = call.options.cache
    project = project.caching(project.settings.cache.enabled if wanted is None else wanted)
    world = project.world()
    everybody = everybody or "backend" not in project.settings.defaults.written
    names = _everybody(call, world) if everybody else _named(project.settings, text, world)
    if not call.json:
        call.terminal.note(
            f"asking {', '.join(_with_model(name, project.settings, world) for name in names)}"
        )
    lines = ProgressLines(verbose=call.options.verbose, finished=False)
    quiet = call.options.json and not call.options.verbose
    progress = view(call.terminal, lines, color=call.color, quiet=quiet)
    print_early = not call.json and call.options.output is None

    def on_event(event: Event) -> None:
        if print_early and isinstance(event, StepFinished):
            with progress.paused():
                call.terminal.result(f"{answer(event.result, backend=event.result.name)}\n\n")

    plan = Plan.of(ask_workflow(text, names, tolerant=everybody))
    with closing(call.record(project, plan, world)) as record:
        result, code = execute(plan, world, progress, on_event, record=record)
        answered = any(step.passed for step in result.steps.values())
        code = record.end(code or ask_exit_code(result))
    if call.options.verbose:
        times = (f"{name} {duration(step.seconds)}" for name, step in result.steps.items())
        call.terminal.note(f"times: {', '.join(times)}")
    silent = not answered and not result.interrupted
    if call.json:
        call.deliver(json_report(result, code))
    elif not print_early:
        call.deliver("\n\n".join(answer(step, backend=name) for name, step in result.steps.items()))
    verdict = f"ask: nobody answered ({len(names)} asked)" if silent else summary(result)
    progress.say([("error" if silent else result.outcome, verdict)])
    record.warn(call.terminal.note)
    return code


def _with_model(name: str, settings: Settings, world: World) -> str:
    """The backend, and the model that will be asked, as far as lok and not the backend decides."""
    from pytest_lok.engine.ports import HasServer

    backend = world.backends[name]
    model = settings.backends[name].model or (backend.usual_model() if isinstance(backend, HasServer) else "")
    return f"{name} ({model})" if model else name


def _whom(call: Invocation) -> tuple[Invocation, bool]:
    """The call without ``-b all``, which is no name of the settings, and whether everybody is asked."""
    from pytest_lok.core.workflow.model import EVERYBODY
    from pytest_lok.settings import split_names

    names = split_names(call.options.backend)
    if EVERYBODY not in names:
        return call, call.options.everybody
    return replace(call, options=replace(call.options, backend="")), True


def _question(prompt: str) -> str:
    if prompt == "-":
        prompt = sys.stdin.read() if sys.stdin is not None else ""
    if not prompt.strip():
        raise UsageError("there is nothing to ask", hint="give a prompt, or - to read it from standard input")
    return prompt


def _named(settings: Settings, text: str, world: World) -> list[str]:
    """Whom ``-b`` or the settings name: the settings have refused a name that is unknown."""
    from pytest_lok.core.workflow.model import AUTO
    from pytest_lok.engine.asking.route import route

    names = settings.members(settings.defaults.backends)
    return list(dict.fromkeys(route(text, world).backend if name == AUTO else name for name in names))


def _everybody(call: Invocation, world: World) -> list[str]:
    """Whoever can answer and need not be named; BackendError with each problem if nobody can."""
    from pytest_lok.engine.asking.route import everybody, nobody
    from pytest_lok.errors import BackendFault

    found = everybody(world)
    able = [route.backend for route in found if route.problem is None]
    if not able:
        raise nobody(found, world)
    for route in found if call.options.verbose and not call.json else ():
        why = world.only_by_name.get(route.backend)
        if why and route.problem and route.problem.kind is BackendFault.DISABLED:
            call.terminal.note(f"{route.backend} is left out: {why}")
    return able


command = OptionsCommand(
    "ask",
    callback=_ask,
    params=[
        click.Argument(["words"], nargs=-1, required=True, metavar="PROMPT...|-"),
    ],
    accepts=(
        "backend",
        "everybody",
        "timeout",
        "max_parallel",
        "cache",
        "trust",
        "verbose",
        "json",
        "output",
        *COMMON_OPTIONS,
    ),
    helps={
        "backend": "Ask these backends: a name, a,b, all, or auto.",
        "everybody": "Ask every backend that can answer.",
        "timeout": "Limit of one attempt: seconds, 90s, 5m; 0 = none.",
        "max_parallel": "How many backends are asked at once.",
        "cache": "Print a recent answer to the same question again, and keep new ones.  "
        "[default: what [cache] says]",
        "verbose": "Print the prompt, the times, and who is left out.",
    },
    help="""Ask PROMPT (- reads it from standard input), and print each answer when it is there. Several words
    are one question. Whom it asks is said before anything is spent.

    It asks the `backend` of [defaults] in lok.toml, or those that -b a,b names: then each of them must
    answer. With --all (or -b all), and without either, it asks every backend that can answer, and one
    answer is enough. A scripted backend, and the API of a provider whose tool is installed, are asked only
    where they are named. -v prints the prompt as it is asked, the times, and who is left out and why.

    If the same question was answered less than a day ago, that answer is printed again, with `(cached)`.
    The answer of a tool that reads the project is printed again only if git sees no change in the
    project since then. With --no-cache everybody is asked anew.

    \b
    Exit codes:  0  answered as just said
                 3  a named backend gave no answer, or nobody did
    """,
)
