"""Runs -> what the tools answer: a document for programs, and a text for who reads."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lok.core.results import Finding, Json, StepResult
from pytest_lok.dataclass import dataclass
from pytest_lok.mcp_server.runs import ServedRun
from pytest_lok.reports.console import duration
from pytest_lok.reports.escaping import escape_control_chars
from pytest_lok.reports.run_summary import (
    LONGEST_TEXT,
    cleaned,
    findings_text,
    run_document,
    run_text,
    verdict,
)

_BRIEF = (
    "verdict",
    "state",
    "run_id",
    "workflow",
    "outcome",
    "passed",
    "exit_code",
    "seconds",
    "steps",
    "usage",
)
_MOST_LINES = 5
_MOST_RUNS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tool says: ``document`` is its structured content."""

    document: dict[str, Json]
    text: str


def finished(run: ServedRun) -> Answer:
    """The whole result of a run that has ended."""
    result, code = run.result, run.exit_code
    return Answer(document=run_document(result, code), text=run_text(result, code))


def running(run: ServedRun, limit: float) -> Answer:
    """How far a run is that goes on, and how to wait for it, for ``limit`` seconds at a time."""
    document, line = _state(run), _said(run)
    follow = f'Call `status` with {{"run_id": "{run.run_id}", "wait_seconds": {limit:g}}}, then `result`.'
    return Answer(document={**document, "next": follow}, text=f"{line}\n{follow}")


def status(run: ServedRun, limit: float) -> Answer:
    """How far a run is, or in short what came of it."""
    return Answer(document=_state(run), text=_said(run)) if run.ended else running(run, limit)


def listed(runs: Sequence[ServedRun]) -> Answer:
    """The runs that are known, the newest first, as many as an answer may hold."""
    shown = runs[: -_MOST_RUNS - 1 : -1]
    left_out = len(runs) - len(shown)
    lines = [_said(run) for run in shown] + ([f"and {left_out} older ones"] if left_out else [])
    return Answer(
        document={"runs": [_state(run) for run in shown], "runs_left_out": left_out},
        text="\n".join(lines) or "there are no runs",
    )


def step_output(run: ServedRun, step: StepResult, offset: int) -> Answer:
    """A part of the output of a step, from a character on."""
    part, end = step.output[offset : offset + LONGEST_TEXT], offset + LONGEST_TEXT
    following = end if end < len(step.output) else None
    document = {
        "run_id": run.run_id,
        "step": step.name,
        "outcome": step.outcome,
        "reason": step.reason,
        "output": part,
        "characters": len(step.output),
        "next_offset": following,
    }
    more = f"\n[of {len(step.output):,} characters; the next part begins at offset {following}]"
    return Answer(
        document=cleaned(document), text=escape_control_chars(part) + (more if following is not None else "")
    )


def findings(run: ServedRun, found: Sequence[tuple[str, Finding]], offset: int) -> Answer:
    """Findings with all of their fields, from one on, as many as an answer may hold."""
    part: list[dict[str, Json]] = []
    size = 0
    for step, one in found[offset:]:
        document = cleaned({"step": step, **one.document()})
        size += len(str(document))
        # one that is too long by itself is an answer by itself
        if part and size > LONGEST_TEXT:
            break
        part.append(document)
    end = offset + len(part)
    following = end if end < len(found) else None
    note = "" if run.ended else "The run goes on: more may come.\n"
    more = f"\n{len(found) - end} more: call `findings` with offset {following}." if following else ""
    shown = findings_text(found[offset:end]) or "no findings"
    return Answer(
        document={
            "run_id": run.run_id,
            "state": "finished" if run.ended else "running",
            "total": len(found),
            "findings": list[Json](part),
            "next_offset": following,
        },
        text=f"{note}{len(found)} findings\n{shown}{more}",
    )


def progress(run: ServedRun, lines: Sequence[str]) -> str:
    """One line for who waits: what has happened since the last one, else what takes its time."""
    ended, steps = run.counts
    if not lines:
        said = [f"{name} ({duration(seconds)})" for name, seconds in run.running().items()]
        lines = [f"running: {_some(said)}"] if said else ["waiting"]
    return escape_control_chars(f"[{ended}/{steps}] {_some(lines, '; ')}")


def _some(said: Sequence[str], between: str = ", ") -> str:
    more = [f"and {len(said) - _MOST_LINES} more"] if len(said) > _MOST_LINES else []
    return between.join([*said[:_MOST_LINES], *more])


def _state(run: ServedRun) -> dict[str, Json]:
    if run.ended:
        document = run_document(run.result, run.exit_code)
        return {name: document[name] for name in _BRIEF}
    ended, steps = run.counts
    return cleaned(
        {
            "verdict": "NOT FINISHED: there is no verdict yet",
            "state": "running",
            "run_id": run.run_id,
            "workflow": run.workflow,
            "steps": {
                "finished": ended,
                "total": steps,
                "running": {name: round(seconds, 1) for name, seconds in run.running().items()},
            },
        }
    )


def _said(run: ServedRun) -> str:
    said = verdict(run.result, run.exit_code) if run.ended else f"NOT FINISHED: {progress(run, [])}"
    return escape_control_chars(f"{said} · run {run.run_id} of {run.workflow}")
