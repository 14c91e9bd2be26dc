"""A ``[tasks.NAME]`` of the settings -> Workflow: one step per prompt, independent of each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Ask, Origin, Step, Strategy, Workflow


def task_workflow(
    name: str,
    prompts: Sequence[tuple[str, str]],
    *,
    backends: Sequence[str] = (),
    consensus: Strategy = Strategy.SYNTHESIS,
    description: str = "",
    path: str = "",
    line: int = 1,
) -> Workflow:
    """The workflow of a task; ``prompts`` are (name, text) pairs, and the texts are taken as they are.

    ``backends`` () = the settings' default. ``path`` and ``line`` say where the task is written.
    """
    names = _step_names(free for free, _ in prompts)
    return Workflow(
        stem=name,
        name=name,
        description=description,
        path=path,
        origin=Origin.SETTINGS,
        # only workflow files of the project run without being named
        collect=False,
        steps=tuple(
            Step(
                name=step_name,
                action=Ask(prompt=Template.literal(text), backends=tuple(backends), consensus=consensus),
                path=path,
                line=line,
            )
            for step_name, (_, text) in zip(names, prompts, strict=True)
        ),
    )


def _step_names(names: Iterable[str]) -> list[str]:
    """Prompt names, which are free text ("n+1"), as step names, which are not; told apart by number."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-") or "prompt"
        unique, number = plain, 1
        while unique in found:
            number += 1
            unique = f"{plain}-{number}"
        found.append(unique)
    return found
