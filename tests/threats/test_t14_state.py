"""T14: what is kept from before is the user's own; what lies in the tree counts only where it is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.projects import Project

CANARY = "canary-8f3a91c2d4"
ASK = '[[steps]]\nname = "a"\nbackend = "tool"\nprompt = "Is it safe? {{ env.SOME_TOKEN }}"\n'
TOOL = """
[backends.tool]
type = "command"
command = "sh"
args = ["-c", "cat; echo no"]
access = "none"
"""
PLANTED = """
[[recordings]]
backend = "tool"
prompt = "Is it safe? [redacted]"

[recordings.answer]
text = "planted"
"""


@pytest.fixture
def asking(project: Project) -> Project:
    project.write("lok.toml", TOOL)
    project.workflow("w", ASK)
    project.environ["SOME_TOKEN"] = CANARY
    return project


def cache(project: Project) -> Path:
    return project.root / "home" / ".cache" / "lok" / "answers"


def test_a_recording_in_the_tree_answers_nobody_who_did_not_ask_for_it(asking: Project) -> None:
    asking.write(".lok/cassettes/w/a.toml", PLANTED)
    assert "planted" in asking.lok("run", "w", "--record=none").out  # it is the right one
    for options in ([], ["--cache"], ["--no-cache"]):
        assert "planted" not in asking.lok("run", "w", *options).out


def _files(root: Path) -> list[Path]:
    """Everything there is, but for the records of runs: nobody reads those without being asked to."""
    return sorted(path for path in root.rglob("*") if ".lok/runs" not in path.as_posix())


def test_answers_are_kept_nowhere_in_the_tree_and_taken_from_nowhere_in_it(asking: Project) -> None:
    asking.environ["HOME"] = str(asking.root.parent / "home")
    before = _files(asking.root)
    question = ["ask", "Is it safe?"]
    asking.lok(*question)
    assert _files(asking.root) == before
    kept = asking.root.parent / "home" / ".cache" / "lok" / "answers"
    (entry,) = kept.iterdir()
    for name in (".lok/cache", ".lok/answers", ".cache/lok/answers", "cache"):
        (asking.root / name).mkdir(parents=True)
        shutil.copy(entry, asking.root / name)
    entry.unlink()
    assert "(cached)" not in asking.lok(*question).out


def test_a_cache_that_is_a_link_into_the_tree_is_refused(asking: Project) -> None:
    asking.lok("ask", "?")
    moved = asking.root / "planted"
    cache(asking).rename(moved)
    cache(asking).symlink_to(moved)
    assert "(cached)" not in asking.lok("ask", "?").out
    assert "(cached)" not in asking.lok("ask", "?").out


def test_no_secret_is_kept_whoever_says_it(asking: Project) -> None:
    asking.lok("run", "w", "--record")
    asking.lok("run", "w", "--cache")
    asking.lok("ask", f"the token is {CANARY}")
    asking.lok("run", "w", "--record=new", "--json")
    files = [path for path in asking.root.rglob("*") if path.is_file()]
    assert any(path.name == "a.toml" and "cassettes" in path.parts for path in files)
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
