"""RunResult -> what an agent reads of a run: a document and a text, both of bounded length.

The first words of both say whether the run passed. Nothing that is left out is left out silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from pydantic_core import to_jsonable_python

from pytest_lok.core.results import Finding, Json, Outcome, RunResult, StepResult
from pytest_lok.core.text.truncation import leave_out_middle, one_line, truncate
from pytest_lok.reports.console import details, nothing_judged, summary
from pytest_lok.reports.escaping import escape_control_chars
from pytest_lok.reports.facts import many

_T = TypeVar("_T")

LONGEST_TEXT = 20_000
"""Characters of a text; the result of a tool that is longer may be cut by the program that asked."""

_OUTPUT = 7_000
_WHY = 5_000
_FINDINGS = 5_500
_REASON = 500
_MOST_REASONS = 10
_MARK = 60
"""Characters of the line that stands for what is left out, at most."""


def verdict(result: RunResult, exit_code: int) -> str:
    """Whether the run passed, in one line: ``passed``, or ``NOT PASSED`` with how and why."""
    if result.passed and exit_code == 0:
        return "passed"
    if result.idle:
        why = nothing_judged(result)
    else:
        red = next((step for step in result.steps.values() if step.outcome.red), None)
        why = f"{red.name}: {red.reason}" if red else result.interrupted
    how = f"NOT PASSED ({result.outcome}, exit code {exit_code})"
    return f"{how}: {one_line(why, 300)}" if why else how


def run_document(result: RunResult, exit_code: int) -> dict[str, Json]:
    """The run as JSON: ``verdict`` first, then why, the findings, the output and the cost.

    ``steps`` counts the steps by outcome. ``reasons`` are of steps that are not passed, ``findings`` the
    worst of the run, each in short; ``*_left_out`` count the others. ``output`` is that of the last steps.
    """
    steps = list(result.steps.values())
    open_ = [step for step in steps if step.outcome.red or step.underlying or step.withheld]
    all_findings = findings_of(result)
    shown = list(_within(map(_short, all_findings), _FINDINGS))
    output, is_cut = _output(result)
    return cleaned(
        {
            "verdict": verdict(result, exit_code),
            "state": "finished",
            "run_id": result.run_id,
            "workflow": result.workflow,
            "outcome": result.outcome,
            "passed": result.passed and exit_code == 0,
            "exit_code": exit_code,
            "seconds": round(result.seconds, 3),
            "steps": Counter(str(step.outcome) for step in steps),
            "reasons": [_reason(step) for step in open_[:_MOST_REASONS]],
            "reasons_left_out": max(0, len(open_) - _MOST_REASONS),
            "findings": shown,
            "findings_left_out": len(all_findings) - len(shown),
            "set_aside": [f"{step.name}: {one_line(line, 200)}" for step in steps for line in step.set_aside][
                :_MOST_REASONS
            ],
            "output": output,
            "output_is_cut": is_cut,
            "usage": result.usage,
        }
    )


def run_text(result: RunResult, exit_code: int) -> str:
    """The run for a reader, at most ``LONGEST_TEXT`` characters: the verdict, why, findings, the output."""
    found = findings_of(result)
    lines = _within((f"- {_headline(one)}" for one in found), _FINDINGS)
    why = "\n".join(line for step in result.steps.values() for line in _why(step))
    parts = [
        verdict(result, exit_code),
        f"run {result.run_id} · {summary(result)}",
        _part(why, _WHY)[0],
        _section("finding", list(lines), len(found)),
        _output(result)[0],
    ]
    return truncate(escape_control_chars("\n\n".join(filter(None, parts))), LONGEST_TEXT)


def findings_of(result: RunResult) -> list[tuple[str, Finding]]:
    """Every finding of the run with the step that reports it, those that block first."""
    found = [(step.name, one) for step in result.steps.values() for one in step.findings or ()]
    return sorted(found, key=lambda pair: not pair[1].blocking)


def findings_text(found: Iterable[tuple[str, Finding]]) -> str:
    """Findings for a reader: of each the headline with its message below."""
    return escape_control_chars("\n".join(f"- {_headline(one)}\n  {one[1].message}" for one in found))


def cleaned(document: object) -> dict[str, Json]:
    """A document that every JSON reader takes: no control character, no half of a surrogate pair."""
    made = _cleaned(to_jsonable_python(document, inf_nan_mode="null"))
    return made if isinstance(made, dict) else {}


def _cleaned(value: Json) -> Json:
    match value:
        case str():
            return escape_control_chars(value)
        case list():
            return [_cleaned(one) for one in value]
        case dict():
            return {escape_control_chars(key): _cleaned(one) for key, one in value.items()}
    return value


def _output(result: RunResult) -> tuple[str, bool]:
    """What the last steps say, each under its name where they are several; and whether a part is left out."""
    last = [result.steps[name] for name in result.leaves if name in result.steps]
    said = [step for step in last if step.output not in ("", step.reason)]
    room = _OUTPUT // max(1, len(said))
    parts = {step.name: _part(step.output, room) for step in said}
    texts = [text if len(last) == 1 else f"== {name} ==\n{text}" for name, (text, _) in parts.items()]
    whole = "\n\n".join(texts)
    shown = leave_out_middle(whole, head=_OUTPUT, tail=_OUTPUT // 8)
    is_cut = shown != whole or any(step.cut for step in said) or any(cut for _, cut in parts.values())
    return shown, is_cut


def _part(text: str, room: int) -> tuple[str, bool]:
    """The beginning and the end of a text with its control characters spelled out; whether more was there."""
    kept = leave_out_middle(text, head=room // 2, tail=room // 2)
    # a text that is long takes its time, so it is cut before; spelled out it may be longer than it was
    spelled = escape_control_chars(kept)
    shown = leave_out_middle(spelled, head=room // 2 + _MARK, tail=room // 2)
    return shown, kept != text or shown != spelled


def _reason(step: StepResult) -> dict[str, Json]:
    said: dict[str, Json] = {
        "step": step.name,
        "outcome": str(step.outcome),
        "reason": truncate(step.reason, _REASON),
    }
    return {**said, "hint": truncate(step.hint, _REASON)} if step.hint else said


def _why(step: StepResult) -> Iterable[str]:
    """The lines of a step that is not passed; nothing of one that its own ``when`` skipped."""
    if step.passed or (step.outcome is Outcome.SKIPPED and not step.blocked):
        return ()
    return (f"{step.outcome} {step.name}", *details(step, output=False))


def _short(pair: tuple[str, Finding]) -> dict[str, Json]:
    step, one = pair
    return {
        "step": step,
        "blocking": one.blocking,
        "severity": one.severity,
        "rule_id": one.rule_id,
        "path": one.path,
        "line": one.line,
        "title": truncate(one.title, 200),
        "message": truncate(one.message, 400),
        "standing": one.standing,
        "backend": one.backend,
    }


def _headline(pair: tuple[str, Finding]) -> str:
    step, one = pair
    return f"{step}: {truncate(one.headline, 300)}{' (blocks)' if one.blocking else ''}"


def _section(title: str, lines: Sequence[str], total: int) -> str:
    if not total:
        return ""
    rest = f"\n… {total - len(lines):,} more: the tool `findings` has them" if total > len(lines) else ""
    return f"{many(total, title)}:\n" + "\n".join(lines) + rest


def _within(items: Iterable[_T], characters: int) -> Iterator[_T]:
    """The first of the items that have so many characters together."""
    for item in items:
        characters -= len(str(item))
        if characters < 0:
            return
        yield item
