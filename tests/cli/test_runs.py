"""``lok runs``, ``lok show`` and ``lok report``: what is told of runs by their records alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.reports.formats import KINDS
from tests.cli.projects import Done, Project

SETTINGS = """
[backends.echo]
type = "scripted"
[[backends.echo.replies]]
match = "secret"
reply = "it is {secret}"
[[backends.echo.replies]]
reply = "fine"
"""
TWO = """
[args.path]
default = "."
position = 1
[[steps]]
name = "ask"
prompt = "what about {{ arg.path }}?"
backend = "echo"
[[steps]]
name = "check"
shell = "echo broken >&2; exit $CODE"
depends_on = ["ask"]
"""


@pytest.fixture
def recorded(project: Project) -> Project:
    """A project with a workflow ``two``, which passes or not as ``CODE`` says."""
    project.write("lok.toml", SETTINGS)
    project.workflow("two", TWO)
    project.environ["CODE"] = "0"
    return project


def runs(project: Project) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = project.lok("runs", "--json").document["runs"]
    return listed


def folder(project: Project, run: dict[str, Any]) -> Path:
    return project.root / ".lok" / "runs" / str(run["run_id"])


def test_runs_are_listed_the_newest_first_with_what_came_of_them(recorded: Project) -> None:
    assert recorded.lok("two", "src").code == 0
    recorded.environ["CODE"] = "1"
    assert recorded.lok("run", "two").code == 1
    assert recorded.lok("ask", "-b", "echo", "hi").code == 0
    listed = runs(recorded)
    assert [(run["workflow"], run["verdict"], run["exit_code"]) for run in listed] == [
        ("ask", "passed", 0),
        ("two", "failed", 1),
        ("two", "passed", 0),
    ]
    assert listed[2]["arguments"] == {"path": "src", "1": "src"}
    assert listed[2]["command"] == ["lok", "two", "src"]
    lines = recorded.lok("runs").out.splitlines()
    assert lines[0].split() == ["RUN", "OUTCOME", "WHEN", "TIME", "COST", "WORKFLOW"]
    assert [line.split()[1] for line in lines[1:]] == ["passed", "failed", "passed"]
    assert all(len(line) < 80 for line in lines)
    assert len(recorded.lok("runs", "-l", "1").out.splitlines()) == 2


def test_a_project_without_runs_says_so(project: Project) -> None:
    done = project.lok("runs")
    assert (done.code, done.out) == (0, "")
    assert "no run is recorded" in done.err
    assert project.lok("show").code == 2
    assert "`lok run WORKFLOW` records one" in project.lok("report").err


def test_a_run_is_shown_by_the_beginning_of_its_id(recorded: Project) -> None:
    recorded.environ["CODE"] = "1"
    recorded.lok("two", "src")
    (run,) = runs(recorded)
    shown = recorded.lok("show", run["run_id"][:-2]).out
    for said in (run["run_id"], "lok two src", "path=src", "exit code 1", "failed", "broken", "passed   ask"):
        assert said in shown
    assert recorded.lok("show").out == shown
    assert recorded.lok("show", "last").out == shown
    assert recorded.lok("show", folder(recorded, run)).out == shown
    recorded.lok("two")
    several = recorded.lok("show", "2")
    assert several.code == 2
    assert "several runs begin with '2'" in several.err
    assert recorded.lok("show", "19").code == 2


def test_a_step_is_shown_whole(recorded: Project) -> None:
    recorded.lok("two", "src")
    shown = recorded.lok("show", "last", "ask").out
    assert "== echo was asked ==\nwhat about src?" in shown
    assert "== echo answered ==" in shown
    assert shown.endswith("== output ==\nfine\n")
    document = recorded.lok("show", "last", "two::ask", "--json").document
    assert [event["kind"] for event in document["events"]] == [
        "step_started",
        "backend_asked",
        "backend_replied",
    ]
    assert document["replies"][0]["text"] == "fine"
    wrong = recorded.lok("show", "last", "aks")
    assert wrong.code == 2
    assert "no step 'aks'" in wrong.err
    assert "did you mean `ask`" in wrong.err.lower()


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_of_an_old_run_is_the_one_that_its_process_wrote(recorded: Project, kind: str) -> None:
    recorded.environ["CODE"] = "1"
    recorded.lok("run", "two", "src", "--report", f"{kind}=then")
    # what has happened to the workflow since makes no difference
    recorded.workflow("two", "[[steps]]\n")
    done = recorded.lok("report", "--format", kind, "-o", "now.json")
    assert done.code == 0
    then, now = (recorded.root / "then").read_text(), (recorded.root / "now.json").read_text()
    assert then
    assert now.rstrip("\n") == then.rstrip("\n")


def test_the_json_of_an_old_run_is_that_of_the_run(recorded: Project) -> None:
    then = recorded.lok("run", "two", "src", "--json").document
    (now,) = recorded.lok("report", "--format", "json").document["workflows"]
    assert {key: now[key] for key in then} == then


def test_several_runs_are_summed_up(recorded: Project) -> None:
    recorded.environ["GITHUB_REF"] = "refs/pull/45/merge"
    recorded.lok("two")
    del recorded.environ["GITHUB_REF"]
    recorded.workflow("pr-check", '[args.pr]\nposition = 1\n[[steps]]\nname = "a"\nshell = "false"\n')
    recorded.lok("pr-check", "https://github.com/o/r/pull/45")
    recorded.lok("pr-check", "46")
    page = recorded.lok("report", "--since", "1d").out
    assert "3 runs: 2 failed, 1 passed" in page
    assert page.count("\n| `2") == 3
    of_45 = recorded.lok("report", "--pr", "45", "--json").document
    assert [(run["workflow"], run["verdict"]) for run in of_45["runs"]] == [
        ("pr-check", "failed"),
        ("two", "passed"),
    ]
    assert of_45["verdicts"] == {"failed": 1, "passed": 1}
    assert recorded.lok("report", "--since", "2020-01-01", "-l", "2", "--json").document["runs"] == [
        *runs(recorded)[:2]
    ]
    assert "No run is recorded" in recorded.lok("report", "--since", "2999-01-01").out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--since", "x"], "'x' is no time"),
        (["--pr", "x"], "'x' is no pull request"),
        (["last", "--since", "1d"], "leave RUN out"),
        (["--since", "1d", "--format", "sarif"], "summed up as markdown or json"),
        (["--json", "--format", "sarif"], "--json asks for another form than --format sarif"),
        (["--limit", "3"], "--limit needs"),
        (["--format", "pdf"], "'pdf'"),
    ],
)
def test_what_makes_no_sense_is_an_error(recorded: Project, words: list[str], why: str) -> None:
    recorded.lok("two")
    done = recorded.lok("report", *words)
    assert done.code == 2
    assert why in (done.out if "--json" in words else done.err)


def test_a_record_that_was_changed_is_said_and_not_shown(recorded: Project) -> None:
    recorded.environ["CODE"] = "1"
    recorded.lok("two")
    (run,) = runs(recorded)
    journal = next(folder(recorded, run).glob("*.jsonl"))
    journal.write_text(journal.read_text().replace('"failed"', '"passed"'))
    done = recorded.lok("runs")
    assert f"{run['run_id']} is not believed, and left as it is" in done.err
    assert done.out == ""
    assert recorded.lok("runs", "--json").document["set_aside"][0]["run"] == run["run_id"]
    for verb in ("show", "report"):
        named = recorded.lok(verb, run["run_id"])
        assert (named.code, named.out) == (3, "")
        assert "is not believed" in named.err
        assert recorded.lok(verb).code == 2
    assert folder(recorded, run).is_dir()


def test_secrets_are_in_no_record(recorded: Project) -> None:
    recorded.environ["MY_TOKEN"] = "correct-horse-battery"
    recorded.write("lok.toml", SETTINGS.replace("{secret}", "correct-horse-battery"))
    recorded.workflow(
        "leak",
        '# correct-horse-battery\n[args.x]\nposition = 1\n[[steps]]\nname = "a"\nbackend = "echo"\n'
        'prompt = "tell the secret {{ arg.x }}"\n',
    )
    assert recorded.lok("leak", "correct-horse-battery").code == 0
    (run,) = runs(recorded)
    for file in folder(recorded, run).iterdir():
        assert "correct-horse" not in file.read_text(), file
        assert file.stat().st_mode & 0o077 == 0
    assert "correct-horse" not in recorded.lok("show", "last", "a").out


def test_a_run_that_is_killed_is_killed_and_one_that_runs_runs(recorded: Project) -> None:
    recorded.workflow("slow", '[[steps]]\nname = "a"\nshell = "touch begun; sleep 60"\n')
    with recorded.started("run", "slow") as process:
        while not (recorded.root / "begun").exists():
            time.sleep(0.02)
        (run,) = runs(recorded)
        assert (run["state"], run["verdict"], run["exit_code"]) == ("running", "running", None)
        shown = recorded.lok("show").out
        assert "it still runs" in shown
        assert "a, without a result" in shown
        process.send_signal(signal.SIGKILL)
        process.wait()
        (run,) = runs(recorded)
        assert (run["state"], run["verdict"], run["outcome"]) == ("killed", "killed", "error")
        assert (
            recorded.lok("show")
            .out.rstrip()
            .endswith("slow: error (the process was killed before the run ended)")
        )
        assert "nobody knows what came of it" in recorded.lok("report", "--format", "junit").out
        assert recorded.lok("report", "--format", "json").document["workflows"][0]["running"] == ["a"]


def test_an_interrupted_run_has_an_end(recorded: Project) -> None:
    recorded.workflow("slow", '[[steps]]\nname = "a"\nshell = "touch begun; sleep 60"\n')
    with recorded.started("run", "slow") as process:
        while not (recorded.root / "begun").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    (run,) = runs(recorded)
    assert (run["state"], run["verdict"], run["exit_code"]) == ("ended", "inconclusive", 130)
    assert "Ctrl-C" in run["interrupted"]


def test_a_directory_that_is_no_project_does_not_become_one(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "plain"
    place.mkdir()
    monkeypatch.chdir(place)
    project.environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    config = tmp_path / "config" / "lok.toml"
    config.parent.mkdir()
    config.write_text(SETTINGS)
    project.environ["LOK_CONFIG_DIR"] = str(config.parent)
    assert project.lok("--dir", place, "ask", "-b", "echo", "hi").code == 0
    assert not list(place.iterdir())
    assert [run["workflow"] for run in project.lok("--dir", place, "runs", "--json").document["runs"]] == [
        "ask"
    ]


def test_a_project_that_cannot_be_written_to_is_recorded_elsewhere(recorded: Project) -> None:
    (recorded.root / ".lok" / "runs").write_text("in the way")
    done = recorded.lok("two")
    assert done.code == 0
    assert "this run is recorded in /" in done.err


def test_the_commits_of_a_run_are_recorded(recorded: Project) -> None:
    def git(*words: str) -> str:
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", *author, *words]
        return subprocess.run(command, cwd=recorded.root, check=True, capture_output=True, text=True).stdout

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "topic")
    git("commit", "-qm", "two", "--allow-empty")
    done: Done = recorded.lok("two", "--json")
    assert done.document["base"] == git("rev-parse", "main").strip()
    assert done.document["head"] == git("rev-parse", "topic").strip()
    (run,) = runs(recorded)
    assert (run["base"], run["head"]) == (done.document["base"], done.document["head"])
    assert json.loads(recorded.lok("report", "--format", "json").out)["workflows"][0]["head"] == run["head"]


def test_a_full_disk_ends_no_run_and_is_no_yes(recorded: Project) -> None:
    # no file may be longer than so many blocks; the answer is longer
    recorded.workflow("long", '[[steps]]\nname = "a"\nshell = "head -c 400000 /dev/zero | tr \'\\\\0\' x"\n')
    limited = ["sh", "-c", 'ulimit -f 300; trap "" XFSZ; exec "$@"', "sh"]
    command = [*limited, os.sys.executable, "-m", "pytest_lok.cli.main", "run", "long"]  # type: ignore[attr-defined]
    done = subprocess.run(command, cwd=recorded.root, env=recorded.environ, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "x" * 1000 in done.stdout
    assert "the record of this run is not whole" in done.stderr
    (run,) = runs(recorded)
    assert run["verdict"] == "killed"


def test_a_change_that_nobody_trusts_has_its_record_beside_the_others(
    recorded: Project, tmp_path: Path
) -> None:
    recorded.environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    recorded.workflow("own", '[[steps]]\nname = "a"\nshell = "true"\n')
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*author, "commit", "-qm", "one")):
        subprocess.run(("git", *words), cwd=recorded.root, check=True, capture_output=True)
    recorded.write("more", "x\n")
    subprocess.run(("git", "add", "more"), cwd=recorded.root, check=True)
    gate = recorded.lok("gate", "own", "--staged")
    recorded.lok("own")
    listed = runs(recorded)
    assert [run["command"][1] for run in listed] == ["own", "gate"], gate.err
    assert listed[1]["run_id"] in recorded.lok("show", listed[1]["run_id"]).out
    assert not (folder(recorded, listed[1])).exists()


def test_a_newer_run_that_is_not_believed_is_said(recorded: Project) -> None:
    recorded.lok("two")
    older = runs(recorded)[0]["run_id"]
    recorded.lok("two")
    newer = folder(recorded, runs(recorded)[0])
    (newer / "end.json").write_text("")
    shown = recorded.lok("show")
    assert older in shown.out
    assert f"{newer.name} is not believed" in shown.err


def test_paths_of_a_project_in_a_folder_begin_at_the_repository(
    recorded: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = recorded.root / "packages" / "web"
    inner.mkdir(parents=True)
    (recorded.root / "lok.toml").rename(inner / "lok.toml")
    (recorded.root / ".lok").rename(inner / ".lok")
    subprocess.run(["git", "init", "-q"], cwd=recorded.root, check=True)
    recorded.environ["CODE"] = "1"
    monkeypatch.chdir(inner)
    recorded.lok("run", "two", "--report", "sarif=then")
    recorded.lok("report", "--format", "sarif", "-o", "now")
    now = (inner / "now").read_text()
    assert now == (inner / "then").read_text()
    assert "packages/web/.lok/workflows/two.toml" in now
