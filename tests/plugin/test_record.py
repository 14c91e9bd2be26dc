"""``--lok-record`` and ``--lok-cache``: what was answered before, in whichever process."""

from pathlib import Path

import pytest

from tests.plugin.conftest import Suite

ASK = "[[steps]]\nname = 'a'\nbackend = 'tool'\nprompt = 'Is it safe?'\n"
TOOL = """
[backends.tool]
type = "command"
command = "sh"
args = ["-c", "cat; echo x >> ran"]
"""
GONE = TOOL.replace('"sh"', '"no-such-program"')
FIXTURES = """
import pytest
@pytest.mark.parametrize("what", [f"thing {n}" for n in range(8)])
def test_it(lok, what):
    result = lok.run("each", what=what)
    assert result.output == f"Is {what} safe?"
"""


@pytest.fixture
def asking(suite: Suite) -> Suite:
    suite.write("lok.toml", TOOL)
    suite.workflow("w", ASK)
    return suite


def cassettes(suite: Suite) -> dict[str, bytes]:
    folder = suite.root / ".lok" / "cassettes"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*")}


def test_recorded_then_replayed(asking: Suite) -> None:
    result = asking.run("--lok", "--lok-record=once")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["lok: 1 workflow: w; recorded answers: once"])
    result.stdout.no_fnmatch_line("*(cached)*")
    before = cassettes(asking)
    assert before.keys() == {"w/a.toml"}
    asking.write("lok.toml", GONE)
    for mode in ("none", "once", "new"):
        result = asking.run("--lok", f"--lok-record={mode}", "--junitxml=j.xml")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["w: passed * (cached)"])
        assert 'name="lok.cached" value="1"' in (asking.root / "j.xml").read_text()
    assert cassettes(asking) == before
    assert asking.ran() == ["x"]


def test_an_unknown_prompt_is_an_error_that_shows_the_nearest(asking: Suite) -> None:
    asking.run("--lok", "--lok-record=once")
    asking.workflow("w", ASK.replace("safe", "sound"))
    result = asking.run("--lok", "--lok-record=none")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['E   -prompt = "Is it safe?"', 'E   +prompt = "Is it sound?"'])
    assert asking.ran() == ["x"]


TREE = {
    "pytest.ini": "[pytest]\nlok_record = none\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--lok-record=none'\n",
    "tox.ini": "[pytest]\naddopts = --lok-record none\n",
    "setup.cfg": "[tool:pytest]\naddopts = -o lok_record=none\n",
}
OVERRIDES = pytest.version_tuple >= (9, 1)
"""Whether ``-o`` has an effect in ``addopts``."""


@pytest.mark.parametrize("name", [name for name in TREE if name != "setup.cfg" or OVERRIDES])
def test_in_ci_the_tree_does_not_say_that_the_tree_is_replayed(
    asking: Suite, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asking.run("--lok", "--lok-record=once").assert_outcomes(passed=1)
    asking.write(name, TREE[name])
    asking.run("--lok").assert_outcomes(passed=1)
    assert asking.ran() == ["x"]  # replayed, where it is one's own
    monkeypatch.setenv("CI", "true")
    result = asking.run("--lok")
    assert asking.ran() == ["x", "x"]
    result.stdout.fnmatch_lines(["*not used in CI, where only the command line says it: lok_record"])


@pytest.mark.parametrize(
    "typed",
    [["--lok-record=none"], ["--lok-record", "none"], ["-o", "lok_record=none"], ["-olok_record=none"]],
)
def test_in_ci_what_is_typed_counts(asking: Suite, monkeypatch: pytest.MonkeyPatch, typed: list[str]) -> None:
    asking.run("--lok", "--lok-record=once").assert_outcomes(passed=1)
    monkeypatch.setenv("CI", "true")
    asking.run("--lok", *typed).assert_outcomes(passed=1)
    asking.run("--lok", *typed, "-n1").assert_outcomes(passed=1)
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(typed))
    asking.run("--lok").assert_outcomes(passed=1)
    assert asking.ran() == ["x"]


def test_in_ci_workers_replay_no_more_than_their_session(
    asking: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.run("--lok", "--lok-record=once").assert_outcomes(passed=1)
    asking.write("pytest.ini", "[pytest]\nlok_record = none\naddopts = --lok-record=none\n")
    monkeypatch.setenv("CI", "true")
    asking.run("--lok", "-n1").assert_outcomes(passed=1)
    assert asking.ran() == ["x", "x"]


def test_in_ci_the_ini_records_nothing(asking: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    asking.write("pytest.ini", "[pytest]\nlok_record = new\n")
    monkeypatch.setenv("CI", "true")
    asking.run("--lok").assert_outcomes(passed=1)
    assert cassettes(asking) == {}
    asking.run("--lok", "--lok-record=all").assert_outcomes(passed=1)  # said by somebody
    assert cassettes(asking)


def test_a_mode_that_is_none(asking: Suite) -> None:
    assert asking.run("--lok", "--lok-record=always").ret == pytest.ExitCode.USAGE_ERROR
    asking.write("pytest.ini", "[pytest]\nlok_record = always\n")
    result = asking.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*lok_record is 'always'*"])


def test_several_processes_record_what_one_would(asking: Suite, tmp_path: Path) -> None:
    """One step's file is written by whichever worker runs a test that asks it."""
    asking.write(
        ".lok/workflows/each.toml",
        "[args.what]\n[[steps]]\nname = 'a'\nbackend = 'tool'\nprompt = 'Is {{ arg.what }} safe?'\n",
    )
    asking.write("test_each.py", FIXTURES)
    asking.run_apart("test_each.py", "--lok-record=once", "-n3").assert_outcomes(passed=8)
    together = cassettes(asking)
    assert together["each/a.toml"].count(b"[[recordings]]") == 8
    assert len(asking.ran()) == 8
    asking.run_apart("test_each.py", "--lok-record=all").assert_outcomes(passed=8)
    assert cassettes(asking) == together
    asking.write("lok.toml", GONE)
    asking.run_apart("test_each.py", "--lok-record=none", "-n3").assert_outcomes(passed=8)
    assert len(asking.ran()) == 16


def test_in_ci_the_tree_does_not_ask_for_the_cache(asking: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    asking.write("lok.toml", TOOL.replace("[backends.tool]", "[backends.tool]\naccess = 'none'"))
    asking.write("pytest.ini", "[pytest]\naddopts = --lok-cache\n")
    monkeypatch.setenv("CI", "true")
    asking.run("--lok").assert_outcomes(passed=1)
    result = asking.run("--lok")
    result.stdout.no_fnmatch_line("*(cached)*")
    result.stdout.fnmatch_lines(["*only the command line says it: --lok-cache"])
    asking.run("--lok", "--lok-cache")
    asking.run("--lok", "--lok-cache").stdout.fnmatch_lines(["*(cached)*"])


def test_the_cache_is_used_where_it_is_asked_for(asking: Suite) -> None:
    asking.write(
        "lok.toml",
        TOOL.replace("[backends.tool]", "[backends.tool]\naccess = 'none'").replace("ran", "$HOME/asked"),
    )
    asked = asking.root.parent / f"{asking.root.name}-home" / "asked"
    for option in ([], ["--lok-cache"], ["--lok-cache"], []):
        asking.run("--lok", *option).assert_outcomes(passed=1)
    assert asked.read_text().split() == ["x"] * 3
    asking.run("--lok", "--lok-cache").stdout.fnmatch_lines(["w: passed * (cached)"])
    result = asking.run("--lok", "--lok-cache", "--lok-record=once")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
