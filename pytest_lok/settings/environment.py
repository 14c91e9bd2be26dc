"""An environment -> where the user's files are, whether CI runs us, what a change is compared with."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_lok.core.findings.bases import is_id

_TARGETS = (  # where CI systems say which branch a change goes to
    "GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH",
    "CHANGE_TARGET", "BUILDKITE_PULL_REQUEST_BASE_BRANCH", "SYSTEM_PULLREQUEST_TARGETBRANCH",
)  # fmt: skip
_GITLAB = ("COMMIT_BEFORE_SHA", "COMMIT_BRANCH", "DEFAULT_BRANCH")
_USUAL = (
    "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master",
    "refs/heads/main", "refs/heads/master",
)  # fmt: skip


def _absolute(environ: Mapping[str, str], name: str) -> str:
    """A directory of the XDG specification; a relative one does not count: it would lie in the checkout."""
    value = environ.get(name, "")
    return value if value.startswith("/") else ""


def config_dir(environ: Mapping[str, str]) -> Path | None:
    """Where the platform keeps a user's settings and workflows; None for a user without a home."""
    if environ.get("LOK_CONFIG_DIR"):
        return Path(environ["LOK_CONFIG_DIR"])
    if xdg := _absolute(environ, "XDG_CONFIG_HOME"):
        return Path(xdg) / "lok"
    if not environ.get("HOME"):
        return None
    folder = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return Path(environ["HOME"]) / folder / "lok"


def trusts(environ: Mapping[str, str]) -> bool:
    """Whether whoever made the environment answers for the project's settings."""
    return environ.get("LOK_TRUST", "").strip().lower() in ("1", "true", "yes")


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether nobody sits before it: every CI service sets ``CI``."""
    return bool(environ.get("CI"))


def state_dir(environ: Mapping[str, str]) -> Path:
    """Where the platform keeps what a program remembers between its runs."""
    if xdg := _absolute(environ, "XDG_STATE_HOME"):
        return Path(xdg) / "lok"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ("Library/Application Support" if sys.platform == "darwin" else ".local/state") / "lok"


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Where the platform keeps what a program can do without."""
    if xdg := _absolute(environ, "XDG_CACHE_HOME"):
        return Path(xdg) / "lok"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "lok"


def base_refs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What a change may be compared with: full names of refs, ids of commits; the first that exists.

    ``LOK_BASE``, else the branch that CI says the change goes to, else what was there before what was
    pushed, else the default branch. What ``LOK_BASE`` names may be short: ``core.bases`` reads it.
    """
    if base := environ.get("LOK_BASE"):
        return (base,)
    if target := next((environ[name] for name in _TARGETS if environ.get(name)), ""):
        return _branch(target)
    try:
        return _before(environ)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # no file, no JSON, another form
        said = environ.get("GITHUB_EVENT_PATH") or "CI_COMMIT_BEFORE_SHA"
        return (f"the commit before the push, which {said} does not tell",)


def _before(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What was there before the commits that CI was started for.

    A branch that is not the default one is compared with that one: else whoever pushes to it twice would
    choose what the first commits are compared with.
    """
    event, path = environ.get("GITHUB_EVENT_NAME"), environ.get("GITHUB_EVENT_PATH")
    if event not in ("push", "merge_group") or not path:
        before, branch, default = (environ.get(f"CI_{name}", "") for name in _GITLAB)
    else:
        said = json.loads(Path(path).read_bytes())
        if event == "merge_group":
            return (_commit(said["merge_group"].get("base_sha")),)
        before, branch = said["before"], (said.get("ref") or "").removeprefix("refs/heads/")
        default = (said.get("repository") or {}).get("default_branch") or ""
    usual = _branch(default) if default else _USUAL
    if not before.strip("0") or (default and branch and branch != default):
        return usual
    return (_commit(before),)


def _commit(said: str) -> str:
    if not is_id(said):
        raise ValueError(f"{said!r} is no commit")
    return said


def _branch(name: str) -> tuple[str, ...]:
    name = name.removeprefix("refs/heads/")
    return (f"refs/remotes/origin/{name}", f"refs/heads/{name}")
