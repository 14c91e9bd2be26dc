"""What one rendering may make and go through, so that a text ends soon, with an error if need be."""

from __future__ import annotations

from typing import Any

from jinja2.runtime import Context

from pytest_lok.core.values import Output
from pytest_lok.errors import TemplateError

BUDGET = " budget"
"""The Budget's name in a context; the space keeps it out of a text's reach."""

MAX_TEXT = 16 * 1024 * 1024
"""Characters a text may make, beyond what it is given."""

MAX_WORK = 1_000_000
"""Loop rounds, calls and items a text may go through, beyond what it is given."""

CALL = 20
"""Work that a call is, compared to a loop round."""

MAX_BITS = 4096
"""Size of an integer."""

MAX_NUMBER = 10_000
"""Widths, counts and precisions given to filters."""

SIZED = (str, list, tuple, dict, range)


class Budget:
    """What one rendering may still do; ``given`` is how many characters its values have."""

    __slots__ = ("_limit", "_shown", "_work")

    def __init__(self, given: int) -> None:
        self._limit = MAX_TEXT + 4 * given
        self._work = MAX_WORK + given
        self._shown = 0

    def spend(self, work: int) -> None:
        """Count rounds, calls or items; TemplateError when there were too many."""
        self._work -= work
        if self._work < 0:
            raise TemplateError(f"it takes too long (over {MAX_WORK:,} loop rounds and calls)")

    def make(self, size: int) -> None:
        """Count a new value of that many characters or items; TemplateError when it is too large."""
        if size > self._limit:
            raise TemplateError(
                f"the result is too large (over {self._limit:,} characters)",
                hint="pass large text on with `{{ steps.NAME.output }}` alone, to `stdin`",
            )
        self.spend(size // 64)

    def show(self, piece: str) -> None:
        """Count a piece of the final text; TemplateError when that grows too large."""
        self._shown += len(piece)
        self.make(self._shown if self._shown > self._limit else len(piece))


def budget_of(context: Context) -> Budget:
    """The budget of the rendering that is going on."""
    budget: Budget = context.parent[BUDGET]
    return budget


def effort(value: object) -> int:
    """How much work it is to go through a value once: its items, or a fraction of its characters."""
    if isinstance(value, str):
        return len(value.text if isinstance(value, Output) else value) // 64
    return len(value) if isinstance(value, SIZED) else 0


def check_growth(budget: Budget, operator: str, left: Any, right: Any) -> None:
    """TemplateError if the operation's result is too large; called before it is made."""
    if isinstance(left, SIZED) and isinstance(right, SIZED):
        budget.make(len(left) + len(right))
    elif operator == "*" and (isinstance(left, SIZED) or isinstance(right, SIZED)):
        sized, times = (left, right) if isinstance(left, SIZED) else (right, left)
        budget.make(len(sized) * times if isinstance(times, int) else 0)
    elif isinstance(left, int) and isinstance(right, int):
        bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * max(right, 1)}
        if bits.get(operator, 0) > MAX_BITS:
            raise TemplateError(f"the number is too large (over {MAX_BITS} bits)")


def check_number(number: object) -> None:
    """TemplateError for a width, count or precision that would make a filter run or grow without end."""
    if isinstance(number, int) and abs(number) > MAX_NUMBER:
        raise TemplateError(f"{number} is too large here (at most {MAX_NUMBER:,})")
