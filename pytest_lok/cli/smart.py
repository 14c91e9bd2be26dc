"""``lok smart TASK``: the best backend for a task answers."""

from __future__ import annotations

import click

from pytest_lok.cli.composed import ACCEPTS, able_backends, opened, run_text, text_of, toml_option
from pytest_lok.cli.options import OptionsCommand


def _smart(words: tuple[str, ...], toml: bool) -> int:
    from pytest_lok.verbs.team import ANSWER, smart_text

    call, project = opened()
    task = text_of(words, "task")
    text = smart_text(able_backends(call, project, task))
    return run_text(
        call,
        project,
        text,
        stem="smart",
        values={"task": task},
        report=lambda result: result.steps[ANSWER].output if result.steps[ANSWER].passed else "",
        printed=toml,
    )


command = OptionsCommand(
    "smart",
    callback=_smart,
    params=[click.Argument(["words"], metavar="TASK", nargs=-1, required=True), toml_option()],
    accepts=ACCEPTS,
    help="""Ask the backend that suits TASK best, and print its answer. If that backend gives no valid
    answer, the next one is asked. `lok suggest TASK` shows the order; -b a,b gives another one.

    \b
    Exit codes:  0  there is an answer
                 3  nobody gave one
    """,
)
