"""An expression's tree -> what is known before it runs: no yes or no, always the same, or wrong."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from jinja2 import nodes

from pytest_lok.core.templates.builtins import FUNCTIONS
from pytest_lok.core.templates.checks.scores import range_of
from pytest_lok.core.templates.comparison import BOOLEAN, COMPARED, json_type
from pytest_lok.core.templates.environment import MADE

if TYPE_CHECKING:
    from pytest_lok.core.json_values import JsonType
    from pytest_lok.core.templates.builtins import Function


def _of_type(its: JsonType, names: str) -> dict[str, JsonType]:
    return dict.fromkeys(names.split(), its)


_NAMES = {**_of_type("text", "output"), **_of_type("number", "cost seconds index")}
# `reason`, `backend` and `seconds` may be fields of an answer, of any type
_FACTS = _of_type("text", "output outcome")
_GROUPS = _of_type("text", "arg env workflow")
_FILTERS = {
    **_of_type("text", "capitalize filesizeformat format indent join json lower replace string title tojson"),
    **_of_type("text", "trim truncate upper urlencode wordwrap"),
    **_of_type("number", "abs count float int length round sum wordcount"),
    **_of_type("array", "batch dictsort groupby items lines list map reject rejectattr select selectattr"),
    **_of_type("array", "slice sort unique"),
}
_METHODS = {
    **_of_type(
        "text", "capitalize casefold join lower lstrip removeprefix removesuffix replace rstrip strip"
    ),
    **_of_type("text", "swapcase title upper"),
    **_of_type("number", "count find index rfind rindex"),
    **_of_type("array", "items keys partition rpartition rsplit split splitlines values"),
}
_ARITHMETIC = (nodes.Sub, nodes.Div, nodes.FloorDiv, nodes.Pow, nodes.Neg, nodes.Pos)


_UNTYPED: Mapping[str, JsonType] = {}


def known_kind(node: nodes.Expr, typed: Mapping[str, JsonType] = _UNTYPED) -> JsonType | None:
    """What type the value will be of, where that is certain and not a yes or no; else None.

    ``typed`` has the types of the arguments that are no text.
    """
    match node:
        case nodes.Const(value=value):
            found = json_type(value)
            return None if found == "boolean" else found
        case nodes.List() | nodes.Tuple():
            return "array"
        case nodes.Dict():
            return "object"
        case nodes.Name(name=name):
            return _NAMES.get(name)
        case nodes.Getattr() | nodes.Getitem():
            return _field(node, typed)
        case nodes.Filter():
            return _filtered(node, typed)
        case nodes.Call(node=nodes.Getattr(attr=method)):
            return _METHODS.get(method)
        case nodes.Call(node=nodes.Name(name="range")):
            return "array"
        case nodes.Call() if range_of(node) is not None:
            return "number"
        case nodes.CondExpr(expr1=one, expr2=nodes.Expr() as other):
            # of two types that are no yes or no either is wrong, so the latter will do
            return known_kind(one, typed) and known_kind(other, typed)
        case nodes.Add() | nodes.Mul() | nodes.Mod():
            return known_kind(node.left, typed) or known_kind(node.right, typed) or "number"
    return "number" if isinstance(node, _ARITHMETIC) else None


def _filtered(node: nodes.Filter, typed: Mapping[str, JsonType]) -> JsonType | None:
    if node.node is None or node.name in (COMPARED, BOOLEAN):
        return None
    if node.name == MADE:
        return known_kind(node.node, typed)
    if node.name in ("d", "default"):
        # without an argument the default is the empty text
        other = known_kind(node.args[0], typed) if node.args else "text"
        return known_kind(node.node, typed) and other
    return _FILTERS.get(node.name)


def _field(node: nodes.Getattr | nodes.Getitem, typed: Mapping[str, JsonType]) -> JsonType | None:
    owner, name = node.node, _name(node)
    if isinstance(owner, nodes.Name):
        if owner.name == "arg" and name in typed:
            return None if typed[name] == "boolean" else typed[name]
        if owner.name == "last":
            return "text" if name == "output" else None
        return _GROUPS.get(owner.name)
    of_step = isinstance(owner, nodes.Getattr | nodes.Getitem) and isinstance(owner.node, nodes.Name)
    if of_step and owner.node.name == "steps":  # type: ignore[attr-defined]  # it has been looked at
        return _FACTS.get(name)
    return None


def _name(node: nodes.Getattr | nodes.Getitem) -> str:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else ""


def constants(node: nodes.Expr) -> Iterator[nodes.Expr]:
    """The parts of a condition that read nothing, so that they never say anything else."""
    if not _reads_anything(node):
        yield node
        return
    match node:
        case nodes.And() | nodes.Or():
            yield from constants(node.left)
            yield from constants(node.right)
        case nodes.Not():
            yield from constants(node.node)


def _reads_anything(node: nodes.Expr) -> bool:
    names = {name.name for name in node.find_all(nodes.Name)}
    if isinstance(node, nodes.Name):
        names.add(node.name)
    return bool(names - FUNCTIONS.keys()) or "rubric" in names


_A = {"boolean": "true or false", "number": "a number", "array": "a list"}
_TYPED_HINTS = {
    "boolean": "write `arg.{0}`, or `not arg.{0}`",
    "number": "write the number without quotes: `arg.{0} == 3`",
    "array": "write `'x' in arg.{0}`, or `arg.{0} == ['x']`",
}
"""What to write of an argument with a type."""


def impossible_comparisons(
    node: nodes.Filter, typed: Mapping[str, JsonType]
) -> Iterator[tuple[nodes.Expr, str, str]]:
    """The arguments that are compared with what they never can be, each with a message and a hint."""
    if node.name != COMPARED or node.node is None:
        return
    operands = [node.node, *node.args[1::2]]
    for left, right, operator in zip(operands, operands[1:], node.args[::2], strict=False):
        for argument, other in ((left, right), (right, left)):
            name = _argument_name(argument)
            its, values = typed.get(name), _written_types(other, operator)
            if its is not None and values and its not in values:
                beside = " or ".join(sorted(values))
                message = f"`arg.{name}` is {_A[its]}, and never the {beside} beside it"
                yield argument, message, _TYPED_HINTS[its].format(name)


def _argument_name(node: nodes.Expr) -> str:
    if isinstance(node, nodes.Getattr | nodes.Getitem) and isinstance(node.node, nodes.Name):
        return _name(node) if node.node.name == "arg" else ""
    return ""


def _written_types(node: nodes.Expr, operator: nodes.Expr) -> set[str]:
    """The types of the values that are written out on one side of ``==``, or in the list after ``in``."""
    sign = operator.value if isinstance(operator, nodes.Const) else ""
    if sign in ("in", "notin") and isinstance(node, nodes.List | nodes.Tuple):
        written = [it.value for it in node.items if isinstance(it, nodes.Const)]
        return {json_type(it) for it in written} if len(written) == len(node.items) else set()
    if sign in ("eq", "ne") and isinstance(node, nodes.Const):
        return {json_type(node.value)}
    return set()


def misfits(
    node: nodes.Call | nodes.Filter | nodes.Test, name: str, function: Function, before: int
) -> Iterator[str]:
    """Why the function does not take what it is given, ``before`` of it by ``|`` or ``is``."""
    keys = [keyword.key for keyword in node.kwargs if isinstance(keyword, nodes.Keyword)]
    for key in {key for key in keys if keys.count(key) > 1}:
        yield f"`{key}` is given twice"
    # what `*args` holds is known only when it runs
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return
    inner = inspect.unwrap(function)
    passed = hasattr(inner, "jinja_pass_arg")
    try:
        given = [None] * (passed + before + len(node.args))
        inspect.signature(inner).bind(*given, **dict.fromkeys(keys))
    except TypeError as error:
        yield f"`{name}` does not take this: {error}"
