"""What the engine makes of commands at other places: attempts, and files that go from one step to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.core.events import StepRetrying
from pytest_lok.core.remote import Artifact, LostError, RemoteRun
from pytest_lok.core.results import Outcome
from pytest_lok.engine.ports import CommandSpec, Completed
from tests.engine.worlds import Ran, ran, world

ENDS = {"yes": Outcome.PASSED, "no": Outcome.FAILED, "lost": Outcome.ERROR, "late": Outcome.ERROR}


@dataclass
class Elsewhere:
    """A runner whose commands are at another place: each ends as the next word says, and makes what it names.

    A command is a list of ``FILE=CONTENT``; what it was given is in ``given``, by the name of its attempt.
    """

    ends: list[str] = field(default_factory=list)
    given: dict[str, Mapping[str, Artifact]] = field(default_factory=dict)
    attempts: list[RemoteRun] = field(default_factory=list)

    async def run(self, command: CommandSpec) -> Completed:
        remote = command.remote
        assert remote is not None
        self.attempts.append(remote)
        self.given[remote.name] = remote.files
        end = self.ends.pop(0) if self.ends else "yes"
        remote.begin("far")
        if end == "lost":
            raise LostError(f"{remote.name} was started on far, and its outcome is unknown: gone")
        if end == "late":
            raise TimeoutError
        made = (word.partition("=") for word in command.argv[1:])
        files = {name: Artifact(content.encode()) for name, _, content in made} if remote.artifacts else {}
        return Completed(exit_code=int(end == "no"), stdout="", stderr="", seconds=0.0, artifacts=files)


def away(tmp_path: Path, text: str, *, ends: list[str] | None = None) -> tuple[Ran, Elsewhere]:
    runner = Elsewhere(list(ends or ()))
    (tmp_path / "w").mkdir(exist_ok=True)
    return ran(text, replace(world(tmp_path / "w"), shell=runner)), runner


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ends=st.lists(st.sampled_from(sorted(ENDS)), min_size=4, max_size=4),
    retries=st.integers(0, 3),
    effects=st.booleans(),
)
def test_another_attempt_needs_retries_and_after_an_unknown_end_no_effects(
    tmp_path: Path, ends: list[str], retries: int, effects: bool
) -> None:
    text = f'[[steps]]\nname = "x"\nargv = ["x"]\non = "far"\nretries = {retries}\nretry_delay = 0\n'
    it, runner = away(tmp_path, f"{text}effects = {str(effects).lower()}\n", ends=ends)
    wanted = []
    for end in ends[: retries + 1]:
        wanted.append(end)
        if end == "yes" or (effects and end in ("lost", "late")):
            break
    step = it.result.steps["x"]
    assert (len(runner.attempts), step.attempts) == (len(wanted), len(wanted))
    assert step.outcome is ENDS[wanted[-1]]
    assert len(it.of(StepRetrying)) == len(wanted) - 1
    assert ("outcome is unknown" in step.reason) == (wanted[-1] == "lost")
    assert all(one.repeatable == (bool(retries) and not effects) for one in runner.attempts)
    said = [section.text for section in step.sections if section.title == "fleet"]
    assert said == ["ran on far"] * len(wanted)


def made(name: str, *files: str, after: str = "", more: str = "") -> str:
    argv = ", ".join(f'"{word}"' for word in ("x", *files))
    needs = ", ".join(f'"{it}"' for it in after.split())
    step = f'[[steps]]\nname = "{name}"\nargv = [{argv}]\non = "far"\ndepends_on = [{needs}]\n'
    patterns = '["*"]' if files else "[]"
    return f"{step}artifacts = {patterns}\n{more}\n"


def test_a_command_gets_the_files_of_those_it_rests_on_and_of_nobody_else(tmp_path: Path) -> None:
    text = (
        made("a", "one=1", "same=s")
        + made("b", "two=2", "same=s")
        + made("c", "one=3", after="a")
        + made("mid", after="c b")
        + made("end", after="mid")
        + made("alone")
    )
    it, runner = away(tmp_path, text)
    assert set(it.outcomes.values()) == {Outcome.PASSED}
    assert {
        name: {path: it.content for path, it in files.items()} for name, files in runner.given.items()
    } == {
        "a": {},
        "b": {},
        "alone": {},
        "c": {"one": b"1", "same": b"s"},
        "mid": {"one": b"3", "two": b"2", "same": b"s"},
        "end": {"one": b"3", "two": b"2", "same": b"s"},
    }
    # and the workspace has them too, the last word of each
    assert {path.name: path.read_text() for path in (tmp_path / "w").iterdir()} == {
        "one": "3",
        "two": "2",
        "same": "s",
    }


@pytest.mark.parametrize("failing", [False, True])
def test_two_that_do_not_rest_on_each_other_may_not_make_different_files_of_a_name(
    tmp_path: Path, failing: bool
) -> None:
    # what a command that failed has left is no product
    ends = ["yes", "no", "yes"] if failing else []
    text = made("a", "f=1") + made("b", "f=2", more="continue_on_error = true") + made("both", after="a b")
    it, _ = away(tmp_path, f"max_parallel = 1\n{text}", ends=ends)
    both = it.result.steps["both"]
    if failing:
        assert both.outcome is Outcome.PASSED
    else:
        assert both.outcome is Outcome.ERROR
        assert "a and b have both made f, and not the same" in both.reason


def test_items_make_files_together(tmp_path: Path) -> None:
    loop = 'for_each = ["1", "2"]'
    text = made("each", "f-{{ item }}={{ item }}", more=loop) + made("use", after="each")
    it, runner = away(tmp_path, text)
    assert set(it.outcomes.values()) == {Outcome.PASSED}
    assert {*runner.given} == {"each[0]", "each[1]", "use"}
    assert {*runner.given["use"]} == {"f-1", "f-2"}
    it, _ = away(tmp_path, made("each", "f={{ item }}", more=loop))
    assert "two items have made f, and not the same" in it.result.steps["each"].reason


def test_a_link_in_the_workspace_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "w" / "dir").symlink_to(tmp_path / "out")
    it, _ = away(tmp_path, made("a", "dir/f=1"))
    assert it.result.steps["a"].outcome is Outcome.ERROR
    assert "dir/f cannot be written" in it.result.steps["a"].reason
    assert not [*(tmp_path / "out").iterdir()]
