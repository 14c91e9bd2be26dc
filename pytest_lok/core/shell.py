"""Shell text with ``{{ }}`` -> a command and an environment, or why there is no safe spelling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_lok.core.scope import Names, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellCommand:
    """Ready for ``sh -c``: ``text`` refers to ``values`` as environment variables, and to nothing else of ours."""

    text: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ShellTemplate:
    """Compiled shell text. ``steps`` are the steps its placeholders read, ``arguments`` those they cannot do without."""

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, source: str, names: Names, *, unsafe: bool = False) -> ShellTemplate:
        """Compile; SourceError holds every placeholder that has no safe spelling, and the ways out.

        ``unsafe`` pastes values as text (``unsafe_shell = true``).
        """
        raise NotImplementedError

    def render(self, scope: Scope) -> ShellCommand:
        """The command with its values; TemplateError for a missing, NUL-holding, too long or dash-leading one."""
        raise NotImplementedError
