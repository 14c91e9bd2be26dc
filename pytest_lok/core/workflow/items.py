"""A `for_each` and what earlier steps have said → the items of the loop."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lok.core.results import Json
from pytest_lok.core.templates.scope import Scope
from pytest_lok.core.workflow.model import MOST_ITEMS, ForEach
from pytest_lok.errors import OutputError, StepUnableError


def items_of(for_each: ForEach, scope: Scope) -> Sequence[Json]:
    """The items of a loop; OutputError where they are no list, StepUnableError where they are too many."""
    if for_each.expression is None:
        return for_each.inline
    value = for_each.expression.value(scope)
    if not isinstance(value, list):
        kind = "an object" if isinstance(value, dict) else "no array"
        raise OutputError(
            f"for_each needs a JSON array, but {for_each.expression.source.strip()} is {kind}",
            hint='name the field that holds the array, or set output_format = "json_array" on that step',
        )
    if len(value) > MOST_ITEMS:
        raise StepUnableError(
            f"for_each got {len(value):,} items; at most {MOST_ITEMS:,} are run",
            hint="hand it fewer, for example by a command before it",
        )
    return value
