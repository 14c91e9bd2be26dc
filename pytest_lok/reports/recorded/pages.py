"""A recorded run -> a page about it; one step of it -> everything that happened there."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from pytest_lok.core.events import (
    BackendAsked,
    BackendRefused,
    BackendReplied,
    Event,
    StepRetrying,
    StepStarted,
)
from pytest_lok.core.results import StepResult
from pytest_lok.reports.answers import answers, findings_list
from pytest_lok.reports.case_table import case_lines
from pytest_lok.reports.console import closing, cost, details, duration, status
from pytest_lok.reports.recorded.run_list import RunEntry
from pytest_lok.reports.widths import wrapped

_DIGITS = 12  # of a digest that are shown


def run_page(entry: RunEntry, when: str, *, whole: bool = False, columns: int = 0) -> str:
    """The run: how it was called, of what, what its steps came to and why; ``when`` it began, as text.

    Its lines fit ``columns``, 0 = lines of any length.
    """
    result = entry.run.result
    known = {"base": result.base, "head": result.head}
    commits = [f"{name} {commit[:_DIGITS]}" for name, commit in known.items() if commit]
    ended = {
        "ended": f"the process ended with exit code {entry.run.exit_code}",
        "running": "it still runs",
        "killed": "the process was killed, so this is no yes",
    }
    named = [f"{name}={value}" for name, value in entry.arguments.items() if not name.isdecimal()]
    facts = {
        "command": shlex.join(entry.command),
        "workflow": " ".join(filter(None, [result.workflow, result.path, result.sha256[:_DIGITS]])),
        "in": entry.run.repository,
        "arguments": " ".join(named),
        "began": when,
        "commits": " ".join(commits),
        "ended": ended[entry.state],
        "verdict": entry.run.headline if entry.state == "ended" else entry.state,
        "begun": f"{', '.join(entry.begun)}, without a result" if entry.begun else "",
    }
    told = (f"  {name:<9}  {text}" for name, text in facts.items() if text)
    lines = [f"run {entry.run_id}", *(row for line in told for row in _fitted(line, columns))]
    width = max(map(len, result.steps), default=0)
    for step in result.steps.values():
        lines += ["", status(step, width), *details(step, output=True, whole=whole, columns=columns)]
    said = answers(result, every=whole)
    return "\n".join(
        [*lines, *(["", said] if said else []), "", *case_lines(result, columns), *closing(result)]
    )


def _fitted(line: str, columns: int) -> list[str]:
    return wrapped(line, columns) if columns else [line]


def step_page(step: StepResult | None, name: str, events: Iterable[Event]) -> str:
    """The whole of a step: its result, then each question and answer, attempt by attempt, then its output.

    None = the step has no result; it may have begun.
    """
    lines = [f"{name}: no result is recorded"]
    if step is not None:
        lines = [status(step), *details(step, output=False, whole=True)]
    told = [line for event in events for line in _told(event, name)]
    lines += told or ["", "It has asked nobody."]
    if step is not None and step.findings is not None:
        lines += ["", "== findings ==", findings_list(step.findings)]
    elif step is not None and step.output:
        lines += ["", "== output ==", step.output]
    return "\n".join(lines)


def _told(event: Event, step: str) -> Iterator[str]:
    match event:
        case StepStarted(at=at) if event.step == step:
            yield from ("", f"== began {duration(at)} after the run ==")
        case StepRetrying() if event.step == step:
            said = f"attempt {event.attempt} failed{_item(event.item)}"
            yield from ("", f"== {said}, the next after {duration(event.delay)} ==", event.reason)
        case BackendAsked() if event.step == step:
            who = " ".join(filter(None, [event.backend, event.model]))
            yield from ("", f"== {who} was asked{_item(event.item)} ==", event.prompt)
        case BackendReplied(reply=reply) if event.step == step:
            facts = [reply.model, duration(reply.seconds), cost(reply.usage)]
            said = " · ".join(filter(None, facts))
            yield from ("", f"== {reply.backend} answered{_item(event.item)} == {said}", reply.text)
        case BackendRefused(refusal=refusal) if event.step == step:
            kind = f"== {refusal.backend} gave no valid answer{_item(event.item)}: {refusal.kind} =="
            yield from ("", kind, refusal.reason)
        case _:
            return


def _item(index: int | None) -> str:
    return "" if index is None else f" (item {index})"
