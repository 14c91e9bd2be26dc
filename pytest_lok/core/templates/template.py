"""Text with ``{{ }}`` and ``{% %}`` -> Template, which knows what it refers to and renders once."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_lok.core.templates.compiled import check_template
from pytest_lok.core.templates.program import TemplateProgram
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.core.text.quotation import without_values


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled text. ``steps`` are the steps it reads.

    ``arguments`` are the ones it cannot do without (no default), ``positional_count`` is the highest number
    of a positional one that it reads.
    """

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    positional_count: int = 0
    _program: TemplateProgram | None = field(
        default=None, repr=False, compare=False
    )  # None: the source is the text
    _typed: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def literal(cls, text: str) -> Template:
        """Text that is itself, whatever braces it holds (a prompt typed on the command line)."""
        return cls(text, _typed=True)

    @classmethod
    def parse(cls, source: str, names: VisibleNames) -> Template:
        """Compile; SourceError holds every mistake by its offset into ``source``."""
        if "{{" not in source and "{%" not in source:
            return cls(source)
        checked = check_template(source, names)
        return cls(source, checked.steps, checked.arguments, checked.positional_count, checked.program)

    @property
    def names(self) -> frozenset[str]:
        """What its expressions begin with: ``steps``, ``arg``, ``item`` …"""
        return frozenset() if self._program is None else self._program.names

    def heavy(self, scope: Scope) -> bool:
        """Whether rendering it may take long."""
        return self._program is not None and self._program.heavy(scope)

    def blanks(self, scope: Scope) -> list[str]:
        """The steps whose words it puts in, though they come to nothing."""
        return [] if self._program is None or not self.steps else self._program.blanks(scope)

    def render(self, scope: Scope) -> str:
        """The text with its values; TemplateError names a missing one."""
        return self.source if self._program is None else self._program.render(scope)

    def given(self, scope: Scope, text: str) -> str:
        """What may come from others in ``text``, which it rendered: all but the JSON of a file's author.

        A text of the command line may hold anything.
        """
        if self._program is not None:
            return self._program.given(scope, text)
        return text if self._typed else without_values([text], others=False)[0]
