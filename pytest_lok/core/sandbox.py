"""The one Jinja environment: fields are data, methods and filters are listed, and work and size are bounded."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from jinja2 import filters as jinja_filters
from jinja2 import pass_context
from jinja2 import tests as jinja_tests
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range

from pytest_lok.core.jsontext import is_json
from pytest_lok.core.values import Missing, as_json, field_of, missing, plain, text_of
from pytest_lok.errors import TemplateError

Function: TypeAlias = Callable[..., Any]

BUDGET = " budget"
JUDGEMENTS = " judgements"
"""Names of values a template is given beside its roots; the space keeps them out of its reach."""

MAX_TEXT = 16 * 1024 * 1024
"""Characters a template may make, beyond what it is given."""

MAX_WORK = 1_000_000
"""Loop rounds, calls and items a template may go through, beyond what it is given."""

MAX_BITS = 4096
"""Size of an integer."""

REGEX_SECONDS = 2.0
"""Time one ``matches`` may take; patterns can need exponential time."""


class Budget:
    """What one rendering may still do; ``given`` is how many characters its values have."""

    __slots__ = ("_limit", "_shown", "_work")

    def __init__(self, given: int = 0) -> None:
        self._limit = MAX_TEXT + 4 * given
        self._work = MAX_WORK + given
        self._shown = 0

    def spend(self, work: int) -> None:
        """Count rounds, calls or items; TemplateError when there were too many."""
        self._work -= work
        if self._work < 0:
            raise TemplateError(f"the template does too much work (over {MAX_WORK:,} steps)")

    def make(self, size: int) -> None:
        """Count a new value of that many characters or items; TemplateError when it is too large."""
        if size > self._limit:
            raise TemplateError(
                f"the result is too large (over {self._limit:,} characters)",
                hint="pass large text through `stdin`, from `{{ steps.X.output }}` alone",
            )
        self.spend(size // 64)

    def show(self, piece: str) -> None:
        """Count a piece of the final text; TemplateError when it grows too large."""
        self._shown += len(piece)
        self.make(self._shown if self._shown > self._limit else len(piece))


def _budget(context: Context) -> Budget:
    budget = context.parent[BUDGET]
    assert isinstance(budget, Budget)
    return budget


TEXT_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "islower",
        "isnumeric",
        "isspace",
        "istitle",
        "isupper",
        "join",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
    ]
)
DATA_METHODS: Mapping[type, frozenset[str]] = {
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    LoopContext: frozenset({"changed", "cycle"}),
}
METHODS = TEXT_METHODS.union(*DATA_METHODS.values())
"""Methods that may be called; everything else after a dot is a field."""

CALLED = "()"
"""Ends the attribute of a call (see expressions), so that ``x.title()`` and the field ``x.title`` differ."""


class LokEnvironment(ImmutableSandboxedEnvironment):
    """Attributes are fields of data; only listed methods can be called; growing operations are bounded."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field, or the bound method of ``name()``."""
        if attribute.endswith(CALLED):
            return _method(obj, attribute.removesuffix(CALLED))
        if isinstance(obj, LoopContext):
            return super().getattr(obj, attribute)
        return field_of(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A field or an item."""
        return field_of(obj, argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as in Jinja
        """Call a listed function or method; every call is counted."""
        _budget(__context).spend(1)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """One of the operations that can grow a value."""
        left, right = plain(left), plain(right)
        if operator == "%" and isinstance(left, str):
            return _format(context, left, *(right if isinstance(right, tuple) else (right,)))
        _bounded(context, operator, left, right)
        return super().call_binop(context, operator, left, right)


def _bounded(context: Context, operator: str, left: Any, right: Any) -> None:
    sized = (str, list, tuple)
    if isinstance(left, sized) and isinstance(right, sized):
        _budget(context).make(len(left) + len(right))
    elif operator == "*" and (isinstance(left, sized) or isinstance(right, sized)):
        text, times = (left, right) if isinstance(left, sized) else (right, left)
        _budget(context).make(len(text) * times if isinstance(times, int) else 0)
    elif isinstance(left, int) and isinstance(right, int):
        bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * max(right, 1)}
        if bits.get(operator, 0) > MAX_BITS:
            raise TemplateError("the number is too large")


def _method(obj: Any, name: str) -> Any:
    if isinstance(obj, Missing):
        return obj
    owner = plain(obj)
    for kind, names in DATA_METHODS.items():
        if isinstance(owner, kind) and name in names:
            return getattr(owner, name)
    if isinstance(obj, str) and name in TEXT_METHODS:
        text = text_of(obj)
        own = {
            "join": functools.partial(_join_method, text),
            "replace": functools.partial(_replace_method, text),
        }
        return own.get(name) or getattr(text, name)
    return missing(
        f"{type(owner).__name__} has no method {name}()", "only text, objects and arrays have methods"
    )


@pass_context
def _counted(context: Context, items: Any) -> Any:
    """The items of a ``for`` loop, each counted."""
    budget = _budget(context)

    def rounds() -> Iterable[Any]:
        for item in items:
            budget.spend(1)
            yield item

    return rounds() if not hasattr(items, "__len__") else _Rounds(items, budget)


class _Rounds(Sequence[Any]):
    """A counted sequence that keeps its length, for ``loop.last`` and ``loop.length``."""

    def __init__(self, items: Any, budget: Budget) -> None:
        self._items = items
        self._budget = budget

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Any:
        for item in self._items:
            self._budget.spend(1)
            yield item


# --- functions ----------------------------------------------------------------------------------


def contains(value: Any, what: Any) -> bool:
    """Whether the value's text holds the text, or the array the item."""
    if isinstance(what, str) and text_of(what) in text_of(value):
        return True
    value, what = plain(value), plain(as_json(what))
    return what in value if isinstance(value, list | dict) else text_of(what) in text_of(value)


def icontains(value: Any, what: Any) -> bool:
    """``contains`` for texts, whatever the case."""
    return text_of(what).casefold() in text_of(value).casefold()


def equals(left: Any, right: Any) -> bool:
    """Whether the two are the same text, surrounding whitespace aside."""
    return text_of(left).strip() == text_of(right).strip()


def matches(value: Any, pattern: Any) -> bool:
    """Whether the regular expression matches anywhere in the text."""
    import regex  # slow to import, rarely used

    try:
        return regex.search(text_of(pattern), text_of(value), timeout=REGEX_SECONDS) is not None
    except TimeoutError:
        raise TemplateError(
            f"the regular expression {text_of(pattern)!r} took more than {REGEX_SECONDS:g} s",
            hint="nested repetition such as (a+)+ needs exponential time; write it without",
        ) from None
    except regex.error as error:
        raise TemplateError(f"the regular expression {text_of(pattern)!r} is wrong: {error}") from None


def json_text(value: Any) -> bool:
    """Whether the text as a whole is JSON."""
    return is_json(text_of(value))


@pass_context
def rubric(context: Context, text: str, backend: str = "") -> bool:
    """What the judge answered."""
    judgements = context.parent[JUDGEMENTS]
    if (text, backend) not in judgements:
        raise TemplateError(f"nobody judged the rubric {text!r}")
    return bool(judgements[text, backend])


FUNCTIONS: Mapping[str, Function] = {
    "contains": contains,
    "equals": equals,
    "icontains": icontains,
    "is_json": json_text,
    "matches": matches,
    "range": safe_range,
    "rubric": rubric,
}

# --- filters ------------------------------------------------------------------------------------


def _items(value: Any) -> Iterable[Any]:
    items = plain(value)
    if not isinstance(items, Iterable):
        raise TemplateError(f"only an array can be joined, not {text_of(items)}")
    return items


@pass_context
def _join(context: Context, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    items: Iterable[Any] = _items(value)
    if attribute is not None:
        items = map(jinja_filters.make_attrgetter(context.environment, attribute), items)
    texts = [text_of(item) for item in items]
    separator = text_of(d)
    _budget(context).make(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _join_method(separator: str, items: Any) -> str:
    texts = [text_of(item) for item in _items(items)]
    _within(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace_method(text: str, old: Any, new: Any, count: int = -1) -> str:
    old, new = text_of(old), text_of(new)
    _within(len(text) + text.count(old) * len(new))
    return text.replace(old, new, count)


def _within(size: int) -> None:
    Budget().make(size)


@pass_context
def _replace(context: Context, value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = text_of(value), text_of(old), text_of(new)
    _budget(context).make(len(text) + text.count(old) * len(new))
    return text.replace(old, new, -1 if count is None else count)


_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\*|\d{4})")


@pass_context
def _format(context: Context, value: Any, *args: Any, **kwargs: Any) -> str:
    text = text_of(value)
    if _WIDE.search(text):
        raise TemplateError("a width in a format is at most 999")
    if args and kwargs:
        raise TemplateError("`format` takes values by position or by name, not both")
    result = text % ({k: _shown(v) for k, v in kwargs.items()} or tuple(_shown(v) for v in args))
    _budget(context).make(len(result))
    return result


def _shown(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text_of(value)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(as_json(value), ensure_ascii=False, indent=None if indent is None else min(indent, 16))


def _from_json(value: Any) -> Any:
    from pytest_lok.core.jsontext import find_json

    return find_json(text_of(value))


def _lines(value: Any) -> list[str]:
    return [line for line in text_of(value).split("\n") if line.strip()]


def _small(number: object) -> None:
    if isinstance(number, int) and abs(number) > 10_000:
        raise TemplateError(f"{number} is too large here (at most 10,000)")


def _guarded(function: Function, convert: Callable[[Any], Any]) -> Function:
    """The filter with its value converted, its other numbers small and its work counted."""
    first = getattr(getattr(function, "jinja_pass_arg", None), "name", None)

    @pass_context
    @functools.wraps(function, updated=())
    def guarded(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        value = convert(value)
        for number in (*args, *kwargs.values()):
            _small(number)
        if isinstance(value, str | list | dict | range):
            _budget(context).spend(len(value) // (64 if isinstance(value, str) else 1))
        given = {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}
        return function(*((given[first],) if first else ()), value, *args, **kwargs)

    return guarded


def _same(value: Any) -> Any:
    return value


def _filters() -> dict[str, Function]:
    jinja = jinja_filters.FILTERS
    text = [
        "capitalize",
        "indent",
        "int",
        "float",
        "lower",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
        "wordcount",
        "wordwrap",
    ]
    data = [
        "abs",
        "batch",
        "count",
        "dictsort",
        "filesizeformat",
        "first",
        "groupby",
        "items",
        "last",
        "length",
        "list",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "reverse",
        "round",
        "select",
        "selectattr",
        "slice",
        "sort",
        "sum",
        "unique",
    ]
    return {
        **{name: _guarded(jinja[name], text_of) for name in text},
        **{name: _guarded(jinja[name], plain) for name in data},
        "default": jinja["default"],
        "d": jinja["default"],
        "join": _join,
        "replace": _replace,
        "format": _format,
        "string": text_of,
        "tojson": _to_json,
        "json": _to_json,
        "from_json": _from_json,
        "lines": _lines,
        "allow_dash": _same,
    }


COUNTED = " counted"
"""The filter around what a ``for`` goes through; not a name a text can hold."""

FILTERS: Mapping[str, Function] = _filters()


def _tests() -> dict[str, Function]:
    taken: Mapping[str, Function] = jinja_tests.TESTS  # type: ignore[assignment]  # a few are mere callables there
    own = {name: _plainly(taken[name]) for name in ("mapping", "sequence", "iterable", "string")}
    dropped = ("callable", "escaped", "filter", "test", "sameas")
    return {name: test for name, test in taken.items() if name not in dropped} | own


def _plainly(test: Function) -> Function:
    return lambda value: test(plain(value))


TESTS: Mapping[str, Function] = _tests()


def _whole(parts: Iterable[str]) -> str:
    """The captured parts of a block or macro as one text, within bounds."""
    parts = list(parts)
    if sum(map(len, parts)) > 4 * MAX_TEXT:
        raise TemplateError(f"the result is too large (over {4 * MAX_TEXT:,} characters)")
    return "".join(parts)


def _environment() -> LokEnvironment:
    environment = LokEnvironment(
        undefined=Missing,
        autoescape=False,
        keep_trailing_newline=True,
        optimized=False,
        finalize=text_of,
        comment_start_string="\udfff{#",  # half a character: no text has it, so there are no comments
        comment_end_string="#}\udfff",
    )
    environment.concat = _whole  # type: ignore[method-assign]  # a plain function on the instance: not bound
    environment.globals = dict(FUNCTIONS)
    environment.filters = {**FILTERS, COUNTED: _counted}
    environment.tests = dict(TESTS)
    return environment


ENVIRONMENT = _environment()
