"""``when``, ``assert`` and ``for_each`` text -> Condition: a Jinja expression with lok's forms on top."""

from __future__ import annotations

import itertools
import re
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING

from jinja2 import nodes

from pytest_lok.core.results import Json, Outcome, Score
from pytest_lok.core.templates.checks.scores import Rubric, range_of
from pytest_lok.core.templates.comparison import require_boolean
from pytest_lok.core.templates.lexer import SourceToken, groups, join_hyphenated, lex, value_names
from pytest_lok.core.templates.parser import Span, parse_expression
from pytest_lok.core.templates.program import TemplateProgram, check_names, expression_tree
from pytest_lok.core.templates.values import OutputValue, as_json, json_of, text_of
from pytest_lok.core.text.strict_json import is_json, load
from pytest_lok.core.text.truncation import one_line
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, SourceError, TemplateError

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope, VisibleNames

_SCORE_NAME = 120  # characters of a score's name, at most
MAX_SHOWN = 1000
"""Characters of one value that ``explain`` shows."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression.

    ``rubrics`` are what judges must answer before it runs. ``arguments`` are those
    that it needs, since it gives no default for them. ``positional_count`` is the highest number of a
    positional argument that it reads. ``outcome_steps`` are the steps whose outcome it asks for.
    ``warnings`` say what is odd about it, although it can run.
    """

    source: str
    steps: frozenset[str]
    arguments: frozenset[str]
    positional_count: int
    rubrics: tuple[Rubric, ...]
    outcome_steps: frozenset[str]
    warnings: tuple[Fault, ...] = field(repr=False, compare=False)
    _program: TemplateProgram = field(repr=False, compare=False)
    _spans: tuple[Span, ...] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, source: str, names: VisibleNames) -> Condition:
        """Compile a yes or no; SourceError holds every mistake by its offset into ``source``."""
        return cls._parse(source, names, decides=True)

    @classmethod
    def parse_value(cls, source: str, names: VisibleNames) -> Condition:
        """Compile an expression of any ``value`` (``for_each``); SourceError holds every mistake, too."""
        return cls._parse(source, names, decides=False)

    @classmethod
    def _parse(cls, source: str, names: VisibleNames, *, decides: bool) -> Condition:
        tokens = join_hyphenated(_expression_tokens(source), names, bare=True)
        # a step may stand by its bare name, unless the name means something else there
        expression, spans = parse_expression(tokens, names.steps - value_names(names) - groups(names))
        tree = expression_tree(expression)
        check = check_names(tree, names, tokens, statements=False, judged=expression if decides else None)
        return cls(
            source,
            frozenset(check.steps),
            check.required,
            check.positional_count,
            tuple(check.rubrics),
            frozenset(check.outcome_steps),
            tuple(check.warnings),
            TemplateProgram(source, lambda: tree, check.steps),
            tuple(spans),
        )

    @property
    def names(self) -> frozenset[str]:
        """What it begins with: ``steps``, ``arg``, ``last`` …"""
        return self._program.names

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether evaluating it may take long."""
        return self._program.may_be_slow(scope)

    def holds(self, scope: Scope) -> bool:
        """Its truth; TemplateError where a value is missing, or is neither true nor false.

        An assert does not judge what another step said without passing, unless it asks for its outcome too.
        """
        if scope.own is not None:
            scope = replace(scope, outcome_steps=self.outcome_steps)
        return self._program.value(scope, require_boolean)

    def value(self, scope: Scope) -> Json:
        """Its value as JSON (a step's output as parsed JSON where it has one), for ``for_each``."""
        return self._program.value(scope, _data)

    def kept(self, scope: Scope) -> Json:
        """Its value as JSON; the output of a step stays a text where its format is no JSON one."""
        return self._program.value(scope, _kept)

    def explain(self, scope: Scope) -> str:
        """The expression, and one line for each part of it that reads something: ``where output = 'no'``."""
        whole = self.source.strip()
        seen: dict[str, str] = {}
        for span in self._spans:
            text = self.source[span.start : span.end].strip()
            reads = isinstance(span.node, nodes.Name) or span.node.find(nodes.Name) is not None
            if reads and text not in seen:
                seen[text] = self._evaluated(span.node, scope)
        # the parts say more than the whole, which is shown above them
        if len(seen) > 1:
            seen.pop(whole, None)
        return "\n".join([whole, *(f"  where {text} = {value}" for text, value in seen.items())])

    def scores(self, scope: Scope) -> list[Score]:
        """What each ``similar(…)``, and each ``rubric(…)`` with a scale, comes to, by what is written."""
        found: dict[str, Score] = {}
        for span in self._spans:
            text, ends = " ".join(self.source[span.start : span.end].split()), range_of(span.node)
            if ends is None or text in found:
                continue
            try:
                value = TemplateProgram("", partial(expression_tree, span.node), self.steps).value(
                    scope, _number
                )
            except TemplateError:  # it was not needed for a yes or no
                continue
            found[text] = Score(name=one_line(text, _SCORE_NAME), value=value, least=ends[0], most=ends[1])
        return [*found.values()]

    def _evaluated(self, expression: nodes.Expr, scope: Scope) -> str:
        try:
            tree = partial(expression_tree, expression)
            return TemplateProgram("", tree, self.steps).value(scope, _shown)
        except TemplateError as error:
            return f"({error.message})"


_TAGS = frozenset({"data", "variable_begin", "variable_end", "block_begin", "block_end", "raw_begin"})


def _expression_tokens(source: str) -> list[SourceToken]:
    """The tokens of an expression, without the ``{{ }}`` that some write around it."""
    if not source.strip():
        raise SourceError([Fault(message="the expression is empty", end=len(source))])
    if re.fullmatch(r"\s*\{\{.*\}\}\s*", source, re.DOTALL) is None:
        inner = lex(source, expression=True)
    else:
        tokens = [token for token in lex(source) if token.kind != "data" or token.text.strip()]
        inner = tokens[1:-1]
    for token in inner:
        if token.kind in _TAGS:
            raise SourceError([_braces_fault(token.text.strip(), token.start, token.end)])
    for left, right in itertools.pairwise(inner):
        if left.text == right.text == "{" and left.end == right.start:
            raise SourceError([_braces_fault("{{", left.start, right.end)])
    return inner or [SourceToken("whitespace", "", 0, len(source))]


def _braces_fault(text: str, start: int, end: int) -> Fault:
    return Fault(
        message=f"unexpected `{text}`: this is an expression already",
        start=start,
        end=end,
        hint="write names without braces: `steps.NAME.output`",
    )


def _data(value: object) -> Json:
    if isinstance(value, OutputValue):
        result = value.view.result
        # a loop over a skipped step has no items, which is no error
        skipped = result.outcome is Outcome.SKIPPED and not result.has_data
        return [] if skipped else value.view.json()
    found = as_json(value)
    if isinstance(found, str) and is_json(found):
        parsed = load(found)
        return parsed if isinstance(parsed, dict | list) else found
    return found


def _kept(value: object) -> Json:
    if isinstance(value, OutputValue) and value.view.result.has_data:
        return value.view.json()
    return as_json(value)


def _number(value: object) -> float:
    assert isinstance(value, int | float)  # noqa: S101 - these calls give nothing else
    return float(value)


def _shown(value: object) -> str:
    found = text_of(value) if isinstance(value, str) else as_json(value)
    shown = repr(found) if isinstance(found, str) else json_of(found)
    if len(shown) <= MAX_SHOWN:
        return shown
    half = MAX_SHOWN // 2
    return f"{shown[:half]} … {shown[-half:]} ({len(shown):,} characters)"
