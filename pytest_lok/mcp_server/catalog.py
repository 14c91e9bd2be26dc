"""What a client sees of the tools before it calls one: names, descriptions, schemas, hints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pytest_lok.core.text.truncation import truncate
from pytest_lok.core.workflow.model import Strategy, Workflow
from pytest_lok.dataclass import dataclass
from pytest_lok.mcp_server.arguments import WAIT, arguments_schema, changes_files, runs_commands
from pytest_lok.reports.escaping import escape_control_chars

_LONGEST = 1_500

RUN_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "description": "`passed`, or `NOT …` with the reason."},
        "state": {"enum": ["running", "finished"]},
        "run_id": {"type": "string"},
        "workflow": {"type": "string"},
        "outcome": {"enum": ["passed", "failed", "error", "skipped", "soft"]},
        "passed": {"type": "boolean"},
        "exit_code": {"type": "integer"},
        "seconds": {"type": "number"},
        "reasons": {"type": "array", "items": {"type": "object"}},
        "findings": {"type": "array", "items": {"type": "object"}},
        "output": {"type": "string"},
        "usage": {"type": "object"},
    },
    "required": ["verdict", "state", "run_id", "workflow"],
}
"""What the tools that run something answer with; a run that goes on has no ``outcome`` yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One tool, as clients list it. ``destructive`` None = that cannot be known."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: _object({}))
    title: str = ""
    answer: Mapping[str, Any] | None = None
    read_only: bool = False
    destructive: bool | None = False


def _object(properties: Mapping[str, Any], *required: str) -> Mapping[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


NOT_READY = ToolSpec(
    name="why_lok_cannot_run",
    description="lok cannot run anything in this project now: its settings are not trusted by the user, or "
    "are wrong. Call this tool to read why and what the user can do, tell the user, and list the tools "
    "again afterwards.",
    read_only=True,
)
"""The only tool where the project cannot be used."""

_RUN_ID = {"type": "string", "description": "The id of the run."}
_OFFSET = {"type": "integer", "minimum": 0, "default": 0}


def workflow_tool(workflow: Workflow, limit: float) -> ToolSpec:
    """The tool that runs a workflow."""
    edits = changes_files(workflow)
    description = truncate(escape_control_chars(workflow.description), _LONGEST)
    commands = runs_commands(workflow)
    return ToolSpec(
        name=workflow.stem,
        title=truncate(escape_control_chars(workflow.name)),
        description=f"{description}\nIt changes files of the project." if edits else description,
        schema=arguments_schema(workflow, _wait(limit)),
        answer=RUN_SCHEMA,
        read_only=not edits and not commands,
        destructive=True if edits else None if commands else False,
    )


def own_tools(limit: float) -> list[ToolSpec]:
    """The tools that every project has."""
    return [_ask(limit), _START, _status(limit), _RESULT, _CANCEL, _FINDINGS]


def _ask(limit: float) -> ToolSpec:
    return ToolSpec(
        name="ask",
        description="Ask language models a question. Without `backends` the default backend of "
        "the project is asked, else every available one, and then one answer is enough; each backend that is "
        "named must answer. Without `consensus` every "
        "answer is returned; with `consensus` one answer is, as they agree.",
        schema=_object(
            {
                "question": {"type": "string", "description": "The whole question, with its material."},
                "backends": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Who is asked; default: as the project says.",
                },
                "consensus": {"type": "string", "enum": [*map(str, Strategy)]},
                WAIT: {"type": "boolean", "default": False, "description": _wait(limit)},
            },
            "question",
        ),
        answer=RUN_SCHEMA,
        read_only=True,
    )


_START = ToolSpec(
    name="start",
    description="Begin a run of any workflow of the project and return its run_id at once. "
    "The run goes on whatever becomes of this call; ask for it with `status` and `result`.",
    schema=_object(
        {
            "workflow": {"type": "string", "description": "The name, such as `audit`."},
            "arguments": {
                "type": "object",
                "description": "The arguments of the workflow, as its own tool has them.",
            },
        },
        "workflow",
    ),
    answer=RUN_SCHEMA,
    destructive=None,
)


def _status(limit: float) -> ToolSpec:
    wait = {
        "type": "number",
        "minimum": 0,
        "maximum": limit,
        "default": 0,
        "description": "Answer when the run has ended, or after so many seconds.",
    }
    return ToolSpec(
        name="status",
        description="How far a run is. Without run_id: the runs of this server, the newest first.",
        schema=_object({"run_id": _RUN_ID, "wait_seconds": wait}),
        read_only=True,
    )


_RESULT = ToolSpec(
    name="result",
    description="The result of a run: verdict, reasons, findings, output, cost. With `step`: the "
    "whole output of that step, in parts; `next_offset` is where the next part begins.",
    schema=_object({"run_id": _RUN_ID, "step": {"type": "string"}, "offset": _OFFSET}, "run_id"),
    read_only=True,
)
_CANCEL = ToolSpec(
    name="cancel",
    description="End a run and every process of it. What it has found out until then stays known.",
    schema=_object({"run_id": _RUN_ID}, "run_id"),
)
_FINDINGS = ToolSpec(
    name="findings",
    description="Every finding of a run with all of its fields, the blocking ones first, in parts; "
    "`next_offset` is where the next part begins.",
    schema=_object({"run_id": _RUN_ID, "offset": _OFFSET}, "run_id"),
    read_only=True,
)


def _wait(limit: float) -> str:
    return (
        f"Wait for the end, however long it takes. Default: after {limit:g} s the answer is the run_id "
        "of the run, which goes on: ask for it with `status` and `result`."
    )
