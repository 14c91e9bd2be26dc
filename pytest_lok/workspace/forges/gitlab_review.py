"""Comments on the lines of a merge request of GitLab, and its discussions, by `glab api`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from pytest_lok.core.findings.threads import ReviewThread, marked_fingerprint
from pytest_lok.errors import LokError
from pytest_lok.workspace.forges.gitlab import GitLab, project_path
from pytest_lok.workspace.forges.review import LineComment, PullRequestHead

_NOT_A_LINE = "HTTP 400"
_NO_SUCH_COMMIT = "HTTP 404"


class GitLabReview(GitLab):
    """A ``ReviewForge``: one merge request of GitLab."""

    def head(self) -> PullRequestHead:
        """What is judged there now."""
        said = self._request
        return PullRequestHead(url=str(said["web_url"]), commit=str(said["sha"]))

    def parents(self, commit: str) -> list[str]:
        """The parents of a commit; none of one that GitLab does not know."""
        project = project_path(self._request)
        try:
            return [
                str(it) for it in self._api(f"projects/{project}/repository/commits/{commit}")["parent_ids"]
            ]
        except LokError as failure:
            if _NO_SUCH_COMMIT not in failure.message:
                raise
            return []

    def threads(self, workflow: str) -> list[ReviewThread]:
        """Of a discussion only the author can say whose it is: anybody may write such a marker."""
        found = []
        for discussion in self._pages(f"{self._place}/discussions"):
            notes = [note for note in discussion["notes"] if not note.get("system")]
            if not notes or notes[0]["author"]["username"] != self._me:
                continue
            digest = marked_fingerprint(str(notes[0]["body"]), workflow)
            if not digest:
                continue
            # a discussion that lok itself has resolved is no answer of a person
            resolver = (notes[0].get("resolved_by") or {}).get("username")
            others = [note for note in notes[1:] if note["author"]["username"] != self._me]
            found.append(
                ReviewThread(
                    key=str(discussion["id"]),
                    fingerprint=digest,
                    resolved=bool(notes[0].get("resolved")),
                    answered=bool(others) or resolver not in (None, self._me),
                )
            )
        return found

    def write(self, comments: Sequence[LineComment]) -> list[LineComment]:
        """A discussion for each comment."""
        lost = []
        for comment in comments:
            try:
                self._send("POST", f"{self._place}/discussions", self._discussion(comment))
            except LokError as failure:
                if _NOT_A_LINE not in failure.message:
                    raise
                lost.append(comment)
        return lost

    def settle(self, thread: ReviewThread, *, resolved: bool) -> None:
        """Resolve the discussion, or open it again."""
        self._send("PUT", f"{self._place}/discussions/{thread.key}", {"resolved": resolved})

    def _discussion(self, comment: LineComment) -> dict[str, Any]:
        refs = self._request["diff_refs"]
        line = {"old_line": comment.line} if comment.removed else {"new_line": comment.line}
        position = {
            "position_type": "text",
            "base_sha": refs["base_sha"],
            "start_sha": refs["start_sha"],
            "head_sha": refs["head_sha"],
            "old_path": comment.path,
            "new_path": comment.path,
            **line,
        }
        return {"body": comment.text, "position": position}

    @cached_property
    def _request(self) -> dict[str, Any]:
        return self._merge_request()

    @property
    def _place(self) -> str:
        return f"projects/{project_path(self._request)}/merge_requests/{self._request['iid']}"
