"""Runs for reports: of every verdict, and with text that tries to command whoever reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_lok.core.results import Finding, Outcome, RunResult, StepResult, Verdict
from pytest_lok.core.workflow.model import Rule
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.core.reports import finding
from tests.reports.results import ERROR, FAILED, PASSED, SKIPPED, SOFT, run_of

HOSTILE = (
    "\x1b[31m\u202e</script><img src=x>##[error]x ##vso[task]\n::error::x\n  ::set-output name=a::b\r::warning::y\n"
    "@octocat [a](http://evil.example) ![i](http://evil.example/p) ``` ~~~ </details></pre>`x` <!-- lok -->\n"
    "[[ATTACHMENT|/etc/passwd]] ]]> &amp; \x00\udc80 # heading\n| a | b | ghp_0123456789012345678901234567890123 "
)
LONG = "x" * 1_000_000

BLOCKS = finding(standing="blocks", votes={"a": "high", "b": "absent"}, fingerprint="f1")
KNOWN = finding(standing="known", line=7, severity="critical", fingerprint="f2", known=True)
MINOR = finding(standing="minor", line=9, severity="low", rule_id="style", fingerprint="f3", cwe=(89,))
MEDIUM = finding(standing="blocks", line=11, severity="medium", fingerprint="f4")


def review(*findings: Finding, outcome: Outcome = Outcome.FAILED, **more: Any) -> StepResult:
    usual: dict[str, Any] = {"reason": "1 finding blocks", "attempts": 1, "seconds": 2.0}
    return StepResult(name="review", outcome=outcome, findings=findings, **{**usual, **more})


def reported(*steps: StepResult, code: int | None = None, **more: Any) -> ReportedRun:
    result: RunResult = replace(run_of(*steps), **more)
    return ReportedRun(
        result=result,
        exit_code=result.exit_code if code is None else code,
        rules={"sql-injection": Rule(severity="high", description="user input in a query")},
    )


VOTED = replace(
    PASSED,
    verdict=Verdict(
        strategy="majority", text="yes", backend="a", tally={"yes": 2.0, "no": 1.0}, dissent=("c: no",)
    ),
)

GREEN = reported(VOTED, SOFT)
FINDINGS = reported(
    PASSED, review(BLOCKS, KNOWN, MINOR, MEDIUM, set_aside=("1 critical finding was set aside",))
)
HOSTILE_RUN = reported(
    replace(ERROR, reason=HOSTILE, hint=HOSTILE),
    replace(FAILED, reason=HOSTILE + LONG, output=HOSTILE + LONG),
    review(
        *(
            replace(
                BLOCKS,
                title=HOSTILE,
                message=text,
                path=path,
                evidence=text,
                fingerprint=text[:40],
                rule_id=rule,
            )
            for text, path, rule in (
                (HOSTILE, "a\n::error::b.py", HOSTILE),
                (LONG, HOSTILE, "r"),
                ("", "../../x", ""),
            )
        ),
        reason=HOSTILE,
    ),
    interrupted=HOSTILE,
    run_id=HOSTILE,
    workflow=HOSTILE,
    path=HOSTILE,
)

RED: dict[str, ReportedRun] = {
    "failed": reported(PASSED, FAILED),
    "blocking findings": FINDINGS,
    "a medium one blocks": reported(review(MEDIUM)),
    "error": reported(PASSED, ERROR),
    "blocked": reported(PASSED, FAILED, SKIPPED),
    "interrupted": reported(PASSED, interrupted="interrupted by Ctrl-C"),
    "withheld": reported(PASSED, replace(SKIPPED, blocked_by=SKIPPED.name, name=SKIPPED.name)),
    "no result of a step": reported(PASSED, selected=("review", "lost"), code=0),
    "a process that was not green": reported(PASSED, code=1),
    "nothing judged": reported(StepResult(name="s", outcome=Outcome.SKIPPED, reason="when is false")),
    "no step": reported(),
    "hostile": HOSTILE_RUN,
}
