"""The environment -> the user's directories, whether this is CI, and the base of a change."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_lok.core.findings.bases import is_id
from pytest_lok.late_regex import late_regex

_TARGET_VARIABLES = (  # where CI systems say which branch a change goes to
    # GitHub, GitLab, Bitbucket, Jenkins, Buildkite, Azure Pipelines
    "GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "BITBUCKET_PR_DESTINATION_BRANCH",
    "CHANGE_TARGET", "BUILDKITE_PULL_REQUEST_BASE_BRANCH", "SYSTEM_PULLREQUEST_TARGETBRANCH",
)  # fmt: skip
_GITHUB_REQUEST = late_regex(r"refs/pull/(\d{1,10})/(?:merge|head)")
_REQUEST_VARIABLES = (  # where the same systems say which pull request a run is of
    "CI_MERGE_REQUEST_IID", "BITBUCKET_PR_ID", "CHANGE_ID", "BUILDKITE_PULL_REQUEST",
    "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID",
)  # fmt: skip
_GITLAB_VARIABLES = ("COMMIT_BEFORE_SHA", "COMMIT_BRANCH", "DEFAULT_BRANCH")
_OF_ONE_REPOSITORY = frozenset(
    {
        # what `git rev-parse --local-env-vars` lists, but for the configuration that may hold a credential
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_OBJECT_DIRECTORY",
        "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE",
        "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR",
        "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE", "GIT_QUARANTINE_PATH", "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
        *_TARGET_VARIABLES, *_REQUEST_VARIABLES, *(f"CI_{name}" for name in _GITLAB_VARIABLES),
        "GITHUB_REF", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "LOK_TRUST",
    }
)  # fmt: skip
_DEFAULT_BRANCHES = (
    "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master",
    "refs/heads/main", "refs/heads/master",
)  # fmt: skip


def _absolute(environ: Mapping[str, str], name: str) -> str:
    """A directory of the XDG specification; "" where it is relative, for that would lie in the checkout."""
    value = environ.get(name, "")
    return value if value.startswith("/") else ""


def config_dir(environ: Mapping[str, str]) -> Path | None:
    """The directory of the user's settings and workflows; None for a user without a home directory."""
    if environ.get("LOK_CONFIG_DIR"):
        return Path(environ["LOK_CONFIG_DIR"])
    if xdg := _absolute(environ, "XDG_CONFIG_HOME"):
        return Path(xdg) / "lok"
    if not environ.get("HOME"):
        return None
    folder = "Library/Application Support" if sys.platform == "darwin" else ".config"
    return Path(environ["HOME"]) / folder / "lok"


def trusted_by_environment(environ: Mapping[str, str]) -> bool:
    """Whether ``LOK_TRUST`` says that the project's settings are trusted."""
    return environ.get("LOK_TRUST", "").strip().lower() in ("1", "true", "yes")


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether this runs in CI: every CI service sets ``CI``."""
    return bool(environ.get("CI"))


def environment_elsewhere(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for work in another repository than the one that lok was started for.

    Nothing of it names this repository to git, or the change that CI runs for; and it trusts no settings.
    ``LOK_BASE`` stays: the user has said it for all of them.
    """
    return {name: value for name, value in environ.items() if name not in _OF_ONE_REPOSITORY}


def takes_reports(environ: Mapping[str, str]) -> bool:
    """Whether GitHub Actions or GitLab runs this, which show reports of their own kinds."""
    return environ.get("GITHUB_ACTIONS") == "true" or bool(environ.get("GITLAB_CI"))


def state_dir(environ: Mapping[str, str]) -> Path:
    """The directory of what lok remembers between runs, as the platform has it."""
    if xdg := _absolute(environ, "XDG_STATE_HOME"):
        return Path(xdg) / "lok"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ("Library/Application Support" if sys.platform == "darwin" else ".local/state") / "lok"


def cache_dir(environ: Mapping[str, str]) -> Path:
    """The directory of what lok can do without, as the platform has it."""
    if xdg := _absolute(environ, "XDG_CACHE_HOME"):
        return Path(xdg) / "lok"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "lok"


def pull_request(environ: Mapping[str, str]) -> str:
    """The number of the pull request (merge request) that CI runs for; "" = none, or not known."""
    found = _GITHUB_REQUEST.fullmatch(environ.get("GITHUB_REF", ""))
    said = found[1] if found else next(filter(None, map(environ.get, _REQUEST_VARIABLES)), "")
    # some services say `false` where there is none
    return said if said.isdecimal() else ""


def base_refs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The bases of a change, as names of refs or ids of commits. The first that exists counts.

    These are ``LOK_BASE``; else the branch that the change goes to, by CI; else the commit before the push;
    else the default branch. ``LOK_BASE`` may be a short name, see ``core.findings.bases``.
    """
    if base := environ.get("LOK_BASE"):
        return (base,)
    if target := next((environ[name] for name in _TARGET_VARIABLES if environ.get(name)), ""):
        return _branch(target)
    try:
        return _before_push(environ)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # no file, no JSON, another form
        # no other base is taken instead: this name does not exist, and so the message names it
        said = environ.get("GITHUB_EVENT_PATH") or "CI_COMMIT_BEFORE_SHA"
        return (f"the commit before the push, which {said} does not tell",)


def _before_push(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The commit before the push that CI was started for.

    A branch other than the default one is compared with the default one. Otherwise whoever pushes to the
    branch twice would choose what the first commits are compared with.
    """
    event, path = environ.get("GITHUB_EVENT_NAME"), environ.get("GITHUB_EVENT_PATH")
    if event not in ("push", "merge_group") or not path:
        before, branch, default = (environ.get(f"CI_{name}", "") for name in _GITLAB_VARIABLES)
    else:
        said = json.loads(Path(path).read_bytes())
        if event == "merge_group":
            return (_commit(said["merge_group"].get("base_sha")),)
        before, branch = said["before"], (said.get("ref") or "").removeprefix("refs/heads/")
        default = (said.get("repository") or {}).get("default_branch") or ""
    usual = _branch(default) if default else _DEFAULT_BRANCHES
    # zeros: the branch is new, so there was no commit before
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
