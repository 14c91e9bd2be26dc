"""What a value may not be, once it is known, for the word that it stands in."""

import pytest

from pytest_lok.core.shell.placeholders import compile_placeholder
from pytest_lok.core.shell.value_checks import Pieces, ValueChecks
from pytest_lok.errors import TemplateError
from tests.core.shell.shells import NAMES

PLAIN = [compile_placeholder("{{ arg.a }}", 0, NAMES), compile_placeholder("{{ arg.b }}", 0, NAMES)]
DASHED = [compile_placeholder("{{ arg.a | allow_dash }}", 0, NAMES)] * 2


def checks(
    starts: Pieces = (), marks: tuple[str, ...] = ("-",), split: Pieces = (), file: Pieces = ()
) -> ValueChecks:
    return ValueChecks(
        forbidden_starts=((starts, marks),), split_words=(split,), written_files=(file,) if file else (),
        run_files=frozenset({"run.sh"}),
    )  # fmt: skip


def test_the_first_value_that_is_not_empty_starts_the_word() -> None:
    with pytest.raises(TemplateError, match="looks like an option"):
        checks((0, 1)).check(["", "-x"], PLAIN)
    assert checks((0, 1)).check(["a", "-x"], PLAIN) == ()
    assert checks((0, 1)).check(["", "-x"], DASHED) == ()
    assert checks((None, 0)).check(["-x", ""], PLAIN) == ()


@pytest.mark.parametrize(
    ("mark", "value", "message"),
    [("!", "!", "part of an expression"), ("@", "@f", "a file to read"), ("=", "a=b", "set a variable")],
)
def test_other_starts_have_reasons_of_their_own(mark: str, value: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        checks((0,), (mark,)).check([value, ""], PLAIN)
    assert checks((0,), (mark,)).check([f"./{value}", ""], PLAIN) == ()


def test_no_part_of_a_split_value_starts_with_a_dash() -> None:
    with pytest.raises(TemplateError, match="looks like an option"):
        checks(split=(0,)).check(["a -x", ""], PLAIN)
    assert checks(split=(0,)).check(["a x-", ""], PLAIN) == ()


@pytest.mark.parametrize("value", ["../x", "/x/..", "", "a/..", "Run.sh"])
def test_a_file_to_write_stays_where_its_author_put_it(value: str) -> None:
    with pytest.raises(TemplateError, match="names a file to write"):
        checks(file=("out/", 0)).check([value, ""], PLAIN)


def test_files_to_write_are_parted_where_the_first_value_stands() -> None:
    assert checks(file=("out/a", 0, ".txt")).check(["b/c", ""], PLAIN) == (("out/", "ab/c.txt"),)
    assert checks(file=("/tmp/", 0)).check(["a", ""], PLAIN) == ()
