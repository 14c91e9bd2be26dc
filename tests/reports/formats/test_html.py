"""The page: whole and right as html5lib reads it, nothing in it is fetched or obeyed, and it stays small."""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.history import FailedAttempt, Resumed, StepHistory
from pytest_lok.core.results import (
    EditedFile,
    ItemResult,
    Outcome,
    Refusal,
    Reply,
    RunResult,
    Section,
    StepResult,
    Verdict,
)
from pytest_lok.core.workflow.model import Gate
from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.html import LONGEST, MOST_STEPS
from pytest_lok.reports.formats.reported_run import ReportedRun, bounded_line
from tests.core.reports import finding
from tests.reports.formats.pages import large_run, page, text_of, with_class
from tests.reports.formats.rich_run import recorded
from tests.reports.formats.runs import (
    BLOCKS,
    FINDINGS,
    GREEN,
    HOSTILE,
    HOSTILE_RUN,
    LONG,
    RED,
    reported,
    review,
)
from tests.reports.results import ERROR, FAILED, PASSED, SKIPPED, SOFT

ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "footer",
        "nav",
        "section",
        "article",
        "div",
        "p",
        "span",
        "b",
        "em",
        "code",
        "pre",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "h1",
        "h2",
        "details",
        "summary",
        "a",
        "button",
        "input",
        "output",
        "meter",
        "script",
        "svg",
        "g",
        "path",
        "rect",
        "line",
        "text",
    )
}
ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "id",
        "href",
        "open",
        "hidden",
        "type",
        "tabindex",
        "dir",
        "role",
        "value",
        "max",
        "placeholder",
        "data-outcome",
        "data-filter",
        "data-all",
        "data-run",
        "aria-label",
        "aria-hidden",
        "aria-live",
        "aria-pressed",
        "viewBox",
        "width",
        "height",
        "x",
        "y",
        "rx",
        "d",
        "x1",
        "x2",
        "y1",
        "y2",
        "text-anchor",
    )
}
RUNS = {
    "nothing": [],
    "green": [GREEN],
    "findings": [FINDINGS],
    "hostile": [HOSTILE_RUN],
    "rich": [recorded()],
    "several": [GREEN, FINDINGS, HOSTILE_RUN, recorded(), GREEN],
    "large": [large_run(300, HOSTILE)],
    **{f"red: {name}": [run] for name, run in RED.items()},
}


def steps_of(tree: ET.Element) -> Mapping[str, ET.Element]:
    return {it.get("id", "").partition(".")[2]: it for it in with_class(tree, "step")}


def check(tree: ET.Element) -> None:
    """Nothing is there but what the page is made of, and every link leads to a place on it."""
    elements = [it for it in tree.iter() if isinstance(it.tag, str)]
    assert {it.tag.rpartition("}")[2] for it in elements} <= ELEMENTS
    assert {key.rpartition("}")[2] for it in elements for key in it.attrib} <= ATTRIBUTES
    names = [it.get("id") for it in elements if it.get("id")]
    assert len(names) == len({*names})
    links = [link for it in elements for key, link in it.attrib.items() if key.endswith("href")]
    assert all(link.startswith("#") and link[1:] in names for link in links)


@pytest.mark.parametrize("runs", RUNS.values(), ids=[*RUNS])
def test_the_page_is_right_and_has_nothing_that_is_not_ours(runs: list[ReportedRun]) -> None:
    check(page(*runs))


@pytest.mark.parametrize("runs", RUNS.values(), ids=[*RUNS])
def test_the_policy_allows_this_script_and_style_and_nothing_else(runs: list[ReportedRun]) -> None:
    tree = page(*runs)
    allowed = {}
    for tag in ("style", "script"):
        (one,) = tree.iter(tag)
        allowed[tag] = base64.b64encode(hashlib.sha256(text_of(one).encode()).digest()).decode()
    (policy,) = [it.get("content") for it in tree.iter("meta") if it.get("http-equiv")]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{allowed['style']}'; "
        f"script-src 'sha256-{allowed['script']}'; base-uri 'none'; form-action 'none'"
    )
    # before the policy nothing can be fetched or run
    assert [it.tag for it in tree.iter()][:4] == ["html", "head", "meta", "meta"]


def test_the_script_is_short_and_plain() -> None:
    script = (files("pytest_lok.reports.page") / "page.js").read_text("utf-8")
    assert len(script.splitlines()) <= 300
    assert not re.search(r"</script|<!--|innerHTML|eval\(|fetch\(|XMLHttp|import ", script, re.IGNORECASE)


@pytest.mark.parametrize("run", [GREEN, FINDINGS, recorded(), *RED.values()])
def test_the_verdict_stands_on_top_with_why_and_the_coverage(run: ReportedRun) -> None:
    tree = page(run)
    (banner,) = with_class(tree, "banner")
    assert text_of(next(with_class(banner, "verdict"))) == run.verdict
    assert f"exit code {run.exit_code}" in text_of(banner)
    assert " steps: " in text_of(banner) or "1 step: " in text_of(banner) or "0 steps: " in text_of(banner)
    told = " ".join(map(text_of, with_class(tree, "reasons")))
    for trouble in run.without_findings[:30]:
        assert bounded_line(trouble.text.partition("\n")[0], 60).rstrip("…") in " ".join(told.split())
    links = [it.get("href", "") for part in with_class(tree, "reasons") for it in part.iter("a")]
    linked = [it for it in links if ".finding." in it]
    assert len(linked) == sum(entry.blocks for entry in run.findings)


def test_what_is_red_stands_open_and_what_passed_is_folded() -> None:
    run = reported(PASSED, FAILED, ERROR, SKIPPED, SOFT)
    steps = steps_of(page(run))
    assert {name for name, it in steps.items() if "open" in it.attrib} == {"tests", "vote"}
    assert [it.get("data-outcome") for it in steps.values()] == [
        "passed", "failed", "error", "skipped", "soft"
    ]  # fmt: skip


def test_a_step_tells_everything_that_is_known_of_it() -> None:
    tree = page(recorded())
    steps = {name: " ".join(text_of(it).split()) for name, it in steps_of(tree).items()}
    for said in (
        "prompt to alpha, beta, gamma",
        "decided by synthesis",
        "lok run --step review release",
        "set aside: 1 high finding",
        "scope: what changed since main",
    ):
        assert said in steps["review"]
    assert "alpha · no answer" not in steps["review"]
    assert "no answer within 5 s" in steps["files"]
    assert "blocked by review" in steps["post"]
    assert "2 attempts before the last" in steps["flaky"]
    fix = next(it for name, it in steps_of(tree).items() if name == "fix")
    edits = [it for it in with_class(fix, "fold") if text_of(it).startswith("edits")]
    # two attempts were undone, and the edits of the third one stay
    assert [("open" in it.attrib, "which did not stay" in text_of(it)) for it in edits] == [
        (False, True),
        (False, True),
        (True, False),
    ]
    assert {kind for it in with_class(fix, "diff") for kind in (line.get("class") for line in it)} >= {
        "added",
        "removed",
        "file",
        "hunk",
    }


def test_the_replies_stand_side_by_side_with_who_dissents() -> None:
    (safe,) = [it for name, it in steps_of(page(recorded())).items() if name == "safe"]
    (replies,) = with_class(safe, "replies")
    cards = [" ".join(text_of(it).split()) for it in replies]
    assert len(cards) == 4
    assert cards[-1].startswith("deltano answernetworkno route to host")
    assert [("dissents" in card, "chosen" in card) for card in cards].count((True, False)) == 1
    (tally,) = with_class(safe, "tally")
    assert [meter.get("value") for meter in tally.iter("meter")] == ["2", "1"]


GATE = Gate(fail_on="high", min_confidence=0.5, quorum=2)
WHY = {
    "blocks": "It blocks: high is at least the gate's fail_on (high)",
    "undecided": "It might block, and nobody knows: no file",
    "withdrawn": "It does not block: its backend withdrew it",
    "unverified": "It does not block: its quote is not where it should be",
    "outside": "It does not block: it is not in the change",
    "known": "It does not block: it is in the baseline",
    "unsure": "It does not block: its confidence, 0.9, is below the gate's (0.5)",
    "outvoted": "It does not block: 1 of 2 backends report it, and the gate wants 2",
    "minor": "It does not block: high is below the gate's fail_on (high)",
    "": "No gate judges it.",
}


@pytest.mark.parametrize("standing", WHY)
def test_a_finding_says_why_it_blocks_or_not(standing: Any) -> None:
    entry = finding(standing=standing, votes={"a": "high", "b": "absent"}, doubt="no file")
    tree = page(replace(reported(review(entry)), gate=GATE))
    (card,) = with_class(tree, "finding")
    assert next(with_class(card, "why")).text is not None
    assert text_of(next(with_class(card, "why"))).startswith(WHY[standing])
    assert entry.evidence in text_of(card)
    assert ("open" in card.attrib) == (standing == "blocks")


def test_a_finding_of_a_soft_step_says_that_it_would_block() -> None:
    step = review(BLOCKS, outcome=Outcome.SOFT, underlying=Outcome.FAILED)
    (card,) = with_class(page(reported(PASSED, step)), "finding")
    assert text_of(next(with_class(card, "why"))) == "It would block, but its step is soft."


def test_a_link_leads_to_the_same_step_in_every_run() -> None:
    first, second = (page(replace(recorded(), result=replace(recorded().result, run_id=it))) for it in "ab")
    assert [*steps_of(first)] == [*steps_of(second)]
    assert "release.review" in {it.get("id") for it in first.iter("details")}


def test_two_workflows_of_one_name_have_links_of_their_own() -> None:
    tree = page(GREEN, GREEN)
    assert {it.get("id") for it in with_class(tree, "banner")} == {"gate", "gate~2"}
    assert "2 workflows: 2 passed" in text_of(next(with_class(tree, "runs")))


def test_a_step_without_a_result_is_in_the_graph() -> None:
    run = large_run(12)
    result = run.result
    left = {name: it for name, it in result.steps.items() if name != "step-11"}
    tree = page(replace(run, result=replace(result, steps=left)))
    (node,) = [it for it in with_class(tree, "node") if "step-11" in text_of(it)]
    assert "missing" in (node.get("class") or "")
    assert "11 steps" not in text_of(next(with_class(tree, "coverage")))
    assert "1 without a result" in text_of(next(with_class(tree, "coverage")))


def _hostile_everywhere(text: str) -> ReportedRun:
    """A run in which every text is this one."""
    vote = Verdict(
        strategy=text, text=text, backend=text, tally={text: 1.0, "no": 2.0}, dissent=(text,), note=text
    )
    step = StepResult(
        name=text,
        outcome=Outcome.FAILED,
        reason=text,
        hint=text,
        output=f"{text}.",
        seconds=1.0,
        attempts=2,
        verdict=vote,
        replies=(Reply(text=text, backend=text, model=text), Reply(text=text, backend="b", item=0)),
        refusals=(Refusal(backend=text, kind=text, reason=text, hint=text),),
        items=(ItemResult(index=0, item=text, outcome=Outcome.ERROR, reason=text, output=text, verdict=vote),),
        edits=(EditedFile(file=text, added=1, removed=1),),
        verified=text,
        set_aside=(text,),
        sections=(Section(title="edits", text=f"--- {text}\n+{text}"), Section(title=text, text=text)),
        findings=(
            finding(
                standing="blocks", title=text, message=text, evidence=text, path=text, rule_id=text, called=text,
                doubt=text, backend=text, fingerprint=text, votes={text: "high", "b": "unclear"},
                edits=({"file": text, "old": text, "new": text},),
            ),
        ),
    )  # fmt: skip
    result = RunResult(
        run_id=text,
        workflow=text,
        path=text,
        sha256=text,
        steps={text: step},
        selected=(text, f"{text}2"),
        interrupted=text,
        history={text: StepHistory(started=0.0, ended=1.0, retried=(FailedAttempt(number=1, reason=text),))},
    )
    asked = BackendAsked(step=text, backend=text, prompt=text, model=text)
    return ReportedRun(
        result=result,
        exit_code=1,
        asked=lambda _: [asked, replace(asked, item=0)],
        command=f"lok run {text[:300]}",
    )


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80) | st.sampled_from(["</style>", "javascript:alert(1)", "]]>", "\ufffe", HOSTILE]))
def test_text_of_others_is_only_text(text: str) -> None:
    check(page(_hostile_everywhere(text)))


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE + LONG, LONG, "\x1b" * 20_000, "é\u202e" * 9_000])
def test_text_of_others_commands_nobody_and_is_cut(text: str) -> None:
    made = report_text("html", [_hostile_everywhere(text)])
    check(page(_hostile_everywhere(text)))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", made)
    assert "##[" not in made
    assert "ghp_0123456789012345678901234567890123" not in made
    assert len(made.encode()) < 500_000


@pytest.mark.parametrize(
    ("steps", "text"), [(1_000, "x" * 20_000), (1_000, "\u2028" * 2_000), (3_000, "y" * 500)]
)
def test_a_page_has_at_most_5_megabytes(steps: int, text: str) -> None:
    run = large_run(steps, text)
    made = report_text("html", [run])
    assert len(made.encode()) <= LONGEST
    shown = re.findall(r'<details id="([^"]+)"', made)
    assert len(shown) == min(steps, MOST_STEPS)
    red = sum(it.outcome.red for it in run.result.steps.values())
    assert len(re.findall('class="step (failed|error)"', made)) == min(red, MOST_STEPS)
    assert ("steps more, for which there is no place" in made) == (steps > MOST_STEPS)


def test_of_thousands_of_items_the_red_ones_are_shown() -> None:
    items = [
        ItemResult(index=at, item=f"file{at}.py", outcome=Outcome.FAILED if at == 4_321 else Outcome.PASSED)
        for at in range(5_000)
    ]
    tree = page(reported(replace(FAILED, items=tuple(items))))
    shown = [*with_class(tree, "item")]
    assert "file4321.py" in text_of(shown[0])
    assert f"and {5_000 - len(shown):,} items more" in text_of(tree)


def test_of_thousands_of_findings_those_that_block_are_shown() -> None:
    found = [
        finding(line=at, fingerprint=f"f{at}", standing="minor", message="m" * 2_000) for at in range(1_500)
    ]
    tree = page(reported(review(*found, replace(BLOCKS, fingerprint="worst", line=9_999))))
    check(tree)
    cards = [*with_class(tree, "finding")]
    assert "9999" in text_of(cards[0])
    assert f"and {1_501 - len(cards):,} findings more" in text_of(tree)


def test_hundreds_of_workflows_are_counted() -> None:
    tree = page(*([GREEN] * 250))
    assert len([*with_class(tree, "banner")]) == 200
    assert "and 50 workflows more: passed" in text_of(tree)


def test_what_a_resumed_run_kept_is_said() -> None:
    kept = replace(PASSED, resumed=Resumed(decision="kept", why="nothing it reads has changed"))
    tree = page(reported(kept, FAILED))
    assert "1 kept" in text_of(next(with_class(tree, "coverage")))
    assert "kept: nothing it reads has changed" in text_of(steps_of(tree)["review"])
