from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.templates.lexer import TemplatePart, join_hyphenated, lex, split_tags, unescape
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.errors import SourceError

PIECES = [
    "{{ a.b }}",
    "{{- x -}}",
    "{% if a %}",
    "{%- endif +%}",
    "{# c #}",
    "{{ '}}' }}",
    " ",
    "\n",
    "\r\n",
    "x",
    "é",
    "{ ",
    "}",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_every_token_stands_where_it_says(source: str) -> None:
    at = 0
    for token in lex(source):
        assert source[token.start : token.end] == token.text
        assert source[at : token.start].strip() == ""  # only what {{- took away lies between
        at = token.end
    assert source[at:].strip() == ""


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("", []),
        ("plain", [TemplatePart("text", "plain", 0, 5)]),
        ("{{ a }}", [TemplatePart("expression", "{{ a }}", 0, 7)]),
        (
            "x {{ a }}y{% b %}",
            [
                TemplatePart("text", "x ", 0, 2),
                TemplatePart("expression", "{{ a }}", 2, 9),
                TemplatePart("text", "y", 9, 10),
                TemplatePart("statement", "{% b %}", 10, 17),
            ],
        ),
        ("{{ '}}' }}{{ {'a': {}} }}", [TemplatePart("expression", "{{ '}}' }}", 0, 10), TemplatePart("expression", "{{ {'a': {}} }}", 10, 25)]),
        ("a  {{- b -}}  c", [TemplatePart("text", "a", 0, 1), TemplatePart("expression", "{{- b -}}  ", 3, 14), TemplatePart("text", "c", 14, 15)]),
        ("{% raw %}{{ a }}{% endraw %}b", [TemplatePart("statement", "{% raw %}{{ a }}{% endraw %}", 0, 28), TemplatePart("text", "b", 28, 29)]),
        ("{# {{ a }} #}", [TemplatePart("text", "{# ", 0, 3), TemplatePart("expression", "{{ a }}", 3, 10), TemplatePart("text", " #}", 10, 13)]),
        ("a\r\n{{ b }}\r", [TemplatePart("text", "a\r\n", 0, 3), TemplatePart("expression", "{{ b }}", 3, 10), TemplatePart("text", "\r", 10, 11)]),
        ("a {{ b", [TemplatePart("text", "a ", 0, 2), TemplatePart("expression", "{{ b", 2, 6)]),
        ("a {% b", [TemplatePart("text", "a ", 0, 2), TemplatePart("statement", "{% b", 2, 6)]),
    ],
)  # fmt: skip
def test_split(source: str, parts: list[TemplatePart]) -> None:
    assert split_tags(source) == parts


def test_split_refuses_what_is_no_token() -> None:
    with pytest.raises(SourceError) as caught:
        split_tags("ab {{ c $ }}")
    (fault,) = caught.value.faults
    assert (fault.start, fault.end) == (8, 9)


@pytest.mark.parametrize(
    ("source", "bare", "names"),
    [
        ("steps.a-b.c", False, ["steps", "a-b", "c"]),
        ("steps.a-b-c.d", False, ["steps", "a-b", "-", "c", "d"]),  # a-b is the longest that is known
        ("steps.x-y.c", False, ["steps", "x-y", "c"]),
        ("steps . a-b", False, ["steps", "a-b"]),
        ("steps.a - b", False, ["steps", "a", "-", "b"]),
        ("steps.a-b.x-y", False, ["steps", "a-b", "x-y"]),
        ("steps.a-b.x-1", False, ["steps", "a-b", "x", "-", "1"]),
        ("steps.a-b.seconds-x", False, ["steps", "a-b", "seconds", "-", "x"]),
        ("steps.a-b.x-steps.a-b.x", False, ["steps", "a-b", "x", "-", "steps", "a-b", "x"]),
        ("a-b.c", False, ["a-b", "c"]),
        ("x-y.c", False, ["x", "-", "y", "c"]),
        ("x-y.c", True, ["x-y", "c"]),
        ("index-1", True, ["index", "-", "1"]),
        ("arg.m-n", False, ["arg", "m-n"]),
        ("arg.m-n-1", False, ["arg", "m-n", "-", "1"]),
        ("arg.1-2", False, ["arg", "1", "-", "2"]),
        ("loop.index-x", False, ["loop", "index", "-", "x"]),
        ("f.a-g.b", False, ["f", "a-g", "b"]),
        ("g and f.a-g.b", False, ["g", "and", "f", "a", "-", "g", "b"]),
        ("1-2", True, ["1", "-", "2"]),
        ("1 - 2.c", True, ["1", "-", "2", "c"]),
        ("2fa.c", True, ["2fa", "c"]),
        ("steps.2fa.c", True, ["steps", "2fa", "c"]),
    ],
)
def test_names_with_hyphens(source: str, bare: bool, names: list[str]) -> None:
    known = VisibleNames(steps=frozenset({"a-b", "2fa", "1-2"}), arguments=frozenset({"m-n"}), loop=True)
    tokens = join_hyphenated(lex(source, expression=True), known, bare=bare)
    assert [t.text for t in tokens if t.kind != "whitespace" and t.text != "."] == names


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (r"'a'", "a"),
        (r"'\n\t\r'", "\n\t\r"),
        (r"'\\ \' \"'", "\\ ' \""),
        (r"'\x41\u00e9'", "Aé"),
        (r"'\d\b\.\('", r"\d\b\.\("),
        (r"'\\n'", r"\n"),
        (r"'\ud800'", r"\ud800"),
        ("'a\\\nb'", "ab"),
    ],
)
def test_unescape(literal: str, text: str) -> None:
    assert unescape(literal) == text
