"""The functions, methods, filters and tests that texts may use: lists, not all that Jinja and Python have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MethodType
from typing import Any, TypeAlias

import jinja2.filters
import jinja2.tests
from jinja2 import pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import safe_range

from pytest_lok.core.templates.comparison import (
    BOOLEAN,
    COMPARISONS,
    TEXT_HINT,
    equal_json,
    is_in,
    json_type,
    require_boolean,
)
from pytest_lok.core.templates.filters import COMPARING, NUMERIC, NUMERIC_TESTS
from pytest_lok.core.templates.limits import FILTER, budget_of, check_option, reading_work
from pytest_lok.core.templates.values import (
    MissingValue,
    OutputValue,
    as_json,
    json_of,
    missing,
    text_of,
    unwrap,
)
from pytest_lok.core.text.json_in_prose import QuotedError, find_json
from pytest_lok.core.text.strict_json import describe_type, is_json
from pytest_lok.core.text.words import words
from pytest_lok.errors import TemplateError
from pytest_lok.late_regex import late_regex

Function: TypeAlias = Callable[..., Any]

JUDGEMENTS = " judgements"
"""The name of the rubrics' answers in a context; the space keeps it out of a text's reach."""

REGEX_SECONDS = 1.0
"""Time one ``matches`` may take; patterns can need exponential time."""

# --- functions ----------------------------------------------------------------------------------


def contains(value: Any, what: Any) -> bool:
    """Whether the text holds the text, or the array or object the item or, in its JSON, the text."""
    if (
        json_type(unwrap(value)) in ("array", "object")
        and isinstance(what, str)
        and text_of(what) in text_of(value)
    ):
        return True
    return is_in(what, value)


def icontains(value: Any, what: Any) -> bool:
    """``contains`` for texts, whatever the case."""
    return _textual(what).casefold() in _textual(value, nested=True).casefold()


def equals(left: Any, right: Any) -> bool:
    """Whether the two are the same value; of two texts, surrounding whitespace aside.

    A text is what is written of a number or truth: where it is not, who compares them meant something else.
    """
    if not isinstance(left, str) and not isinstance(right, str):
        return equal_json(left, right)
    if text_of(left).strip() == text_of(right).strip():
        return True
    _textual(left), _textual(right)
    return False


def _textual(value: Any, *, nested: bool = False) -> str:
    """A text; ``nested``: also an array or object, as JSON."""
    if isinstance(value, str) or (nested and json_type(unwrap(value)) in ("array", "object")):
        return text_of(value)
    its = unwrap(value)
    # a missing value raises an error of its own, which says more
    as_json(its)
    raise TemplateError(f"{describe_type(its)} is no text", hint=TEXT_HINT)


@pass_context
def matches(context: Context, value: Any, pattern: Any) -> bool:
    """Whether the regular expression matches anywhere in the text."""
    # late: rarely used, and slow to import
    import regex

    text, pattern = _textual(value), _textual(pattern)
    # `re` cannot be interrupted; `regex` takes a limit
    seconds = min(REGEX_SECONDS, budget_of(context).time_left())
    try:
        return regex.search(pattern, text, timeout=seconds) is not None
    except TimeoutError:
        raise TemplateError(
            f"the regular expression {pattern!r} took more than {REGEX_SECONDS:g} s",
            hint="nested repetition such as (a+)+ can take for ever; write it without",
        ) from None
    except regex.error as error:
        raise TemplateError(f"the regular expression {pattern!r} is wrong: {error}") from None


def is_json_text(value: Any) -> bool:
    """Whether the text as a whole is JSON."""
    return is_json(text_of(value))


@pass_context
def rubric(context: Context, text: str, /, backend: str = "", score: str = "") -> bool | float:
    """What the judge answered about this text: yes or no, or a number of the scale ``score``."""
    judgements: Mapping[tuple[str, str, str], bool | float] = context.parent[JUDGEMENTS]
    if (text, backend, score) not in judgements:
        raise TemplateError(f"nobody judged the rubric {text!r}")
    return judgements[text, backend, score]


def similar(one: Any, other: Any) -> float:
    """How similar two texts are, from 0 to 1; see ``core/text/similarity.py``."""
    from pytest_lok.core.text.similarity import LONGEST, similarity

    texts = text_of(one), text_of(other)
    if any(len(text) > LONGEST for text in texts):
        raise TemplateError(
            f"`similar` compares texts of up to {LONGEST:,} characters, and one has {max(map(len, texts)):,}",
            hint="compare a part of it",
        )
    return similarity(*texts)


FUNCTIONS: Mapping[str, Function] = {
    "contains": contains,
    "equals": equals,
    "icontains": icontains,
    "is_json": is_json_text,
    "matches": matches,
    "range": safe_range,
    "rubric": rubric,
    "similar": similar,
}

# --- methods ------------------------------------------------------------------------------------

TEXT_METHODS = words(
    "capitalize casefold lower swapcase title upper",
    "count endswith find index rfind rindex startswith",
    "isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace isupper",
    "lstrip removeprefix removesuffix rstrip strip",
    "join partition replace rpartition rsplit split splitlines",
)
DATA_METHODS: Mapping[type, frozenset[str]] = {
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    LoopContext: frozenset({"changed", "cycle"}),
}
_PLURAL: Mapping[type, str] = {dict: "objects", list: "arrays", LoopContext: "the `loop` of a `for`"}
METHODS = TEXT_METHODS.union(*DATA_METHODS.values())
"""Methods that may be called; whatever else stands after a dot is a field."""


def method_of(value: Any, name: str) -> Any:
    """The bound method, or a Missing."""
    if isinstance(value, MissingValue):
        return value
    owner = unwrap(value)
    for its, names in DATA_METHODS.items():
        # lists count and compare as JSON does, where true is not 1
        if isinstance(owner, its) and name in names:
            return MethodType(_ARRAY_METHODS[name], owner) if its is list else getattr(owner, name)
    if isinstance(value, str) and name in TEXT_METHODS:
        text = text_of(value)
        return MethodType(_SIZE_CHECKED[name], text) if name in _SIZE_CHECKED else getattr(text, name)
    return missing(f"{describe_type(owner)} has no method {name}()", f"{name}() is for {_owners_of(name)}")


def _owners_of(name: str) -> str:
    """What has the method, for people."""
    texts = ["texts (`| string` makes one of any value)"] if name in TEXT_METHODS else []
    return " and ".join(texts + [_PLURAL[its] for its, names in DATA_METHODS.items() if name in names])


@pass_context
def _join(separator: str, context: Context, items: Any) -> str:
    texts = [text_of(item) for item in _items(items)]
    budget_of(context).check_size(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@pass_context
def _replace(text: str, context: Context, old: Any, new: Any, count: int = -1) -> str:
    old, new = text_of(old), text_of(new)
    budget_of(context).check_size(len(text) + text.count(old) * len(new))
    return text.replace(old, new, count)


def _count(items: list[Any], item: Any) -> int:
    return sum(equal_json(one, item) for one in items)


def _index(items: list[Any], item: Any) -> int:
    found = next((at for at, one in enumerate(items) if equal_json(one, item)), None)
    if found is None:
        raise TemplateError(f"{text_of(item)} is not in the array")
    return found


_ARRAY_METHODS: Mapping[str, Function] = {"count": _count, "index": _index}
_SIZE_CHECKED: Mapping[str, Function] = {"join": _join, "replace": _replace}


def _items(value: Any) -> Iterable[Any]:
    items = unwrap(value)
    if isinstance(items, Iterable):
        return items
    raise TemplateError(f"only an array can be joined, not {text_of(items)}")


# --- filters ------------------------------------------------------------------------------------


@pass_context
def _join_filter(context: Context, value: Any, d: Any = "", attribute: str | int | None = None) -> str:
    items = _items(value)
    if attribute is not None:
        items = map(jinja2.filters.make_attrgetter(context.environment, attribute), items)
    return _join(text_of(d), context, items)


@pass_context
def _replace_filter(context: Context, value: Any, old: Any, new: Any, count: int = -1) -> str:
    return _replace(text_of(value), context, old, new, count)


_WIDE = late_regex(r"%[^a-zA-Z%]*(?:\*|\d{4})")


@pass_context
def percent(context: Context, value: Any, *args: Any, **kwargs: Any) -> str:
    """``'%.1f' | format(x)``, with widths of at most three digits."""
    text = text_of(value)
    if _WIDE.search(text):
        raise TemplateError("a width in a format has at most three digits")
    if args and kwargs:
        raise TemplateError("`format` takes values by position or by name, not both")
    named = {key: _number_or_text(value) for key, value in kwargs.items()}
    given = tuple(map(_number_or_text, args))
    # each %s may put in the longest of them, with a width of three digits around it
    longest = max((len(value) for value in (*given, *named.values()) if isinstance(value, str)), default=0)
    budget_of(context).check_size(len(text) + text.count("%") * (longest + 1000))
    return text % (named or given)


def _number_or_text(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text_of(value)


@pass_context
def _to_json(context: Context, value: Any, indent: int | None = None) -> str:
    check_option(indent)
    text = json_of(value, None if indent is None else min(indent, 16))
    budget_of(context).check_size(len(text))
    return text


def _from_json(value: Any) -> Any:
    if isinstance(value, OutputValue) and value.view.result.quoting:
        raise QuotedError
    return find_json(text_of(value))


def _lines(value: str) -> list[str]:
    return [line for line in value.split("\n") if line.strip()]


def _identity(value: Any) -> Any:
    return value


def _budgeted(function: Function, convert: Callable[[Any], Any]) -> Function:
    """The filter with its value converted, its options small and its work counted.

    Its result is a list where Jinja's is a generator: an empty one is false, and has a length.
    """
    passed = getattr(getattr(function, "jinja_pass_arg", None), "name", None)

    @functools.wraps(function, updated=())
    def guarded(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        value = convert(value)
        for option in (*args, *kwargs.values()):
            check_option(option)
        budget = budget_of(context)
        budget.spend(FILTER + reading_work(value))
        before = {
            None: (),
            "context": (context,),
            "eval_context": (context.eval_ctx,),
            "environment": (context.environment,),
        }
        result = function(*before[passed], value, *args, **kwargs)
        if not isinstance(result, Iterator):
            return result
        # text_of raises for a missing value, which would otherwise hide in the list
        made = [text_of(item) if isinstance(item, MissingValue) else item for item in result]
        budget.measure(made)
        return made

    return pass_context(guarded)


_JINJA: Mapping[str, Function] = jinja2.filters.FILTERS
_OF_TEXT = words("capitalize indent lower title trim truncate upper urlencode wordcount wordwrap")
_OF_DATA = words("batch count dictsort filesizeformat first items last length list map reverse slice")
FILTERS: Mapping[str, Function] = {
    **{name: _budgeted(own, unwrap) for name, own in {**NUMERIC, **COMPARING}.items()},
    **{name: _budgeted(_JINJA[name], text_of) for name in _OF_TEXT},
    **{name: _budgeted(_JINJA[name], unwrap) for name in _OF_DATA},
    **dict.fromkeys(("d", "default"), _JINJA["default"]),
    **dict.fromkeys(("json", "tojson"), _to_json),
    "allow_dash": _identity,
    "format": percent,
    "from_json": _from_json,
    "join": _join_filter,
    "lines": _budgeted(_lines, text_of),
    "replace": _replace_filter,
    "string": _budgeted(_identity, text_of),
}


def _tests() -> dict[str, Function]:
    # a few are mere callables there
    taken: Mapping[str, Function] = jinja2.tests.TESTS  # type: ignore[assignment]
    # they ask about Python, not about data
    dropped = ("callable", "escaped", "filter", "test", "sameas")
    own = {name: _of_plain(taken[name]) for name in ("mapping", "sequence", "iterable", "string")}
    kept = {name: test for name, test in taken.items() if name not in dropped}
    return {**kept, **own, **NUMERIC_TESTS, **COMPARISONS, BOOLEAN: require_boolean}


def _of_plain(test: Function) -> Function:
    @functools.wraps(test)
    def tested(value: Any) -> Any:
        return test(unwrap(value))

    return tested


TESTS: Mapping[str, Function] = _tests()
