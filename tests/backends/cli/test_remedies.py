"""What a user can do about what a tool lacks."""

import pytest

from pytest_lok.backends.cli.claude import CLAUDE
from pytest_lok.backends.cli.dialect import ANY
from pytest_lok.backends.cli.remedies import missing_program_hint, variable_hint


@pytest.mark.parametrize(
    ("program", "hint"),
    [
        ("claude", f"{CLAUDE.install}, or set `command` in [backends.b]"),
        ("/nowhere/claude", "correct `command` in [backends.b]"),
        ("cluade", "correct `command` in [backends.b]: did you mean `claude`?"),
        ("my-tool", "install it, or correct `command` in [backends.b]"),
        ("claude -p", "put the words after the first into `args` of [backends.b]"),
    ],
)
def test_who_named_another_program_is_not_told_to_install_the_usual_one(program: str, hint: str) -> None:
    assert missing_program_hint("b", program, CLAUDE) == hint


def test_a_tool_that_lok_does_not_know_has_no_usual_program() -> None:
    assert missing_program_hint("b", "x", ANY) == "install it, or correct `command` in [backends.b]"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            "Missing environment variable: `SET_HERE`.",
            'SET_HERE is set here, but b gets its own key alone: env = ["SET_HERE"] in [backends.b]',
        ),
        (
            "you must specify the UNSET_KEY environment variable",
            'set UNSET_KEY, and hand it on: env = ["UNSET_KEY"] in [backends.b]',
        ),
        ("Missing environment variable: HANDED_KEY", ""),
        ("401 Unauthorized", ""),
        ("the environment variable is missing", ""),
    ],
)
def test_a_variable_that_a_tool_asks_for_and_does_not_get_is_named(message: str, hint: str) -> None:
    assert variable_hint("b", message, {"HANDED_KEY"}, {"SET_HERE": "x", "HANDED_KEY": "y"}) == hint
