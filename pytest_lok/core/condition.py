"""``when``, ``assert`` and ``for_each`` text -> Condition: a Jinja expression with lok's forms on top."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lok.core.results import Json
from pytest_lok.core.scope import Names, Scope


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression. ``rubrics`` are the (text, backend) pairs a judge must answer first.

    ``arguments`` are the ones it cannot do without (no default).
    """

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    rubrics: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, source: str, names: Names) -> Condition:
        """Compile; SourceError holds every mistake by its offset into ``source``."""
        raise NotImplementedError

    def holds(self, scope: Scope) -> bool:
        """Its truth; TemplateError where a value is missing."""
        raise NotImplementedError

    def value(self, scope: Scope) -> Json:
        """Its value as JSON (a step's output as parsed JSON where it has one), for ``for_each``."""
        raise NotImplementedError

    def explain(self, scope: Scope) -> str:
        """One line per sub-expression that reads something: ``steps.x.output == 'no'``-style, bounded."""
        raise NotImplementedError
