"""A plan as text and as plain values."""

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_lok.core.asking.pricing import Price
from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Ask, Budget, ForEach, Shell, Step, Strategy, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.reports.outline import PlannedLimits, outline, outline_document
from pytest_lok.reports.planned.planned_steps import PlannedBackend, PlannedStep
from pytest_lok.reports.questions import QuestionCount

NAMES = VisibleNames(steps=frozenset({"diff"}))
DIFF = Step(name="diff", action=Shell(argv=(Template.literal("git"), Template.literal("diff"))))
VOTE = Step(
    name="vote",
    action=Ask(
        prompt=Template.parse("look at {{ steps.diff.output }}", NAMES),
        backends=("claude", "codex"),
        consensus=Strategy.VOTE,
        repeat=3,
        apply_edits=True,
        verify_preset="python",
    ),
    needs=("diff",),
    when=Condition.parse("steps.diff.output != ''", NAMES),
    for_each=ForEach(inline=("a", "b")),
    asserts=(Condition.parse("output == 'yes'", VisibleNames(own=True)),),
    timeout=5.0,
)
PLAN = Plan.of(
    Workflow(
        stem="gate",
        name="gate",
        steps=(DIFF, VOTE),
        description="Guard",
        path="gate.toml",
        positional_count=1,
    ),
    positional=["main"],
)
STEPS = [
    PlannedStep(step=DIFF),
    PlannedStep(
        step=VOTE,
        asked=(PlannedBackend(backend="claude"), PlannedBackend(backend="codex", problem="not installed")),
        prompt="look at {{ steps.diff.output }}",
    ),
]


def test_a_plan_reads_from_top_to_bottom() -> None:
    assert outline(PLAN, STEPS) == (
        """\
gate: Guard
  command line: gate.toml
  arg.1 = main

1. diff: command
     git diff

2. vote: asks claude, codex (not installed), vote
   after diff
   when steps.diff.output != ''
   for each of 2 items
   3 times
   edits files as the answer says
   verify with the checks of python
   assert output == 'yes'
   prompt, filled in when what it reads is there:
     look at {{ steps.diff.output }}

Estimate: some 96 tokens to send and 6,000 to receive (4 characters a token, 500 tokens an answer).
  not in it: what is put into the prompt of vote; the price of claude, codex
2 steps, 12 questions, at most 24. Nothing was run."""
    )


@pytest.mark.parametrize(
    ("limits", "line"),
    [
        (
            PlannedLimits(commands=16, questions={"claude": 4, "api": 1}),
            "At once: at most 16 commands, 4 questions to claude, 1 question to api.",
        ),
        (PlannedLimits(steps=1), "At once: at most 1 step or item."),
        (
            PlannedLimits(steps=2, questions={"echo": None, "api": 16}),
            "At once: at most 2 steps or items, 16 questions to api.",
        ),
        (PlannedLimits(questions={"echo": None}), ""),
    ],
)
def test_a_plan_says_what_runs_at_once(limits: PlannedLimits, line: str) -> None:
    *_, above, _, _, _ = outline(PLAN, STEPS, limits=limits).split("\n")
    assert above == line


def test_a_plan_for_programs_holds_the_same() -> None:
    document = outline_document(PLAN, STEPS)
    assert document["arguments"] == {"1": "main"}
    assert document["selected"] == ["diff", "vote"]
    assert document["steps"] == [
        {
            "name": "diff",
            "case": None,
            "needs": (),
            "when": None,
            "for_each": False,
            "timeout": None,
            "kind": "shell",
            "command": "git diff",
            "unknown": (),
        },
        {
            "name": "vote",
            "case": None,
            "needs": ("diff",),
            "when": "steps.diff.output != ''",
            "for_each": True,
            "timeout": 5.0,
            "kind": "ask",
            "questions": QuestionCount(usual=6, most=12),
            "backends": STEPS[1].asked,
            "consensus": Strategy.VOTE,
            "prompt": "look at {{ steps.diff.output }}",
            "prompt_known": False,
        },
    ]


def test_nothing_in_it_commands_a_terminal() -> None:
    step = Step(name="a", action=Shell(argv=(Template.literal("echo"), Template.literal("\x1b[2J"))))
    plan = Plan.of(Workflow(stem="w", name="w", steps=(step,), description="\x1b[31m\u202e"))
    text = outline(plan, [PlannedStep(step=step)])
    assert text.startswith("w: \\x1b[31m\\u202e\n")
    assert "\x1b" not in text


def planned(prices: Sequence[Price | None], *, known: bool = True, **more: Any) -> PlannedStep:
    ask = Ask(prompt=Template.literal("x" * 400), backends=("a", "b")[: len(prices)], consensus=Strategy.VOTE)
    asked = [PlannedBackend(backend=name, price=it) for name, it in zip("ab", prices, strict=False)]
    step = Step(name="s", action=ask, **more)
    return PlannedStep(step=step, asked=asked, prompt="x" * 400, prompt_known=known)


CHEAP = Price(input=10.0, output=100.0)
OPEN = ForEach(expression=Condition.parse_value("arg.list", VisibleNames(arguments=frozenset({"list"}))))


@pytest.mark.parametrize(
    ("step", "budget", "lines"),
    [
        (
            planned([CHEAP, CHEAP]),
            None,
            ["Estimate: some 200 tokens to send and 1,000 to receive, $0.1020 (4 characters a token, 500 tokens an answer)."],
        ),
        (planned([CHEAP, None]), Budget(usd=1.0), [
            "Estimate: some 200 tokens to send and 1,000 to receive, $0.0510 (4 characters a token, 500 tokens an answer).",
            "  not in it: the price of b",
            "  usd: nobody knows; the run ends if b does not say what an answer costs",
        ]),
        (planned([CHEAP, CHEAP]), Budget(usd=0.1, tokens=1_200, calls=3), [
            "  calls: all 2 questions, and 1 that asks again",
            "  tokens: the estimate is within the limit",
            "  usd: the estimate is more than the limit",
        ]),
        (planned([CHEAP, CHEAP]), Budget(usd=0.2, tokens=1_199, calls=1), [
            "  calls: 1 of 2 questions, then the run ends",
            "  tokens: the estimate is more than the limit",
            "  usd: the estimate is within the limit",
        ]),
        (planned([CHEAP, CHEAP]), Budget(calls=4), ["  calls: all questions"]),
        (planned([CHEAP, CHEAP]), Budget(calls=2), ["  calls: all 2 questions, and none that ask again"]),
        (planned([CHEAP], known=False, for_each=OPEN), Budget(calls=500), [
            "Estimate: none, for nobody knows yet what is asked.",
            "  not in it: the items of s",
            "  calls: at most 500 questions, and nobody knows yet how many there are",
        ]),
    ],
)  # fmt: skip
def test_a_plan_says_what_it_takes_and_what_the_budget_allows(
    step: PlannedStep, budget: Budget | None, lines: list[str]
) -> None:
    plan = Plan.of(Workflow(stem="w", name="w", steps=(step.step,), budget=budget))
    said = outline(plan, [step]).splitlines()
    assert said[-1 - len(lines) : -1] == lines
    document = outline_document(plan, [step])["estimate"]
    assert isinstance(document, dict)
    assert document["allowed"] == [
        it.strip() for it in lines if it.startswith(("  calls", "  tokens", "  usd"))
    ]


def test_a_plan_of_commands_has_no_estimate() -> None:
    plan = Plan.of(Workflow(stem="w", name="w", steps=(DIFF,)))
    assert "Estimate" not in outline(plan, [PlannedStep(step=DIFF)])


def test_a_plan_says_which_options_an_answer_has() -> None:
    one, two = ({"seed": 1}, {"max_usd": 0.5})
    same = [PlannedStep(step=VOTE, asked=[PlannedBackend(backend=it, options=one) for it in "ab"])]
    assert "\n   options seed = 1\n" in outline(PLAN, same)
    asked = [
        PlannedBackend(backend=it, options=options) for it, options in (("a", one), ("b", two), ("c", {}))
    ]
    other = outline(PLAN, [PlannedStep(step=VOTE, asked=asked)])
    assert "\n   options of a: seed = 1\n   options of b: max_usd = 0.5\n" in other
    assert "options of c" not in other
