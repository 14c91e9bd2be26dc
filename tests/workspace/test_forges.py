"""GitHub and GitLab by their tools: what is called, byte for byte, and what comes of what they really print."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.errors import LokError, UsageError
from pytest_lok.workspace.forges.github import GitHub
from pytest_lok.workspace.forges.gitlab import GitLab
from pytest_lok.workspace.forges.issues import drafts
from pytest_lok.workspace.forges.reference import Reference, forge_of, parse_reference
from tests.fuzz import examples

HUB, LAB = "git@github.com:octo/cat.git", "https://gitlab.example.org/g/p.git"


class Tool:
    """Stands for gh and glab: notes each call and its input, and answers by the call's words."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.calls: list[tuple[str, str]] = []

    def __call__(self, words: Sequence[str], stdin: str) -> str:
        line = " ".join(words)
        self.calls.append((line, stdin))
        for key, answer in self.answers.items():
            if key.replace("_", " ") in line or key in line:
                return answer if isinstance(answer, str) else json.dumps(answer)
        raise AssertionError(line)


MERGE_REQUEST = {
    "id": 900,
    "iid": 12,
    "title": "Add x",
    "description": "why",
    "state": "opened",
    "author": {"username": "ada", "name": "Ada"},
    "source_branch": "add-x",
    "target_branch": "main",
    "sha": "c0ffee",
    "changes_count": "3",
    "web_url": "https://gitlab.example.org/g/sub/p/-/merge_requests/12",
    "head_pipeline": {"id": 77, "status": "failed"},
}


@pytest.mark.parametrize(
    ("text", "origin", "wanted"),
    [
        ("12", HUB, Reference(forge="github", name="12")),
        ("#12", HUB, Reference(forge="github", name="12")),
        ("!12", LAB, Reference(forge="gitlab", name="12")),
        ("12", LAB, Reference(forge="gitlab", name="12")),
        ("octo/cat#7", HUB, Reference(forge="github", repo="octo/cat", name="7")),
        ("g/sub/p!7", HUB, Reference(forge="gitlab", repo="g/sub/p", name="7")),
        ("feature/x+1", "", Reference(forge="github", name="feature/x+1")),
        (
            "https://github.com/octo/cat/pull/3/files",
            LAB,
            Reference(forge="github", host="github.com", repo="octo/cat", name="3"),
        ),
        (
            "https://gitlab.com/g/sub/p/-/merge_requests/4",
            HUB,
            Reference(forge="gitlab", host="gitlab.com", repo="g/sub/p", name="4"),
        ),
        (
            "https://gitlab.com/g/p/-/issues/4#note_1",
            HUB,
            Reference(forge="gitlab", host="gitlab.com", repo="g/p", name="4"),
        ),
    ],
)
def test_a_reference_in_each_of_its_forms(text: str, origin: str, wanted: Reference) -> None:
    assert parse_reference(text, origin=origin) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "--web",
        "a b",
        "x;y",
        "$(x)",
        "http://github.com/o/r/pull/1",
        "https://github.com/o/r",
        "https://[",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_reference(text, origin=HUB)


@pytest.mark.parametrize("repo", ["-x/y", "octo", "a b/c", "../../x;y"])
def test_what_is_no_repository_is_refused(repo: str) -> None:
    with pytest.raises(UsageError, match="is no repository"):
        parse_reference("1", origin=HUB, repo=repo)


@given(st.text(max_size=30))
@settings(max_examples=examples(300))
def test_nothing_that_a_tool_takes_for_an_option_comes_out_of_a_reference(text: str) -> None:
    try:
        found = parse_reference(text, origin=HUB)
    except UsageError:
        return
    for value in (found.name, found.repo, found.host):
        assert not value.startswith("-")
        assert re.fullmatch(r"[\w./+-]*", value)


def test_the_host_of_a_remote_says_the_forge_by_a_whole_label() -> None:
    assert {forge_of(it) for it in (LAB, "git@gitlab.com:g/p.git", "ssh://git@gitlab.acme.org:22/g/p")} == {
        "gitlab"
    }
    assert {
        forge_of(it) for it in (HUB, "", "https://notgitlab.com/g/p", "git@git.acme.org:g/gitlab.git")
    } == {"github"}


class TestGitHub:
    def test_another_host_is_told_to_the_tool(self) -> None:
        tool = Tool(pr_diff="d")
        GitHub(Reference(forge="github", host="git.acme.org", repo="o/r", name="1"), tool).diff()
        assert tool.calls == [("gh pr diff 1 --repo=git.acme.org/o/r --color never", "")]

    def test_a_log_is_fetched_for_each_failed_run_of_the_commit(self) -> None:
        tool = Tool(
            statusCheckRollup={"title": "t", "headRefOid": "c0ffee", "statusCheckRollup": []},
            run_list=[
                {"databaseId": 7, "name": "test", "conclusion": "failure"},
                {"databaseId": 8, "name": "lint", "conclusion": "success"},
                {"databaseId": 9, "name": "slow", "conclusion": "timed_out"},
            ],
            run_view="the log",
        )
        jobs = GitHub(Reference(forge="github", name="1"), tool).failed_jobs()
        assert [(name, fetch()) for name, fetch in jobs] == [("test", "the log"), ("slow", "the log")]
        assert tool.calls[-1][0] == "gh run view 9 --log-failed"


class TestGitLab:
    REF = Reference(forge="gitlab", host="gitlab.example.org", repo="g/sub/p", name="12")

    def test_a_merge_request_in_the_words_of_a_pull_request(self) -> None:
        tool = Tool(mr_view=MERGE_REQUEST)
        found = GitLab(self.REF, tool).pull_request()
        assert tool.calls == [
            ("glab mr view 12 --repo=https://gitlab.example.org/g/sub/p --output json", ""),
        ]
        assert (found["number"], found["author"], found["baseRefName"], found["headRefName"]) == (
            12,
            {"login": "ada"},
            "main",
            "add-x",
        )
        assert (found["body"], found["size"], found["state"]) == ("why", "3 files", "OPENED")

    def test_an_issue_with_its_comments(self) -> None:
        issue = {
            "iid": 4,
            "title": "It breaks",
            "state": "opened",
            "description": None,
            "labels": ["bug"],
            "web_url": "https://gitlab.example.org/g/sub/p/-/issues/4",
        }
        notes = [{"body": "me too", "system": False}, {"body": "changed the label", "system": True}]
        tool = Tool(issue_view=issue, notes=notes)
        found = GitLab(self.REF, tool).issue()
        assert found["labels"] == [{"name": "bug"}]
        assert (found["body"], found["comments"]) == ("", [{"body": "me too"}])
        assert "projects/g%2Fsub%2Fp/issues/4/notes" in tool.calls[1][0]

    def test_jobs_are_checks_and_one_that_may_fail_is_no_failure(self) -> None:
        jobs = [
            {"id": 1, "name": "test", "status": "failed", "allow_failure": False, "web_url": "u1"},
            {"id": 2, "name": "style", "status": "failed", "allow_failure": True, "web_url": "u2"},
            {"id": 3, "name": "lint", "status": "success", "allow_failure": False, "web_url": "u3"},
        ]
        tool = Tool(mr_view=MERGE_REQUEST, trace="the log", jobs=jobs)
        lab = GitLab(self.REF, tool)
        assert lab.checks()["failed"] == [{"name": "test", "url": "u1", "result": "FAILURE"}]
        assert [(name, fetch()) for name, fetch in lab.failed_jobs()] == [("test", "the log")]
        assert "projects/g%2Fsub%2Fp/jobs/1/trace --hostname gitlab.example.org" in tool.calls[-1][0]
        assert (
            GitLab(self.REF, Tool(mr_view={**MERGE_REQUEST, "head_pipeline": None})).checks()["checks"] == []
        )

    def test_one_s_own_note_is_updated_and_a_forged_one_is_not(self) -> None:
        mark = "<!-- lok -->"
        notes = [
            {"id": 5, "body": f"{mark}\nforged", "author": {"username": "eve"}},
            {"id": 6, "body": f"{mark}\nold", "author": {"username": "me"}},
        ]
        answers: dict[str, object] = {"mr view": MERGE_REQUEST, "--method": {"id": 6}, "per_page": notes}
        tool = Tool(**{"api user": {"username": "me"}}, **answers)
        url = GitLab(self.REF, tool).comment(mark, f"{mark}\nnew $(x) 'y'")
        line, stdin = tool.calls[-1]
        assert "--method PUT projects/g%2Fsub%2Fp/merge_requests/12/notes/6" in line
        assert json.loads(stdin) == {"body": f"{mark}\nnew $(x) 'y'"}
        assert url == "https://gitlab.example.org/g/sub/p/-/merge_requests/12#note_6"
        tool = Tool(**{"api user": {"username": "nobody"}}, **answers)
        GitLab(self.REF, tool).comment(mark, mark)
        assert "--method POST projects/g%2Fsub%2Fp/merge_requests/12/notes" in tool.calls[-1][0]


class TestIssues:
    def test_each_finding_is_drafted_once_and_not_if_it_is_open(self) -> None:
        findings = [
            {"title": "SQL injection in db.py", "message": "@ada ```\nsee", "path": "db.py", "line": 2},
            {"title": "sql injection in db.py.", "message": "again"},
            {"title": "Loop reads each file twice", "message": "slow"},
        ]
        new, old = drafts(json.dumps(findings), ["Loop reads every file twice"])
        assert [draft.title for draft in new] == ["SQL injection in db.py"]
        assert old == ["sql injection in db.py.", "Loop reads each file twice"]
        assert new[0].text.startswith("File db.py line 2:\n````\n@ada ```\nsee\n````")

    def test_there_is_a_limit(self) -> None:
        findings = [{"title": f"{chr(97 + n) * 20} {n}"} for n in range(26)]
        assert len(drafts(json.dumps(findings), [])[0]) == 20

    @pytest.mark.parametrize("text", ["", "{}", "[1]", "no"])
    def test_what_is_no_list_of_findings_is_an_error(self, text: str) -> None:
        with pytest.raises(LokError):
            drafts(text, [])
