"""``lok spawn TASK``: agents work on the parts of a task side by side, and one answer sums up."""

from __future__ import annotations

import click

from pytest_lok.cli.composed import ACCEPTS, able_backends, opened, run_text, text_of, toml_option
from pytest_lok.cli.options import OptionsCommand
from pytest_lok.errors import UsageError
from pytest_lok.late_regex import late_regex

_NAME = late_regex(r"[A-Za-z][A-Za-z0-9_-]*")


def _spawn(words: tuple[str, ...], agents: tuple[str, ...], toml: bool) -> int:
    from pytest_lok.verbs.spawn import Agent, part_arguments, spawn_report, spawn_text

    parts = _parts(agents)
    call, project = opened()
    task = text_of(words, "task")
    names = able_backends(call, project, task)
    named = [
        Agent(name=name, task=part, backends=tuple(able_backends(call, project, part)))
        for name, part in parts.items()
    ]
    return run_text(
        call,
        project,
        spawn_text(names, named),
        stem="spawn",
        values={"task": task, **part_arguments(named)},
        report=spawn_report,
        printed=toml,
    )


def _parts(agents: tuple[str, ...]) -> dict[str, str]:
    """The tasks of the agents by their names; UsageError for anything that is not NAME:TASK."""
    parts: dict[str, str] = {}
    for text in agents:
        name, colon, part = (piece.strip() for piece in text.partition(":"))
        if not colon or not part or not _NAME.fullmatch(name):
            raise UsageError(
                f"--agent {text!r} is not NAME:TASK",
                hint='for example --agent "api:Build the REST endpoints"; names have letters, digits, _, -',
            )
        if name in parts:
            raise UsageError(f"there are two agents `{name}`", hint="give each a name of its own")
        parts[name] = part
    return parts


command = OptionsCommand(
    "spawn",
    callback=_spawn,
    params=[
        click.Argument(["words"], metavar="TASK", nargs=-1, required=True),
        click.Option(
            ["-a", "--agent", "agents"],
            multiple=True,
            metavar="NAME:TASK",
            help="An agent and its part; repeat for several.  [default: a first question makes the plan]",
        ),
        toml_option(),
    ],
    accepts=ACCEPTS,
    help="""Part TASK among two to four agents, run them side by side, and sum up what they say. -a
    NAME:TASK names the agents instead; then each part goes to the backend that suits it best. An agent
    only answers: it changes no file, unless the tool behind its backend is allowed to.

    \b
    Exit codes:  0  every agent answered, and there is a summary
                 3  an agent or the summary failed; the others' answers are
                    printed all the same
    """,
)
