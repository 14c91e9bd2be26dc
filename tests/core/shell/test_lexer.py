"""Words of a shell text."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.ast import Quoting, ShellWord, UnsupportedSyntax
from pytest_lok.core.shell.parser import scan
from tests.core.shell.safety.reviewed import scanned


def word(text: str) -> ShellWord:
    """The first argument of a command."""
    return scanned(f"echo {text}").commands[-1].words[1]


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("ab", "ab"),
        ("'a b'", "a b"),
        ('"a \\$b \\n"', "a $b \\n"),
        ("a\\ b", "a b"),
        ("''", ""),
        ('"a\\\nb"', "ab"),
        ("a$", "a$"),
        ('"$("', None),
    ],
)
def test_what_quotes_hold_is_the_text_of_the_word(text: str, literal: str | None) -> None:
    if literal is None:
        with pytest.raises(UnsupportedSyntax):
            word(text)
    else:
        assert word(text).literal == literal


@pytest.mark.parametrize(
    ("text", "variables", "reads", "splits"),
    [
        ("$a", ["a"], {"a"}, True),
        ('"$a"', ["a"], {"a"}, False),
        ("${a}", ["a"], {"a"}, True),
        ('"${#a}"', [], {"a"}, False),
        ('"${a:-$b}"', [], {"a", "b"}, False),
        ('"$@"', ["@"], {"@"}, True),
        ('"$(cat $a)"', [], {"a"}, False),
        ("$((a + 1))", [], {"a"}, True),
        ("'$a'", [], set(), False),
    ],
)
def test_expansions_are_noted(text: str, variables: list[str], reads: set[str], splits: bool) -> None:
    found = word(text)
    assert (found.variables, set(found.reads), found.may_split) == (variables, reads, splits)


@pytest.mark.parametrize(
    ("text", "quoting"),
    [("{{ x }}", Quoting.BARE), ('"{{ x }}"', Quoting.OPEN), ("'{{ x }}'", Quoting.SINGLE)],
)
def test_a_hole_knows_the_quotes_around_it(text: str, quoting: Quoting) -> None:
    (hole,) = word(text).own_holes
    assert (hole.quoting, hole.unsafe_place) == (quoting, "")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("`cat {{ x }}`", "inside backticks"),
        ("$(({{ x }}))", "inside $((…))"),
        ("${a:-{{ x }}}", "inside ${…}"),
        ("\\{{ x }}", "after a backslash"),
        ("${{ x }}", "after `$`"),
        ("{a,{{ x }}}", "inside braces"),
        ("$'{{ x }}'", "a string that starts with `$`"),
    ],
)
def test_places_without_a_spelling_are_named(text: str, place: str) -> None:
    assert place in scanned(f"echo {text}").holes[0].unsafe_place


@pytest.mark.parametrize(
    "text", ["'a", '"a', "`a", "${a", "${a/b/c}", "$[1]", "$((1", "a\\", "$'\\n'", "{a}<b"]
)
def test_what_two_shells_may_read_differently_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedSyntax):
        scan(f"echo {text}")
