"""A task and backends, the best first -> the workflow of one answer, with or without a second opinion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_lok.core.results import RunResult
from pytest_lok.verbs.document import asking, workflow_text

ANSWER, OPINION = "answer", "second-opinion"

_OPINION = {
    "type": "object",
    "properties": {"agrees": {"type": "boolean"}, "opinion": {"type": "string", "minLength": 1}},
    "required": ["agrees", "opinion"],
}
_REVIEW = """{first} was given this task:

{{{{ arg.task }}}}

{first} answered:

{{{{ steps.answer.output }}}}

Give a second opinion. Check what can be checked, and say what is wrong, what is missing and what you would do
instead. "agrees" is true only if you would sign the answer as it is."""


def smart_text(backends: Sequence[str]) -> str:
    """The workflow file that asks one backend after the other until one answers; its argument is ``task``."""
    return workflow_text(
        name="smart",
        description=f"One answer, by the first of {', '.join(backends)} that gives a valid one",
        arguments=["task"],
        steps=[_answer(backends)],
    )


def team_text(backends: Sequence[str], *, debate: bool) -> str:
    """The workflow file of an answer by the best backend; its argument is ``task``.

    ``debate`` = somebody else than the first gives a second opinion, so there must be two backends then.
    """
    if not debate:
        return workflow_text(
            name="team",
            description="One answer, by the best backend for the task",
            arguments=["task"],
            steps=[_answer(backends)],
        )
    first, *others = backends
    review = {
        "name": OPINION,
        **asking(others),
        "output_schema": _OPINION,
        "prompt": _REVIEW.format(first=first),
    }
    return workflow_text(
        name="team",
        description=f"An answer by {first}, and a second opinion",
        arguments=["task"],
        steps=[_answer([first]), review],
    )


def team_report(result: RunResult) -> str:
    """The answer, and the second opinion if one was asked for; each with who gave it."""
    parts = []
    for name, title in ((ANSWER, "Answer"), (OPINION, "Second opinion")):
        step = result.steps.get(name)
        if step is None or not step.ran:
            continue
        if not step.passed:
            parts.append(f"## {title}\n\nThere is none: {step.reason}")
        elif name == OPINION and isinstance(step.data, Mapping):
            verdict = "agrees" if step.data["agrees"] is True else "does not agree"
            parts.append(f"## {title}: {step.backend} {verdict}\n\n{step.data['opinion']}")
        else:
            parts.append(f"## {title} by {step.backend}\n\n{step.output}")
    return "\n\n".join(parts)


def _answer(backends: Sequence[str]) -> dict[str, Any]:
    return {"name": ANSWER, **asking(backends), "prompt": "{{ arg.task }}"}
