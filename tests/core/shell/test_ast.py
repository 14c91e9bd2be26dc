"""Words and scripts as values."""

from __future__ import annotations

from pytest_lok.core.shell.ast import Hole, Script, ShellWord


def test_a_word_is_known_as_far_as_it_is_written_out() -> None:
    hole = Hole(0, 1)
    word = ShellWord(0, pieces=["--a=", hole, None, "b"])
    assert (word.literal, word.prefix, word.shown, word.as_code) == (None, "--a=", "--a=$…$…b", "--a=xxb")
    assert word.own_holes == [hole]
    assert word.without_prefix(4).pieces == [hole, None, "b"]
    assert (ShellWord(0).literal, ShellWord(0, pieces=[None]).prefix) == ("", "")


def test_literal_text_stays_in_one_piece() -> None:
    word = ShellWord(0)
    for text in ("a", "", "b"):
        word.add(text)
    assert (word.pieces, word.literal) == (["ab"], "ab")


def test_a_script_knows_what_was_read_after_a_bookmark() -> None:
    script, before, comment = Script(), Hole(0, 1), Hole(4, 5, in_comment=True)
    script.holes.append(before)
    mark = script.bookmark()
    assert script.since(mark) == ((), frozenset())
    script.holes += [Hole(2, 3), comment]
    script.reads.append("x")
    assert [hole.start for hole in script.since(mark)[0]] == [2]
    assert script.since(mark)[1] == {"x"}
    script.forbid(mark, "there")
    assert [hole.unsafe_place for hole in script.holes] == ["", "there", ""]
