"""The filters that choose, order and group by what values are: types count in all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import jinja2.filters
from jinja2 import Environment, pass_context, pass_environment
from jinja2.runtime import Context

from pytest_lok.core.templates.comparison import YES, alike, distinct
from pytest_lok.core.templates.limits import budget_of
from pytest_lok.core.templates.values import plain

Filter = Callable[..., Any]
T = TypeVar("T")

_JINJA: Mapping[str, Filter] = jinja2.filters.FILTERS


def _chosen(name: str, given: int) -> Filter:
    """Jinja's, which without a test goes by a value's truth: where that decides, it has to be one."""
    function = _JINJA[name]

    @functools.wraps(function)
    def chosen(context: Context, value: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        if len(args) == given and budget_of(context).strict:
            args = (*args, YES)
        return function(context, value, *args, **kwargs)  # type: ignore[no-any-return]  # Jinja's

    return pass_context(chosen)


def _key(environment: Environment, attribute: str | int | None) -> Callable[[Any], Any]:
    return plain if attribute is None else jinja2.filters.make_attrgetter(environment, attribute)


def _ordered(name: str) -> Filter:
    """Jinja's, of values of one type: ``max`` of false and 0.5 is no number."""
    function = _JINJA[name]

    @functools.wraps(function)
    def ordered(environment: Environment, value: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        value = list(value)
        attribute = kwargs.get("attribute", args[-1] if len(args) > _BEFORE[name] else None)
        for one in attribute.split(",") if isinstance(attribute, str) else [attribute]:
            alike(value, _key(environment, one))
        return function(environment, value, *args, **kwargs)

    return pass_environment(ordered)


_BEFORE = {"max": 1, "min": 1, "sort": 2}
"""How many options come before the attribute."""


@pass_environment
def _grouped(
    environment: Environment,
    value: Iterable[Any],
    attribute: str | int,
    default: Any = None,
    case_sensitive: bool = False,
) -> Any:
    get = jinja2.filters.make_attrgetter(environment, attribute, default=default)
    items = alike(value, get)
    return _JINJA["groupby"](environment, items, attribute, default, case_sensitive)


@pass_environment
def _unique(
    environment: Environment,
    value: Iterable[T],
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> Iterator[T]:
    get = _key(environment, attribute)

    def key(item: T) -> Any:
        found = plain(get(item))
        return found.casefold() if isinstance(found, str) and not case_sensitive else found

    return distinct(value, key)


COMPARING: Mapping[str, Filter] = {
    **{name: _chosen(name, 0) for name in ("reject", "select")},
    **{name: _chosen(name, 1) for name in ("rejectattr", "selectattr")},
    **{name: _ordered(name) for name in _BEFORE},
    "groupby": _grouped,
    "unique": _unique,
}
