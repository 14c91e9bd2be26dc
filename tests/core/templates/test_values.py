"""The values behind the names of a text."""

from __future__ import annotations

import pytest

from pytest_lok.core.results import Json, Outcome, StepResult
from pytest_lok.core.templates.scope import Loop, Scope
from pytest_lok.core.templates.values import (
    MissingValue,
    OutputValue,
    as_json,
    field_of,
    root_values,
    text_of,
)
from pytest_lok.errors import TemplateError

DATA: dict[str, Json] = {"a": [1, {"b": None}], "passed": "says the answer"}
JSON = StepResult(name="j", outcome=Outcome.PASSED, output='{"a": 1}', data=DATA, has_data=True)
CUT = StepResult(name="c", outcome=Outcome.PASSED, output="x", cut=True)
SKIPPED = StepResult(name="s", outcome=Outcome.SKIPPED, reason="why")
SCOPE = Scope(
    steps={"j": JSON, "c": CUT, "s": SKIPPED}, arguments={"x": "1"}, env={"E": "e"}, workflow_name="w",
    backends=("claude", "codex"), project={"language": "rust"}, loop=Loop(item=[1], index=2),
)  # fmt: skip


def read(*path: str) -> object:
    value: object = root_values(SCOPE)[path[0]]
    for key in path[1:]:
        value = field_of(value, key)
    return value


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("steps", "j", "output"), '{"a": 1}'),
        (("steps", "j", "a"), '[1, {"b": null}]'),
        (("steps", "j", "outcome"), "passed"),
        (("steps", "j", "passed"), "true"),
        (("arg", "x"), "1"),
        (("env", "E"), "e"),
        (("workflow", "name"), "w"),
        (("workflow", "backends"), "Claude + Codex"),
        (("project", "language"), "rust"),
        (("item",), "[1]"),
        (("index",), "2"),
    ],
)
def test_a_value_as_text(path: tuple[str, ...], text: str) -> None:
    assert text_of(read(*path)) == text


@pytest.mark.parametrize(
    "path",
    [
        ("steps", "nobody"),
        ("steps", "j", "nothing"),
        ("steps", "s", "a"),
        ("arg", "y"),
        ("arg", "7"),
        ("env", "NO"),
        ("project", "root"),
        ("item", "__class__"),
    ],
)
def test_what_is_not_there_is_missing_and_nothing_of_python(path: tuple[str, ...]) -> None:
    assert isinstance(read(*path), MissingValue)


def test_an_output_that_lost_its_middle_is_not_read() -> None:
    for key in ("output", "a"):
        with pytest.raises(TemplateError, match="its middle was not kept"):
            read("steps", "c", key)


def test_an_output_is_text_and_json_in_one() -> None:
    value = read("steps", "j", "output")
    assert isinstance(value, OutputValue)
    assert (value == '{"a": 1}', value == DATA, len(value), "a" in value, '"a"' in value) == (
        True,
        True,
        2,
        True,
        True,
    )
    assert as_json(value) == DATA


def test_a_group_of_names_is_no_value() -> None:
    with pytest.raises(TemplateError, match="group of names"):
        as_json(root_values(SCOPE)["steps"])
    assert isinstance(field_of([1, 2], True), MissingValue)
    assert field_of([1, 2], 1) == 2


FACTS_OF_X: dict[str, Json] = {
    "outcome": "passed", "passed": True, "success": True, "failed": False, "skipped": False,
}  # fmt: skip


@pytest.mark.parametrize("name", [*FACTS_OF_X, "backend", "reason", "seconds"])
@pytest.mark.parametrize("value", ["text", 7, False, ["a"], None])
@pytest.mark.parametrize("passed", [True, False])
def test_a_field_is_meant_where_the_fact_only_describes_a_step_that_passed(
    name: str, value: Json, *, passed: bool
) -> None:
    outcome = Outcome.PASSED if passed else Outcome.SOFT
    with_field = StepResult(name="x", outcome=outcome, data={name: value}, has_data=True, reason="why")
    without = StepResult(name="x", outcome=outcome, data={"other": 1}, has_data=True, reason="why")

    def of(result: StepResult) -> object:
        return field_of(field_of(root_values(Scope(steps={"x": result}))["steps"], "x"), name)

    fact = of(without)
    assert fact == FACTS_OF_X.get(name, fact) or not passed
    assert of(with_field) == (value if passed and name not in FACTS_OF_X else fact)
