"""Tokens as Jinja's tree, with the place of everything in it."""

from __future__ import annotations

import pytest
from jinja2 import nodes

from pytest_lok.core.templates.lexer import lex
from pytest_lok.core.templates.parser import MAX_NESTING, parse_expression, parse_template
from pytest_lok.errors import SourceError


def test_the_number_of_a_nodes_line_is_its_offset() -> None:
    tree = parse_template(lex("a\n{{ b }}{{ c }}"))
    assert {name.name: name.lineno for name in tree.find_all(nodes.Name)} == {"b": 5, "c": 12}


def test_operands_and_comparisons_know_their_extent_outer_ones_first() -> None:
    source = "a == b and not c"
    _, spans = parse_expression(lex(source, expression=True), ())
    assert [source[it.start : it.end].strip() for it in spans] == ["a == b", "a", "b", "c", "c"]


def test_a_bare_step_is_a_field_of_the_steps() -> None:
    tree, _ = parse_expression(lex("scan.output", expression=True), {"scan"})
    assert isinstance(tree, nodes.Getattr)
    assert isinstance(tree.node, nodes.Getattr)
    assert (tree.node.attr, tree.attr) == ("scan", "output")


@pytest.mark.parametrize(
    ("source", "said", "place"),
    [
        ("a = b", "unexpected '=' after the expression", "="),
        ("a b", "after the expression", "b"),
        ("(" * (MAX_NESTING + 1), "too many open brackets", "("),
        ("9" * 5_000, "too many digits", "9" * 5_000),
        ("a | 5", "expected token 'name'", "5"),
    ],
)
def test_a_mistake_is_told_with_its_place(source: str, said: str, place: str) -> None:
    with pytest.raises(SourceError) as raised:
        parse_expression(lex(source, expression=True), ())
    (fault,) = raised.value.faults
    assert said in fault.message
    assert source[fault.start : fault.end] in (place, "")


def test_a_tag_that_is_never_closed_is_shown_where_it_begins() -> None:
    with pytest.raises(SourceError) as raised:
        parse_template(lex("x {% if a %} y"))
    assert "`{% if %}` has no `{% endif %}`" in raised.value.faults[0].message
