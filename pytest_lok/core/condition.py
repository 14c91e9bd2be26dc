"""``when``, ``assert`` and ``for_each`` text -> Condition: a Jinja expression with lok's forms on top."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from jinja2 import nodes

from pytest_lok.core.expressions import Program, Span, check_expression, expression_tree
from pytest_lok.core.jsontext import is_json
from pytest_lok.core.results import Json
from pytest_lok.core.scope import Names, Scope
from pytest_lok.core.values import Output, as_json
from pytest_lok.errors import TemplateError

MAX_SHOWN = 1000
"""Characters of one value that ``explain`` shows."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression. ``rubrics`` are the (text, backend) pairs a judge must answer first.

    ``arguments`` are the ones it cannot do without (no default).
    """

    source: str
    steps: frozenset[str]
    arguments: frozenset[str]
    rubrics: tuple[tuple[str, str], ...]
    _program: Program = field(repr=False, compare=False)
    _spans: tuple[Span, ...] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, source: str, names: Names) -> Condition:
        """Compile; SourceError holds every mistake by its offset into ``source``."""
        checked = check_expression(source, names)
        return cls(source, checked.steps, checked.arguments, checked.rubrics, checked.program, checked.spans)

    def holds(self, scope: Scope) -> bool:
        """Its truth; TemplateError where a value is missing."""
        return self._program.value(scope, _truth)

    def value(self, scope: Scope) -> Json:
        """Its value as JSON (a step's output as parsed JSON where it has one), for ``for_each``."""
        return self._program.value(scope, _data)

    def explain(self, scope: Scope) -> str:
        """The expression, then one line for each part of it that reads something: ``where output = 'no'``."""
        seen: dict[str, str] = {}
        for span in self._spans:
            text = self.source[span.start : span.end].strip()
            if text not in seen and not isinstance(span.node, nodes.Const):
                program = Program(self.source, expression_tree(span.node), self.steps)
                try:
                    seen[text] = program.value(scope, _shown)
                except TemplateError as error:
                    seen[text] = f"({error.message})"
        return "\n".join(
            [self.source.strip(), *(f"  where {text} = {value}" for text, value in seen.items())]
        )


def _truth(value: object) -> bool:
    return bool(as_json(value))


def _data(value: object) -> Json:
    if isinstance(value, Output):
        return value.view.json()
    found = as_json(value)
    return json.loads(found) if isinstance(found, str) and is_json(found) else found


def _shown(value: object) -> str:
    found = as_json(value)
    shown = repr(found) if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    if len(shown) <= MAX_SHOWN:
        return shown
    half = MAX_SHOWN // 2
    return f"{shown[:half]} … {shown[-half:]} ({len(shown):,} characters)"
