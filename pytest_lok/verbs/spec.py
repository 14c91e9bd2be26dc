"""A task -> the workflow that plans it as specs with subtasks, and the workflow that does one subtask.

What a plan names becomes names of files, so a schema holds names to letters, digits and ``-``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_lok.core.results import Json
from pytest_lok.verbs.document import asking, workflow_text

ROADMAP, SUBTASK = "roadmap", "subtask"
_NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,40}$"}
_TEXT = {"type": "string", "minLength": 1}
_SUBTASK = {
    "type": "object",
    "required": ["name", "title", "file", "task"],
    "properties": {"name": _NAME, "title": _TEXT, "file": _TEXT, "task": _TEXT},
}
_PLAN = {
    "type": "object",
    "required": ["specs"],
    "properties": {
        "specs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 12,
            "items": {
                "type": "object",
                "required": ["name", "title", "goal", "subtasks"],
                "properties": {
                    "name": _NAME,
                    "title": _TEXT,
                    "goal": _TEXT,
                    "subtasks": {"type": "array", "minItems": 1, "maxItems": 20, "items": _SUBTASK},
                },
            },
        }
    },
}
_PLANNING = """Plan this task for the project in the current directory:

{{ arg.task }}

Part it into specs, in the order in which they are to be done; part each spec into subtasks that one small
change does. "name" has lower case letters, digits and -. "file" is the file that a subtask changes or makes,
from the root of the project. "goal" and "task" say what must hold afterwards, so that somebody can do it
without this text."""
_DOING = """Do this subtask in the project, and nothing else:

{{ arg.task }}

It is part of this goal:

{{ arg.goal }}

The file to change or to make is {{ arg.file }}. If it is there, its text follows.

Answer with JSON alone: {"edits": [{"file": "…", "old": "…", "new": "…"}], "summary": "…"}. "old" is text
that stands once in the file; an empty "old" makes a new file."""


def spec_text(backends: Sequence[str], *, together: bool) -> str:
    """The workflow file that plans; its argument is ``task``.

    ``together``: all backends plan, and one plan is made of their plans; else the first valid plan counts.
    """
    keys: dict[str, Any] = {"backends": list(backends)} if together else asking(backends)
    step = {"name": ROADMAP, **keys, "output_schema": _PLAN, "prompt": _PLANNING}
    return workflow_text(
        name="spec", description="A task as specs with subtasks", arguments=["task"], steps=[step]
    )


def subtask_text(backends: Sequence[str], *, verify: bool, file_exists: bool) -> str:
    """The workflow file that does one subtask; its arguments are ``task``, ``goal`` and ``file``."""
    step = {"name": SUBTASK, **asking(backends), "apply_edits": True, "prompt": _DOING}
    if file_exists:
        step["attach"] = ["{{ arg.file }}"]
    if verify:
        step |= {"verify": True, "fix_retries": 2}
    return workflow_text(
        name="implement",
        description="One subtask of a spec",
        arguments=["task", "goal", "file"],
        steps=[step],
    )


def plan_files(plan: Json) -> dict[str, Mapping[str, Any]]:
    """The files below ``.arf/specs`` that hold a plan, by their paths there, as TOML documents.

    ``plan`` satisfies the schema of the step, so its names are safe as names of files.
    """
    assert isinstance(plan, dict)  # noqa: S101 - the schema says so
    specs: Any = plan["specs"]
    names = [f"{at:02}-{spec['name']}" for at, spec in enumerate(specs, 1)]
    files: dict[str, Mapping[str, Any]] = {
        "roadmap.arf": {
            "specs": [
                {"folder": name, "title": spec["title"]} for name, spec in zip(names, specs, strict=True)
            ]
        }
    }
    for folder, spec in zip(names, specs, strict=True):
        files[f"{folder}/spec.arf"] = {key: spec[key] for key in ("name", "title", "goal")}
        for at, subtask in enumerate(spec["subtasks"], 1):
            keys = ("name", "title", "file", "task")
            files[f"{folder}/{at:02}-{subtask['name']}.arf"] = {
                **{key: subtask[key] for key in keys},
                "status": "pending",
            }
    return files
