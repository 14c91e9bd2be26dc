"""``lok team TASK``: the best backend answers, and another one gives a second opinion if asked to."""

from __future__ import annotations

import click

from pytest_lok.cli.composed import ACCEPTS, able_backends, opened, run_text, text_of, toml_option
from pytest_lok.cli.options import OptionsCommand
from pytest_lok.errors import UsageError


def _team(words: tuple[str, ...], debate: bool, toml: bool) -> int:
    from pytest_lok.verbs.team import team_report, team_text

    call, project = opened()
    task = text_of(words, "task")
    names = able_backends(call, project, task)
    if debate and len(names) < 2:
        raise UsageError(
            f"a second opinion needs a second backend, and only {names[0]} is there",
            hint="`lok doctor` shows what is missing; without --debate one backend is enough",
        )
    return run_text(
        call,
        project,
        team_text(names, debate=debate),
        stem="team",
        values={"task": task},
        report=team_report,
        printed=toml,
    )


command = OptionsCommand(
    "team",
    callback=_team,
    params=[
        click.Argument(["words"], metavar="TASK", nargs=-1, required=True),
        click.Option(
            ["--debate"], is_flag=True, help="Ask another backend for a second opinion on the answer."
        ),
        toml_option(),
    ],
    accepts=ACCEPTS,
    help="""Ask the backend that suits TASK best. With --debate somebody else than the first gets the task
    and the answer, and says whether they agree. -b a,b names both, in that order.

    \b
    Exit codes:  0  everybody who was asked answered, whether they agree or not
                 3  somebody gave no valid answer
    """,
)
