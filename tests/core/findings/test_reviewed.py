"""The state of a review: read back as it was written, believed with its seal alone, made of a whole review alone."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.findings.prior import ReviewedState, ReviewedStep
from pytest_lok.core.findings.reviewed import misfit, seal, sealed_text, state_after, unseal
from pytest_lok.core.results import ItemResult, Outcome, Refusal, Reply, RunResult, StepResult
from pytest_lok.core.trust.redaction import MASK
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from tests.core.reports import finding

KEY = "k" * 32
STATE = ReviewedState(
    base="b" * 40,
    head="a" * 40,
    conditions={"the workflow": "1", "lok": "2"},
    steps={
        "review": ReviewedStep(
            asked=("a", "b"),
            inputs="x",
            findings=(finding(votes={"a": "high", "b": "absent"}, cwe=(89,), title="é \N{ROCKET} -->"),),
        )
    },
)
TEXT = '[gate]\n[[steps]]\nname = "review"\nprompt = "x"\noutput_format = "findings"\n'


def plan() -> Plan:
    source = SourceText(text=TEXT, path="w.toml", stem="w", origin=Origin.PROJECT)
    return Plan.of(parse_workflow(source, parent=lambda name, child: None))


def run(**changes: Any) -> RunResult:
    usual: dict[str, Any] = {
        "outcome": Outcome.FAILED, "reason": "no", "attempts": 1, "findings": (finding(),),
        "replies": (Reply(text="x", backend="a"),),
    }  # fmt: skip
    step = StepResult(name="review", **{**usual, **changes})
    return RunResult(
        run_id="r", workflow="w", steps={"review": step}, reviews=("review",), base="b" * 40, head="a" * 40
    )


def test_a_state_comes_back_as_it_was() -> None:
    text = seal(STATE, KEY)
    assert unseal(text, KEY) == STATE
    assert unseal(f"<!-- lok -->\nhello\n<!-- {text} -->\n", KEY) == STATE
    assert sealed_text(f"x {text} y") == text
    assert sealed_text("no state") == ""


def read(text: str) -> ReviewedState | None:
    """The state in a text, None where it is refused, in words."""
    try:
        return unseal(text, KEY)
    except ValueError as refusal:
        return (
            None
            if re.search("no state|seal", str(refusal))
            else ReviewedState(base="", head="", conditions={})
        )


@given(st.integers(0, 10_000), st.characters(max_codepoint=127))
def test_a_state_that_was_touched_anywhere_is_none(at: int, character: str) -> None:
    text = seal(STATE, KEY)
    at %= len(text)
    touched = text[:at] + character + text[at + 1 :]
    # bits at the end of base64 that mean nothing may be others
    assert read(touched) in (None, STATE)


def test_another_key_is_another_seal() -> None:
    with pytest.raises(ValueError, match="anybody may have written it"):
        unseal(seal(STATE, "z" * 32), KEY)


@given(st.text())
def test_no_text_is_believed_by_its_looks(text: str) -> None:
    with pytest.raises(ValueError, match=r"no state|seal"):
        unseal(text, KEY)


def test_what_has_changed_is_named() -> None:
    same = dict(STATE.conditions)
    assert misfit(STATE, STATE.base, same) == ""
    assert misfit(STATE, "c" * 40, same) == f"the base changed since {'a' * 12} was reviewed"
    assert misfit(STATE, STATE.base, {"lok": "2"}).startswith("the workflow changed")
    assert misfit(STATE, "c" * 40, {**same, "more": "1"}).startswith("the base, more changed")


def test_a_whole_review_leaves_a_state() -> None:
    state = state_after(run(), plan(), {"lok": "1"})
    assert (state.base, state.head, state.steps["review"].findings) == ("b" * 40, "a" * 40, (finding(),))
    taken_back = finding(line=9, withdrawn=True, evidence_found=False)
    state = state_after(run(findings=(finding(), taken_back)), plan(), {})
    assert state.steps["review"].findings == (finding(),)
    assert state_after(run(outcome=Outcome.SOFT, underlying=Outcome.FAILED), plan(), {}).steps


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"outcome": Outcome.ERROR}, "could not judge everything"),
        ({"outcome": Outcome.SOFT, "underlying": Outcome.ERROR}, "could not judge everything"),
        ({"outcome": Outcome.SKIPPED}, "did not run"),
        ({"findings": None}, "could not judge everything"),
        ({"items": (ItemResult(index=0, item=1, outcome=Outcome.ERROR),)}, "could not judge everything"),
        ({"items": (ItemResult(index=0, item=1, outcome=Outcome.SKIPPED),)}, "could not judge everything"),
        ({"refusals": (Refusal(backend="b", kind="timeout", reason="late"),)}, "has no answer of b"),
        ({"findings": (finding(evidence_found=False),)}, "quote is nowhere"),
        ({"findings": (finding(evidence_found=None),)}, "quote is nowhere"),
        ({"findings": (finding(evidence=f"key = {MASK}"),)}, "quotes a secret"),
    ],
)
def test_a_review_with_a_gap_leaves_none(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        state_after(run(**changes), plan(), {})


def test_a_run_that_did_not_end_leaves_none() -> None:
    for broken, why in (
        (replace(run(), interrupted="Ctrl-C"), "interrupted"),
        (replace(run(), reviews=()), "no step reports findings"),
        (replace(run(), steps={}), "did not run"),
    ):
        with pytest.raises(ValueError, match=why):
            state_after(broken, plan(), {})
