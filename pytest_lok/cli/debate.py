"""``lok debate TOPIC``: several backends debate in rounds, and one of them writes the conclusion."""

from __future__ import annotations

import click

from pytest_lok.cli.composed import ACCEPTS, able_backends, opened, run_text, text_of, toml_option
from pytest_lok.cli.options import OptionsCommand
from pytest_lok.errors import UsageError


def _debate(words: tuple[str, ...], rounds: int, toml: bool) -> int:
    from pytest_lok.verbs.debate import debate_text, transcript

    call, project = opened()
    topic = text_of(words, "topic")
    names = able_backends(call, project, topic)
    if len(names) < 2:
        raise UsageError(
            f"one alone is no debate, and only {names[0]} is there",
            hint="`lok doctor` shows what is missing; -b a,b names the debaters",
        )
    return run_text(
        call,
        project,
        debate_text(names, rounds),
        stem="debate",
        values={"topic": topic},
        report=lambda result: transcript(result, topic, names, rounds),
        printed=toml,
    )


command = OptionsCommand(
    "debate",
    callback=_debate,
    params=[
        click.Argument(["words"], metavar="TOPIC", nargs=-1, required=True),
        click.Option(
            ["--rounds"],
            type=click.IntRange(1, 10),
            default=3,
            show_default=True,
            metavar="N",
            help="The most rounds; the debate ends earlier when all agree.",
        ),
        toml_option(),
    ],
    accepts=ACCEPTS,
    help="""Let backends debate TOPIC: all that can answer, or those of -b a,b,c. In round 1 everybody
    states a position. Then everybody sees the others' last position and answers, until all say that they
    agree. One of them writes the conclusion. The transcript goes to stdout, or into the file of -o.

    They agree if each says so and leaves no point open. A debater who gives no valid answer is named in the
    transcript and leaves the debate. N debaters and R
    rounds cost at most N x R + 1 questions.

    \b
    Exit codes:  0  the debate took place, whether they agree or not
                 2  there are fewer than two debaters
                 3  fewer than two were left before all agreed, or there is no
                    conclusion
    """,
)
