"""What a text reads of ``last`` → what no round hands on, and what the first round cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from jinja2 import nodes

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import VisibleNames


@dataclass(slots=True)
class LastReads:
    """What a text reads of the last round; ``tested`` are the names it asks for with ``is defined``."""

    names: VisibleNames
    read: list[tuple[nodes.Node, str, bool]] = field(default_factory=list)
    tested: set[str] = field(default_factory=set)

    def mistakes(self) -> Iterator[tuple[nodes.Node, str, str]]:
        """Where the text reads what it cannot have, with a message and a hint. Call it after the walk."""
        known = sorted(self.names.last)
        for node, name, optional in self.read:
            if name not in known:
                hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
                yield node, f"`last` has no {name!r}", hint
            elif not (optional or self.names.has_ended or name in self.tested):
                hint = f'write `last.{name} | default("")`'
                yield node, "there is no last round before the first one", hint
