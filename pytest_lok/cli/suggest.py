"""``lok suggest TASK``: whom ``auto`` would ask, and why."""

from __future__ import annotations

import click

from pytest_lok.cli.composed import text_of
from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.terminal import columns

_UNABLE = 3


def _suggest(words: tuple[str, ...]) -> int:
    from pytest_lok.cli.trust import with_distrust_note
    from pytest_lok.engine.asking.route import routes
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    task = text_of(words, "task")
    found = list(routes(task, with_distrust_note(call, call.project()).choice))
    able = [route for route in found if route.problem is None]
    if call.json:
        plain = [
            {
                "backend": route.backend,
                "why": route.why,
                "available": route.problem is None,
                "problem": route.problem.message if route.problem else "",
            }
            for route in found
        ]
        call.deliver(dumps(plain))
        return 0 if able else _UNABLE
    on_screen = call.screen_width is not None
    rows = [("", "BACKEND", "WHY AND STATE") if on_screen else ("", "BACKEND", "WHY", "STATE")]
    for route in found:
        mark = "->" if route in able[:1] else ""
        problem = route.problem.message if route.problem else "available"
        state = problem.removeprefix(f"{route.backend}: ").removeprefix(f"{route.backend} is ")
        # two columns of sentences are too wide for a screen
        said = (f"{route.why}; {state}",) if on_screen else (route.why, state)
        rows.append((mark, route.backend, *said))
    call.deliver(columns(rows, width=call.screen_width, whole=True))
    if not able:
        call.terminal.note("nobody can answer; `lok doctor` says what to do")
    return 0 if able else _UNABLE


command = OptionsCommand(
    "suggest",
    callback=_suggest,
    params=[click.Argument(["words"], nargs=-1, required=True, metavar="TASK")],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Rank the backends for TASK as `backend = "auto"` does: by the kind of task its words speak of, and
    by the `strengths` of each backend in lok.toml. The arrow is at the one that would be asked: the best
    that can answer. Nothing is asked and nothing is spent.

    \b
    Exit codes:  0  there is one
                 3  no backend can answer
    """,
)
