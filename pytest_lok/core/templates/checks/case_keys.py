"""What a text reads of ``case`` → the keys that no case has, and those that a case lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from jinja2 import nodes

from pytest_lok.core.templates.scope import CaseKeys
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.dataclass import dataclass

_NAMED = 60


@dataclass(slots=True)
class CaseReads:
    """The keys of cases that a text reads; ``tested`` are those that it asks for with ``is defined``."""

    keys: CaseKeys
    read: list[tuple[nodes.Node, str, bool]] = field(default_factory=list)
    tested: set[str] = field(default_factory=set)

    def mistakes(self) -> Iterator[tuple[nodes.Node, str, str]]:
        """Where the text reads what it cannot have, with a message and a hint. Call it after the walk."""
        lacking = self.keys.lacking
        for node, key, optional in self.read:
            if self.keys.is_open:
                return
            if key not in lacking:
                known = sorted(lacking)
                more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
                hint = did_you_mean(key, known) or f"cases have: {', '.join(known[:_NAMED])}{more}"
                yield node, f"no case has {key!r}", hint
            elif lacking[key] and not optional and key not in self.tested:
                hint = 'give it one, or write `| default("")` after it where it is read'
                yield node, f"{lacking[key]} has no {key!r}", hint
