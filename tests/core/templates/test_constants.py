"""What is known of an expression before it runs."""

from __future__ import annotations

import pytest
from jinja2 import nodes

from pytest_lok.core.templates.constants import constants, known_kind
from pytest_lok.core.templates.lexer import lex
from pytest_lok.core.templates.parser import parse_expression


def tree(source: str) -> nodes.Expr:
    return parse_expression(lex(source, expression=True), ())[0]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("1", "number"),
        ("'a'", "text"),
        ("true", None),
        ("none", "null"),
        ("[1]", "array"),
        ("{}", "object"),
        ("output", "text"),
        ("item", None),
        ("steps.a.output", "text"),
        ("steps.a['outcome']", "text"),
        ("steps.a['seconds']", None),  # it may be a field of the answer
        ("steps.a.passed", None),
        ("arg.x", "text"),
        ("x | length", "number"),
        ("x | default('a')", None),
        ("'a' | default('b')", "text"),
        ("x.split()", "array"),
        ("x.isdigit()", None),
        ("range(3)", "array"),
        ("1 if a else 2", "number"),
        ("1 if a else b", None),
        ("a + 'b'", "text"),
        ("-a", "number"),
        ("a == b", None),
    ],
)
def test_what_type_a_value_will_surely_be_of(source: str, kind: str | None) -> None:
    assert known_kind(tree(source)) == kind


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("1 == 1", 1),
        ("output == 'a' or true", 1),
        ("not (1 == 1)", 1),
        ("steps.a.passed and 1 < 2 and item", 1),
        ("contains('a', 'b')", 1),
        ("rubric('x')", 0),
        ("output == 'a'", 0),
    ],
)
def test_parts_that_always_say_the_same(source: str, count: int) -> None:
    assert len(list(constants(tree(source)))) == count
