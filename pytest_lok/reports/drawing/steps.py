"""Workflow -> its steps as nodes of a drawing, with a note of what each does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_lok.core.workflow.model import Ask, Nested, Shell, Step
from pytest_lok.reports.drawing.graph_svg import Node


def nodes_of(steps: Iterable[Step]) -> dict[str, Node]:
    """A node for each step: what it runs, or whom it asks."""
    return {
        step.name: Node(
            name=step.name,
            note=what_it_does(step),
            kind="question" if isinstance(step.action, Ask) else "command",
            tip="\n".join(_more(step)),
        )
        for step in steps
    }


def needs_of(steps: Iterable[Step]) -> dict[str, Sequence[str]]:
    """What each of the steps needs."""
    return {step.name: step.needs for step in steps}


def what_it_does(step: Step) -> str:
    """``$ git diff``, ``asks claude, codex (vote)``, and what changes that: items, conditions, edits."""
    match step.action:
        case Shell(shell=shell, argv=argv):
            text = shell.source if shell is not None else " ".join(part.source for part in argv)
            said = f"$ {' '.join(text.split())}"
        case Ask() as ask:
            said = f"asks {', '.join(ask.backends) or 'the default backend'}"
            if len(ask.backends) > 1:
                said += f" ({ask.consensus})"
        case Nested(workflow=workflow):
            said = f"runs {workflow.stem}"
    marks = [
        "for each item" if step.for_each else "",
        "conditional" if step.when else "",
        "edits files" if isinstance(step.action, Ask) and step.action.apply_edits else "",
        "may fail" if step.continue_on_error else "",
    ]
    return " · ".join([*filter(None, marks), said])


def _more(step: Step) -> Iterator[str]:
    yield f"{step.name}: {what_it_does(step)}"
    if step.needs:
        yield f"after {', '.join(step.needs)}"
    if step.when is not None:
        yield f"when {step.when.source.strip()}"
