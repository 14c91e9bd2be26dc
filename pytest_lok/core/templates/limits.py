"""What one rendering may make and go through, so that a text ends soon, with an error if need be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_lok.core.templates.values import OutputValue
from pytest_lok.errors import TemplateError

if TYPE_CHECKING:
    from jinja2.runtime import Context

BUDGET = " budget"
"""The Budget's name in a context; the space keeps it out of a text's reach."""

MAX_TEXT = 16 * 1024 * 1024
"""Characters a text may make, beyond what it is given."""

MAX_WORK = 1_000_000
"""Loop rounds, calls and items a text may go through, beyond what it is given."""

CALL = 20
"""Work that a call is, compared to a loop round."""

FILTER = 4
"""Work that a filter is, compared to a loop round."""

_TIME_CHECK_INTERVAL = 1000
"""Work between two looks at the time."""

MAX_BITS = 4096
"""Size of an integer."""

MAX_OPTION = 10_000
"""Widths, counts, precisions and lengths of texts given to filters."""

SIZED = (str, list, tuple, dict, range)
NESTING = (list, tuple, dict)


class RenderingBudget:
    """What one rendering may still do; ``given`` is how many characters its values have.

    ``strict``: its value decides something, so that what is neither true nor false is no answer in it.
    ``time_left`` is asked for the time that is left, and ends it with its TimeoutError.
    """

    __slots__ = ("_checked_at", "_limit", "_output_size", "_work", "strict", "time_left")

    def __init__(
        self, given: int, *, strict: bool = False, time_left: Callable[[], float] = lambda: math.inf
    ) -> None:
        self.strict = strict
        self.time_left = time_left
        self._limit = MAX_TEXT + 4 * given
        self._work = MAX_WORK + given
        self._checked_at = self._work
        self._output_size = 0

    def spend(self, work: int) -> None:
        """Count rounds, calls or items; TemplateError when there were too many."""
        # one number, so that loops in loops and long values pay from the same purse
        self._work -= work
        if self._work < 0:
            raise TemplateError(f"it takes too long (over {MAX_WORK:,} loop rounds and calls)")
        if self._checked_at - self._work > _TIME_CHECK_INTERVAL:
            self._checked_at = self._work
            self.time_left()

    def check_size(self, size: int) -> None:
        """Count a new value of that many characters or items; TemplateError when it is too large."""
        if size > self._limit:
            raise TemplateError(
                f"the result is too large (over {self._limit:,} characters)",
                hint="pass large text on with `{{ steps.NAME.output }}` alone, to `stdin`",
            )
        self.spend(size // 64)

    def measure(self, value: object) -> int:
        """The size of a value with everything in it, counted as work; what is in it twice counts twice.

        Lists that hold a list twice, and again, would else take for ever to compare or to show.
        """
        size, todo = 0, [value]
        while todo:
            node = todo.pop()
            size += 1 + reading_work(node)
            self.spend(1 + reading_work(node))
            if isinstance(node, dict):
                todo += [child for child in node.values() if isinstance(child, NESTING)]
            elif isinstance(node, NESTING):
                todo += [child for child in node if isinstance(child, NESTING)]
        return size

    def count_output(self, piece: str) -> None:
        """Count a piece of the final text; TemplateError when that grows too large."""
        self._output_size += len(piece)
        # the piece is charged for, and the sum is only looked at
        self.check_size(self._output_size if self._output_size > self._limit else len(piece))


def budget_of(context: Context) -> RenderingBudget:
    """The budget of the rendering that is going on."""
    budget: RenderingBudget = context.parent[BUDGET]
    return budget


def reading_work(value: object) -> int:
    """How much work it is to go through a value once: its items, or a fraction of its characters."""
    if isinstance(value, str):
        return len(value.text if isinstance(value, OutputValue) else value) // 64
    return len(value) if isinstance(value, SIZED) else 0


def check_growth(budget: RenderingBudget, operator: str, left: Any, right: Any) -> None:
    """TemplateError if the operation's result is too large; called before it is made."""
    if isinstance(left, SIZED) and isinstance(right, SIZED):
        budget.check_size(_size(budget, left) + _size(budget, right))
    elif operator == "*" and (isinstance(left, SIZED) or isinstance(right, SIZED)):
        sized, times = (left, right) if isinstance(left, SIZED) else (right, left)
        budget.check_size(_size(budget, sized) * times if isinstance(times, int) else 0)
    elif isinstance(left, int) and isinstance(right, int):
        bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * max(right, 1)}
        if bits.get(operator, 0) > MAX_BITS:
            raise TemplateError(f"the number is too large (over {MAX_BITS} bits)")


def _size(budget: RenderingBudget, value: Any) -> int:
    """Characters of a text; everything in a list."""
    return len(value) if isinstance(value, str) else budget.measure(value)


def check_option(option: object) -> None:
    """TemplateError for a width, count or text given to a filter that would make it run or grow too far."""
    size = abs(option) if isinstance(option, int) else len(option) if isinstance(option, str) else 0
    if size > MAX_OPTION:
        shown = option if isinstance(option, int) else "the text"
        raise TemplateError(f"{shown} is too large here (at most {MAX_OPTION:,})")
