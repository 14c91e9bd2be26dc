"""``lok dismiss``: one finding of a recorded run blocks no longer, until a day, once the base has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_lok.core.results import Finding
from tests.cli.projects import Done, Project, record
from tests.cli.test_baseline import commit, offline
from tests.core.reports import finding, said

BASELINE = ".lok/baseline.json"
REVIEW = '[[steps]]\nname = "a"\nprompt = "x"\noutput_format = "findings"\n'
WHO = ("--reason", "a test", "--author", "Ada")


def reviewed(project: Project) -> Finding:
    """What the workflow ``review`` of ``offline`` finds; it stands in a recorded run."""
    offline(project, said({}))
    commit(project)
    done = project.lok("review", "--json")
    (entry,) = done.document["steps"]["review"]["findings"]
    found = finding(fingerprint=entry["fingerprint"], path=entry["path"], title=entry["title"])
    record(project, found)
    return found


def entries(project: Project) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((project.root / BASELINE).read_text())["findings"]
    return found


def test_what_is_dismissed_blocks_no_longer_once_it_is_on_the_base(project: Project) -> None:
    found = reviewed(project)
    done = project.lok("dismiss", found.fingerprint[:6], *WHO, "--until", "2999-12-31")
    assert (done.code, done.out) == (0, "")
    assert "dismissed until 2999-12-31: [high] sql-injection db.py" in done.err
    (entry,) = entries(project)
    assert entry["date"] is not None
    del entry["date"]
    assert entry == {
        "fingerprint": found.fingerprint, "rule_id": "sql-injection", "path": "db.py", "title": found.title,
        "reason": "a test", "author": "Ada", "until": "2999-12-31",
    }  # fmt: skip
    done = project.lok("review")
    assert done.code == 1
    told = f"1 finding that blocks stands in {BASELINE} of this directory, which counts once it is merged"
    assert told in done.err
    commit(project)
    done = project.lok("review")
    assert done.code == 0
    assert told not in done.err
    assert "it is in the baseline (db.py:1), accepted by Ada on" in done.err


def test_what_ended_blocks_again_and_says_since_when(project: Project) -> None:
    found = reviewed(project)
    assert project.lok("dismiss", found.fingerprint, *WHO).code == 0
    document = {"findings": [{**entries(project)[0], "until": "2020-02-28", "date": "2020-01-01"}]}
    project.write(BASELINE, json.dumps(document))
    commit(project)
    done = project.lok("review")
    assert done.code == 1
    assert (
        "no longer accepted since 2020-02-29 (accepted by Ada on 2020-01-01 until 2020-02-28: a test)"
        in done.err.replace("\n", " ")
    )
    assert project.lok("dismiss", found.fingerprint, *WHO).code == 0
    assert "until" not in entries(project)[0]


def test_json_says_what_was_written(project: Project) -> None:
    found = reviewed(project)
    document = project.lok("dismiss", found.fingerprint, *WHO, "--json").document
    assert document["fingerprint"] == found.fingerprint
    assert (document["reason"], document["author"], document["until"]) == ("a test", "Ada", None)
    assert (document["rule_id"], document["path"], document["file"]) == ("sql-injection", "db.py", BASELINE)


def test_the_newest_run_that_has_it_is_taken(project: Project) -> None:
    project.workflow("review", '[gate]\nbaseline = "new"\n' + REVIEW)
    record(project, finding(fingerprint="ab1", title="old"))
    record(project, finding(fingerprint="cd2", title="other"), time=2.0)
    assert project.lok("dismiss", "ab", *WHO).code == 0
    name = record(project, finding(fingerprint="ab3", title="new"), time=3.0)
    assert project.lok("dismiss", "ab", *WHO).code == 0
    assert {entry["title"] for entry in entries(project)} == {"old", "new"}
    assert project.lok("dismiss", "cd", *WHO, "--run", name).code == 2
    assert project.lok("dismiss", "ab", *WHO, "--run", project.root / ".lok/runs" / name).code == 0


def refused(done: Done, why: str, project: Project) -> None:
    assert (done.code, done.out) == (2, "")
    assert why in done.err.replace("\n", " ")
    assert not (project.root / BASELINE).exists()


def test_a_start_of_several_is_refused_with_their_names(project: Project) -> None:
    record(project, finding(fingerprint="ab1", line=1), finding(fingerprint="ab2", line=2))
    done = project.lok("dismiss", "ab", *WHO)
    refused(done, "ab begins 2 fingerprints:", project)
    assert "ab1  [high] sql-injection db.py:1" in done.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("a", "--author", "Ada"), "--reason is missing"),
        (("a", "--reason", " ", "--author", "Ada"), "--reason is missing"),
        (("", *WHO), "is no fingerprint"),
        (("../x", *WHO), "is no fingerprint"),
        (("a", *WHO, "--until", "soon"), "is no day"),
        (("a", *WHO, "--until", "2020-01-01"), "is over: today is"),
        (("a", *WHO, "--run", "gone"), "there is no recorded run gone"),
        (("b", *WHO), "has a fingerprint that begins with b"),
        (("c", *WHO), "the quote of this finding is in no file"),
    ],
)
def test_what_cannot_be_meant_is_refused(project: Project, words: tuple[str, ...], why: str) -> None:
    record(project, finding(fingerprint="a"), finding(fingerprint="c", evidence_found=False))
    refused(project.lok("dismiss", *words), why, project)


def test_without_any_run_the_remedy_is_said(project: Project) -> None:
    refused(project.lok("dismiss", "a", *WHO), "run the workflow", project)


def test_a_gate_that_does_not_read_the_file_is_told_apart(project: Project) -> None:
    project.workflow("review", "[gate]\n" + REVIEW)
    record(project, finding(fingerprint="a"))
    refused(project.lok("dismiss", "a", *WHO), "does not read the baseline", project)


def test_who_accepts_is_git_s_user_or_has_to_be_said(project: Project) -> None:
    record(project, finding(fingerprint="a"))
    refused(project.lok("dismiss", "a", "--reason", "x"), "nobody knows who you are", project)
    project.environ["GIT_AUTHOR_NAME"] = "Bo"
    assert project.lok("dismiss", "a", "--reason", "x").code == 0
    assert entries(project)[0]["author"] == "Bo"


def test_a_step_dismisses_nothing(project: Project) -> None:
    found = reviewed(project)
    program = f"lok dismiss {found.fingerprint} --reason fine --author model"
    project.environ["PATH"] = f"{Path(__file__).parents[2] / '.venv/bin'}:{project.environ['PATH']}"
    for verb in (program, "lok baseline review"):
        project.workflow("act", f'[[steps]]\nname = "a"\nshell = "{verb}"\n')
        done = project.lok("act")
        assert done.code == 1, done.err
        assert "findings are accepted by people" in done.out
    assert not (project.root / BASELINE).exists()


@pytest.mark.parametrize("path", [BASELINE, ".LOK/Baseline.json"])
def test_no_answer_edits_the_file_whatever_is_allowed(project: Project, path: str) -> None:
    edit = json.dumps({"edits": [{"file": path, "old": "", "new": '{"findings": []}'}]})
    project.write(
        "lok.toml",
        f"[backends.offline]\ntype = 'scripted'\n[[backends.offline.replies]]\nreply = '''{edit}'''\n",
    )
    project.workflow(
        "act",
        '[[steps]]\nname = "a"\nprompt = "x"\nbackend = "offline"\napply_edits = true\nverify = "test 1"\n'
        f'allow_paths = [".lok", "{path}"]\n',
    )
    done = project.lok("act", "-v")
    assert done.code == 1
    assert "says what people accept, which no model does" in done.err.replace("\n    ", " ")
    assert not (project.root / path).exists()
