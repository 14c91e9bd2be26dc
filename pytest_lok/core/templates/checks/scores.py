"""``rubric(…)`` and ``similar(…)`` of a condition → what a judge is asked, and what decides nothing."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from jinja2 import nodes

from pytest_lok.core.templates.comparison import COMPARED
from pytest_lok.core.templates.lexer import CASE
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.json_values import Json

RUBRIC_HINT = 'write `rubric("the answer names a file", backend="claude")`, or `score="0-10"` in it'
_SCALE = late_regex(r"(\d{1,4}) ?- ?(\d{1,4})")
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}
_TURNED = {"lt": "gt", "lteq": "gteq", "gt": "lt", "gteq": "lteq"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """What a judge is asked about an output: ``text``, or the text that stands under ``key`` of the case.

    ``backend`` "" = whom the settings name. ``score`` is the scale as it is written, "" = yes or no.
    """

    text: str = ""
    key: str = ""
    backend: str = ""
    score: str = ""

    def wanted(self, case: Mapping[str, Json] | None) -> Json:
        """The text of the requirement."""
        return (case or {}).get(self.key) if self.key else self.text


def scale_of(score: str) -> tuple[int, int] | None:
    """The least and the greatest number of a written scale, ``0-10``; None if it is none."""
    found = _SCALE.fullmatch(score)
    ends = (int(found[1]), int(found[2])) if found else (0, 0)
    return ends if ends[0] < ends[1] else None


def read_rubric(node: nodes.Call) -> Rubric | tuple[str, str]:
    """The rubric of a call, or what is wrong with it, with a hint."""
    unknown = "`rubric` takes quoted texts, for a judge is asked before", RUBRIC_HINT
    if node.dyn_args or node.dyn_kwargs or not node.args:
        return unknown
    given: dict[str, nodes.Expr] = dict(zip(("text", "backend", "score"), node.args, strict=False))
    given |= {word.key: word.value for word in node.kwargs if isinstance(word, nodes.Keyword)}
    key = _case_key(given.pop("text"))
    texts = {name: it.value for name, it in given.items() if isinstance(it, nodes.Const)}
    first = node.args[0]
    if not key:
        texts["text"] = first.value if isinstance(first, nodes.Const) else None
    if len(texts) < len(given) + (not key) or not all(isinstance(it, str) for it in texts.values()):
        return unknown
    score = texts.get("score", "")
    if "score" in texts and scale_of(score) is None:
        return f"{score!r} is no scale", 'write two whole numbers, the smaller one first: score="0-10"'
    return Rubric(key=key, **{name: text for name, text in texts.items() if name in Rubric.__slots__})


def _case_key(node: nodes.Expr) -> str:
    """The key of ``case.KEY``, whose text is known before anything runs; "" = it is something else."""
    is_case = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == CASE
    return node.attr if is_case else ""  # type: ignore[attr-defined]  # it has been looked at


def range_of(node: nodes.Expr) -> tuple[float, float] | None:
    """The least and the greatest value of a call that gives a score; None if the node is no such call."""
    if not isinstance(node, nodes.Call) or not isinstance(node.node, nodes.Name):
        return None
    if node.node.name == "similar":
        return 0.0, 1.0
    found = read_rubric(node) if node.node.name == "rubric" else None
    return scale_of(found.score) if isinstance(found, Rubric) else None


def _of_another_kind(node: nodes.Expr, other: nodes.Expr) -> tuple[str, str] | None:
    """Why a score or a ruling cannot be compared with a written value, with a hint; None = it can."""
    if not isinstance(other, nodes.Const):
        return None
    is_number = isinstance(other.value, int | float) and not isinstance(other.value, bool)
    if range_of(node) is not None:
        return None if is_number else ("a score is a number", "compare it with a number in between")
    named = isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name
    if named == "rubric" and not isinstance(other.value, bool):
        return "this rubric is true or false", 'a scale makes a number of it: score="0-10"'
    return None


def pointless_comparisons(node: nodes.Filter) -> Iterator[tuple[nodes.Expr, str, str]]:
    """The scores that are compared with a number that decides nothing, each with a message and a hint."""
    if node.name != COMPARED or node.node is None:
        return
    operands, signs = [node.node, *node.args[1::2]], node.args[::2]
    for left, right, sign in zip(operands, operands[1:], signs, strict=False):
        name = sign.value if isinstance(sign, nodes.Const) else ""
        for score, other, its in ((left, right, name), (right, left, _TURNED.get(name, name))):
            if other_kind := _of_another_kind(score, other):
                yield other, *other_kind
                continue
            ends, compare = range_of(score), _SIGNS.get(its)
            if ends is None or compare is None or not isinstance(other, nodes.Const):
                continue
            number = other.value
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            within = ends[0] <= number <= ends[1]
            said = {compare(end, number) for end in ends} | (
                {True, False} if within and its in ("eq", "ne") else set()
            )
            if len(said) == 1:
                always = "always" if said == {True} else "never"
                message = f"this score lies between {ends[0]:g} and {ends[1]:g}, so this is {always} so"
                yield other, message, "compare it with a number in between"
