"""A plan as text and as plain values."""

import pytest

from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Ask, ForEach, Shell, Step, Strategy, Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.reports.outline import (
    PlannedBackend,
    PlannedLimits,
    PlannedStep,
    outline,
    outline_document,
)
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
    *_, above, _ = outline(PLAN, STEPS, limits=limits).split("\n")
    assert above == line


def test_a_plan_for_programs_holds_the_same() -> None:
    document = outline_document(PLAN, STEPS)
    assert document["arguments"] == {"1": "main"}
    assert document["selected"] == ["diff", "vote"]
    assert document["steps"] == [
        {
            "name": "diff",
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
