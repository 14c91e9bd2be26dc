"""Places in TOML text, checked against what tomli makes of the same text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.toml import positions as places
from pytest_lok.core.toml.positions import KeyPositions, SourceSpan, header_lines

TRICKY = (Path(__file__).parent / "tricky.toml").read_text(encoding="utf-8")


def walk(value: Any, path: places.Path = ()) -> Iterator[tuple[places.Path, Any]]:
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from walk(child, (*path, key))


def offset(text: str, spot: SourceSpan) -> int:
    return sum(len(line) + 1 for line in text.split("\n")[: spot.line - 1]) + spot.column - 1


def written(text: str, start: int) -> Any:
    """The TOML value that begins at ``start``: the shortest piece up to some delimiter that parses."""
    for delimiter in re.finditer(r"(?= (?!\d))|(?=[\n,\]}])|$", text[start + 1 :]):
        end = start + 1 + delimiter.start()
        try:
            return tomli.loads(f"x = {text[start:end]}\n")["x"]
        except tomli.TOMLDecodeError:
            continue
    raise AssertionError(f"nothing parses at {text[start : start + 40]!r}")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_value_is_found_where_it_is_written(newline: str) -> None:
    text = TRICKY.replace("\n", newline)
    positions = KeyPositions(text)
    found = 0
    for path, value in walk(tomli.loads(text)):
        if not isinstance(value, dict | list):
            at = positions.value(path)
            assert repr(written(TRICKY, offset(TRICKY, at))) == repr(value), path
            assert at.excerpt == TRICKY.split("\n")[at.line - 1]
            found += 1
    assert found == 38


def test_every_key_is_found_where_it_is_written() -> None:
    positions = KeyPositions(TRICKY)
    for path, _ in walk(tomli.loads(TRICKY)):
        if path and isinstance(path[-1], str):
            at = positions.key(path)
            key = at.excerpt[at.column - 1 : at.column - 1 + at.length]
            assert next(iter(tomli.loads(f"{key} = 1"))) == path[-1], path


def test_a_step_is_found_at_its_header() -> None:
    lines = [KeyPositions(TRICKY).key(("steps", index)).excerpt for index in range(3)]
    assert lines == ["[[steps]]", '  [[ "steps" ]] # second', "[[steps]]"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_character_of_a_text_is_found_in_its_spelling(newline: str) -> None:
    text = TRICKY.replace("\n", newline)
    positions = KeyPositions(text)
    for path, value in walk(tomli.loads(text)):
        for at, character in enumerate(value if isinstance(value, str) else ""):
            start = offset(TRICKY, positions.inside(path, at, at + 1))
            spelled = re.match(r"\\(u.{4}|U.{8}|.)|.|\n", TRICKY[start:])
            assert spelled is not None
            seen = spelled[0]
            if seen[0] == "\\" and "'" not in TRICKY[offset(TRICKY, positions.value(path))]:
                seen = tomli.loads(f'x = "{seen}"')["x"]
            assert seen[0] == character, (path, at)


@given(st.text(max_size=40), st.data())
def test_characters_are_found_in_any_basic_string(value: str, data: st.DataObject) -> None:
    value = value.replace("\r", "").encode("utf-8", "ignore").decode()
    spelled = [data.draw(st.sampled_from([f"\\U{ord(c):08x}", *([c] if c.isalnum() else [])])) for c in value]
    text = f'a = "x"\nkey = "{"".join(spelled)}"\n'
    assert tomli.loads(text)["key"] == value
    positions = KeyPositions(text)
    for at in range(len(value)):
        assert positions.inside(("key",), at, at + 1).column == 8 + len("".join(spelled[:at]))


def test_a_range_is_underlined_as_far_as_its_line_goes() -> None:
    positions = KeyPositions('prompt = """one two\nthree"""')
    assert positions.inside(("prompt",), 4, 7) == SourceSpan(
        line=1, column=17, length=3, excerpt='prompt = """one two'
    )
    assert positions.inside(("prompt",), 4, 12).length == 3
    assert positions.inside(("prompt",), 9, 13) == SourceSpan(line=2, column=2, length=4, excerpt='three"""')


def test_what_is_not_written_stands_for_its_nearest_ancestor() -> None:
    positions = KeyPositions('[[steps]]\nname = "a"\n[args.x]\n')
    assert positions.key(("steps", 0, "prompt")) == SourceSpan(
        line=1, column=1, length=9, excerpt="[[steps]]"
    )
    assert positions.value(("args", "x", "default")).line == 3
    assert positions.inside(("args", "x", "default"), 3, 4).line == 3
    assert positions.key(("nothing",)).line == 1


def test_steps_may_be_written_inline() -> None:
    text = 'steps = [\n  { name = "a", shell = "true" },\n  { name = "b", shell = "true" },\n]'
    assert [KeyPositions(text).key(("steps", index)).line for index in range(2)] == [2, 3]
    assert header_lines(text, ["a", "b"]) == [2, 3]


def test_deep_nesting_needs_no_deep_stack() -> None:
    text = f"a = {'[{x=' * 190}1{'}]' * 190}"
    path: places.Path = ("a", *((0, "x") * 190))
    assert KeyPositions(text).value(path).column == 5 + 190 * 4


@pytest.mark.parametrize(
    ("text", "names", "lines"),
    [
        ('[[steps]]\nname = "a"\n\n[[steps]]\r\nname = "b"', ["a", "b"], [1, 4]),
        ('# [[steps]]\n[[steps]]\nname = "a"', ["a"], [2]),
        ('[[steps]]\nname = "a"\nprompt = """\n[[steps]]\n"""', ["a"], [1]),
        ('x = """\n[[steps]]\n"""\nsteps = [{name = "a"}]', ["a"], [4]),
        ('[[ steps ]]\nname = "a"\nx = """\n[[steps]]\n"""', ["a"], [1]),
        ('[["steps"]]\nname = "a"', ["a"], [1]),
        ("", [], []),
    ],
)
def test_header_lines_are_right_however_steps_are_written(
    text: str, names: list[str], lines: list[int]
) -> None:
    assert header_lines(text, names) == lines
