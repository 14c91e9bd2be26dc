"""The one Jinja environment: fields are data, calls are listed, and work and size are bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pytest_lok.core.templates.builtins import FILTERS, FUNCTIONS, TESTS, method_of, percent
from pytest_lok.core.templates.comparison import BOOLEAN, COMPARED, compared, require_boolean
from pytest_lok.core.templates.filters import reject_booleans
from pytest_lok.core.templates.limits import (
    CALL,
    MAX_TEXT,
    RenderingBudget,
    budget_of,
    check_growth,
    reading_work,
)
from pytest_lok.core.templates.values import MissingValue, field_of, text_of, unwrap
from pytest_lok.errors import TemplateError

CALL_SUFFIX = "()"
"""Ends an attribute that is called (see checking), so that ``x.title()`` and the field ``x.title`` differ."""

COUNTED = " counted"
"""The filter around what a ``for`` goes through; the space keeps it out of a text's reach."""


MADE = " made"
"""The filter around a list or object the text makes; the same."""


class LokEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with nothing left to reach in it."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})
    intercepted_unops = frozenset({"+", "-"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field, or the method behind ``name()``."""
        if attribute.endswith(CALL_SUFFIX):
            return method_of(obj, attribute.removesuffix(CALL_SUFFIX))
        return super().getattr(obj, attribute) if isinstance(obj, LoopContext) else field_of(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A field or an item."""
        return field_of(obj, argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - see Jinja
        """Call a listed function or method; each call counts, and so does the length of what it reads."""
        read = sum(map(reading_work, (getattr(__obj, "__self__", None), *args)))
        budget_of(__context).spend(CALL + read)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operation: it can grow a value, and counts with numbers alone."""
        left, right = unwrap(left), unwrap(right)
        if operator == "%" and isinstance(left, str):
            return percent(context, left, *(right if isinstance(right, tuple) else (right,)))
        # Python counts true as 1, and JSON does not
        reject_booleans(left, right)
        check_growth(budget_of(context), operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """A sign before a number."""
        reject_booleans(unwrap(arg))
        return super().call_unop(context, operator, arg)


class _CountedItems:
    """What a loop goes through, each round counted; it keeps its length, for ``loop.length``."""

    def __init__(self, items: Any, budget: RenderingBudget) -> None:
        self._items = items
        self._budget = budget

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self._budget.spend(1)
            yield item


@pass_context
def _count_loop(context: Context, items: Any) -> Iterable[Any]:
    items = unwrap(items)
    counted = _CountedItems(items, budget_of(context))
    # what has no length must not seem to have one: Jinja asks for it
    return counted if hasattr(items, "__len__") else iter(counted)


@pass_context
def _measure_made(context: Context, value: Any) -> Any:
    budget_of(context).measure(value)
    return value


def _join_captured(parts: Iterable[str]) -> str:
    """The parts of a captured block or macro as one text."""
    parts = list(parts)
    if sum(map(len, parts)) > 4 * MAX_TEXT:
        raise TemplateError(f"a captured block is too large (over {4 * MAX_TEXT:,} characters)")
    return "".join(parts)


def _environment() -> LokEnvironment:
    environment = LokEnvironment(
        undefined=MissingValue,
        autoescape=False,
        keep_trailing_newline=True,
        optimized=False,
        finalize=text_of,
        # half a character, which no text has: so `{#` is text, and there are no comments
        comment_start_string="\udfff{#",
        comment_end_string="#}\udfff",
    )
    environment.concat = _join_captured  # type: ignore[method-assign]  # a function of the instance: not bound
    # Jinja's own are not listed, so they are not there
    environment.globals = dict(FUNCTIONS)
    environment.filters = {
        **FILTERS,
        COMPARED: compared,
        COUNTED: _count_loop,
        MADE: _measure_made,
        BOOLEAN: require_boolean,
    }
    environment.tests = dict(TESTS)
    return environment


ENVIRONMENT = _environment()
