"""GitHub, by its command line tool ``gh``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from pytest_lok.workspace.forges.reference import Reference

RunTool = Callable[[Sequence[str], str], str]
"""Runs a command with this standard input and returns what it prints; LokError if it fails."""

_PULL = "number,title,author,body,baseRefName,headRefName,additions,deletions,changedFiles,url,state"
_ISSUE = "number,title,state,labels,body,comments,url"
_RED = frozenset({"FAILURE", "ERROR", "TIMED_OUT", "STARTUP_FAILURE", "CANCELLED", "ACTION_REQUIRED"})


class GitHub:
    """Pull requests, issues, checks and comments of the repository that ``ref`` names."""

    def __init__(self, ref: Reference, run: RunTool) -> None:
        self._ref = ref
        self._run = run
        slug = f"{ref.host}/{ref.repo}" if ref.host and ref.host != "github.com" else ref.repo
        self._repo = (f"--repo={slug}",) if slug else ()

    def pull_request(self) -> dict[str, Any]:
        """Its fields under GitHub's names (``number``, ``author.login``, …), and ``size`` in words."""
        said = self._json("pr", "view", self._ref.name, *self._repo, "--json", _PULL)
        size = f"+{said['additions']} -{said['deletions']} in {said['changedFiles']} files"
        return {**said, "size": size}

    def diff(self) -> str:
        """The change of the pull request, as a diff."""
        return self._run(["gh", "pr", "diff", self._ref.name, *self._repo, "--color", "never"], "")

    def issue(self) -> dict[str, Any]:
        """``number``, ``title``, ``state``, ``labels[].name``, ``body``, ``comments[].body``, ``url``."""
        return self._json("issue", "view", self._ref.name, *self._repo, "--json", _ISSUE)

    def checks(self) -> dict[str, Any]:
        """``title``, ``commit``, ``checks`` and of these ``failed``: each a ``name``, ``url``, ``result``."""
        said = self._json(
            "pr", "view", self._ref.name, *self._repo, "--json", "title,headRefOid,statusCheckRollup"
        )
        checks = [
            {
                "name": check.get("name") or check.get("context"),
                "url": check.get("detailsUrl") or check.get("targetUrl"),
                "result": check.get("conclusion") or check.get("state") or check.get("status"),
            }
            for check in said.get("statusCheckRollup") or ()
        ]
        failed = [check for check in checks if check["result"] in _RED]
        return {"title": said["title"], "commit": said["headRefOid"], "checks": checks, "failed": failed}

    def failed_jobs(self) -> list[tuple[str, Callable[[], str]]]:
        """The failed runs of the pull request's commit, each with a function that fetches its log."""
        commit = str(self.checks()["commit"])
        fields = ("--limit", "50", "--json", "databaseId,name,conclusion")
        runs = json.loads(self._run(["gh", "run", "list", *self._repo, "--commit", commit, *fields], ""))
        return [
            (str(run["name"]), self._log_of(str(run["databaseId"])))
            for run in runs
            if str(run.get("conclusion")).upper() in _RED
        ]

    def _log_of(self, number: str) -> Callable[[], str]:
        return lambda: self._run(["gh", "run", "view", number, *self._repo, "--log-failed"], "")

    def comment(self, marker: str, text: str) -> str:
        """Write one comment on the pull request, in the place of one's own that begins with the marker."""
        said, mine = self._own_comments(marker)
        if not mine:
            words = ["gh", "pr", "comment", str(said["number"]), *self._repo, "--body-file", "-"]
            return self._run(words, text).strip()
        url = str(mine[-1]["url"])
        # https://HOST/OWNER/REPO/pull/12#issuecomment-99
        host, owner, repo = str(said["url"]).removeprefix("https://").split("/")[:3]
        path = f"repos/{owner}/{repo}/issues/comments/{url.rpartition('-')[2]}"
        words = ["gh", "api", "--hostname", host, "--method", "PATCH", path]
        words += ["--input", "-", "--jq", ".html_url"]
        return self._run(words, json.dumps({"body": text})).strip()

    def own_comment(self, marker: str) -> str | None:
        """The text of one's own comment that begins with the marker; None if there is none."""
        _, mine = self._own_comments(marker)
        return str(mine[-1]["body"]) if mine else None

    def _own_comments(self, marker: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The pull request, and the comments on it that are one's own and begin with the marker."""
        said = self._json("pr", "view", self._ref.name, *self._repo, "--json", "number,url,comments")
        mine = [
            it for it in said["comments"] if it.get("viewerDidAuthor") and str(it["body"]).startswith(marker)
        ]
        return said, mine

    def issues(self) -> list[str]:
        """The titles of the open issues, the newest first."""
        found = json.loads(
            self._run(["gh", "issue", "list", *self._repo, "--limit", "500", "--json", "title"], "")
        )
        return [str(issue["title"]) for issue in found]

    def create_issue(self, title: str, text: str) -> str:
        """Open an issue; returns its address."""
        return self._run(
            ["gh", "issue", "create", *self._repo, f"--title={title}", "--body-file", "-"], text
        ).strip()

    def _json(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._run(["gh", *words], ""))
        return found
