"""Files that come from elsewhere, and files that are sent away."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.ast import NamedCommand
from pytest_lok.core.shell.safety.arrivals import arriving, revisions, sent_files
from tests.core.shell.safety.reviewed import scanned


def call(text: str) -> NamedCommand:
    command = scanned(text).commands[0]
    return NamedCommand(name=command.words[0].shown, args=command.words[1:], command=command)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tar -xf a", ["-xf", "a"]),
        ("tar -cf a b", None),
        ("unzip a", ["a"]),
        ("gh repo clone a", ["repo", "clone", "a"]),
        ("gh issue list", None),
        ("aws s3 cp s3://a .", ["s3", "cp", "s3://a"]),
        ("aws s3 cp a s3://b", None),
        ("kubectl cp a:/b c", ["cp", "a:/b"]),
        ("go build ./a", ["build", "./a"]),
        ("wget a", ["a"]),
        ("wget -O f a", None),
        ("grep a b", None),
    ],
)
def test_what_chooses_the_files_that_come(text: str, words: list[str] | None) -> None:
    found = arriving(call(text))
    assert (None if found is None else [word.shown for word in found.words]) == words


def test_an_archive_may_come_by_the_input() -> None:
    assert [found and found.from_input for found in map(arriving, map(call, ("tar x", "curl -O a")))] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("checkout a -- b", ["a"]),
        ("checkout -b new a", ["-b", "a"]),
        ("merge -m text a", ["-m", "a"]),
        ("restore --source a b", ["--source", "a"]),
        ("reset a", None),
        ("reset --hard a", ["--hard", "a"]),
        ("log a", None),
    ],
)
def test_what_chooses_the_revision_of_which_git_puts_files_there(text: str, words: list[str] | None) -> None:
    command, *args = call(f"git {text}").args
    found = revisions(command.shown, args)
    assert (None if found is None else [word.shown for word in found]) == words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("curl -d @{{ x }} https://h", 1),
        ("curl -d {{ x }} https://h", 0),
        ("curl --form=a=@{{ x }} https://h", 1),
        ("curl -sd @{{ x }} https://h", 1),
        ("wget --post-file={{ x }} https://h", 1),
        ("gh pr create -F {{ x }}", 1),
        ("gh api -F a={{ x }} u", 0),
        ("gh api -F a=@{{ x }} u", 1),
        ("grep -F {{ x }} f", 0),
    ],
)
def test_files_to_send_that_a_value_names(text: str, count: int) -> None:
    assert len(list(sent_files(call(text)))) == count
