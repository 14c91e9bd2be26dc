"""Commands without a shell, and what commands read: where a value would be code there too."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.argv import argv_faults, input_fault


@pytest.mark.parametrize(
    ("items", "places"),
    [
        (["echo", "{{ x }}"], []),
        (["sh", "-c", "{{ x }}"], [2]),
        (["sh", "-c", 'echo "$1"', "-", "{{ x }}"], []),
        (["sh", "-c", "-x", "{{ x }}"], []),
        (["sh", "{{ x }}"], [1]),
        (["sh", "s.sh", "{{ x }}"], []),
        (["python3", "-c{{ x }}"], [1]),
        (["env", "sh", "-c", "{{ x }}"], [3]),
        (["timeout", "5", "awk", "{{ x }}"], [3]),
        (["jq", ".a = {{ x }}"], [1]),
        (["jq", "--arg", "n", "{{ x }}", "."], []),
    ],
)
def test_an_argument_is_refused_only_where_it_is_a_program(items: list[str], places: list[int]) -> None:
    assert [number for number, _ in argv_faults(items)] == places


def test_a_fault_shows_the_placeholder_in_its_item() -> None:
    ((_, fault),) = argv_faults(["sh", "-c", "echo {{ x }}"])
    assert (fault.start, fault.end) == (5, 12)
    assert "beside the code" in fault.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sh", "input of `sh`"),
        ("cat | sh", "input of `sh`"),
        ("python -", "input of `python`"),
        ("xargs rm", "input of `xargs rm`"),
        ("xargs -I@ echo @", ""),
        ("python s.py", ""),
        ("sh <<EOF\necho\nEOF", ""),
        ("cat {{ x }}", ""),
        ("[[ a", ""),
    ],
)
def test_what_a_value_in_the_input_would_be(text: str, what: str) -> None:
    assert input_fault(text) == "" if not what else what in input_fault(text)
