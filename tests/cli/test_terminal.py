import io
import os
from pathlib import Path

import pytest

from pytest_lok.cli.terminal import Terminal, columns
from pytest_lok.errors import LokError
from tests.cli.screens import Screen

HOSTILE = "\x1b[31m::error::x\n::error::y"
SHOWN = r"\x1b[31m::error::x" + "\n::error::y\n"


class Full(io.StringIO):
    """A disk with no room left."""

    name = "<stdout>"

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_pipe_gets_results_as_they_are() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal({}, out, err)
    terminal.result(HOSTILE)
    assert out.getvalue() == f"{HOSTILE}\n"
    terminal.note(HOSTILE)
    assert err.getvalue() == SHOWN


def test_a_terminal_does_not_obey_results() -> None:
    screen = Screen()
    Terminal({}, screen.stream, None).result(HOSTILE)
    assert screen.close() == SHOWN


def test_a_result_ends_with_one_newline_and_an_empty_one_is_nothing() -> None:
    out = io.StringIO()
    terminal = Terminal({}, out, None)
    terminal.result("")
    terminal.result("a\n")
    terminal.result("b")
    assert out.getvalue() == "a\nb\n"


@pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "TF_BUILD"])
def test_a_ci_runner_obeys_neither_stream(variable: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal({variable: "true"}, out, err)
    terminal.result("::error::x")
    terminal.note("a ##[error]y")
    assert (out.getvalue(), err.getvalue()) == (": :error::x\n", "a # #[error]y\n")


def test_an_error_says_what_and_what_to_do() -> None:
    err = io.StringIO()
    Terminal({}, None, err).error(LokError("no \x1b backend", hint="install one"))
    assert err.getvalue() == "lok: error: no \\x1b backend\n  hint: install one\n"


def test_an_error_is_broken_between_words_on_a_terminal_and_a_line_of_a_file_is_not() -> None:
    screen = Screen(columns=40)
    line = "    " + "x = 1  # " * 6
    with screen.stream as stream:
        Terminal({}, None, stream).error(LokError(f"{'long ' * 9}end\n{line}", hint="many " * 9))
    shown = screen.close().split("\n")
    assert line in shown
    assert all(len(row) <= 40 for row in shown if row != line)
    assert shown[-2].startswith("  many")


def test_a_closed_stream_swallows_and_says_what_it_lost() -> None:
    terminal = Terminal({}, None, None)
    assert terminal.out.failure is None
    terminal.result("x")
    terminal.note("x")
    assert terminal.out.failure is not None
    assert terminal.out.failure.strerror == "the stream was closed from the beginning"


def test_a_reader_that_went_away_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        terminal = Terminal({}, stream, None)
        terminal.result("x" * 100_000)
        terminal.result("more")
        assert terminal.out.failure is None


def test_a_full_disk_is_one() -> None:
    terminal = Terminal({}, Full(), None)
    terminal.result("x")
    assert terminal.out.failure is not None
    assert terminal.out.failure.strerror == "No space left on device"


def test_signs_become_others_where_people_read_and_stay_known_where_programs_do(tmp_path: Path) -> None:
    with (tmp_path / "both").open("w", encoding="ascii") as stream:
        Terminal({}, None, stream).note("✓ a · b … é")
        Terminal({}, stream, None).result("✓ é")
    assert (tmp_path / "both").read_text() == "+ a - b ~ \\xe9\n\\u2713 \\xe9\n"


def test_what_an_encoding_lacks_is_spelled_out(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        Terminal({}, stream, None).result("é\udc80")
    assert (tmp_path / "out").read_text() == "\\xe9\\udc80\n"


@pytest.mark.parametrize(("term", "live"), [("xterm-256color", True), ("dumb", False), (None, False)])
def test_a_picture_needs_a_terminal_that_can_be_redrawn(term: str | None, live: bool) -> None:
    environ = {} if term is None else {"TERM": term}
    screen = Screen()
    assert Terminal(environ, None, screen.stream).live is live
    assert Terminal(environ, None, io.StringIO()).live is False
    screen.close()


def test_columns_are_aligned() -> None:
    assert columns([("NAME", "STATE"), ("claude", "available"), ("x", "")]) == (
        "NAME    STATE\nclaude  available\nx"
    )


def test_columns_are_aligned_as_they_are_seen() -> None:
    assert columns([("\x1b[31mred", "x"), ("\u202e", "y")]) == "\\x1b[31mred  x\n\\u202e       y"
