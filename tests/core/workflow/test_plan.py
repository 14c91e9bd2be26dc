from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_lok.core.workflow.argument import Argument
from pytest_lok.core.workflow.model import Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.errors import PlanError
from tests.core.steps import step, workflow


def names(plan: Plan) -> list[str]:
    return [s.name for s in plan.steps]


def test_a_plan_of_everything_puts_dependencies_first() -> None:
    plan = Plan.of(workflow("c:a,b b:a a other"))
    assert names(plan).index("a") < names(plan).index("b") < names(plan).index("c")
    assert plan.selected == {"a", "b", "c", "other"}
    assert set(plan.leaves) == {"c", "other"}


def test_selecting_a_step_brings_its_ancestors_and_nothing_else() -> None:
    plan = Plan.of(workflow("a b:a c:b d:a"), select=["c"])
    assert names(plan) == ["a", "b", "c"]
    assert plan.selected == {"c"}


def test_a_step_that_does_not_exist_is_named_with_a_suggestion() -> None:
    with pytest.raises(PlanError, match=r"no step 'revew'") as caught:
        Plan.of(workflow("review scan"), select=["revew"])
    assert "review" in caught.value.hint


def test_a_chain_of_5000_steps_is_planned() -> None:
    chain = tuple(step(f"s{i}", *([f"s{i - 1}"] if i else [])) for i in range(5000))
    plan = Plan.of(Workflow(stem="w", name="w", steps=chain), select=["s4999"])
    assert names(plan) == [f"s{i}" for i in range(5000)]


def declared(*args: Argument) -> Workflow:
    return replace(workflow("a"), args={arg.name: arg for arg in args}, positional_count=2)


RANGE = Argument(name="range", position=1, default="HEAD")
FOCUS = Argument(name="focus", description="what to look at", required=True)
LEVEL = Argument(name="level", default="high", choices=("low", "high"))


def test_arguments_bind_by_name_and_position() -> None:
    plan = Plan.of(declared(RANGE, FOCUS, LEVEL), named={"focus": "auth"}, positional=["main..HEAD", "extra"])
    assert plan.arguments == {
        "range": "main..HEAD",
        "1": "main..HEAD",
        "2": "extra",
        "focus": "auth",
        "level": "high",
    }


def test_a_default_fills_name_and_position() -> None:
    assert Plan.of(declared(RANGE)).arguments == {"range": "HEAD", "1": "HEAD"}


def test_a_named_value_of_a_positional_argument_is_reachable_by_position() -> None:
    assert Plan.of(declared(RANGE), named={"range": "x"}).arguments == {"range": "x", "1": "x"}


@pytest.mark.parametrize(
    ("named", "positional", "message"),
    [
        ({}, (), r"needs the argument 'focus' \(what to look at\)"),
        ({"focus": "x", "level": "mid"}, (), "cannot be 'mid'"),
        ({"focus": "x", "colour": "red"}, (), "no argument 'colour'"),
        ({"focus": "x", "range": "a"}, ("b",), "given twice"),
        (
            {"focus": "x"},
            ("b", "c", "d", "e"),
            "uses 2 positional values, 4 were given: nothing reads 'd', 'e'",
        ),
    ],
)
def test_wrong_arguments_are_refused(
    named: dict[str, str], positional: tuple[str, ...], message: str
) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        Plan.of(declared(RANGE, FOCUS, LEVEL), named=named, positional=positional)
    assert caught.value.hint or "twice" in message


def test_steps_keep_the_files_order_where_dependencies_allow_it() -> None:
    assert names(Plan.of(workflow("a b:a c d:c e"))) == ["a", "b", "c", "d", "e"]
    assert names(Plan.of(workflow("late:first other first"))) == ["other", "first", "late"]


def test_a_narrower_plan_has_the_same_steps_and_arguments() -> None:
    whole = Plan.of(workflow("a b:a c:b d"))
    part = whole.narrowed(["b"])
    assert [step.name for step in part.steps] == ["a", "b"]
    assert part.steps[0] is whole.steps[0]
    assert part.selected == {"b"}
    assert part.arguments is whole.arguments
