"""What does not fit a model, in plain words."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

import pytest

from pytest_lok.core.results import Json
from pytest_lok.core.toml.fields import Bounds, Convert, MisfitError, Positive, PositiveNumber, Table, key
from pytest_lok.core.toml.validation import ValidationProblem, describe_key, fit


def _even(value: object) -> object:
    if value == 3:
        raise MisfitError("must be even", "4, for example")
    return value


class Inner(Table):
    count: Annotated[int, Bounds(ge=1, le=9)] = 0
    words: list[str] = key([])


class Outer(Table):
    name: str = ""
    on: bool = False
    mode: Literal["fast", "slow"] = "fast"
    either: Positive | Literal["all"] | None = None
    names: str | list[str] = ""
    even: Annotated[int, Convert(_even)] = 0
    ratio: PositiveNumber = 0.5
    any_: Json = key(None, alias="any")
    inner: Inner = Inner()
    rows: list[Inner] = key([])
    by_name: dict[str, Inner] = key({})


def misfits(**data: Any) -> list[ValidationProblem]:
    return fit(Outer, data, key_hint=lambda path: f"meant {path[-1]}")[1]


def only(**data: Any) -> ValidationProblem:
    (misfit,) = misfits(**data)
    return misfit


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ({"name": 3}, "`name` must be text in quotes, not the number 3", 'in quotes: name = "3"'),
        ({"name": True}, "`name` must be text in quotes, not true", 'in quotes: name = "true"'),
        ({"name": ["x"]}, "`name` must be text in quotes, not a list", ""),
        ({"name": datetime.date(2026, 1, 1)}, "`name` must be text in quotes, not a date or time", ""),
        ({"on": "True"}, '`on` must be true or false, not "True"', "without quotes: on = true"),
        ({"on": 1}, "`on` must be true or false, not the number 1", ""),
        ({"mode": "fats"}, '`mode` must be "fast" or "slow", not "fats"', "did you mean `fast`?"),
        ({"either": "al"}, '`either` must be a whole number or "all", not "al"', "did you mean `all`?"),
        ({"either": "3"}, '`either` must be a whole number or "all", not "3"', "without quotes: either = 3"),
        ({"either": 0}, "`either` must be at least 1", ""),
        ({"even": 3}, "`even` must be even", "4, for example"),
        ({"ratio": 0}, "`ratio` must be more than 0", ""),
        ({"ratio": float("inf")}, "`ratio` must be a finite number, not the number inf", ""),
        ({"ratio": "x" * 99}, "`ratio` must be a number, not text", ""),
        ({"inner": {"count": 10}}, "`inner.count` must be at most 9", ""),
        ({"inner": {"words": "a"}}, '`inner.words` must be a list, not "a"', 'in brackets: words = ["a"]'),
        ({"inner": 3}, "`inner` must be a table, not the number 3", ""),
        ({"rows": {}}, "`rows` must be a list, not a table", "with two brackets it is a list of tables: [[rows]]"),
        ({"by_name": {"x": {"count": "2"}}}, '`by_name.x.count` must be a whole number, not "2"', "without quotes: count = 2"),
        ({"nmae": 3}, "unknown key `nmae`", "meant nmae"),
    ],
)  # fmt: skip
def test_a_misfit_is_said_in_plain_words(data: dict[str, Any], message: str, hint: str) -> None:
    misfit = only(**data)
    assert misfit.message.removesuffix(".0") == message
    assert misfit.hint == hint
    assert misfit.unknown is message.startswith("unknown")


def test_an_arm_of_a_union_that_got_further_is_the_one_meant() -> None:
    misfit = only(names=["a", 3])
    assert (misfit.path, misfit.message) == (
        ("names", 1),
        "item 2 of `names` must be text in quotes, not the number 3",
    )
    assert only(names=3).message == "`names` must be text in quotes or a list, not the number 3"


def test_what_toml_has_and_json_has_not() -> None:
    assert only(any=[datetime.time(1)]).path == ("any", 0)


def test_everything_is_said_at_once_and_the_rest_is_kept() -> None:
    document, found = fit(
        Outer,
        {
            "name": 3,
            "nmae": "x",
            "mode": "slow",
            "inner": {"count": 0, "words": ["kept"]},
            "by_name": {"bad": 3, "good": {"count": 2, "wrods": []}},
        },
        key_hint=lambda _: "",
    )
    assert {m.path for m in found} == {
        ("name",), ("nmae",), ("inner", "count"), ("by_name", "bad"), ("by_name", "good", "wrods"),
    }  # fmt: skip
    assert (document.name, document.mode, document.inner.words) == ("", "slow", ["kept"])
    assert document.by_name == {"good": Inner(count=2)}


def test_a_bad_item_takes_its_array_along() -> None:
    document, found = fit(Outer, {"rows": [{"count": 1}, 3], "names": ["a", 1]}, key_hint=lambda _: "")
    assert [m.path for m in found] == [("rows", 1), ("names", 1)]  # as they are written
    assert (document.rows, document.names) == ([], "")


def test_what_fits_has_no_misfits() -> None:
    assert misfits(name="x", either="all", names=["a"], rows=[{"count": 1}], any={"a": [1, None]}) == []


def test_a_label_is_short_below_an_array_of_tables() -> None:
    assert describe_key(("steps", 2, "env", "A")) == "`env.A`"
    assert describe_key(("steps", 2)) == "item 3 of `steps`"
    assert describe_key(("args", "focus", "position")) == "`args.focus.position`"
