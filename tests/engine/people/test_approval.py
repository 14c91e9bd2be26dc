"""A step that waits for a person: nothing that depends on it runs before a yes, and nothing runs twice."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.approval import Approval
from pytest_lok.core.events import FRESH_START, ApprovalGiven, Event, ResumeState, RunStarted
from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.core.resume.decision import merged, recorded_steps
from pytest_lok.core.resume.inputs import BackendIdentity
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import World
from pytest_lok.engine.run import Run
from tests.engine.worlds import Ran, ran, workflow, world

P, F, E, S = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED
ASKED = """
[[steps]]
name = "go"
approve = "Deploy {{ arg.env }}?"
[[steps]]
name = "deploy"
depends_on = ["go"]
prompt = "deploy"
[[steps]]
name = "other"
prompt = "other"
"""


@dataclass
class Person:
    """Says what is told, and remembers what was asked."""

    says: bool | None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def ask(self, step: str, question: str) -> Approval | None:
        self.asked.append((step, question))
        return None if self.says is None else answer(step, question, yes=self.says)


def answer(step: str, question: str, *, yes: bool = True, **more: dict[str, str]) -> Approval:
    return Approval(step=step, question=question, yes=yes, who="ann", time=1.0, reason="so", **more)


def within(root: Path, person: Person | None = None) -> World:
    backend = Scripted("a", [ScriptedReply(reply="done")])
    here = world(root, backend)
    return replace(here, approver=person, identity=lambda name: BackendIdentity(text=name))


def asks(text: str, root: Path, person: Person | None = None, *, fail_fast: bool = False) -> Ran:
    return ran(f'[args.env]\ndefault = "prod"\n{text}', within(root, person), fail_fast=fail_fast)


def test_a_yes_lets_what_depends_on_it_run_and_says_whose_it_was(tmp_path: Path) -> None:
    person = Person(says=True)
    done = asks(ASKED, tmp_path, person)
    assert (done.outcomes, done.result.exit_code) == ({"go": P, "deploy": P, "other": P}, 0)
    go = done.result.steps["go"]
    assert person.asked == [("go", "Deploy prod?")]
    assert (go.output, str(go.approval)) == ("yes", "yes: ann, 1970-01-01 00:00:01 UTC: so")
    assert [section.text for section in go.sections] == ["Deploy prod?", str(go.approval)]


def test_a_no_is_a_judgement(tmp_path: Path) -> None:
    done = asks(ASKED, tmp_path, Person(says=False))
    assert (done.outcomes, done.result.exit_code) == ({"go": F, "deploy": S, "other": P}, 1)
    assert done.result.steps["go"].reason == "no: ann, 1970-01-01 00:00:01 UTC: so"


@pytest.mark.parametrize("person", [None, Person(says=None)])
@pytest.mark.parametrize("fail_fast", [False, True])
def test_without_an_answer_it_waits_and_the_rest_goes_on(
    tmp_path: Path, person: Person | None, fail_fast: bool
) -> None:
    done = asks(ASKED, tmp_path, person, fail_fast=fail_fast)
    assert (done.outcomes, done.result.exit_code) == ({"go": E, "deploy": S, "other": P}, 4)
    go = done.result.steps["go"]
    assert (go.waiting, go.approval) == ("Deploy prod?", None)
    assert f"`lok approve {done.result.run_id} go --yes`" in go.hint
    assert done.result.steps["deploy"].reason == "blocked: step 'go' waits for an answer"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("[[steps]]\nname = 'no'\nshell = 'exit 1'\n", 1),
        ("[[steps]]\nname = 'broken'\nprompt = '?'\nbackend = 'nobody'\n", 3),
        ("[[steps]]\nname = 'soft'\nshell = 'exit 1'\ncontinue_on_error = true\n", 4),
    ],
)
def test_what_is_wrong_besides_has_the_say(tmp_path: Path, more: str, code: int) -> None:
    assert asks(ASKED + more, tmp_path).result.exit_code == code


@pytest.mark.parametrize("above", ["", "continue_on_error = true\n"])
def test_no_key_lets_anything_run_that_rests_on_a_missing_answer(tmp_path: Path, above: str) -> None:
    """Neither what counts how many passed, nor what is behind a step that is blocked already."""
    more = "[[steps]]\nname = 'tell'\ndepends_on = ['deploy']\nmin_deps_success = 0\nprompt = 'tell'\n"
    done = asks(ASKED + more, tmp_path) if not above else ran(above + ASKED.replace("{{ arg.env }}", "") + more, within(tmp_path))  # fmt: skip
    assert (done.outcomes["go"], done.outcomes["deploy"], done.outcomes["tell"]) == (E, S, S)
    no = ran(above + ASKED.replace("{{ arg.env }}", "") + more, within(tmp_path, Person(says=False)))
    assert (no.outcomes["go"], no.outcomes["deploy"], no.outcomes["tell"]) == (F, S, P)


def test_it_is_not_asked_where_its_condition_is_false_or_where_nothing_is_done(tmp_path: Path) -> None:
    person = Person(says=True)
    text = ASKED.replace("approve", "when = \"arg.env == 'prod'\"\napprove")
    assert ran(f"[args.env]\n{text}", within(tmp_path, person), env="test").outcomes == {"go": S, "deploy": P, "other": P}  # fmt: skip
    assert ran("[[steps]]\nname = 'go'\napprove = ' {{ env.NO | default(\"\") }} '\n", within(tmp_path, person)).outcomes == {"go": E}  # fmt: skip
    dry = replace(within(tmp_path, person), dry_run=True)
    tell = "[[steps]]\nname = 'tell'\ndepends_on = ['go']\nmin_deps_success = 0\nprompt = 'tell'\n"
    shown = ran(f"[args.env]\ndefault = 'prod'\n{ASKED}{tell}", dry)
    assert shown.outcomes == {"go": S, "deploy": S, "other": P, "tell": S}
    assert person.asked == []


# --- going on


def go_on(
    plan: Plan, here: World, before: Sequence[list[Event]], *answers: Approval
) -> tuple[RunResult, list[Event]]:
    """A run that goes on from the runs before, with these answers."""
    record: list[Event] = []
    state = FRESH_START
    if before:
        steps = recorded_steps(before[0])
        for events in before[1:]:
            steps = merged(steps, recorded_steps(events))
        given = [event.approval for event in before[-1] if isinstance(event, ApprovalGiven)]
        state = ResumeState(recorded=steps, resumes=f"run{len(before)}", approvals=(*given, *answers))
    run = Run(plan, here, record.append, run_id=f"run{len(before) + 1}", resume=state)
    return asyncio.run(run.execute()), record


def test_an_answer_is_for_one_text_and_for_what_the_step_had_read(tmp_path: Path) -> None:
    def plan(env: str) -> Plan:
        return Plan.of(workflow(f"[args.env]\n{ASKED}"), named={"env": env})

    here = within(tmp_path)
    waits, first = go_on(plan("prod"), here, [])
    inputs = recorded_steps(first)["go"].inputs
    assert (waits.exit_code, bool(inputs)) == (4, True)
    right = answer("go", "Deploy prod?", inputs=dict(inputs))
    for other, answers in [
        ("prod", []),
        ("prod", [replace(right, step="deploy")]),
        ("prod", [replace(right, question="Deploy test?")]),
        ("prod", [replace(right, inputs={**inputs, "arguments": "others"})]),
        ("prod", [replace(right, inputs={})]),  # what was read is not known
        ("test", [right]),
    ]:
        done, _ = go_on(plan(other), here, [first], *answers)
        assert (done.exit_code, done.steps["go"].waiting) == (4, f"Deploy {other}?")
    done, second = go_on(plan("prod"), here, [first], right)
    assert (done.exit_code, done.steps["go"].approval) == (0, right)
    # a run that goes on from that one knows the answer, also if it never came to the step
    cut: list[Event] = [event for event in second if isinstance(event, (ApprovalGiven, RunStarted))]
    assert go_on(plan("prod"), here, [first, cut])[0].exit_code == 0
    assert go_on(plan("test"), here, [first, cut])[0].exit_code == 4


NAMES = "abcdef"


@st.composite
def flows(draw: st.DrawFn) -> tuple[str, dict[str, frozenset[str]]]:
    """Steps that ask a model or a person, in any order of dependence; and whom each rests on in the end."""
    lines, rests_on = list[str](), dict[str, frozenset[str]]()
    for at, name in enumerate(NAMES[: draw(st.integers(2, 6))]):
        needs: list[str] = []
        if at:
            needs = draw(st.lists(st.sampled_from(NAMES[:at]), unique=True, max_size=2))
        does = draw(st.sampled_from(["approve", "prompt"]))
        rests_on[name] = frozenset(needs).union(*(rests_on[it] for it in needs))
        lines += ["[[steps]]", f'name = "{name}"', f'{does} = "{name}?"', f"depends_on = {needs}"]
        counts: bool = draw(st.booleans())
        if needs and counts:
            lines.append("min_deps_success = 0")
    soft = "continue_on_error = true\n" if draw(st.booleans()) else ""
    return soft + "\n".join(lines), rests_on


@settings(max_examples=40, deadline=None)
@given(flows(), st.lists(st.sampled_from(["yes", "no", "wrong", "none"]), max_size=5))
def test_whatever_is_answered_nothing_runs_twice_or_without_a_yes(
    flow: tuple[str, dict[str, frozenset[str]]], says: list[str]
) -> None:
    text, rests_on = flow
    plan = Plan.of(workflow(text))
    people = {step.name for step in plan.steps if type(step.action).__name__ == "Approve"}
    with tempfile.TemporaryDirectory() as folder:
        here = within(Path(folder))
        result, first = go_on(plan, here, [])
        before = [first]
        given_yes: set[str] = set()
        check(result, people, given_yes, rests_on)
        for word in says:
            answers = []
            if word in ("yes", "no"):
                waiting = [it for it in result.steps.values() if it.waiting]
                answers = [answer(it.name, it.waiting, yes=word == "yes") for it in waiting[:1]]
                given_yes |= {it.step for it in answers if it.yes}
            elif word == "wrong":
                answers = [answer(name, "another?") for name in people]
            result, events = go_on(plan, here, before, *answers)
            before.append(events)
            check(result, people, given_yes, rests_on)
        backend = here.backends["a"]
        assert isinstance(backend, Scripted)
        assert not [it for it, times in Counter(prompt.text for prompt in backend.asked).items() if times > 1]


def check(
    result: RunResult, people: set[str], given_yes: set[str], rests_on: dict[str, frozenset[str]]
) -> None:
    waiting = {it.name for it in result.steps.values() if it.waiting}
    assert {name for name in people if result.steps[name].passed} <= given_yes
    assert all(result.steps[name].outcome is E for name in waiting)
    for name, needs in rests_on.items():
        if needs & waiting:
            assert (result.steps[name].outcome, result.steps[name].attempts) == (S, 0)
    assert (result.exit_code == 4) is (bool(waiting) and result.outcome is not F)
    assert not (waiting and result.exit_code == 0)
