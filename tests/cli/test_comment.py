"""``lok comment``: a recorded run as comments on a pull request, by executables that stand for gh and glab."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from pytest_lok.core.findings.threads import run_marker, thread_marker
from pytest_lok.core.results import Finding, Standing
from tests.cli.projects import Done, Project, record
from tests.core.reports import finding
from tests.workspace.test_forge_reviews import HEAD, There

DIFF = (
    """\
diff --git a/db.py b/db.py
--- a/db.py
+++ b/db.py
@@ -1,0 +1,9 @@
"""
    + "+x\n" * 9
)
FORGED = "@ada closes #1 <!-- lok:review --> </pre><img src=x> [x](http://evil) `` \x1b[31m ::error::"


def reported(line: int, standing: Standing = "blocks", **changes: Any) -> Finding:
    return replace(finding(line=line, fingerprint=f"{line:04x}"), standing=standing, **changes)


class Site:
    """A project with a forge, in whose pull request runs are told of."""

    def __init__(self, project: Project, tool: str) -> None:
        self.project = project
        self.there = There(project.root, tool)
        self.there.set(diff=DIFF)
        project.environ["PATH"] = self.there.environ["PATH"]
        self.runs = 0

    def run(self, *findings: Finding, head: str = "") -> str:
        self.runs += 1
        return record(self.project, *findings, time=float(self.runs), head=head)

    def comment(self, name: str, *more: str, commit: str = HEAD) -> Done:
        words = ["--commit", commit] if commit else []
        return self.project.lok("comment", name, "--pr", self.there.url, *words, *more)

    def lines(self) -> list[tuple[int, bool]]:
        return [(it["line"], it["resolved"]) for it in self.there.load()["threads"] if "line" in it]

    def answer(self, line: int) -> None:
        threads = self.there.load()["threads"]
        (one,) = [it for it in threads if it.get("line") == line]
        one["notes"].append({"author": "ada", "body": "that is fine"})
        self.there.save()

    def body(self) -> str:
        (text,) = self.there.bodies()
        return text


@pytest.fixture(params=["gh", "glab"])
def site(request: pytest.FixtureRequest, project: Project) -> Site:
    return Site(project, request.param)


@pytest.fixture
def hub(project: Project) -> Site:
    return Site(project, "gh")


def test_a_pull_request_from_the_first_push_to_the_last(site: Site) -> None:
    done = site.comment(site.run(reported(1), reported(2), reported(30), reported(4, "minor")))
    assert (done.code, done.err) == (0, "")
    assert site.there.url.removeprefix("12") in done.out
    assert site.lines() == [(1, False), (2, False)]
    assert "2 findings commented on their lines; 1 finding not on a changed line" in site.body()
    assert site.body().startswith(run_marker("review"))
    site.answer(2)
    # the first is fixed, the second answered, and there is a new one
    assert site.comment(site.run(reported(2), reported(3))).code == 0
    assert site.lines() == [(1, True), (2, False), (3, False)]
    assert "1 finding not repeated, for somebody has answered" in site.body()
    # the first is back
    assert site.comment(site.run(reported(1), reported(2))).code == 0
    assert site.lines() == [(1, False), (2, False), (3, True)]
    again = list(site.there.load()["calls"])
    assert site.comment(site.run(reported(1), reported(2))).code == 0
    new = site.there.load()["calls"][len(again) :]
    writes = [words for words in new if "PATCH" in words or "PUT" in words or "POST" in words]
    assert len(writes) == 1, "one comment is updated, and nothing else is said"


def test_a_dry_run_shows_everything_and_writes_nothing(site: Site) -> None:
    name = site.run(reported(1))
    done = site.comment(name, "--dry-run")
    assert done.code == 0
    assert "== db.py:1" in done.out
    assert thread_marker("review", "0001") in done.out
    assert run_marker("review") in done.out
    assert (site.there.bodies(), site.lines()) == ([], [])
    document = site.comment(name, "--dry-run", "--json").document
    (about,) = document["workflows"]
    assert document["dry_run"] is True
    assert about["lines"] == [{"path": "db.py", "line": 1, "removed": False, "fingerprint": "0001"}]
    assert (about["workflow"], about["verdict"], about["url"]) == ("review", "failed", "")


def test_there_are_never_more_than_the_limit(hub: Site) -> None:
    name = hub.run(*(reported(line) for line in range(1, 7)))
    assert hub.comment(name, "--limit", "2").code == 0
    assert len(hub.lines()) == 2
    assert "and 4 findings more without a comment on their line" in hub.body()
    assert hub.comment(name, "--limit", "0").code == 0
    assert len(hub.lines()) == 2


def test_a_commit_that_was_not_judged_is_not_commented_on(hub: Site) -> None:
    name = hub.run(reported(1))
    done = hub.comment(name, commit="d" * 40)
    assert (done.code, hub.there.bodies(), hub.lines()) == (3, [], [])
    assert "has judged dddddddddddd, and the pull request is at cccccccccccc now" in done.err
    # a CI service judges the commit of a merge
    hub.there.set(parents={"d" * 40: ["b" * 40, HEAD], "e" * 40: [HEAD], "f" * 40: [HEAD, "b" * 40]})
    assert hub.comment(name, commit="e" * 40).code == 3
    assert hub.comment(name, commit="f" * 40).code == 3
    assert hub.comment(name, commit="d" * 40).code == 0
    assert hub.lines() == [(1, False)]


def test_the_record_knows_which_commit_was_judged(hub: Site) -> None:
    name = hub.run(reported(1), head=HEAD)
    assert hub.comment(name, commit="").code == 0
    assert hub.lines() == [(1, False)]
    done = hub.comment(name, commit="d" * 40)
    assert (done.code, "has judged cccccccccccc, and not dddddddddddd" in done.err) == (2, True)
    assert hub.comment(hub.run(reported(1), head="d" * 40), commit="").code == 3


def test_the_newest_run_is_meant_where_none_is_named(hub: Site) -> None:
    hub.run(reported(1), head=HEAD)
    assert hub.project.lok("comment", "--pr", "12").code == 0
    assert hub.lines() == [(1, False)]


def test_without_a_commit_no_line_is_meant(hub: Site) -> None:
    assert hub.comment(hub.run(reported(1)), commit="").code == 0
    assert hub.lines() == []
    assert "No line is commented on: it is not known which commit was judged." in hub.body()


def test_what_cannot_be_written_is_said_and_the_rest_is_written(hub: Site) -> None:
    said = "gh: Resource not accessible by integration (HTTP 403)"
    name = hub.run(reported(1))
    hub.there.set(faults={"review": said})
    done = hub.comment(name)
    assert done.code == 3
    assert "no comments on lines" in done.err
    assert "pull-requests: write" in done.err
    assert len(hub.there.bodies()) == 1
    hub.there.set(faults={"comment": said})
    done = hub.comment(name)
    assert (done.code, hub.lines()) == (3, [(1, False)])
    assert "no comment: " in done.err
    hub.there.set(faults={"settle": said})
    done = hub.comment(hub.run())
    assert (done.code, "is not resolved" in done.err) == (3, True)
    assert hub.lines() == [(1, False)]


@pytest.mark.parametrize("kind", ["comment", "review", "settle"])
def test_an_answer_that_is_lost_doubles_nothing(site: Site, kind: str) -> None:
    first, second = site.run(reported(1), reported(2)), site.run(reported(2))
    for name in (first, second):
        site.there.set(faults={kind: "lost"})
        site.comment(name)
    site.there.set(faults={})
    assert site.comment(second).code == 0
    assert len(site.there.bodies()) == 1
    assert site.lines() == [(1, True), (2, False)]


class Shown(HTMLParser):
    """What a reader of Markdown shows: its elements, and the text outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = set[str]()
        self.free = ""
        self._code = 0
        self.feed(MarkdownIt("commonmark").render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._code += tag in ("code", "pre")

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        self.free += "" if self._code else data

    def handle_comment(self, data: str) -> None:
        self.tags.add("a comment")


def test_hostile_text_names_nobody_and_ends_nothing(hub: Site) -> None:
    name = hub.run(reported(1, title=FORGED, message=f"{FORGED}\n\n{FORGED}", rule_id=FORGED))
    assert hub.comment(name).code == 0
    (thread,) = hub.there.load()["threads"]
    for text in (hub.body(), thread["notes"][0]["body"]):
        first, *rest = text.split("\n")
        assert first in (run_marker("review"), thread_marker("review", "0001"))
        shown = Shown("\n".join(rest))
        assert shown.tags <= {"h3", "h4", "p", "code", "pre", "details", "summary", "strong", "br"}
        assert not re.search(r"[@#<]|http|::|\x1b", shown.free), shown.free
        assert "\x1b" not in text


def test_a_huge_run_fits_into_a_comment(hub: Site) -> None:
    many = [reported(line, message="long " * 900, title=f"{line} \N{ROCKET}" * 60) for line in range(1, 300)]
    assert hub.comment(hub.run(*many)).code == 0
    text = hub.body()
    assert len(text) <= 65_536
    assert re.search(r"and \d+ findings more\n", text)
    assert "9 findings commented on their lines; 290 findings not on a changed line" in text


def test_a_run_that_did_not_end_resolves_nothing(hub: Site) -> None:
    assert hub.comment(hub.run(reported(1))).code == 0
    name = hub.run()
    journal = hub.project.root / ".lok/runs" / name / "0.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    journal.with_name("end.json").unlink()
    assert hub.comment(name).code == 0
    assert hub.lines() == [(1, False)]
    assert "the process was killed before the run ended" in hub.body()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("gone", "--pr", "12"), "there is no recorded run gone"),
        (("{run}", "--pr", "-x"), "is no pull request"),
        (("{run}",), "Missing option '--pr'"),
        (("{run}", "--pr", "12", "--commit", "main"), "is no whole id"),
        (("{run}", "--pr", "12", "--limit", "-1"), "--limit"),
    ],
)
def test_what_cannot_be_meant_is_refused(hub: Site, words: tuple[str, ...], why: str) -> None:
    name = hub.run(reported(1))
    done = hub.project.lok("comment", *(word.replace("{run}", name) for word in words))
    assert (done.code, why in done.err.replace("\n", " ")) == (2, True), done.err
    assert hub.there.bodies() == []


def test_without_the_tool_it_is_said_where_it_is(hub: Site, tmp_path: Path) -> None:
    name = hub.run(reported(1))
    git = shutil.which("git")
    assert git
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "git").symlink_to(git)
    hub.project.environ["PATH"] = str(tmp_path / "empty")
    done = hub.comment(name)
    assert (done.code, "command not found: gh" in done.err) == (3, True)


@pytest.mark.parametrize("said", ["x", "0", "#0", "o/r#00", "https://github.com/o/r/pull/0"])
def test_what_is_no_number_is_refused_before_a_program_is_missed(project: Project, said: str) -> None:
    record(project)
    project.environ["PATH"] = str(project.root)
    refused = project.lok("comment", "last", "--pr", said)
    assert (refused.code, "pull request" in refused.err) == (2, True), refused.err
    known = project.lok("comment", "last", "--pr", "7")
    assert (known.code, "command not found: gh" in known.err) == (3, True), known.err
