"""``lok conduct TASK``: one backend asks the others, round by round, and then answers."""

from __future__ import annotations

import click

from pytest_lok.cli.composed import ACCEPTS, able_backends, opened, run_text, text_of, toml_option
from pytest_lok.cli.finite_range import FiniteRange
from pytest_lok.cli.options import OptionsCommand
from pytest_lok.errors import UsageError


def _conduct(words: tuple[str, ...], rounds: int | None, calls: int, usd: float | None, toml: bool) -> int:
    from pytest_lok.verbs.conduct import conduct_answer, conduct_report, conduct_text

    call, project = opened()
    task = text_of(words, "task")
    conductor, *others = able_backends(call, project, task)
    if not others:
        raise UsageError(
            f"{conductor} alone has nobody to ask",
            hint=f"`lok doctor` shows what is missing; `lok ask -b {conductor}` asks it alone",
        )
    if "max_tokens" in project.settings.conductor.written:
        call.terminal.note(
            "warning: `max_tokens` of [conductor] has no effect: --max-calls and --max-usd limit a run"
        )
    rounds = rounds or project.settings.conductor.max_rounds
    budget = {"calls": calls, **({"usd": usd} if usd is not None else {})}
    verbose = call.options.verbose
    return run_text(
        call,
        project,
        conduct_text(conductor, others, rounds, budget),
        stem="conduct",
        values={"task": task},
        report=lambda result: (
            conduct_report(result, others, rounds) if verbose else conduct_answer(result, others, rounds)
        ),
        printed=toml,
    )


command = OptionsCommand(
    "conduct",
    callback=_conduct,
    params=[
        click.Argument(["words"], metavar="TASK", nargs=-1, required=True),
        click.Option(
            ["--rounds"],
            type=click.IntRange(1, 20),
            metavar="N",
            help="The most rounds of questions.  [default: max_rounds of [conductor] in lok.toml, else 5]",
        ),
        click.Option(
            ["--max-calls", "calls"],
            type=click.IntRange(min=1),
            default=40,
            show_default=True,
            metavar="N",
            help="The most questions in all.",
        ),
        click.Option(
            ["--max-usd", "usd"],
            type=FiniteRange(min=0, min_open=True),
            metavar="USD",
            help="The most money.  [default: no limit]",
        ),
        toml_option(),
    ],
    accepts=ACCEPTS,
    help="""Let the backend that suits TASK best ask the other ones what it needs, round by round, and then
    answer. -b a,b,c makes a the conductor. After the last round a conclusion is written from all that was
    answered. Who did not answer is named below it. -v prints the questions and answers too.

    \b
    Exit codes:  0  there is an answer
                 2  there is nobody to ask
                 3  a limit was reached or the conductor failed before there was
                    an answer, or not one question was answered
    """,
)
