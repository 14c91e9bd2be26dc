"""The files that a step attaches -> their texts, or why one cannot be attached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.core.asking.attachments import MAX_FILE_BYTES, MAX_TOTAL_BYTES
from pytest_lok.core.edits.edits import refused_path
from pytest_lok.core.findings.encodings import decode_readings, is_binary
from pytest_lok.errors import OutputError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.core.workflow.model import Ask
    from pytest_lok.engine.ports import Workspace


def attachment_paths(action: Ask, scope: Scope) -> list[str]:
    """The paths that the step attaches, in order, each once; OutputError if they are no list of texts."""
    if action.attach_from is None:
        return list(dict.fromkeys(path.render(scope) for path in action.attach))
    value = action.attach_from.value(scope)
    if not isinstance(value, list) or not all(isinstance(path, str) for path in value):
        raise OutputError(f"attach needs a list of paths, and {action.attach_from.source.strip()} is none")
    return list(dict.fromkeys(str(path) for path in value))


def attached_files(paths: list[str], workspace: Workspace) -> dict[str, str]:
    """The text of each of these files by its path; StepUnableError if one of them cannot be read whole.

    A file that is left out in silence would be a file that was not reviewed.
    """
    texts: dict[str, str] = {}
    total = 0
    for path in paths:
        content = _content(path, workspace)
        total += len(content)
        if len(content) > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
            what = (
                f"{path} has {len(content):,} bytes"
                if len(content) > MAX_FILE_BYTES
                else "together they have more"
            )
            limit = MAX_FILE_BYTES if len(content) > MAX_FILE_BYTES else MAX_TOTAL_BYTES
            raise StepUnableError(
                f"the files cannot be attached: {what}; the limit is {limit:,}",
                hint="attach fewer files to one question, for example with for_each over `lok parts`",
            )
        texts[path] = decode_readings(content)[0][0]
    return texts


def _content(path: str, workspace: Workspace) -> bytes:
    why = refused_path(path)
    try:
        content = None if why else workspace.read(path)
    except ValueError as refusal:
        why = str(refusal)
    if why or content is None:
        raise StepUnableError(
            f"{path!r} cannot be attached: it {why or 'is not there, or is no file'}",
            hint="paths are relative to the project, and lead through no link",
        )
    if is_binary(content):
        raise StepUnableError(f"{path!r} cannot be attached: it is binary", hint="attach text files alone")
    return content
