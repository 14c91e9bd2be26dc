"""The environment of a CI job -> whether strangers may have started it with the repository's secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PLAIN_EVENTS = frozenset(
    {
        "pull_request", "pull_request_review", "pull_request_review_comment", "merge_group", "push",
        "schedule", "workflow_dispatch", "workflow_call", "release", "create",
    }
)  # fmt: skip
"""Events of GitHub Actions that give a change of a fork no secret, or that need the right to write."""


def privileged_event(environ: Mapping[str, str]) -> str:
    """What started this job with secrets though a stranger may have caused it; "" = nothing of the kind.

    Of GitHub's events all but the known harmless ones count, new ones too.
    """
    event = environ.get("GITHUB_EVENT_NAME", "")
    if event and event not in PLAIN_EVENTS:
        return f"`{event}` of GitHub Actions"
    own, source, target = (
        environ.get(f"CI_{name}", "")
        for name in ("PROJECT_ID", "MERGE_REQUEST_SOURCE_PROJECT_ID", "MERGE_REQUEST_PROJECT_ID")
    )
    if source and source != target == own:
        return "a GitLab pipeline of this project for a fork's merge request"
    return ""


def is_from_fork(environ: Mapping[str, str]) -> bool:
    """Whether the change comes from a fork, as far as GitHub's event or GitLab's variables tell."""
    source = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
    if source:
        return source != environ.get("CI_MERGE_REQUEST_PROJECT_ID", "")
    change = _event(environ).get("pull_request")
    sides = [_repository(change, side) for side in ("head", "base")]
    return bool(change) and sides[0] != sides[1]


def target_branch(environ: Mapping[str, str]) -> str:
    """The branch that the change goes to, "" where CI does not say."""
    names = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CHANGE_TARGET")
    return next((environ[name].removeprefix("refs/heads/") for name in names if environ.get(name)), "")


def _event(environ: Mapping[str, str]) -> Mapping[str, Any]:
    path = environ.get("GITHUB_EVENT_PATH", "")
    if not path:
        return {}
    try:
        found = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _repository(change: Any, side: str) -> str:
    """The repository of a side of a pull request; "" if it is gone, as that of a deleted fork."""
    for key in (side, "repo", "full_name"):
        change = change.get(key) if isinstance(change, dict) else None
    return change if isinstance(change, str) else ""
