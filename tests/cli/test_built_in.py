"""The workflows that ship, typed as lok's users type them, with a tool of a forge that answers as gh does."""

import json
import subprocess

import pytest

from tests.cli.projects import Project

SETTINGS = """
[defaults]
backend = "judge"
[backends.judge]
type = "scripted"
replies = [
    { match = "Which of its files", reply = '{"files": ["src/a.py"]}' },
    { regex = "(?s)(?P<all>.*)", reply = '\\g<all>' },
]
"""
GH = """#!/bin/sh
echo "$GH_REPO|$*" >> gh.log
case "$1 $2" in
"pr view")
  case "$*" in
  *statusCheckRollup*) echo '{"title": "Add x", "commit": "c0ffee",
    "checks": [{"name": "test", "url": "u1", "result": "FAILURE"}, {"name": "lint", "url": "u2", "result": "SUCCESS"}],
    "failed": [{"name": "test", "url": "u1", "result": "FAILURE"}]}' ;;
  *) echo '{"number": 12, "title": "Add x", "author": {"login": "ada"}, "body": "b", "baseRefName": "main",
    "headRefName": "add-x", "additions": 10, "deletions": 2, "changedFiles": 3}' ;;
  esac ;;
"pr diff") echo "+x = 1" ;;
"issue view") echo '{"number": 4, "title": "It breaks", "state": "OPEN", "labels": [{"name": "bug"}], "body": "b", "comments": []}' ;;
"run list") echo 7 ;;
"run view") echo "no such run" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def forge(project: Project) -> Project:
    project.write("lok.toml", SETTINGS)
    project.write("bin/gh", GH).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    return project


@pytest.fixture
def repository(forge: Project) -> Project:
    git(forge, "init", "-q", "-b", "trunk")
    forge.write("src/a.py", "x = 1\n")
    forge.write("other/b.py", "y = 2\n")
    git(forge, "add", "src", "other")
    return forge


def git(project: Project, *words: str) -> None:
    command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", *words)
    subprocess.run(command, cwd=project.root, check=True, capture_output=True)


def test_what_a_pull_request_is_stands_above_its_review(forge: Project) -> None:
    done = forge.lok("pr", "12")
    assert done.code == 0
    for line in ("#12 Add x", "ada: add-x into main", "+10 -2 in 3 files"):
        assert line in done.out.splitlines()
    assert done.out.index("#12 Add x") < done.out.index("Review pull request #12")


@pytest.mark.parametrize(
    ("words", "repo", "number"),
    [
        (["12"], "", "12"),
        (["#12"], "", "12"),
        (["octo/cat#12"], "octo/cat", "12"),
        (["12", "--repo", "octo/cat"], "octo/cat", "12"),
        (["12", "-r", "octo/cat"], "octo/cat", "12"),
        (["https://github.com/octo/cat/pull/12"], "", "https://github.com/octo/cat/pull/12"),
    ],
)
def test_a_pull_request_is_named_in_every_way_that_lok_knows(
    forge: Project, words: list[str], repo: str, number: str
) -> None:
    assert forge.lok("pr", *words).code == 0
    calls = (forge.root / "gh.log").read_text().splitlines()
    assert len(calls) == 2
    assert {call.split("|")[0] for call in calls} == {repo}
    assert {call.split()[-1] for call in calls} == {number}


def test_ci_says_the_state_of_each_check_and_what_log_is_missing(forge: Project) -> None:
    done = forge.lok("ci", "12")
    assert done.code == 0
    assert "failure  test\nsuccess  lint" in done.out
    assert "its log could not be read: no such run" in done.out


def test_fix_says_which_issue_also_in_a_dry_run(repository: Project) -> None:
    git(repository, "commit", "-q", "-m", "a")
    for words in (["fix", "4"], ["fix", "4", "--dry-run"]):
        done = repository.lok(*words)
        assert done.code == 0
        assert "#4 It breaks\nOPEN · bug" in done.out
        assert "Propose a fix for this issue." in done.out


@pytest.mark.parametrize("words", [["pr", "12"], ["ci", "12"], ["fix", "4"]])
def test_without_gh_nothing_was_judged(project: Project, words: list[str]) -> None:
    project.write("lok.toml", SETTINGS)
    (project.root / "bin").mkdir()
    (project.root / "bin" / "sh").symlink_to("/bin/sh")
    project.environ["PATH"] = f"{project.root}/bin"
    done = project.lok(*words)
    assert done.code == 3
    assert "command not found: gh" in done.err
    assert "https://cli.github.com" in done.err


def test_without_a_repository_there_is_no_change_to_review(forge: Project) -> None:
    done = forge.lok("diff")
    assert done.code == 3
    assert "not a git repository" in done.err


def test_nothing_staged_is_said_and_is_no_yes(repository: Project) -> None:
    assert "+x = 1" in repository.lok("diff").out
    git(repository, "commit", "-q", "-m", "a")
    for words, said in (
        (["diff"], "nothing is staged: git add, or lok diff --unstaged"),
        (["diff", "--unstaged"], "everything is committed"),
        (["diff", "HEAD..HEAD"], "these commits change nothing"),
        (["diff", "nope..HEAD"], "nope"),
    ):
        done = repository.lok(*words)
        assert (done.code, done.out) == (3, "")
        assert said in done.err


@pytest.mark.parametrize("verb", ["hunt", "audit"])
def test_code_is_looked_at_with_and_without_git(forge: Project, verb: str) -> None:
    forge.write("src/a.py", "x = 1\n")
    forge.write("other/b.py", "y = 2\n")
    done = forge.lok(verb, "src")
    assert done.code == 0
    assert "src/a.py" in done.out
    assert "b.py" not in done.out
    git(forge, "init", "-q")
    assert forge.lok(verb, "src").code == 3, "git knows of no file yet"
    git(forge, "add", "src", "other")
    assert "src/a.py" in forge.lok(verb, "src").out
    for where, why in ((forge.root.parent, "is outside repository"), ("nope", "no code to look at in nope")):
        done = forge.lok(verb, where)
        assert done.code == 3
        assert why in done.err


def test_each_prompt_of_a_hunt_goes_to_whom_it_suits(repository: Project) -> None:
    """As in lok: dead code is a matter for codex."""
    repository.write(
        "lok.toml",
        "".join(
            f'[backends.{name}]\ntype = "{name}"\ncommand = "sh"\n' for name in ("claude", "codex", "gemini")
        ),
    )
    steps = {step["name"]: step for step in repository.lok("plan", "hunt", "--json").document["steps"]}
    assert [asked["backend"] for asked in steps["hunt-dead-code"]["backends"]] == ["codex"]


def test_explain_takes_a_directory_and_a_focus(repository: Project) -> None:
    repository.write("src/README.md", "What src is\n")
    done = repository.lok("explain", ".")
    assert done.code == 0
    assert "above all" not in done.out
    assert "other/b.py" in done.out
    done = repository.lok("explain", "src", "-f", "auth")
    assert "above all: auth" in done.out
    assert "What src is" in done.out
    assert "other/b.py" not in done.out
    done = repository.lok("explain", "auth")
    assert done.code == 3
    assert "there is no directory auth here: a subject is explained by --focus" in done.err
    assert json.loads(repository.lok("explain", "src", "--json").out)["outcome"] == "passed"
