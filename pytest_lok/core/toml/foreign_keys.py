"""Keys of steps in files of similar tools → what they are in lok, with the value that stands there.

They are those of llm-mux, and of a fork of the tool that lok's language comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pytest_lok.late_regex import late_regex

_SHORT = 80
_VALUE = late_regex(r"""\d+|"[^"'\\]*"|'[^"'\\]*'""")
_CHECKS = {
    "not_empty": "output | trim != ''",
    "min_length": "output | length >= {}",
    "max_length": "output | length <= {}",
    "contains": "output contains {}",
    "not_contains": "not (output contains {})",
    "matches": "matches(output, {})",
}
_SANDBOXES = {
    "read-only": 'leave it out: `access = "read"` of a backend is the usual way',
    "workspace-write": "an answer changes files by `apply_edits = true`, and a tool never by itself",
    "danger-full-access": "an answer changes files by `apply_edits = true`, and a tool never by itself",
}
_PLAIN = {
    "verify_retry_prompt": "leave it out: `fix_retries` tells the model what failed",
    "parallel": 'consensus = "all" keeps the answer of each backend; without it leave `parallel` out',
}


_ABOVE_STEPS = {
    "version": "leave it out",
    "roles": "roles stand in lok.toml: [roles.NAME] with `backends` and `consensus`",
    "backends": "backends stand in lok.toml: [backends.NAME]",
    "teams": "there are no teams: `{{ project.language }}` says what a project is written in",
    "ecosystems": "there are no ecosystems: `instructions` gives files of the project to a question",
}


def foreign_top_hint(key: str) -> str:
    """What a key above the steps is here; "" where no similar tool has it."""
    return _ABOVE_STEPS.get(key, "")


def foreign_key_hint(key: str, step: Mapping[str, Any]) -> str:
    """What a key of a step in a similar tool's file is here; "" where no such tool has it."""
    value = step.get(key)
    match key:
        case "run":
            text = re.sub(r"(\{\{[^}]*?)\bargs\.", r"\1arg.", str(value))
            return f"a command is `shell` here: {_line('shell', text)}"
        case "type":
            return _type_hint(value)
        case "role":
            role = f"[roles.{value}]" if isinstance(value, str) else "[roles.NAME]"
            return f"whom a step asks is `backend`: {_line('backend', value)}, with {role} in the settings"
        case "min_success":
            return f"how many have to answer is `quorum`: {_line('quorum', value)}"
        case "source":
            return "edits are applied by the step that asks for them: put `apply_edits = true` there"
        case "verify_retries":
            return f"it is called `fix_retries`: {_line('fix_retries', value)}"
        case "rollback_on_failure":
            return f"it is called `rollback`: {_line('rollback', value)}"
        case "sandbox":
            return _SANDBOXES.get(str(value), _SANDBOXES["read-only"])
        case "validate":
            return _validate_hint(value)
    return _PLAIN.get(key, "")


def _line(key: str, value: object) -> str:
    """``key = value`` for what is short, else the key alone."""
    text = f"{key} = {json.dumps(value, ensure_ascii=False, default=str)}"
    return text if len(text) <= _SHORT and "\\n" not in text else f"{key} = …"


def _type_hint(value: object) -> str:
    match value:
        case "apply":
            return "put `apply_edits = true` on the step that asks for the edits, and leave this one out"
        case "input":
            return "no step asks a person: two workflows, with a person between them"
        case "store":
            return "lok keeps no memory between runs: `shell` can write a file"
    return "leave it out: a step with `prompt` asks, and one with `shell` or `argv` runs a command"


def _validate_hint(value: object) -> str:
    """The checks of a validation, as asserts; after one that does not hold the model is asked again."""
    table = value if isinstance(value, Mapping) else {"check": value}
    asserts = [made for made in (_check(table.get("check")), _judge(table)) if made]
    shown = ", ".join(asserts) or "…"
    return f"checks of an answer are `assert`: assert = [{shown}], and `fix_retries = 1` asks once more"


def _check(check: object) -> str:
    """A check such as ``min_length(200)`` as a condition in quotes; "" where it is none that is known."""
    found = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*(.*?)\s*\))?\s*", check if isinstance(check, str) else "")
    form = _CHECKS.get(found[1]) if found else None
    if found is None or form is None:
        return ""
    value = found[2] or ""
    if "{}" in form and not _VALUE.fullmatch(value):
        return ""
    condition = form.replace("{}", value.replace('"', "'"))
    return json.dumps(condition, ensure_ascii=False)


def _judge(table: Mapping[str, Any]) -> str:
    if not table.get("prompt"):
        return ""
    backend = f', backend="{table["backend"]}"' if isinstance(table.get("backend"), str) else ""
    return f"'rubric(\"…\"{backend})'"
