from dataclasses import replace

import pytest

from pytest_lok.core.results import ItemResult, Outcome, Refusal, Reply, StepResult, Usage, Verdict
from pytest_lok.reports.table import MARKS, table
from pytest_lok.reports.widths import columns_of
from tests.reports.results import FAILED, PASSED

VERDICT = Verdict(strategy="vote", text="yes", backend="a", tally={"yes": 2.0, "no": 1.0}, dissent=("c: no",))
USAGE = Usage(calls=1, input_tokens=3)


def replies(said: dict[str, str], item: int | None = None) -> tuple[Reply, ...]:
    return tuple(
        Reply(text=text, backend=name, usage=USAGE, seconds=1.0, item=item) for name, text in said.items()
    )


VOTE = StepResult(
    name="vote",
    outcome=Outcome.PASSED,
    output="yes",
    replies=replies({"a": "yes", "b": "yes", "c": "no"}),
    refusals=(Refusal(backend="dd", kind="network", reason="no network"),),
    verdict=VERDICT,
)
EACH = StepResult(
    name="each",
    outcome=Outcome.FAILED,
    reason="1 of 2 items did not pass",
    replies=(*replies({"a": "yes", "b": "yes", "c": "no"}, 0), *replies({"a": "yes", "b": "no"}, 1)),
    refusals=(Refusal(backend="c", kind="network", reason="no network", item=1),),
    items=(
        ItemResult(index=0, item="src/日本.py", outcome=Outcome.PASSED, output="yes", verdict=VERDICT),
        ItemResult(index=1, item="b.py", outcome=Outcome.FAILED, reason="a tie is not agreement"),
    ),
)


def test_a_row_per_backend() -> None:
    assert table(VOTE, width=80) == [
        "a   1.0 s  3 tokens  ✓ yes",
        "b   1.0 s  3 tokens  ✓ yes",
        "c   1.0 s  3 tokens  ✗ no",
        "dd                   ! no network",
    ]


def test_a_row_per_item_and_a_column_per_backend() -> None:
    assert table(EACH, width=80) == [
        "   item             a      b      c             outcome",
        "✓  [0] src/日本.py  ✓ yes  ✓ yes  ✗ no          passed",
        "✗  [1] b.py         ? yes  ? no   ! no network  failed   a tie is not agreement",
    ]


def test_commands_and_single_backends_have_no_columns_of_their_own() -> None:
    items = (
        ItemResult(index=0, item="a", outcome=Outcome.PASSED, output="fine\nall of it"),
        ItemResult(index=1, item="b", outcome=Outcome.ERROR, reason="timed out"),
    )
    assert table(replace(FAILED, items=items), width=80) == [
        "   item   outcome",
        "✓  [0] a  passed   fine all of it",
        "!  [1] b  error    timed out",
    ]


@pytest.mark.parametrize("result", [PASSED, FAILED], ids=lambda it: it.name)
def test_where_one_was_asked_there_is_no_table(result: StepResult) -> None:
    assert table(result, width=80) == []


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_is_never_wider_than_the_screen(width: int) -> None:
    names = ["claude", "codex", "gemini"]
    said = [replies(dict.fromkeys(names, "日本 " * 40), n) for n in range(150)]
    items = [
        ItemResult(index=n, item="本" * 90, outcome=Outcome.PASSED, output="日本 " * 40) for n in range(150)
    ]
    wide = replace(EACH, items=tuple(items), replies=sum(said, ()))
    lines = table(wide, width=width)
    assert max(map(columns_of, lines)) <= max(width, 80)
    assert lines[-1] == "and 50 items more"


def test_every_outcome_has_a_mark() -> None:
    assert set(MARKS) == set(Outcome)
