from __future__ import annotations

import html.parser
import re
from dataclasses import replace

import pytest

from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.markdown import LONGEST, code
from tests.reports.formats.runs import BLOCKS, FINDINGS, GREEN, HOSTILE, HOSTILE_RUN, RED, reported, review
from tests.reports.results import ERROR, FAILED, PASSED, SKIPPED


class Tags(html.parser.HTMLParser):
    """Every tag and comment of a text, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.comments: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag if not attrs else f"{tag} with attributes")

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def without_code(text: str) -> str:
    """The text without what stands as code: there nothing is Markdown, a mention or a link."""
    text = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", text, flags=re.DOTALL)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


def test_what_did_not_run_stands_before_the_rest() -> None:
    text = report_text("markdown", [reported(PASSED, FAILED, ERROR, SKIPPED)])
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "<!-- lok:gate -->"
    assert lines[1] == "### lok `gate`: failed"
    assert lines[2] == "**Not everything was judged: `vote`, `join`.**"
    assert "4 steps: 1 passed, 1 failed, 1 error, 1 skipped; 1 of 3 answers valid" in lines
    assert "1 min 04 s · 1,204 tokens, $0.0123 · exit code 1" in lines


def test_findings_are_folded_with_their_votes() -> None:
    text = report_text("markdown", [FINDINGS])
    summaries = re.findall(r"<summary>(.*?)</summary>", text)
    assert [it.split(":")[0] for it in summaries if "sql" in it] == ["blocks", "blocks", "set aside"]
    assert "votes: a: high, b: absent" in text
    assert "set aside: it is in the baseline" in text


def test_the_vote_of_a_step_is_told() -> None:
    assert "`review`: `yes 2 : 1 no (c)`" in report_text("markdown", [GREEN])


@pytest.mark.parametrize("name", RED)
def test_a_run_that_is_not_green_never_looks_so(name: str) -> None:
    text = report_text("markdown", [RED[name]])
    assert re.search(r"^### lok `+ ?.+`: (failed|inconclusive|nothing judged)$", text, re.MULTILINE)
    assert "#### Not green" in text
    assert "passed: " not in text


def test_hostile_text_is_code_and_nothing_else() -> None:
    text = report_text("markdown", [HOSTILE_RUN])
    assert len(text) <= LONGEST
    marker, _, rest = text.partition("\n")
    assert re.fullmatch(r"<!-- lok:[\w.-]+ -->", marker)
    shown = without_code(rest)
    for markup in ("@octocat", "http", "![", "](", "ATTACHMENT", "# heading", "script", "ghp_"):
        assert markup not in shown
    tags = Tags(re.sub(r"(?m)^(?!<).*$", "", text))
    assert set(tags.seen) <= {"details", "summary", "pre", "code"}
    assert len(tags.comments) == 1
    for command in ("\x1b", "\u202e", "##[", "ghp_", "\n::", "\n  ::"):
        assert command not in text


@pytest.mark.parametrize("text", ["`", "``a`", " a", "", "a`b``c", HOSTILE])
def test_code_holds_every_text(text: str) -> None:
    assert without_code(f"x{code(text)}y") == "xy"


def test_what_does_not_fit_is_counted_and_the_verdict_stands() -> None:
    many = [replace(BLOCKS, line=at, fingerprint=f"f{at}", message="m" * 3_000) for at in range(1, 301)]
    text = report_text("markdown", [reported(review(*many))])
    assert len(text) <= LONGEST
    shown = text.count("<summary>blocks")
    assert 20 < shown < 40
    assert (
        f"and {300 - shown} more" in text.replace(" findings", "")
        or f"and {300 - shown} findings more" in text
    )
    runs = [replace(FINDINGS, exit_code=1)] * 400
    text = report_text("markdown", runs)
    assert len(text) <= LONGEST
    assert re.search(r"and \d+ workflows more: \d+ failed", text)
