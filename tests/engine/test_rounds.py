"""Loops: what rounds read of each other, what ends them, and that they are bounded whatever a model says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.events import StepProgressed
from pytest_lok.core.results import Outcome, Reply, StepResult, Usage
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.ports import Prompt, World
from pytest_lok.errors import BackendError, BackendFault
from pytest_lok.reports.planned.planned_steps import PlannedStep, counted
from tests.engine.worlds import Ran, run_plan, workflow, world

P, F, E, S, X = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED, Outcome.SOFT

COUNT = """
[args.seen]
default = "none"
[outputs]
number = "{{ (last.number | default(0)) + 1 }}"
seen = "{{ arg.seen }}"
[[steps]]
name = "n"
shell = "echo {{ last.number | default('first') }}"
"""
LOOP = """
[[steps]]
name = "x"
workflow = "inner"
until = "last.number == {wanted}"
max_rounds = 4
with = {{ seen = "{{{{ last.number | default('nothing') }}}}" }}
"""


def ran(root: Path, text: str, *backends: Scripted, state: str = "same", **inner: str) -> Ran:
    return run_plan(Plan.of(workflow(text, inner=inner)), known(world(root, *backends), state))


def known(within: World, state: str) -> World:
    """The world with that state of the files."""

    async def tree_state() -> str:
        return state

    return replace(within, tree_state=tree_state)


def rounds(x: StepResult) -> list[int | None]:
    return [run.round for run in x.nested]


def test_each_round_reads_what_the_one_before_has_handed_on(tmp_path: Path) -> None:
    got = ran(tmp_path, LOOP.format(wanted=3), inner=COUNT)
    x = got.result.steps["x"]
    assert (x.outcome, x.data, rounds(x)) == (P, {"number": 3, "seen": "2"}, [1, 2, 3])
    assert [run.steps[0].output for run in x.nested] == ["first", "1", "2"]
    assert [run.label for run in x.nested] == ["round 1", "round 2", "round 3"]
    progress = [(it.round, it.finished) for it in got.of(StepProgressed) if isinstance(it, StepProgressed)]
    assert progress == [(number, finished) for number in (1, 2, 3) for finished in (0, 1)]


def test_what_does_not_end_by_its_condition_is_an_error_with_the_last_round(tmp_path: Path) -> None:
    x = ran(tmp_path, LOOP.format(wanted=9), inner=COUNT).result.steps["x"]
    assert (x.outcome, x.reason) == (E, "`until` does not hold after 4 rounds: last.number == 9")
    assert rounds(x) == [1, 2, 3, 4]
    assert x.output.startswith('{"number": 4, "seen": "3"}\n')
    assert [section.text for section in x.sections] == ["last.number == 9\n  where last.number = 4"]


SAME = '[outputs]\nsaid = "{{ steps.n.output }}"\n[[steps]]\nname = "n"\nshell = "%s"\n'
NEVER = '[[steps]]\nname = "x"\nworkflow = "inner"\nuntil = "last.said == \'no\'"\nmax_rounds = 6\n'


@pytest.mark.parametrize(
    ("command", "state", "number"),
    [
        ("echo same", "same", 3),
        ("echo same", "", 6),
        ("echo x >> log; wc -l < log", "same", 6),
        # the first round is unlike those after it
        ("test -e log && echo b || echo a; touch log", "same", 4),
    ],
)
def test_rounds_that_bring_nothing_new_end_it_where_the_files_are_known(
    tmp_path: Path, command: str, state: str, number: int
) -> None:
    x = ran(tmp_path, f"{NEVER}stalled = 3\n", state=state, inner=SAME % command).result.steps["x"]
    assert (x.outcome, len(x.nested)) == (E, number)
    assert ("3 rounds in a row have left the same files" in x.reason) is (number < 6)


@pytest.mark.parametrize(
    ("step", "outcome", "number"),
    [
        ('shell = "test {{ last.said | default(0) }} = 0"', F, 2),
        ('shell = "test {{ last.said | default(0) }} = 0"\njudges = false', E, 2),
        ("shell = 'true'\nwhen = 'last.said is not defined'", E, 2),
        ("shell = 'true'\nwhen = '1 == 2'", S, 1),
        ("shell = 'false'\ncontinue_on_error = true", E, 1),
    ],
)
def test_a_round_that_does_not_pass_ends_it(tmp_path: Path, step: str, outcome: Outcome, number: int) -> None:
    inner = f"allow_skip = true\n[outputs]\nsaid = 'no'\n[[steps]]\nname = 'n'\n{step}\n"
    x = ran(tmp_path, NEVER.replace("'no'", "'yes'"), inner=inner).result.steps["x"]
    assert (x.outcome, len(x.nested)) == (outcome, number)
    assert x.reason.startswith(f"round {number}: ") or outcome is S


def test_what_early_rounds_have_found_does_not_stand_once_it_is_mended(tmp_path: Path) -> None:
    finding = (
        '[{{"rule_id": "{0}", "title": "t", "message": "m", "severity": "high", "confidence": 1,'
        ' "path": "a.py", "line": 1, "evidence": "{0}"}}]'
    )
    (tmp_path / "a.py").write_text("one two")
    inner = """
    [gate]
    [outputs]
    review = "{{ steps.review.outcome }}"
    [[steps]]
    name = "review"
    shell = "cat said; mv -f next said || true"
    output_format = "findings"
    continue_on_error = true
    [[steps]]
    name = "fix"
    when = "steps.review.failed"
    shell = "echo mended {{ steps.review.findings[0].rule_id }}"
    """
    (tmp_path / "said").write_text(finding.format("one"))
    (tmp_path / "next").write_text("[]")
    loop = NEVER.replace("last.said == 'no'", "last.review == 'passed'")
    x = ran(tmp_path, loop, inner=inner).result.steps["x"]
    assert (x.outcome, x.findings, rounds(x)) == (P, (), [1, 2])
    assert [step.outcome for run in x.nested for step in run.steps] == [X, P, P, S]


def test_an_edit_may_not_change_what_judges_it_in_the_next_round(tmp_path: Path) -> None:
    (tmp_path / "check.sh").write_text("exit 1\n")
    edit = '{"edits": [{"file": "check.sh", "old": "exit 1", "new": "exit 0"}]}'
    inner = """
    [outputs]
    good = "{{ steps.check.passed }}"
    [[steps]]
    name = "check"
    shell = "sh check.sh"
    continue_on_error = true
    [[steps]]
    name = "fix"
    when = "steps.check.failed"
    backend = "a"
    prompt = "fix it"
    apply_edits = true
    """
    x = ran(
        tmp_path, NEVER.replace("last.said == 'no'", "last.good"), Scripted("a", edit), inner=inner
    ).result.steps["x"]
    assert (x.outcome, len(x.nested)) == (F, 1)
    assert "check.sh" in x.reason
    assert (tmp_path / "check.sh").read_text() == "exit 1\n"


# Whatever a model says


class Fickle(Scripted):
    """A backend that says the next of its words; "down" is an error."""

    def __init__(self, words: list[str]) -> None:
        super().__init__("a")
        self._words: Iterator[str] = iter(words)
        self.said: list[str] = []

    async def ask(self, prompt: Prompt) -> Reply:
        self.asked.append(prompt)
        word = next(self._words, "")
        self.said.append(word)
        if word == "down":
            raise BackendError("down", kind=BackendFault.AUTH, backend="a")
        return Reply(text=word, backend="a", model="m", usage=Usage(calls=1, cost_usd=1.0))


INSIDE = """
[outputs]
clean = "{{ steps.look.output.clean }}"
[[steps]]
name = "look"
prompt = "look"
backend = "a"
output_schema = { required = ["clean"], properties = { clean = { type = "boolean" } } }
[[steps]]
name = "judge"
depends_on = ["look"]
prompt = "judge"
backend = "a"
assert = ["output contains 'clean'"]
"""
MIDDLE = """
[outputs]
clean = "{{ steps.deep.passed }}"
[[steps]]
name = "deep"
workflow = "inside"
until = "last.clean"
max_rounds = %d
continue_on_error = true
[[steps]]
name = "also"
depends_on = ["deep"]
prompt = "also"
backend = "a"
"""
TOP = """
[budget]
calls = %d
[[steps]]
name = "x"
workflow = "middle"
until = "last.clean"
max_rounds = %d
stalled = %d
"""
CLEAN, DIRTY = '{"clean": true}', '{"clean": false}'


@dataclass(frozen=True)
class Bounded:
    inner: int
    outer: int
    stalled: int
    calls: int


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.sampled_from([CLEAN, CLEAN, DIRTY, DIRTY, DIRTY, "rubbish", "down"]), max_size=60),
    limits=st.builds(
        Bounded,
        inner=st.integers(1, 4),
        outer=st.integers(1, 4),
        stalled=st.sampled_from([0, 2]),
        calls=st.integers(1, 60),
    ),
)
@example(words=[DIRTY] * 60, limits=Bounded(inner=4, outer=4, stalled=0, calls=60))
@example(words=[DIRTY] * 60, limits=Bounded(inner=4, outer=4, stalled=2, calls=60))
@example(words=[DIRTY, CLEAN, CLEAN, CLEAN], limits=Bounded(inner=2, outer=1, stalled=0, calls=60))
def test_rounds_and_cost_are_bounded_and_green_means_that_a_model_said_so_last(
    words: list[str], limits: Bounded, tmp_path: Path
) -> None:
    inner = {"inside": INSIDE, "middle": MIDDLE % limits.inner}
    stalled = limits.stalled if limits.stalled < limits.outer else 0
    plan = Plan.of(workflow(TOP % (limits.calls, limits.outer, stalled), inner=inner))
    backend = Fickle(words)
    got = run_plan(plan, known(world(tmp_path, backend), "same")).result
    x = got.steps["x"]
    planned = _planned(plan)
    assert len(backend.asked) <= min(limits.calls, sum(it.questions.most for it in counted(planned)))
    assert got.usage.calls == len(backend.asked)
    assert (got.usage.cost_usd or 0) == sum(word not in ("down", "") for word in backend.said)
    assert len(x.nested) <= limits.outer
    for run in x.nested:
        assert len(run.steps[0].nested) <= limits.inner
    if x.outcome is P:
        last = x.nested[-1].steps[0].nested[-1]
        assert [step.outcome for step in last.steps] == [P, P]
        assert last.steps[0].output == CLEAN
    assert (x.outcome is P, len(backend.asked)) == Reading(words, limits).comes_to_clean()


class Reading:
    """An independent reading of what the backend says: whether it ends well, and after how many questions."""

    def __init__(self, words: list[str], limits: Bounded) -> None:
        self._words = [*words, *[""] * 200]
        self._limits = limits
        self.asked = 0

    def _answer(self) -> str | None:
        """The next word; None where the budget is spent, or the backend gives no answer."""
        if self.asked == self._limits.calls:
            return None
        self.asked += 1
        word = self._words[self.asked - 1]
        return None if word in ("down", "") else word

    def comes_to_clean(self) -> tuple[bool, int]:
        for number in range(1, self._limits.outer + 1):
            clean = self._inner()
            # the last question of a round, whatever came of those before
            if not self._answer():
                return False, self.asked
            if clean:
                return True, self.asked
            # every round that is not clean leaves the same
            if number == self._limits.stalled:
                break
        return False, self.asked

    def _inner(self) -> bool:
        for _ in range(self._limits.inner):
            look = self._answer()
            if look not in (CLEAN, DIRTY, None):
                look = self._answer()  # what has not the form is asked about once more
            if look not in (CLEAN, DIRTY) or self._answer() not in (CLEAN, DIRTY):
                return False
            if look == CLEAN:
                return True
        return False


def _planned(plan: Plan) -> list[PlannedStep]:
    from pytest_lok.core.workflow.model import Ask, Nested, Step
    from pytest_lok.reports.planned.planned_steps import PlannedBackend

    def of(step: Step) -> PlannedStep:
        inner = [of(it) for it in step.action.workflow.steps] if isinstance(step.action, Nested) else ()
        asked = [PlannedBackend(backend="a")] if isinstance(step.action, Ask) else ()
        return PlannedStep(step=step, asked=asked, inner=inner)

    return [of(step) for step in plan.steps]
