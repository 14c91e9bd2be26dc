"""A place in a shell text."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.ast import POSITIONAL, Hole, Script, UnsupportedSyntax
from pytest_lok.core.shell.cursor import HOLE, MAX_DEPTH, Cursor


def cursor(text: str, *holes: Hole) -> Cursor:
    return Cursor(text, {hole.start: hole for hole in holes}, Script())


def test_a_keyword_ends_where_a_word_does() -> None:
    place = cursor("done;doner")
    assert place.keyword() == "done"
    assert not place.accept("do")
    assert place.accept("done")
    place.at += 1
    assert place.keyword() == ""
    with pytest.raises(UnsupportedSyntax, match="`fi` is missing"):
        place.expect("fi")


@pytest.mark.parametrize(
    ("text", "said"),
    [(HOLE, "a value is not expected"), (";;", "`;;` is not expected"), ("", "ends too early")],
)
def test_what_comes_next_is_named_where_it_is_not_understood(text: str, said: str) -> None:
    assert said in cursor(text).unexpected().message


def test_blanks_and_comments_are_passed_and_no_value_is_needed_there() -> None:
    hole = Hole(3, 4)
    place = cursor(f" # {HOLE}\nx", hole)
    place.skip_blanks()
    assert (place.char, hole.in_comment) == ("\n", True)


def test_a_line_is_continued_between_words_alone() -> None:
    place = cursor("a \\\nb")
    place.at = 2
    place.skip_blanks()
    assert place.char == "b"
    place = cursor("a\\\nb")
    place.at = 1
    with pytest.raises(UnsupportedSyntax, match="in the middle of a word"):
        place.skip_blanks()


def test_variables_are_noted_by_their_name_and_positional_ones_together() -> None:
    place = cursor("")
    for name in ("x", "1", "@", "?"):
        place.note_variable(name)
    assert place.script.reads == ["x", POSITIONAL, POSITIONAL]
    with pytest.raises(UnsupportedSyntax, match="any value"):
        place.note_variable("_")


def test_constructs_do_not_stand_too_deep() -> None:
    place = cursor("")
    place.depth = MAX_DEPTH
    with pytest.raises(UnsupportedSyntax, match="inside one another"), place.deeper():
        pass
