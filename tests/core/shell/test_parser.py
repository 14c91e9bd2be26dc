"""What the parser makes of a text, where the compiler's verdicts do not show it."""

import pytest

from pytest_lok.core.shell.argv import input_fault
from pytest_lok.core.shell.ast import UnsupportedSyntax
from pytest_lok.core.shell.cursor import HOLE, MAX_DEPTH
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.rendering import check_wrapper


def words(text: str) -> list[list[str]]:
    return [[word.shown for word in command.words] for command in scan(text).commands]


def test_inner_commands_stand_before_outer_ones() -> None:
    assert words("echo $(date `whoami`) | sed p") == [
        ["whoami"],
        ["date", "$…"],
        ["echo", "$…"],
        ["sed", "p"],
    ]


def test_the_commands_of_a_here_document_are_read() -> None:
    script = scan("cat <<E\n$(date) $x\nE\ntrue")
    assert [command.words[0].shown for command in script.commands] == ["cat", "date", "true"]
    assert [doc.reads for doc in script.here_documents] == [frozenset({"x"})]


def test_a_function_reads_what_its_callers_have_as_input() -> None:
    script = scan("f() { cat; }; f < x")
    assert [command.in_function for command in script.commands] == [True, False]
    assert script.functions == {"f"}
    assert script.out_of_order


@pytest.mark.parametrize("text", [f"echo {HOLE}", f"echo '{HOLE}'", f'echo "{HOLE}"', f"cat <<E\n{HOLE}\nE"])
def test_a_nul_character_that_is_no_hole_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedSyntax, match="NUL"):
        scan(text)
    assert "NUL" in (check_wrapper(text + " {cmd}") or "")
    assert input_fault(f"{text} | sh") == ""


def test_too_many_constructs_inside_one_another_are_refused() -> None:
    assert scan("( " * (MAX_DEPTH - 1) + "true" + ")" * (MAX_DEPTH - 1)).commands
    with pytest.raises(UnsupportedSyntax, match=f"more than {MAX_DEPTH}"):
        scan("( " * MAX_DEPTH + "true" + ")" * MAX_DEPTH)
