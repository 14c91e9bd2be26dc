"""A page of HTML, read by html5lib as a browser reads it, and runs of many steps."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace

import html5lib

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.history import StepHistory
from pytest_lok.core.results import Outcome, Reply, Section, StepResult, Usage
from pytest_lok.core.workflow.model import Workflow
from pytest_lok.reports.formats import report_text
from pytest_lok.reports.formats.reported_run import ReportedRun
from tests.core.steps import step
from tests.reports.results import run_of

OUTCOMES = (Outcome.PASSED, Outcome.PASSED, Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED)


def page(*runs: ReportedRun) -> ET.Element:
    """The page as a tree; an error of the reader where the HTML has a mistake."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: ET.Element = parser.parse(report_text("html", runs))
    return tree


def with_class(tree: ET.Element, name: str) -> Iterator[ET.Element]:
    return (it for it in tree.iter() if name in (it.get("class") or "").split())


def text_of(element: ET.Element) -> str:
    return "".join(element.itertext())


def large_run(steps: int, text: str = "") -> ReportedRun:
    """A run of so many steps, ten of which wait for ten others; each asks two backends and says the text."""
    made = [step(f"step-{at}", *([f"step-{at - 10}"] if at >= 10 else [])) for at in range(steps)]
    results = [_result(it.name, at, text) for at, it in enumerate(made)]
    history = {
        it.name: StepHistory(started=at // 10 + 0.1, ended=at // 10 + 0.9) for at, it in enumerate(results)
    }
    workflow = Workflow(stem="large", name="large", steps=tuple(made))
    result = replace(run_of(*results), history=history)
    return ReportedRun.of(
        result,
        workflow,
        1,
        lambda name: [BackendAsked(step=name, backend=who, prompt=f"{name}? {text}") for who in ("a", "b")],
    )


def _result(name: str, at: int, text: str) -> StepResult:
    outcome = OUTCOMES[at % len(OUTCOMES)]
    usage = Usage(calls=1, input_tokens=1000, output_tokens=20, cost_usd=0.001)
    return StepResult(
        name=name,
        outcome=outcome,
        reason="" if outcome is Outcome.PASSED else f"no: {text}",
        output=f"output {text}",
        seconds=0.8,
        attempts=1,
        replies=tuple(Reply(text=f"{who} says {text}", backend=who, usage=usage) for who in ("a", "b")),
        sections=(Section(title="stderr", text=f"log\n{text}"),),
        usage=usage,
    )
