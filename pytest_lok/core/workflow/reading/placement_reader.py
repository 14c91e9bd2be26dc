"""The keys that say where a command runs -> Placement, and which files of it the others can have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_lok.core.remote import Placement
from pytest_lok.core.workflow.model import Ask, Nested, Shell
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Action
    from pytest_lok.core.workflow.reading.step_keys import StepKeys

HERE = "here"
"""The label that stands for the machine of the driver."""

_LABEL = late_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_PRIVATE = (".git", ".lok")


def read_placement(keys: StepKeys, action: Action | None) -> Placement | None:
    """Where the command of the step runs; None = here, or nobody knows, as a problem has been reported."""
    document = keys.document
    said = [key for key in ("on", "needs") if key in keys.written]
    for at, pattern in enumerate(document.artifacts or ()):
        _check_pattern(keys, pattern, at)
    if not said:
        return Placement() if keys.context.travels and action is not None and _may_travel(action) else None
    if not _runs_command(keys):
        keys.report(
            f"`{said[0]}` places a command, and this step runs none",
            "`verify` and the commands of other steps can be placed",
            said[0],
            key=True,
        )
    if (document.argv or [""])[0] == "lok":
        keys.report(
            f"`{said[0]}` sends a command elsewhere, and `lok` runs where the workflow does",
            "remove it, or make another command a step of its own",
            said[0],
            key=True,
        )
    if document.on is not None and not _LABEL.fullmatch(document.on):
        hint = 'letters, digits, _, -, . and :, for example on = "big"; placeholders have no meaning here'
        keys.report(f"`on` is a label of a place, not {document.on!r}", hint, "on")
    if keys.written.get("needs") == {}:
        keys.report("`needs` says nothing", 'needs = { cores = 4, memory = "8GB" }', "needs")
    if document.on == HERE:
        if "needs" in said:
            keys.report(
                '`needs` is about a place of the fleet, and on = "here" is none',
                "keep one",
                "needs",
                key=True,
            )
        return None
    needs = document.needs
    return Placement(
        on=document.on or "",
        cores=needs.cores if needs else 1.0,
        memory=(needs.memory or 0) if needs else 0,
    )


def check_left_files(written: Mapping[str, StepKeys]) -> None:
    """Report each command that leaves files elsewhere which a later step may read, and does not say which."""
    before: dict[str, set[str]] = {}
    for name, keys in written.items():
        todo, needed = [*keys.needs], set[str]()
        while todo:
            if (other := todo.pop()) not in needed and other in written:
                needed.add(other)
                todo += before.get(other, written[other].needs)
        before[name] = needed
    for name, keys in written.items():
        if not keys.leaves_files:
            continue
        reader = next((it for it in written if name in before[it] and _reads_files(written[it])), None)
        if reader is not None:
            said = next((key for key in ("on", "needs", "workflow") if key in keys.written), None)
            keys.report(
                f"step `{reader}` may read files that `{name}` leaves, and they stay where `{name}` runs",
                'name those that come back, artifacts = ["dist/*.whl"]; [] = it reads none'
                + ('; on = "here" runs it on this machine' if said is None else ""),
                *([said] if said else []),
                key=True,
            )


def leaves_files(action: Action | None, placement: Placement | None) -> bool:
    """Whether files stay at another place of which nothing is said, also of a workflow that a step runs."""
    match action:
        case Shell():
            return placement is not None and action.artifacts is None
        case Nested():
            return any(leaves_files(step.action, step.placement) for step in action.workflow.in_all())
    return False


def _may_travel(action: Action) -> bool:
    """Whether a command goes to a place by the settings alone: none that acts outside, and no lok."""
    match action:
        case Shell():
            return not action.effects and not (action.argv and action.argv[0].source == "lok")
        case Ask():
            return action.verify is not None or bool(action.verify_preset)
    return False


def _runs_command(keys: StepKeys) -> bool:
    verifies = keys.document.verify not in (None, False, "", "false")
    return verifies or not keys.is_blank("shell") or not keys.is_blank("argv")


def _reads_files(keys: StepKeys) -> bool:
    """Whether a step may read the files of the workspace, as far as its keys tell."""
    document = keys.document
    return (
        _runs_command(keys)
        or not keys.is_blank("workflow")
        or bool(document.attach)
        or document.apply_edits
        or keys.reports_findings
    )


def _check_pattern(keys: StepKeys, pattern: str, at: int) -> None:
    path = PurePosixPath(pattern)
    why = ""
    if not pattern.strip() or path.is_absolute() or ".." in path.parts or not path.parts:
        why = "lies inside the workspace"
    elif path.parts[0] in _PRIVATE:
        why = f"is no file of {path.parts[0]}"
    elif "{{" in pattern:
        why = "is a pattern, and holds no placeholder"
    if why:
        keys.report(f"an artifact {why}, unlike {pattern!r}", 'artifacts = ["dist/*.whl"]', "artifacts", at)
