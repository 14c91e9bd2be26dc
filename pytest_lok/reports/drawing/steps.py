"""Workflow -> its steps as nodes of a drawing, with a note of what each does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_lok.core.workflow.model import Approve, Ask, Nested, Shell, Step
from pytest_lok.reports.drawing.graph_svg import Node
from pytest_lok.reports.facts import many, some


def nodes_of(steps: Iterable[Step]) -> dict[str, Node]:
    """A node for each step of the file: what it runs, or whom it asks."""
    steps = tuple(steps)
    nodes, needs = dict[str, Node](), needs_of(steps)
    for name, group in _written(steps).items():
        step, does = group[0], _what_all_do(group)
        nodes[name] = Node(
            name=name,
            note=does,
            kind="question" if isinstance(step.action, Ask) else "command",
            tip="\n".join(_more(name, step, does, needs[name])),
        )
    return nodes


def needs_of(steps: Iterable[Step]) -> dict[str, Sequence[str]]:
    """What each of the steps of the file needs; a step with cases is one."""
    steps = tuple(steps)
    written = {step.name: step.written_name for step in steps}
    return {
        name: tuple(dict.fromkeys(written.get(need, need) for need in group[0].needs))
        for name, group in _written(steps).items()
    }


def _written(steps: Iterable[Step]) -> dict[str, list[Step]]:
    """The steps by the names that stand in the file: one, or the cases of one."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.written_name, []).append(step)
    return found


def _what_all_do(group: Sequence[Step]) -> str:
    """What a step does, with the number of its cases where it has some."""
    said = list(dict.fromkeys(map(what_it_does, group)))
    return f"{some(said, 3)} · {many(len(group), 'case')}" if group[0].case else said[0]


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
        case Approve(question=question):
            said = f"waits for a yes: {' '.join(question.source.split())}"
    marks = [
        "for each item" if step.for_each else "",
        "in rounds" if isinstance(step.action, Nested) and step.action.until else "",
        "conditional" if step.when else "",
        "edits files" if isinstance(step.action, Ask) and step.action.apply_edits else "",
        "may fail" if step.continue_on_error else "",
    ]
    return " · ".join([*filter(None, marks), said])


def _more(name: str, step: Step, does: str, needs: Sequence[str]) -> Iterator[str]:
    yield f"{name}: {does}"
    if needs:
        yield f"after {', '.join(needs)}"
    if step.when is not None:
        yield f"when {step.when.source.strip()}"
