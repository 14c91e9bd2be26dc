"""GitLab, by its command line tool ``glab``; what it says is put into the words of GitHub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from pytest_lok.workspace.forges.github import RunTool
from pytest_lok.workspace.forges.reference import Reference

_PAGE, _MOST_PAGES = 100, 50


class GitLab:
    """Merge requests, issues, jobs and notes of the project that ``ref`` names."""

    def __init__(self, ref: Reference, run: RunTool) -> None:
        self._ref = ref
        self._run = run
        project = f"https://{ref.host}/{ref.repo}" if ref.host else ref.repo
        self._repo = (f"--repo={project}",) if ref.repo else ()

    def pull_request(self) -> dict[str, Any]:
        """The merge request, with the same keys as a pull request of GitHub."""
        said = self._merge_request()
        return {
            "number": said["iid"],
            "title": said["title"],
            "author": {"login": said.get("author", {}).get("username", "")},
            "body": said.get("description") or "",
            "baseRefName": said["target_branch"],
            "headRefName": said["source_branch"],
            "changedFiles": said.get("changes_count") or "",
            "size": f"{said.get('changes_count') or 'unknown'} files",
            "url": said["web_url"],
            "state": str(said["state"]).upper(),
        }

    def diff(self) -> str:
        """The change of the merge request, as a diff."""
        return self._run(["glab", "mr", "diff", self._ref.name, *self._repo, "--raw", "--color", "never"], "")

    def issue(self) -> dict[str, Any]:
        """The issue, with the same keys as an issue of GitHub."""
        said = json.loads(
            self._run(["glab", "issue", "view", self._ref.name, *self._repo, "--output", "json"], "")
        )
        notes = self._api(f"projects/{project_path(said)}/issues/{said['iid']}/notes?sort=asc&per_page=100")
        return {
            "number": said["iid"],
            "title": said["title"],
            "state": str(said["state"]).upper(),
            "labels": [{"name": name} for name in said.get("labels") or ()],
            "body": said.get("description") or "",
            "comments": [{"body": note["body"]} for note in notes if not note.get("system")],
            "url": said["web_url"],
        }

    def checks(self) -> dict[str, Any]:
        """The jobs of the merge request's last pipeline, in the form of GitHub's checks."""
        said = self._merge_request()
        checks = [
            {"name": job["name"], "url": job["web_url"], "result": _result(job)} for job in self._jobs(said)
        ]
        failed = [check for check in checks if check["result"] in ("FAILURE", "CANCELLED")]
        return {"title": said["title"], "commit": said["sha"], "checks": checks, "failed": failed}

    def failed_jobs(self) -> list[tuple[str, Callable[[], str]]]:
        """The failed jobs of the last pipeline, each with a function that fetches its log."""
        said = self._merge_request()
        project = project_path(said)
        return [
            (str(job["name"]), self._log_of(project, int(job["id"])))
            for job in self._jobs(said)
            if _result(job) == "FAILURE"
        ]

    def _log_of(self, project: str, number: int) -> Callable[[], str]:
        return lambda: self._run(
            ["glab", "api", f"projects/{project}/jobs/{number}/trace", *self._host()], ""
        )

    def comment(self, marker: str, text: str) -> str:
        """Write one note on the merge request, in the place of one's own that begins with the marker."""
        said = self._merge_request()
        notes = self._notes(said)
        mine = self._own_notes(notes, marker)
        way = ("PUT", f"{notes}/{mine[0]['id']}") if mine else ("POST", notes)
        note = self._send(*way, {"body": text})
        return f"{said['web_url']}#note_{note['id']}"

    def own_comment(self, marker: str) -> str | None:
        """The text of one's own note that begins with the marker; None if there is none."""
        mine = self._own_notes(self._notes(self._merge_request()), marker)
        return str(mine[0]["body"]) if mine else None

    def _notes(self, merge_request: Mapping[str, Any]) -> str:
        return f"projects/{project_path(merge_request)}/merge_requests/{merge_request['iid']}/notes"

    def _own_notes(self, notes: str, marker: str) -> list[dict[str, Any]]:
        return [
            note
            for note in self._pages(notes)
            if note["author"]["username"] == self._me and str(note["body"]).startswith(marker)
        ]

    @cached_property
    def _me(self) -> str:
        return str(self._api("user")["username"])

    def issues(self) -> list[str]:
        """The titles of the open issues, the newest first."""
        words = ["glab", "issue", "list", *self._repo, "--per-page", "100", "--output", "json"]
        return [str(issue["title"]) for issue in json.loads(self._run(words, ""))]

    def create_issue(self, title: str, text: str) -> str:
        """Open an issue; returns its address."""
        words = ["glab", "issue", "create", *self._repo, f"--title={title}", f"--description={text}", "--yes"]
        return self._run(words, "").strip().split("\n")[-1]

    def _merge_request(self) -> dict[str, Any]:
        words = ["glab", "mr", "view", self._ref.name, *self._repo, "--output", "json"]
        found: dict[str, Any] = json.loads(self._run(words, ""))
        return found

    def _jobs(self, merge_request: Mapping[str, Any]) -> list[dict[str, Any]]:
        pipeline = merge_request.get("head_pipeline") or merge_request.get("pipeline")
        if not pipeline:
            return []
        project = project_path(merge_request)
        found: list[dict[str, Any]] = self._api(
            f"projects/{project}/pipelines/{pipeline['id']}/jobs?per_page=100"
        )
        return found

    def _api(self, path: str) -> Any:
        return json.loads(self._run(["glab", "api", path, *self._host()], ""))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        """What all pages of a list hold."""
        for page in range(1, _MOST_PAGES + 1):
            found = self._api(f"{path}?per_page={_PAGE}&page={page}")
            yield from found
            if len(found) < _PAGE:
                return

    def _send(self, method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        words = ["glab", "api", "--method", method, path, *self._host()]
        words += ["--header", "Content-Type: application/json", "--input", "-"]
        found: dict[str, Any] = json.loads(self._run(words, json.dumps(document)))
        return found

    def _host(self) -> tuple[str, ...]:
        return ("--hostname", self._ref.host) if self._ref.host else ()


def project_path(said: Mapping[str, Any]) -> str:
    """The project of a merge request or an issue, as a part of an API's path: its address says it."""
    path = str(said["web_url"]).split("://", 1)[-1].split("/", 1)[1].split("/-/", 1)[0]
    return quote(path, safe="")


def _result(job: Mapping[str, Any]) -> str:
    """The state of a job in GitHub's words; a job that may fail is no failure."""
    state = str(job["status"])
    if state == "failed":
        return "NEUTRAL" if job.get("allow_failure") else "FAILURE"
    return {"success": "SUCCESS", "canceled": "CANCELLED", "skipped": "SKIPPED"}.get(state, state.upper())
