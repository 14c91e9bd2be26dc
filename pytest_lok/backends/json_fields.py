"""Decoded JSON of servers and tools -> the fields that are of the expected kind; others count as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table of that name; an empty one where the value has none."""
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def tables(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The tables in the list of that name."""
    inner = value.get(name)
    return [it for it in inner if isinstance(it, dict)] if isinstance(inner, list) else []


def text_of(content: Any) -> str:
    """A message's text, which some servers give in parts; "" where it is no text."""
    if isinstance(content, list):
        return "".join(text_of(it.get("text")) for it in content if isinstance(it, dict))
    return content if isinstance(content, str) else ""


def sum_counters(counters: Mapping[str, Any], *names: str) -> int | None:
    """The sum of those of the counters that are reported; None where none is."""
    counts = [counters[name] for name in names if isinstance(counters.get(name), int)]
    return sum(counts) if counts else None
