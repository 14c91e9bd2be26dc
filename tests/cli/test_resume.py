from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.projects import Project

SETTINGS = """
[defaults]
backend = "x"
[backends.x]
type = "scripted"
[[backends.x.replies]]
reply = "fine"
"""
FLOW = """
[args.topic]
default = "code"
[[steps]]
name = "gather"
shell = "cat data.txt; echo run >> ../gathered"
[[steps]]
name = "review"
prompt = "review {{ arg.topic }}: {{ steps.gather.output }}"
[[steps]]
name = "check"
depends_on = ["review"]
shell = "test -e ../ok"
[[steps]]
name = "end"
depends_on = ["check"]
prompt = "sum up {{ steps.review.output }}"
"""


@pytest.fixture
def repository(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that is a directory of its own, in git."""
    inner = project.root / "inner"
    inner.mkdir()
    project.write("inner/lok.toml", SETTINGS)
    project.write("inner/data.txt", "data\n")
    project.write("inner/.lok/workflows/w.toml", FLOW)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=inner, check=True)
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run(["git", *identity, "commit", "-qm", "one"], cwd=inner, check=True)
    monkeypatch.chdir(inner)
    return project


def decisions(document: dict[str, dict[str, dict[str, dict[str, str]]]]) -> dict[str, str]:
    said = {name: step["resumed"] for name, step in document["steps"].items()}
    return {name: f"{it['decision']}: {it['why']}" for name, it in said.items() if it}


def test_a_run_is_gone_on_from_with_its_own_command_and_says_what_it_kept(repository: Project) -> None:
    assert repository.lok("run", "w", "--topic", "tests").code == 1
    (repository.root / "ok").touch()
    done = repository.lok("resume", "--json")
    assert done.code == 0
    assert decisions(done.document) == {
        "gather": "kept: what it reads is unchanged",
        "review": "kept: what it reads is unchanged",
        "check": "again: the command had failed",
        "end": "again: step 'check' had blocked it",
    }
    assert (repository.root / "gathered").read_text() == "run\n"
    told = repository.lok("resume")
    line = next(line for line in told.err.splitlines() if line.startswith("passed   review"))
    assert line.endswith("  x  6 tokens, $0.0000  (kept: what it reads is unchanged)")
    assert told.err.splitlines()[-1].endswith("4 kept")
    # the new run has a record of its own, under the command that began the first
    runs = sorted((repository.root / "inner/.lok/runs").glob("2*"))
    assert len({(run / "run.json").read_text().partition('"command":')[2][:40] for run in runs}) == 1


def test_what_has_changed_runs_again_with_all_that_rests_on_it(repository: Project) -> None:
    (repository.root / "ok").touch()
    repository.lok("w")
    other = repository.lok("run", "w", "--resume", "--topic", "other", "--json")
    assert decisions(other.document) == {
        "gather": "kept: what it reads is unchanged",
        "review": "changed: arguments",
        "check": "changed: what it reads of other steps",
        "end": "kept: what it reads is unchanged",
    }
    repository.write("inner/new.txt", "new")
    again = repository.lok("resume", "--json", "--again", "end")
    assert decisions(again.document) == {
        "gather": "changed: files of the project",
        "review": "kept: what it reads is unchanged",
        "check": "changed: what it reads of other steps",
        "end": "again: that was asked for",
    }
    repository.write("inner/lok.toml", SETTINGS.replace("fine", "bad"))
    settings = repository.lok("resume", "--json")
    assert decisions(settings.document)["review"] == "changed: settings"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["resume"], "no run is recorded in"),
        (["resume", "nope"], "there is no recorded run nope"),
        (["run", "w", "--resume"], "no run of w is recorded that has ended"),
        (["run", "w", "--again", "check"], "--again says what runs again of an earlier run"),
        (["--resume", "plan", "w"], "--resume does not apply to `lok plan w`"),
    ],
)
def test_what_cannot_be_gone_on_from_is_an_error_before_anything_runs(
    repository: Project, words: list[str], error: str
) -> None:
    done = repository.lok(*words)
    assert done.code == 2
    assert error in done.err
    assert not (repository.root / "gathered").exists()


def test_a_step_that_is_not_there_cannot_run_again(repository: Project) -> None:
    repository.lok("w")
    done = repository.lok("resume", "--again", "chek")
    assert (done.code, "did you mean `check`" in done.err) == (2, True)
    done = repository.lok("resume", "--again", "nowhere")
    assert (done.code, "hint: it has: gather, " in done.err) == (2, True), done.err


def test_a_run_of_something_else_is_no_run_to_go_on_from(repository: Project) -> None:
    repository.lok("ask", "what?")
    done = repository.lok("resume")
    assert done.code == 2
    assert "--resume does not apply to `lok ask`" in done.err


def test_a_command_whose_secret_is_not_recorded_has_to_be_typed_again(repository: Project) -> None:
    repository.environ["MY_TOKEN"] = "correct-horse-battery"
    repository.lok("w", "--topic", "correct-horse-battery")
    done = repository.lok("resume")
    assert done.code == 2
    assert "lacks a secret that its command holds" in done.err
    assert "type its command again, with --resume" in done.err


def test_a_run_that_was_killed_is_gone_on_from_and_one_that_goes_on_is_not(repository: Project) -> None:
    slow = FLOW.replace("test -e ../ok", "touch ../begun; test -e ../ok || sleep 30")
    repository.write("inner/.lok/workflows/w.toml", slow)
    words = [sys.executable, "-m", "pytest_lok.cli.main", "run", "w"]
    with subprocess.Popen(words, env=repository.environ, stderr=subprocess.DEVNULL) as process:
        while not (repository.root / "begun").exists():
            time.sleep(0.02)
        running = repository.lok("resume")
        assert (running.code, "still goes on" in running.err) == (2, True)
        process.kill()
    (repository.root / "ok").touch()
    done = repository.lok("resume", "--json")
    assert done.code == 0
    said = decisions(done.document)
    assert said["review"] == "kept: what it reads is unchanged"
    assert said["check"] == "again: it had not ended"
    assert Path(repository.root / "gathered").exists()


def test_a_run_that_was_killed_before_it_began_hides_none(repository: Project) -> None:
    assert repository.lok("run", "w").code == 1
    assert repository.lok("run", "w").code == 1
    newest = max((Path.cwd() / ".lok" / "runs").glob("*-*"))
    (newest / "end.json").unlink()
    (journal,) = newest.glob("*.jsonl")
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    named = repository.lok("resume", newest.name)
    assert (named.code, "was killed before it had begun" in named.err) == (2, True)
    assert "lok run w" in named.err
    done = repository.lok("resume", "--json")
    assert decisions(done.document)["review"] == "kept: what it reads is unchanged"


def test_what_a_later_run_has_done_outside_is_not_done_again_from_the_older_one(repository: Project) -> None:
    flow = """
[[steps]]
name = "gather"
shell = "test -e ../ok"
[[steps]]
name = "post"
depends_on = ["gather"]
effects = true
shell = "echo posted >> ../posted"
"""
    repository.write("inner/.lok/workflows/p.toml", flow)
    assert repository.lok("run", "p").code == 1
    first = repository.lok("runs", "--json").document["runs"][0]["run_id"]
    (repository.root / "ok").touch()
    for _ in range(3):
        assert repository.lok("resume", first).code == 0
    posted = repository.root / "posted"
    assert posted.read_text() == "posted\n"
    assert repository.lok("resume", first, "--again", "post").code == 0
    assert posted.read_text() == "posted\n" * 2


POSTING = """
[[steps]]
name = "gather"
shell = "test -e ../ok"
[[steps]]
name = "post"
depends_on = ["gather"]
effects = true
shell = "echo posted >> ../posted; while test -e ../hold; do sleep 0.05; done"
"""


@pytest.mark.parametrize("words", [["resume", "RUN"], ["run", "p", "--resume"], ["resume", "LATER"]])
def test_of_two_runs_at_once_one_goes_on_and_the_other_is_refused_until_it_is_killed(
    repository: Project, words: list[str]
) -> None:
    repository.write("inner/.lok/workflows/p.toml", POSTING)
    assert repository.lok("run", "p").code == 1
    first = repository.lok("runs", "--json").document["runs"][0]["run_id"]
    assert repository.lok("resume", first).code == 1
    later = repository.lok("runs", "--json").document["runs"][0]["run_id"]
    words = [{"RUN": first, "LATER": later}.get(word, word) for word in words]
    (repository.root / "ok").touch()
    (repository.root / "hold").touch()
    posted = repository.root / "posted"
    with repository.started("-d", "inner", "resume", first) as holder:
        while not posted.exists():
            assert holder.poll() is None, holder.communicate()
            time.sleep(0.02)
        refused = repository.lok(*words)
        assert (refused.code, "another process goes on from the run" in refused.err) == (2, True), refused.err
    # the lock has died with the process, and what that had begun is known
    (repository.root / "hold").unlink()
    after = repository.lok(*words)
    assert (after.code, "may have done its work outside" in after.err) == (3, True), after.err
    assert posted.read_text() == "posted\n"


def test_what_a_run_beside_this_one_has_done_outside_is_not_done_again(repository: Project) -> None:
    repository.write("inner/.lok/workflows/p.toml", POSTING)
    assert repository.lok("run", "p").code == 1
    first = repository.lok("runs", "--json").document["runs"][0]["run_id"]
    assert repository.lok("resume", first).code == 1
    beside = repository.lok("runs", "--json").document["runs"][0]["run_id"]
    (repository.root / "ok").touch()
    assert repository.lok("resume", first).code == 0
    assert repository.lok("resume", beside).code == 0
    assert (repository.root / "posted").read_text() == "posted\n"


def test_what_another_project_has_recorded_is_shown_by_its_path_and_not_gone_on_from(
    repository: Project,
) -> None:
    assert repository.lok("run", "w").code == 1
    own = repository.root / "inner/.lok/runs"
    name = repository.lok("runs", "--json").document["runs"][0]["run_id"]
    other = repository.root / "other"
    shutil.copytree(own.parent, other / ".lok")
    shutil.copy(own.parents[1] / "lok.toml", other)
    copied = other / ".lok/runs"
    listed = repository.lok("-d", other, "runs")
    assert listed.err.count("it was recorded in another project") == 1
    assert name not in listed.out
    by_name = repository.lok("-d", other, "resume", name)
    by_path = repository.lok("-d", other, "resume", f"{copied}/{name}")
    newest = repository.lok("-d", other, "run", "w", "--resume")
    assert [it.code for it in (by_name, by_path, newest)] == [3, 3, 2], by_name.err + by_path.err + newest.err
    elsewhere = repository.lok("resume", f"{copied}/{name}")
    assert (elsewhere.code, "none of this project's own" in elsewhere.err) == (2, True), elsewhere.err
    assert repository.lok("-d", other, "show", f"{copied}/{name}").code == 0
    repository.write("other/lok.toml", f"{SETTINGS}[runs]\nkeep = 1\n")
    assert [repository.lok("-d", other, "run", "w").code for _ in range(2)] == [1, 1]
    assert len(repository.lok("-d", other, "runs", "--json").document["runs"]) == 1
    assert (copied / name / "run.json").exists(), "what is foreign is left"


def test_a_project_behind_a_link_has_its_own_records(repository: Project) -> None:
    (repository.root / "link").symlink_to("inner")
    link = repository.root / "link"
    assert repository.lok("-d", link, "run", "w").code == 1
    for place in (link, link.resolve(), "."):
        assert len(repository.lok("-d", place, "runs", "--json").document["runs"]) == 1


def test_where_no_run_of_a_workflow_is_recorded_those_of_others_are_named(repository: Project) -> None:
    repository.write("inner/.lok/workflows/p.toml", POSTING)
    assert repository.lok("run", "w").code == 1
    refused = repository.lok("run", "p", "--resume")
    assert (refused.code, "runs are recorded of: w" in refused.err) == (2, True), refused.err
