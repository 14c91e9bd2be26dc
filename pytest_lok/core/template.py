"""Text with ``{{ }}`` and ``{% %}`` -> Template, which knows what it refers to and renders once."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lok.core.scope import Names, Scope


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled text. ``steps`` are the steps it reads, ``arguments`` the arguments it cannot do without (no default)."""

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()

    @classmethod
    def literal(cls, text: str) -> Template:
        """Text that is itself, whatever braces it holds (a prompt typed on the command line)."""
        raise NotImplementedError

    @classmethod
    def parse(cls, source: str, names: Names) -> Template:
        """Compile; SourceError holds every mistake by its offset into ``source``."""
        raise NotImplementedError

    def render(self, scope: Scope) -> str:
        """The text with its values; TemplateError names a missing one."""
        raise NotImplementedError
