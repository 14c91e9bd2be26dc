"""``gh`` and ``glab`` as executables: they check what they are called with, keep a pull request in a file, and
answer in the JSON of GitHub and GitLab. Faults are switched on in that file, as is who is asking.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

STATE = Path(__file__).resolve().parent / "forge.json"
HUB, LAB = "https://github.com/octo/cat/pull/12", "https://gitlab.example.org/g/p/-/merge_requests/12"
HUB_API = "repos/octo/cat"
LAB_API = "projects/g%2Fp/merge_requests/12"


def fail(said: str) -> NoReturn:
    print(said, file=sys.stderr)
    raise SystemExit(1)


def expect(condition: object, what: str) -> None:
    if not condition:
        fail(f"fake forge: unexpected {what}: {sys.argv[1:]}")


class Forge:
    """The state: ``me``, ``head``, ``diff``, ``parents``, ``comments``, ``threads``, ``faults``, ``calls``."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = json.loads(STATE.read_text())
        self.words = sys.argv[1:]
        self.stdin = "" if sys.stdin.isatty() else sys.stdin.read()
        self.state["calls"].append([Path(sys.argv[0]).name, *self.words])

    def save(self) -> None:
        STATE.write_text(json.dumps(self.state, indent=1))

    def number(self) -> int:
        self.state["number"] = self.state.get("number", 100) + 1
        return int(self.state["number"])

    def fault(self, name: str) -> str:
        """What goes wrong with that kind of call, once: "" = nothing."""
        return str(self.state["faults"].pop(name, ""))

    def written(self, kind: str, act: Any) -> Any:
        """Do what writes; ``lost`` = it is done and nobody hears of it, else the words of the refusal."""
        fault = self.fault(kind)
        if fault and fault != "lost":
            self.save()
            fail(fault)
        done = act()
        self.save()
        if fault:
            fail("gh: error connecting to api.github.com")
        return done

    def parents(self, path: str, unknown: str) -> Any:
        """The parents of the commit at the end of a path of the API."""
        if said := self.fault("commit"):
            self.save()
            fail(said)
        found = self.state["parents"].get(path.rpartition("/")[2])
        return fail(unknown) if found is None else found

    def thread(self, body: str, **place: Any) -> dict[str, Any]:
        made = {
            "id": f"T{self.number()}",
            "resolved": False,
            "resolved_by": None,
            "notes": [{"author": self.state["me"], "body": body}],
            **place,
        }
        self.state["threads"].append(made)
        return made

    def settle(self, key: str, resolved: bool) -> None:
        (thread,) = [it for it in self.state["threads"] if it["id"] == key]
        thread["resolved"] = resolved
        thread["resolved_by"] = self.state["me"] if resolved else None

    def comment(self, body: str) -> dict[str, Any]:
        made = {"id": self.number(), "author": self.state["me"], "body": body}
        self.state["comments"].append(made)
        return made

    def edit(self, number: int, body: str) -> dict[str, Any]:
        (made,) = [it for it in self.state["comments"] if it["id"] == number]
        expect(made["author"] == self.state["me"], "edit of somebody else's comment")
        made["body"] = body
        return dict(made)

    def check_text(self, body: str) -> None:
        if len(body) > 65_536:
            fail("gh: Validation Failed (HTTP 422)\nbody is too long (maximum is 65536 characters)")


class Hub(Forge):
    """gh, as far as ``lok comment`` uses it."""

    def answer(self) -> str:
        match self.words:
            case ["pr", "diff", "12", "--color", "never"]:
                return str(self.state["diff"])
            case ["pr", "view", "12", "--json", "number,url,headRefOid"]:
                return json.dumps({"number": 12, "url": HUB, "headRefOid": self.state["head"]})
            case ["pr", "view", "12", "--json", "number,url,comments"]:
                comments = [
                    {
                        "id": f"IC_{it['id']}",
                        "author": {"login": it["author"]},
                        "body": it["body"],
                        "url": f"{HUB}#issuecomment-{it['id']}",
                        "viewerDidAuthor": it["author"] == self.state["me"],
                    }
                    for it in self.state["comments"]
                ]
                return json.dumps({"number": 12, "url": HUB, "comments": comments})
            case ["pr", "comment", "12", "--body-file", "-"]:
                self.check_text(self.stdin)
                made = self.written("comment", lambda: self.comment(self.stdin))
                return f"{HUB}#issuecomment-{made['id']}\n"
            case ["api", "--hostname", "github.com", *words]:
                return self.api(words)
        return fail(f"fake gh: {self.words}")

    def api(self, words: list[str]) -> str:
        match words:
            case ["graphql", "--input", "-"]:
                return json.dumps({"data": self.graphql(json.loads(self.stdin))})
            case ["--method", "PATCH", path, "--input", "-", "--jq", ".html_url"]:
                number = int(path.removeprefix(f"{HUB_API}/issues/comments/"))
                body = json.loads(self.stdin)["body"]
                self.check_text(body)
                self.written("comment", lambda: self.edit(number, body))
                return f"{HUB}#issuecomment-{number}\n"
            case ["--method", "POST", path, "--input", "-"] if path == f"{HUB_API}/pulls/12/reviews":
                self.written("review", lambda: self.review(json.loads(self.stdin)))
                return json.dumps({"id": 1, "state": "COMMENTED", "html_url": f"{HUB}#pullrequestreview-1"})
            case [path] if path.startswith(f"{HUB_API}/commits/"):
                parents = self.parents(path, "gh: No commit found for SHA (HTTP 422)")
                return json.dumps({"parents": [{"sha": it} for it in parents]})
        return fail(f"fake gh api: {words}")

    def review(self, document: dict[str, Any]) -> None:
        expect(set(document) == {"commit_id", "event", "comments"}, "keys of a review")
        expect(document["event"] == "COMMENT", "event")
        expect(document["commit_id"] == self.state["head"], "commit")
        for it in document["comments"]:
            expect(set(it) == {"path", "line", "side", "body"}, "keys of a comment")
            expect(it["side"] in ("LEFT", "RIGHT"), "side")
            if [it["path"], it["line"]] in self.state["refused"]:
                self.save()
                print(json.dumps({"message": "Unprocessable Entity", "status": "422"}))
                fail("gh: Unprocessable Entity (HTTP 422)\nLine could not be resolved")
        for it in document["comments"]:
            self.thread(it["body"], path=it["path"], line=it["line"], side=it["side"])

    def graphql(self, question: dict[str, Any]) -> dict[str, Any]:
        query, variables = question["query"], question["variables"]
        if "mutation" in query:
            resolved = "unresolveReviewThread" not in query
            self.written("settle", lambda: self.settle(variables["id"], resolved))
            return {"thread": {"id": variables["id"]}}
        expect(
            {**variables, "after": 0} == {"owner": "octo", "name": "cat", "number": 12, "after": 0}, "query"
        )
        start, size = int(variables["after"] or 0), self.state.get("page", 50)
        threads = self.state["threads"]
        nodes = [
            {
                "id": it["id"],
                "isResolved": it["resolved"],
                "resolvedBy": it["resolved_by"] and {"login": it["resolved_by"]},
                "comments": {
                    "nodes": [
                        {
                            "body": note["body"],
                            "viewerDidAuthor": note["author"] == self.state["me"],
                            "author": {
                                "__typename": "Bot" if note["author"].endswith("[bot]") else "User",
                                "login": note["author"].removesuffix("[bot]"),
                            },
                        }
                        for note in it["notes"]
                    ]
                },
            }
            for it in threads[start : start + size]
        ]
        more = start + size < len(threads)
        page = {"hasNextPage": more, "endCursor": str(start + size)}
        return {"repository": {"pullRequest": {"reviewThreads": {"pageInfo": page, "nodes": nodes}}}}


class Lab(Forge):
    """glab, as far as ``lok comment`` uses it."""

    def answer(self) -> str:
        host = ["--hostname", "gitlab.example.org"]
        match self.words:
            case ["mr", "diff", "12", _, "--raw", "--color", "never"]:
                return str(self.state["diff"])
            case ["mr", "view", "12", repo, "--output", "json"]:
                expect(repo == "--repo=https://gitlab.example.org/g/p", "repository")
                refs = {"base_sha": "b" * 40, "start_sha": "5" * 40, "head_sha": self.state["head"]}
                return json.dumps({"iid": 12, "web_url": LAB, "sha": self.state["head"], "diff_refs": refs})
            case ["api", "user", *rest] if rest == host:
                return json.dumps({"username": self.state["me"]})
            case ["api", "--method", method, path, *rest]:
                expect(
                    rest == [*host, "--header", "Content-Type: application/json", "--input", "-"], "options"
                )
                return json.dumps(self.send(method, path, json.loads(self.stdin)))
            case ["api", path, *rest] if rest == host:
                return json.dumps(self.read(path))
        return fail(f"fake glab: {self.words}")

    def read(self, path: str) -> Any:
        if path.startswith("projects/g%2Fp/repository/commits/"):
            return {"parent_ids": self.parents(path, "glab: 404 Commit Not Found (HTTP 404)")}
        place, _, query = path.partition("?")
        page = int(dict(it.split("=") for it in query.split("&"))["page"])
        if place == f"{LAB_API}/notes":
            found: list[Any] = [
                {"id": it["id"], "body": it["body"], "author": {"username": it["author"]}, "system": False}
                for it in self.state["comments"]
            ]
        else:
            expect(place == f"{LAB_API}/discussions", "path")
            found = [self.discussion(it) for it in self.state["threads"]]
        return found[100 * (page - 1) : 100 * page]

    def discussion(self, thread: dict[str, Any]) -> dict[str, Any]:
        resolver = thread["resolved_by"] and {"username": thread["resolved_by"]}
        about = {
            "type": "DiffNote",
            "resolvable": True,
            "resolved": thread["resolved"],
            "resolved_by": resolver,
        }
        notes = [
            {"id": n, "body": it["body"], "author": {"username": it["author"]}, "system": False, **about}
            for n, it in enumerate(thread["notes"])
        ]
        changed = {
            "id": 99,
            "body": "changed this line in version 2",
            "system": True,
            "author": {"username": "x"},
        }
        return {"id": thread["id"], "individual_note": False, "notes": [*notes, changed]}

    def send(self, method: str, path: str, document: dict[str, Any]) -> Any:
        if path == f"{LAB_API}/discussions":
            expect(method == "POST" and set(document) == {"body", "position"}, "keys of a discussion")
            where = document["position"]
            line = where.get("new_line", where.get("old_line"))
            expect(where["head_sha"] == self.state["head"] and where["position_type"] == "text", "position")
            if [where["new_path"], line] in self.state["refused"]:
                self.save()
                fail('glab: 400 Bad request - Note {:line_code=>["can\'t be blank"]} (HTTP 400)')
            side = "RIGHT" if "new_line" in where else "LEFT"
            place = {"path": where["new_path"], "line": line, "side": side}
            return self.written("review", lambda: self.thread(document["body"], **place))
        if path.startswith(f"{LAB_API}/discussions/"):
            expect(method == "PUT" and set(document) == {"resolved"}, "keys")
            key = path.rpartition("/")[2]
            return self.written("settle", lambda: self.settle(key, document["resolved"]))
        if method == "PUT":
            number = int(path.removeprefix(f"{LAB_API}/notes/"))
            return self.written("comment", lambda: self.edit(number, document["body"]))
        expect((method, path) == ("POST", f"{LAB_API}/notes"), "path")
        return self.written("comment", lambda: self.comment(document["body"]))


if __name__ == "__main__":
    forge = (Lab if Path(sys.argv[0]).name == "glab" else Hub)()
    answer = forge.answer()
    forge.save()
    print(answer, end="")
