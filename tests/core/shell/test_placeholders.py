"""Placeholders in a shell text."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.placeholders import find_holes, find_spans, shift_fault, statement_faults
from pytest_lok.errors import Fault


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a {{ x }} b{{y}}", ["{{ x }}", "{{y}}"]),
        ("{{ '}}' }} z", ["{{ '}}' }}"]),
        ("{{ {'a': 1} }} {{ z }}", ["{{ {'a': 1} }}", "{{ z }}"]),
        ("{{ x -}}  b", ["{{ x -}}"]),
        ("{{ x", ["{{ x"]),
        ("{ x }", []),
    ],
)
def test_a_placeholder_ends_where_its_expression_does(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in find_spans(text)] == found
    assert [(hole.start, hole.end) for hole in find_holes(text)] == list(find_spans(text))


def test_statements_are_told_from_text_and_from_what_placeholders_say() -> None:
    text = "{% if a %}x{% endif %} {{ '{% for %}' }} {%- raw -%} {% nothing %}"
    faults = list(statement_faults(text, list(find_spans(text))))
    assert [text[it.start : it.end] for it in faults] == ["{% if a %}", "{% endif %}", "{%- raw -%}"]


def test_a_fault_is_moved_to_where_its_placeholder_stands() -> None:
    moved = shift_fault(Fault(message="m", start=1, end=2), 10)
    assert (moved.message, moved.start, moved.end) == ("m", 11, 12)
    assert "'{{'" in moved.hint
