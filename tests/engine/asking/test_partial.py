"""What was answered before a review was cut is kept and judged: a no counts, and there is no yes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.events import BackendReplied, Event
from pytest_lok.core.results import Outcome, Reply, RunResult, StepResult, Usage
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import Limits
from pytest_lok.engine.run import Run
from tests.core.reports import said
from tests.engine.worlds import Ran, ran, workflow, world

P, F, E = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR
GATE = "[gate]\nquorum = {quorum}\n"
HIGH, LOW = {"severity": "high"}, {"severity": "low"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.py").write_text(f"{name}.execute(sql)\n")
    return tmp_path


def found(name: str, change: dict[str, str] | None) -> str:
    """An answer that reports something of that file, or nothing."""
    place = {"path": f"{name}.py", "line": 1, "evidence": f"{name}.execute(sql)"}
    return "[]" if change is None else said({**place, **change})


def replies(*rules: ScriptedReply | str) -> list[ScriptedReply]:
    return [ScriptedReply(reply=it) if isinstance(it, str) else it for it in rules]


def review(
    root: Path, *backends: Scripted, above: str = "", step: str = "", limits: Limits | None = None
) -> Ran:
    names = ", ".join(f'"{backend.name}"' for backend in backends)
    text = (
        f'{above}\n[[steps]]\nname = "review"\nprompt = "Review."\nbackends = [{names}]\n'
        f'output_format = "findings"\n{step}'
    )
    return ran(text, world(root, *backends, limits=limits))


def the(run: Ran) -> StepResult:
    return run.result.steps["review"]


BUDGET = "[budget]\ncalls = 1\n"


def test_a_budget_that_ends_between_two_backends_keeps_the_first_answer(root: Path) -> None:
    one, two = Scripted("one", found("a", LOW)), Scripted("two", found("a", LOW))
    step = the(review(root, one, two, above=BUDGET + "[gate]\n"))
    assert (step.outcome, [it.backend for it in step.replies]) == (E, ["one"])
    assert "the budget of 1 call does not allow another call" in step.reason
    assert [(it.backend, it.kind) for it in step.refusals] == [("two", "budget")]
    assert [it.standing for it in step.findings or ()] == ["minor"]


def test_a_no_counts_whatever_was_cut(root: Path) -> None:
    one, two = Scripted("one", found("a", HIGH)), Scripted("two", found("a", LOW))
    step = the(review(root, one, two, above=BUDGET + "[gate]\n"))
    assert step.outcome is F
    assert step.reason.startswith('1 finding blocks (fail_on = "high"):\n[high] ')
    assert "not everybody has answered: the budget of 1 call" in step.reason


@pytest.mark.parametrize(("change", "outcome"), [(HIGH, F), (LOW, E), (None, E)])
def test_too_few_answers_for_a_quorum_are_judged_all_the_same(
    root: Path, change: dict[str, str] | None, outcome: Outcome
) -> None:
    one = Scripted("one", found("a", change))
    two = Scripted("two", [ScriptedReply(error="timeout", reply="late")])
    step = the(review(root, one, two, above="[gate]\n", step='quorum = "all"\n'))
    assert step.outcome is outcome
    assert "1 of 2 backends gave a valid answer, 2 needed" in step.reason
    assert len(step.findings or ()) == (change is not None)


def test_calls_that_have_begun_are_not_given_up_for_a_spent_budget(root: Path) -> None:
    slow = Scripted("slow", [ScriptedReply(reply=found("a", LOW), delay=0.05)])
    step = the(review(root, slow, Scripted("two", "[]"), above=BUDGET))
    assert [it.backend for it in step.replies] == ["slow"]
    assert step.outcome is E


def test_an_answer_that_cannot_be_used_is_shown_where_the_second_one_fails(root: Path) -> None:
    one = Scripted("one", "nothing to report, I think")
    step = the(review(root, one, above=BUDGET))
    assert step.outcome is E
    assert [(it.title, it.text) for it in step.sections] == [("one answered", "nothing to report, I think")]


def test_a_reply_that_costs_nobody_knows_what_is_shown(root: Path) -> None:
    priceless = ScriptedReply(reply="[]", usage=Usage(calls=1, input_tokens=1, output_tokens=1))
    step = the(review(root, Scripted("one", [priceless]), above="[budget]\nusd = 1.0\n"))
    assert (step.outcome, step.output) == (E, "[]")
    assert [it.kind for it in step.refusals] == ["budget"]


# --- a run that is stopped


@dataclass
class Cut:
    result: RunResult
    answered: list[Reply]


def stopped_after(root: Path, text: str, answers: int, *backends: Scripted) -> Cut:
    """The run, stopped as soon as so many answers were told."""
    answered: list[Reply] = []

    async def body() -> RunResult:
        def hear(event: Event) -> None:
            if isinstance(event, BackendReplied):
                answered.append(event.reply)
                if len(answered) == answers:
                    # what this answer goes to is told first, as a signal of the system would be
                    asyncio.get_running_loop().call_soon(run.stop, "enough")

        run = Run(Plan.of(workflow(text)), world(root, *backends), hear)
        return await run.execute()

    return Cut(asyncio.run(body()), answered)


EACH = (
    '[[steps]]\nname = "review"\nfor_each = ["a", "b", "c", "d"]\nprompt = "Review {{ item }}."\n'
    'output_format = "findings"\nmax_parallel = 1\nbackends = ["one"]\n'
)


def test_a_run_that_is_stopped_keeps_the_items_that_were_answered(root: Path) -> None:
    one = Scripted("one", replies(ScriptedReply(match="Review b", reply=found("b", LOW)), "[]"))
    cut = stopped_after(root, "[gate]\n" + EACH, 3, one)
    step = cut.result.steps["review"]
    assert step.outcome is E
    assert step.reason.startswith("cancelled: enough; ")
    assert len(step.items) == 4
    assert {P, E} == {it.outcome for it in step.items}
    assert step.items[3].outcome is E
    assert [it.path for it in step.findings or ()] == ["b.py"]
    assert step.usage.calls == 3


def test_a_run_that_is_stopped_says_no_where_an_item_has(root: Path) -> None:
    one = Scripted("one", replies(ScriptedReply(match="Review a", reply=found("a", HIGH)), "[]"))
    step = stopped_after(root, "[gate]\n" + EACH, 2, one).result.steps["review"]
    assert step.outcome is F
    assert [it.standing for it in step.findings or ()] == ["blocks"]


def test_a_step_that_had_not_begun_is_stopped_too(root: Path) -> None:
    text = '[[steps]]\nname = "review"\nprompt = "x"\nbackends = ["one", "two"]\n'
    two = Scripted("two", [ScriptedReply(reply="late", delay=30)])
    step = stopped_after(root, text, 1, Scripted("one", "yes"), two).result.steps["review"]
    assert (step.outcome, step.reason, step.attempts) == (E, "cancelled: enough", 1)
    assert [it.text for it in step.replies] == ["yes"]


# --- any review, cut anywhere


@st.composite
def answers(draw: st.DrawFn) -> dict[tuple[str, str], dict[str, str] | None]:
    """What each backend says of each item."""
    backends, items = "xyz"[: draw(st.integers(1, 3))], "abcd"[: draw(st.integers(1, 4))]
    some = st.sampled_from([None, None, LOW, HIGH])
    return {(backend, item): draw(some) for backend in backends for item in items}


def made(
    said_of: dict[tuple[str, str], dict[str, str] | None], lost: frozenset[tuple[str, str]]
) -> list[Scripted]:
    rules: dict[str, list[ScriptedReply]] = {}
    for (backend, item), change in said_of.items():
        rule = ScriptedReply(match=f"Review {item}.", reply=found(item, change))
        if (backend, item) in lost:
            rule = ScriptedReply(match=f"Review {item}.", reply="late", error="timeout")
        rules.setdefault(backend, []).append(rule)
    return [Scripted(name, own) for name, own in rules.items()]


def text_of(said_of: Mapping[tuple[str, str], object], quorum: str, calls: float, at_once: int) -> str:
    backends, items = (list(dict.fromkeys(it[n] for it in said_of)) for n in (0, 1))
    budget = "" if math.isinf(calls) else f"[budget]\ncalls = {calls}\n"
    return (
        f'[gate]\nquorum = {quorum}\n{budget}[[steps]]\nname = "review"\nfor_each = {items}\n'
        f'prompt = "Review {{{{ item }}}}."\nbackends = {backends}\noutput_format = "findings"\n'
        f"max_parallel = {at_once}\n"
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), said_of=answers(), quorum=st.sampled_from(["1", "2", '"majority"', '"all"']))
def test_a_cut_review_is_never_greener_than_the_whole_one_and_keeps_what_was_answered(
    root: Path, data: st.DataObject, said_of: dict[tuple[str, str], dict[str, str] | None], quorum: str
) -> None:
    assume(quorum != "2" or len({backend for backend, _ in said_of}) > 1)
    whole = stopped_after(root, text_of(said_of, quorum, math.inf, 4), 0, *made(said_of, frozenset()))
    how = data.draw(st.sampled_from(["budget", "lost", "stopped"]))
    places = st.integers(1, len(said_of))
    calls = data.draw(places) if how == "budget" else math.inf
    lost = data.draw(st.frozensets(st.sampled_from(sorted(said_of)))) if how == "lost" else frozenset()
    stop = data.draw(places) if how == "stopped" else 0
    text = text_of(said_of, quorum, calls, data.draw(st.integers(1, 4)))
    cut = stopped_after(root, text, stop, *made(said_of, lost))
    step, all_of_it = cut.result.steps["review"], whole.result.steps["review"]

    if all_of_it.outcome.red:
        assert step.outcome.red
    if step.outcome is F:
        assert all_of_it.outcome is F
        assert any(it.blocking for it in step.findings or ())
    if how == "budget" and calls < len(said_of):
        assert step.outcome.red
    if how == "stopped" and len(cut.answered) < len(said_of):
        assert step.outcome.red
    kept = sorted((it.backend, it.text) for it in step.replies)
    assert kept == sorted((it.backend, it.text) for it in cut.answered)
    # what an item reports that was judged is there
    items = list(dict.fromkeys(item for _, item in said_of))
    for item in step.items:
        name = items[item.index]
        own = [key for key in said_of if key[1] == name and said_of[key] and key not in lost]
        if own and item.outcome in (P, F):
            assert f"{name}.py" in {it.path for it in step.findings or ()}
    assert len(step.items) == len(items)
