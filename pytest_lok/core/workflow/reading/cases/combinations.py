"""The rows and the axes of a step → its cases, each with its name, or what is wrong with them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.core.results import CasePlace, Json
from pytest_lok.core.workflow.model import Case
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.workflow.reading.cases.rows import CaseRow

MOST_CASES = 2_000
"""Cases of one step, each with each combination of its ``matrix``: each is a step, and an item of pytest."""

NAME, ROW_NAME_HINT = (
    late_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"),
    "up to 100 letters, digits, _, . and -, no . or - at its start",
)
"""The name of a case, which is a part of a node id of pytest."""
KEY = late_regex(r"[A-Za-z_][A-Za-z0-9_]*")
"""What can be read as ``case.KEY``."""

_OTHER_CHARACTERS = late_regex(r"[^A-Za-z0-9_.-]+")

Axis: TypeAlias = Sequence[tuple[str, Json]]
"""The values of one key of a matrix, each with its part of the names of cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCase:
    """A case with its name, ``claude-arith-7``, and the row that it is, if it is one."""

    name: str
    case: Case
    row: CaseRow | None = None


def label_of(value: Json) -> str:
    """The part of a case's name that stands for a value of a matrix; "" = it can have none."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return _OTHER_CHARACTERS.sub("_", text).strip("-.")[:100]


def count_of(rows: int, axes: Mapping[str, Axis]) -> int:
    """How many cases there are; ``rows`` 0 = there is a matrix alone."""
    return max(rows, 1) * math.prod(len(axis) for axis in axes.values())


def combined(step: str, rows: Sequence[CaseRow], axes: Mapping[str, Axis]) -> Iterator[NamedCase]:
    """Each row with each combination of the axes; the rows in their order, the last axis the quickest.

    The table has a line for each row and a column for each combination. Without rows the first axis makes
    the lines, and the others the columns.
    """
    for row in rows or (None,):
        for chosen in itertools.product(*axes.values()):
            labels = [label for label, _ in chosen]
            values: dict[str, Json] = dict(row.values) if row is not None else {}
            values |= {key: value for key, (_, value) in zip(axes, chosen, strict=True)}
            line, columns = (str(values["name"]), labels) if row is not None else (labels[0], labels[1:])
            name = "-".join([*labels, *([line] if row is not None else [])])
            place = CasePlace(name=f"{step}[{name}]", step=step, row=line, column="-".join(columns))
            yield NamedCase(name=name, case=Case(values=values, place=place), row=row)


def too_many(count: int) -> str:
    """What is wrong with so many cases; "" = nothing."""
    return f"these are {count:,} cases; a step has at most {MOST_CASES:,}" if count > MOST_CASES else ""
