"""``--lok-resume``: a session goes on from what an earlier one has recorded."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.plugin.conftest import Suite

SETTINGS = """
[defaults]
backend = "x"
[backends.x]
type = "scripted"
[[backends.x.replies]]
reply = "fine"
"""
FLOW = """
[[steps]]
name = "gather"
shell = "cat data.txt; echo gather >> ../ran"
[[steps]]
name = "review"
prompt = "review {{ steps.gather.output }}"
[[steps]]
name = "check"
depends_on = ["review"]
shell = "echo check >> ../ran; test -e ../ok"
[[steps]]
name = "end"
depends_on = ["check"]
prompt = "sum up {{ steps.review.output }}"
"""
POSTING = """
[[steps]]
name = "check"
shell = "test -e ../go; code=$?; touch ../go; exit $code"
[[steps]]
name = "post"
depends_on = ["check"]
effects = true
shell = "echo posted >> ../posted; while test -e ../hold; do sleep 0.05; done"
"""


@pytest.fixture
def repository(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite in a git repository of its own, beside which the steps' log stands."""
    inner = suite.root / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    suite.write("inner/pytest.ini", "[pytest]\n")
    suite.write("inner/lok.toml", SETTINGS)
    suite.write("inner/data.txt", "data")
    suite.write("inner/.gitignore", "__pycache__\n.pytest_cache\n")
    suite.write("inner/.lok/workflows/w.toml", FLOW)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=inner, check=True)
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run(["git", *identity, "commit", "-qm", "one"], cwd=inner, check=True)
    return suite


def ran(suite: Suite) -> list[str]:
    log = suite.root / "ran"
    lines = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


KEPT = "kept: what it reads is unchanged"


def test_a_session_keeps_what_is_unchanged_and_says_so_in_each_report(repository: Suite) -> None:
    first = repository.run("--lok")
    first.assert_outcomes(passed=2, failed=1, skipped=1)
    assert ran(repository) == ["gather", "check"]
    (repository.root / "ok").touch()
    second = repository.run("--lok", "--lok-resume", "-rA")
    second.assert_outcomes(passed=4)
    assert ran(repository) == ["check"]
    said = second.stdout.str()
    assert said.count(KEPT) == 2
    assert "run again: the command had failed" in said
    assert "run again: step 'check' had blocked it" in said
    assert repository.run("--lok").ret == 0
    assert ran(repository) == ["gather", "check"]


def test_workers_and_selections_keep_the_same(repository: Suite) -> None:
    repository.run_apart("--lok")
    ran(repository)
    (repository.root / "ok").touch()
    apart = repository.run_apart("--lok", "--lok-resume", "-n", "4", "-rA")
    apart.assert_outcomes(passed=4)
    assert ran(repository) == ["check"]
    assert apart.stdout.str().count(KEPT) == 2
    chosen = repository.run_apart("--lok", "--lok-resume", "-k", "check", "-rA")
    chosen.assert_outcomes(passed=1, deselected=3)
    assert ran(repository) == []
    assert chosen.stdout.str().count(KEPT) == 1
    # what the session with fewer steps did not come to, the one before it knows
    all_ = repository.run_apart("--lok", "--lok-resume", "-rA")
    all_.assert_outcomes(passed=4)
    assert all_.stdout.str().count(KEPT) == 4
    assert ran(repository) == []


def test_last_failed_goes_on_where_it_failed(repository: Suite) -> None:
    repository.run("--lok", "-p", "cacheprovider")
    ran(repository)
    (repository.root / "ok").touch()
    last = repository.run("--lok", "--lok-resume", "--lf", "-p", "cacheprovider")
    last.assert_outcomes(passed=2)
    assert ran(repository) == ["check"]


def test_what_changed_runs_again_and_a_step_that_is_named(repository: Suite) -> None:
    (repository.root / "ok").touch()
    repository.run("--lok")
    ran(repository)
    named = repository.run("--lok", "--lok-resume", "--lok-again", "check", "-rA")
    named.assert_outcomes(passed=4)
    assert ran(repository) == ["check"]
    repository.write("inner/data.txt", "other")
    changed = repository.run("--lok", "--lok-resume", "-rA")
    changed.assert_outcomes(passed=4)
    assert ran(repository) == ["gather", "check"]
    assert "changed: files of the project" in changed.stdout.str()


def test_in_ci_only_who_types_it_goes_on(repository: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository.root / "ok").touch()
    repository.run("--lok")
    ran(repository)
    monkeypatch.setenv("CI", "true")
    repository.write("inner/pytest.ini", "[pytest]\naddopts = --lok-resume\n")
    repository.run("--lok").assert_outcomes(passed=4)
    assert ran(repository) == ["gather", "check"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--lok-again", "check"], "add --lok-resume"),
        (["--lok-resume", "--lok-again", "chek"], "--lok-again chek: no workflow of this session has such"),
    ],
)
def test_a_step_that_cannot_run_again_is_an_error(repository: Suite, words: list[str], error: str) -> None:
    done = repository.run("--lok", *words)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert error in done.stderr.str() + done.stdout.str()
    assert ran(repository) == []


@pytest.mark.parametrize("words", [["--lok-resume"], ["--lok-again", "check"]])
def test_a_session_without_workflows_has_nothing_to_go_on_from(repository: Suite, words: list[str]) -> None:
    repository.write("inner/test_x.py", "def test_x(): pass\n")
    done = repository.run(*words)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{words[0]}: this session runs no workflow: add --lok*"])


def test_a_record_that_is_not_believed_is_named_where_it_is_passed_over(repository: Suite) -> None:
    run = repository.run
    (repository.root / "ok").touch()
    run("--lok")
    records = repository.root / "inner/.lok/runs"
    [first] = records.glob("2*")
    with (first / "end.json").open("a") as end:
        end.write("x")
    again = run("--lok", "--lok-resume")
    again.stdout.fnmatch_lines([f"w: ran from its beginning: {first.name} is not believed*"])
    # the record of a session that can be believed is newer, so nothing is passed over
    assert "not believed" not in run("--lok", "--lok-resume").stdout.str()
    [_, second, third] = sorted(records.glob("2*"))
    with (third / "end.json").open("a") as end:
        end.write("x")
    older = run("--lok", "--lok-resume")
    older.stdout.fnmatch_lines(
        [f"w: went on from the older run {second.name}*: {third.name} is not believed*"]
    )


def test_a_session_does_not_go_on_from_a_run_that_another_process_goes_on_from(repository: Suite) -> None:
    repository.write("inner/.lok/workflows/w.toml", POSTING)
    (repository.root / "ok").touch()
    (repository.root / "hold").touch()
    assert repository.run_apart("--lok").ret == 1
    program = [sys.executable, "-m", "pytest_lok.cli.main", "run", "w", "--resume", "--trust"]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as holder:
        try:
            while not (repository.root / "posted").exists():
                assert holder.poll() is None, holder.communicate()
                time.sleep(0.02)
            refused = repository.run_apart("--lok", "--lok-resume")
        finally:
            (repository.root / "hold").unlink()
            holder.wait()
    assert refused.ret == 1
    assert "another process goes on from the run" in refused.stdout.str()
    assert (repository.root / "posted").read_text() == "posted\n"
