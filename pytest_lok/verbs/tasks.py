"""A ``[tasks.NAME]`` of the settings -> Workflow: one step per prompt, independent of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.argument import Argument
from pytest_lok.core.workflow.model import Ask, Origin, Step, Strategy, Workflow
from pytest_lok.late_regex import late_regex

_PARTING = late_regex(r"[\s\x00-\x1f\x7f:/\\\[\]]+")
_WHERE = "{% if arg.path not in ['.', './'] %}Look at {{ arg.path }} alone.{% endif %}"
"""The system prompt of every question: where to look, if that is not the whole project."""


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

    A directory or file of the project, given after the name, narrows all of them, as in ``lok hunt src``.
    ``backends`` () = the settings' default. ``path`` and ``line`` say where the task is written.
    """
    names = _step_names(free for free, _ in prompts)
    path_argument = Argument(
        name="path",
        description="the directory or file to look at",
        default=".",
        position=1,
        is_path=True,
    )
    where = Template.parse(_WHERE, VisibleNames(arguments=frozenset({"path"})))
    return Workflow(
        stem=name,
        name=name,
        description=description,
        path=path,
        origin=Origin.SETTINGS,
        # only workflow files of the project run without being named
        collect=False,
        args={"path": path_argument},
        positional_count=1,
        steps=tuple(
            Step(
                name=step_name,
                action=Ask(
                    prompt=Template.literal(text),
                    system=where,
                    backends=tuple(backends),
                    consensus=consensus,
                ),
                path=path,
                line=line,
            )
            for step_name, (_, text) in zip(names, prompts, strict=True)
        ),
    )


def _step_names(names: Iterable[str]) -> list[str]:
    """Prompt names as step names: as they are, without what parts an address of pytest; told apart by number.

    No text refers to such a step, so that its name may be "n+1" or "dead code".
    """
    found: list[str] = []
    for name in names:
        plain = _PARTING.sub(" ", name).strip(" .") or "prompt"
        unique, number = plain, 1
        while unique in found:
            number += 1
            unique = f"{plain} {number}"
        found.append(unique)
    return found
