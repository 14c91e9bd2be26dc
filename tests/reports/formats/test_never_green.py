"""No report of a run that is not green can be read as a success, and none of a green run as a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.results import ItemResult, Outcome, Refusal, Reply, StepResult
from pytest_lok.reports.formats import KINDS, report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.reports.formats.runs import BLOCKS, KNOWN, MEDIUM, MINOR, reported, review


def _sarif(text: str) -> bool:
    (run,) = json.loads(text)["runs"]
    clean = all(it["level"] != "error" or it["suppressions"] for it in run["results"])
    return bool(clean and run["invocations"][0]["executionSuccessful"])


def _junit(text: str) -> bool:
    cases = ElementTree.fromstring(text).iter("testcase")
    return all(case.find("failure") is None and case.find("error") is None for case in cases)


def _markdown(text: str) -> bool:
    (verdict,) = re.findall(r"^### lok `.*`: (.*)$", text, re.MULTILINE)
    return verdict in ("passed", "soft", "skipped")


def _gitlab(text: str) -> bool:
    return all(it["severity"] != "blocker" for it in json.loads(text))


def _jsonl(text: str) -> bool:
    return all(json.loads(line)["severity"] != "ERROR" for line in text.splitlines())


def _github(text: str) -> bool:
    last = text.splitlines()[-1].removeprefix("lok gate: ")
    return "::error " not in text and last.startswith(("passed", "soft", "skipped"))


def _html(text: str) -> bool:
    (kind,) = re.findall(r'<header class="banner ([^"]*)"', text)
    (verdict,) = re.findall(r'class="verdict">([^<]*)<', text)
    looks = kind in ("passed", "soft", "skipped")
    assert looks == (verdict in ("passed", "soft", "skipped"))
    return looks


LOOKS_GREEN: Mapping[str, Callable[[str], bool]] = {
    "sarif": _sarif,
    "junit": _junit,
    "html": _html,
    "markdown": _markdown,
    "gitlab": _gitlab,
    "jsonl": _jsonl,
    "github": _github,
}

OUTCOMES = st.sampled_from(
    ["passed", "failed", "error", "skipped", "blocked", "withheld", "soft failed", "soft error"]
)
FINDINGS = st.lists(st.sampled_from([BLOCKS, KNOWN, MINOR, MEDIUM]), max_size=3, unique_by=id)


@st.composite
def steps(draw: st.DrawFn) -> list[StepResult]:
    made = []
    for number, said in enumerate(draw(st.lists(OUTCOMES, max_size=4))):
        name, (word, _, underlying) = f"s{number}", said.partition(" ")
        outcome = Outcome.SKIPPED if word in ("blocked", "withheld") else Outcome(word)
        blocked_by = {"blocked": "s0", "withheld": name}.get(word, "")
        found = draw(FINDINGS) if outcome in (Outcome.FAILED, Outcome.SOFT) else draw(st.just([MINOR]))
        if outcome is Outcome.PASSED:
            found = [it for it in found if not it.blocking]
        made.append(
            StepResult(
                name=name,
                outcome=outcome,
                underlying=Outcome(underlying) if underlying else None,
                blocked_by=blocked_by,
                reason="" if outcome is Outcome.PASSED else said,
                findings=tuple(found) if draw(st.booleans()) else None,
                attempts=0 if outcome is Outcome.SKIPPED else 1,
            )
        )
    return made


@st.composite
def runs(draw: st.DrawFn) -> ReportedRun:
    run = reported(
        *draw(steps()),
        interrupted=draw(st.sampled_from(["", "", "interrupted by Ctrl-C"])),
        selected=draw(st.sampled_from([(), ("s0", "lost")])),
    )
    code = draw(st.sampled_from([run.result.exit_code, 1, 3, 143]))
    return ReportedRun(result=run.result, exit_code=code, rules=run.rules)


def is_green(run: ReportedRun) -> bool:
    """Whether a run is a yes, told without the code that reports it."""
    result = run.result
    words = {step.outcome for step in result.steps.values()}
    stopped = result.interrupted or any(name not in result.steps for name in result.selected)
    red = words & {Outcome.FAILED, Outcome.ERROR} or any(it.withheld for it in result.steps.values())
    return not (run.exit_code or stopped or red) and bool(words & {Outcome.PASSED, Outcome.SOFT})


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(run=runs())
def test_a_report_looks_green_only_if_the_run_is(kind: str, run: ReportedRun) -> None:
    if LOOKS_GREEN[kind](report_text(kind, [run])):
        assert is_green(run)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_skipped_itself_looks_green_only_where_the_workflow_allows_it(kind: str) -> None:
    skipped = reported(StepResult(name="s", outcome=Outcome.SKIPPED, reason="when is false"))
    nothing = reported()
    for run, allowed, green in ((skipped, True, True), (skipped, False, False), (nothing, True, False)):
        text = report_text(kind, [replace(run, allow_skip=allowed)])
        assert LOOKS_GREEN[kind](text) is green
        assert "passed: " not in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_green_run_looks_green(kind: str) -> None:
    run = reported(StepResult(name="s", outcome=Outcome.PASSED, attempts=1, findings=(MINOR, KNOWN)))
    assert LOOKS_GREEN[kind](report_text(kind, [run]))


LOST = Refusal(backend="down", kind="auth", reason="no key")
CUT = [
    pytest.param(
        {"replies": (Reply(text="[]", backend="a"),), "refusals": (LOST,)}, "1 of 2 backends", id="a backend"
    ),
    pytest.param(
        {
            "replies": (Reply(text="[]", backend="a", item=0),),
            "refusals": (replace(LOST, item=1),),
            "items": (
                ItemResult(index=0, item="x", outcome=Outcome.FAILED, reason="1 finding blocks"),
                ItemResult(index=1, item="y", outcome=Outcome.ERROR, reason="no key"),
            ),
        },
        "1 of 2 items",
        id="an item",
    ),
]


@pytest.mark.parametrize("kind", sorted(LOOKS_GREEN))
@pytest.mark.parametrize(("lost", "answered"), CUT)
def test_a_review_that_blocks_and_was_cut_says_how_much_was_answered(
    kind: str, lost: Mapping[str, Any], answered: str
) -> None:
    run = reported(review(BLOCKS, **lost))
    text = report_text(kind, [run])
    assert f"answered: {answered}" in text or f'name="lok.answered" value="{answered}"' in text
    if kind == "sarif":
        (invocation,) = json.loads(text)["runs"][0]["invocations"]
        assert not invocation["executionSuccessful"]
    whole = report_text(kind, [reported(review(BLOCKS))])
    assert "answered:" not in whole
    assert "lok.answered" not in whole
