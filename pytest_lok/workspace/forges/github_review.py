"""Comments on the lines of a pull request of GitHub, and its threads, by `gh api`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from pytest_lok.core.findings.threads import ReviewThread, marked_fingerprint
from pytest_lok.errors import LokError
from pytest_lok.workspace.forges.github import GitHub
from pytest_lok.workspace.forges.review import LineComment, PullRequestHead

_THREADS = """query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    reviewThreads(first: 50, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id isResolved resolvedBy { login }
        comments(first: 100) { nodes { body viewerDidAuthor author { __typename login } } } }
    } } } }"""
_RESOLVE = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { id } } }"
_REOPEN = "mutation($id: ID!) { unresolveReviewThread(input: {threadId: $id}) { thread { id } } }"
_NOT_A_LINE = "HTTP 422"
_NO_SUCH_COMMIT = ("HTTP 404", "HTTP 422")


class GitHubReview(GitHub):
    """A ``ReviewForge``: one pull request of GitHub."""

    def head(self) -> PullRequestHead:
        """What is judged there now."""
        return PullRequestHead(url=str(self._pull["url"]), commit=str(self._pull["headRefOid"]))

    def parents(self, commit: str) -> list[str]:
        """The parents of a commit; none of one that GitHub does not know."""
        owner, name, _ = self._names
        words = ["gh", "api", "--hostname", self._host, f"repos/{owner}/{name}/commits/{commit}"]
        try:
            return [str(it["sha"]) for it in json.loads(self._run(words, ""))["parents"]]
        except LokError as failure:
            if not any(said in failure.message for said in _NO_SUCH_COMMIT):
                raise
            return []

    def threads(self, workflow: str) -> list[ReviewThread]:
        """Of a thread only the author can say whose it is: anybody may write such a marker."""
        found = []
        for thread in self._all_threads():
            first, *more = thread["comments"]["nodes"]
            digest = marked_fingerprint(str(first["body"]), workflow)
            if not digest or not first["viewerDidAuthor"]:
                continue
            # a thread that lok itself has resolved is no answer of a person
            me, resolver = _login(first.get("author")), _login(thread.get("resolvedBy"))
            answered = any(map(_is_from_person, more)) or resolver not in ("", me)
            found.append(
                ReviewThread(
                    key=str(thread["id"]),
                    fingerprint=digest,
                    resolved=bool(thread["isResolved"]),
                    answered=answered,
                )
            )
        return found

    def write(self, comments: Sequence[LineComment]) -> list[LineComment]:
        """One review with all comments, which is one mail; if a line is refused, a review for each."""
        try:
            self._review(comments)
        except LokError as failure:
            if _NOT_A_LINE not in failure.message:
                raise
            if len(comments) == 1:
                return list(comments)
            return [lost for comment in comments for lost in self.write([comment])]
        return []

    def settle(self, thread: ReviewThread, *, resolved: bool) -> None:
        """Resolve the thread, or open it again."""
        self._graphql(_RESOLVE if resolved else _REOPEN, id=thread.key)

    def _review(self, comments: Sequence[LineComment]) -> None:
        # never a yes to the pull request: what lok thinks of it is the check's word
        review = {
            "commit_id": self.head().commit,
            "event": "COMMENT",
            "comments": [
                {
                    "path": comment.path,
                    "line": comment.line,
                    "side": "LEFT" if comment.removed else "RIGHT",
                    "body": comment.text,
                }
                for comment in comments
            ],
        }
        owner, name, number = self._names
        words = ["--method", "POST", f"repos/{owner}/{name}/pulls/{number}/reviews", "--input", "-"]
        self._run(["gh", "api", "--hostname", self._host, *words], json.dumps(review))

    def _all_threads(self) -> Iterator[dict[str, Any]]:
        owner, name, number = self._names
        after: str | None = None
        while True:
            said = self._graphql(_THREADS, owner=owner, name=name, number=number, after=after)
            page = said["repository"]["pullRequest"]["reviewThreads"]
            yield from (thread for thread in page["nodes"] if thread["comments"]["nodes"])
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def _graphql(self, query: str, **variables: object) -> dict[str, Any]:
        question = json.dumps({"query": query, "variables": variables})
        words = ["gh", "api", "--hostname", self._host, "graphql", "--input", "-"]
        found: dict[str, Any] = json.loads(self._run(words, question))["data"]
        return found

    @cached_property
    def _pull(self) -> dict[str, Any]:
        fields = "number,url,headRefOid"
        return self._json("pr", "view", self._ref.name, *self._repo, "--json", fields)

    @property
    def _host(self) -> str:
        # https://HOST/OWNER/REPO/pull/12
        return str(self._pull["url"]).removeprefix("https://").split("/")[0]

    @property
    def _names(self) -> tuple[str, str, int]:
        _, owner, name = str(self._pull["url"]).removeprefix("https://").split("/")[:3]
        return owner, name, int(self._pull["number"])


def _login(actor: Mapping[str, Any] | None) -> str:
    """The name of an actor, "" if it is gone; a bot has two spellings."""
    return str(actor["login"]).removesuffix("[bot]") if actor else ""


def _is_from_person(comment: Mapping[str, Any]) -> bool:
    return not comment["viewerDidAuthor"] and (comment.get("author") or {}).get("__typename") != "Bot"
