"""The steps of a verb -> the text of a workflow file, as a person could have written it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w


def workflow_text(
    *,
    name: str,
    description: str,
    arguments: Sequence[str],
    steps: Sequence[Mapping[str, Any]],
    budget: Mapping[str, float] | None = None,
) -> str:
    """The text of a workflow file with these required arguments; the first one is also the first
    positional value.

    ``steps`` are tables as a file holds them. ``budget`` is the table of that name.
    """
    document: dict[str, Any] = {"name": name, "description": description, "collect": False}
    document["args"] = {argument: {"required": True} for argument in arguments}
    document["args"][arguments[0]]["position"] = 1
    if budget:
        document["budget"] = dict(budget)
    document["steps"] = [dict(step) for step in steps]
    return tomli_w.dumps(document, multiline_strings=True)


def no_work_step(name: str, *, when: str, why: str) -> dict[str, Any]:
    """A step that is an error with the reason ``why`` where the condition holds, and is skipped elsewhere.

    ``why`` holds no quotation mark.
    """
    return {"name": name, "when": when, "judges": False, "shell": f"echo '{why}' >&2; exit 1"}


def some_item_passed(name: str) -> str:
    """A condition: the ``for_each`` of the step ran, and not every item failed."""
    passed = f"(steps.{name}.output | selectattr('success') | list | length) > 0"
    return f"not steps.{name}.skipped and {passed}"


def step_name(*parts: str | int) -> str:
    """The parts as one name of a step: ``step_name("my.gateway", 2)`` is ``my-gateway-2``."""
    return "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", str(part)).strip("-") or "agent" for part in parts)


def last_passed(steps: Sequence[str], field: str) -> str:
    """A template: the field of the last of these steps that passed; "" if none did."""
    tags = [
        f"{{% {'if' if at == 0 else 'elif'} steps.{name}.passed %}}{{{{ steps.{name}.output.{field} }}}}"
        for at, name in enumerate(reversed(steps))
    ]
    return "".join([*tags, "{% endif %}"])


def asking(backends: Sequence[str]) -> dict[str, Any]:
    """The keys of a step that asks these backends one after the other until one answers."""
    return {"backends": list(backends), **({"consensus": "fallback"} if len(backends) > 1 else {})}
