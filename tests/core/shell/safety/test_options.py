"""Which options take a value as data."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.safety.options import decides_what_runs, is_known, known_program, reads_file


@pytest.mark.parametrize(
    ("program", "option", "runs"),
    [
        ("grep", "--exec", False),
        ("rg", "--pre", True),
        ("rg", "--glob", False),
        ("sort", "--compress-prog", True),
        ("git", "--upload-pack", True),
        ("docker", "-e", False),
        ("docker", "--entrypoint", True),
        ("frobnicate", "--exec", True),
        ("frobnicate", "--post-hook", True),
        ("frobnicate", "--name", False),
        ("frobnicate", "-c", True),
        ("frobnicate", "-n", False),
        ("frobnicate", "-title", False),
        ("frobnicate", "--onExit", True),
        ("gcc-13", "-fplugin", True),
    ],
)
def test_an_option_runs_its_value_or_takes_it_as_data(program: str, option: str, runs: bool) -> None:
    assert known_program(program).runs(option, attached=False) is runs


def test_what_an_option_opens_is_the_rest_of_its_word_or_the_next() -> None:
    find = known_program("tar")
    assert [find.opened("-T", "a"), find.opened("", "--files-from=a"), find.opened("", "-Ta")] == ["a"] * 3
    assert find.opened("-f", "a") == ""


def test_a_version_makes_no_other_program() -> None:
    assert is_known("gcc-13")
    assert not is_known("frobnicate")


@pytest.mark.parametrize(
    ("variable", "decides"),
    [
        ("PATH", True),
        ("GIT_SSH_COMMAND", True),
        ("GIT_AUTHOR_NAME", False),
        ("PYTHONPATH", True),
        ("MY_PAGER", True),
        ("TITLE", False),
        ("LD_PRELOAD", True),
        ("DOCKER_TAG", False),
        ("NODE_ENV", False),
        ("http_proxy", True),
    ],
)
def test_variables_that_decide_what_runs(variable: str, decides: bool) -> None:
    assert decides_what_runs(variable) is decides


@pytest.mark.parametrize(
    ("name", "option", "prefix", "instead"),
    [
        ("curl", "-d", "", "--data-raw"),
        ("curl", "-d", "a=", ""),
        ("curl", "-sd", "", "--data-raw"),
        ("curl", "-F", "a=", "--form-string"),
        ("curl", "-b", "", "-b NAME=…"),
        ("curl", "-o", "", ""),
        ("gh", "-F", "a=", "-f"),
        ("http", "", "a=", "--raw"),
        ("http", "", "https://h/", ""),
    ],
)
def test_a_value_does_not_name_a_file_to_send(name: str, option: str, prefix: str, instead: str) -> None:
    assert reads_file(name, option, prefix, api=True) == instead
