"""Reviews with known answers, made of values: what the engine would have handed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_lok.core.evaluation.case import ChangeSource, EvalCase, Expectation
from pytest_lok.core.evaluation.judges import ReviewRun
from pytest_lok.core.evaluation.places import ExpectedFindings
from pytest_lok.core.findings.gate import GateInputs
from pytest_lok.core.findings.reading import count_votes
from pytest_lok.core.findings.reported import ReportedReview
from pytest_lok.core.results import Finding, Outcome, Refusal, RunResult, StepResult
from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.core.workflow.reading.reader import parse_workflow
from pytest_lok.core.workflow.reading.source import SourceText

CODE = b"".join(b"line %d of the file\n" % number for number in range(1, 101))
SOURCE = SourceText(text="", path="case.toml", stem="c", origin=Origin.PROJECT)
REVIEW = (
    '[gate]\nquorum = {quorum}\n[[steps]]\nname = "review"\nprompt = "?"\noutput_format = "findings"\n{more}'
)


def workflow_of(quorum: str = "1", more: str = "") -> Workflow:
    text = REVIEW.format(quorum=quorum, more=more)
    source = SourceText(text=text, path="w.toml", stem="w", origin=Origin.PROJECT)
    return parse_workflow(source, parent=lambda *_: None)


def found(line: int, *, end: int = 0, backend: str = "a", rule: str = "x", removed: bool = False) -> Finding:
    return Finding(
        rule_id=rule,
        title="t",
        message="m",
        severity="high",
        confidence=1.0,
        path="a.py",
        line=line,
        end_line=end or line,
        evidence=f"line {line} of the file",
        backend=backend,
        fingerprint=f"{rule}{line}",
        evidence_found=True,
        removed=removed,
    )


def expected(
    *must: int | tuple[int, int], harmless: Sequence[int | tuple[int, int]] = (), margin: int = 3
) -> ExpectedFindings:
    def places(kind: str, lines: Sequence[int | tuple[int, int]]) -> tuple[Expectation, ...]:
        pairs = [(it, it) if isinstance(it, int) else it for it in lines]
        return tuple(Expectation(path="a.py", lines=it, key=(kind, n)) for n, it in enumerate(pairs))

    case = EvalCase(
        name="c",
        source=SOURCE,
        change=ChangeSource(before="before", after="after"),
        clean=not must,
        margin=margin,
        must_block=places("must_block", must),
        must_not_block=places("must_not_block", harmless),
    )
    return ExpectedFindings.of(case, {}, {"a.py": CODE})


def reviewed(answers: Mapping[str, Sequence[Finding] | None], outcome: Outcome = Outcome.PASSED) -> ReviewRun:
    """A run with one review by these backends; None = no valid answer."""
    given = {name: said for name, said in answers.items() if said is not None}
    lost = tuple(
        Refusal(backend=name, kind="timeout", reason="slow") for name in answers if name not in given
    )
    inputs = GateInputs(asked=tuple(answers), answered=tuple(given))
    review = ReportedReview(step="review", inputs=inputs, findings=tuple(count_votes(given)))
    step = StepResult(name="review", outcome=outcome, reason="r", attempts=1, refusals=lost)
    result = RunResult(run_id="r", workflow="w", steps={"review": step}, reviews=("review",))
    return ReviewRun(result=result, reviews=(review,))
