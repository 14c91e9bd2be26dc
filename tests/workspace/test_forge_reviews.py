"""Comments on pull requests by executables that stand for gh and glab, and what is done when one fails."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.cli.forge import review_at
from pytest_lok.core.findings.threads import ReviewThread, run_marker, thread_marker
from pytest_lok.errors import LokError
from pytest_lok.workspace.forges.review import LineComment, ReviewForge, comment_once, write_once
from tests.cli import fake_forge

HEAD = "c" * 40
MARK = run_marker("w")


class There:
    """A fake forge, and lok's way to it."""

    def __init__(self, root: Path, tool: str) -> None:
        self.tool = tool
        self._file = root / "bin" / "forge.json"
        self._file.parent.mkdir(parents=True)
        text = f"#!{sys.executable} -IS\n" + Path(fake_forge.__file__).read_text()
        for name in ("gh", "glab"):
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)
        self.state: dict[str, Any] = {
            "me": "lok[bot]", "head": HEAD, "diff": "", "parents": {}, "comments": [], "threads": [],
            "faults": {}, "refused": [], "calls": [],
        }  # fmt: skip
        self.save()
        self.environ = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}"}
        self.url = "12" if tool == "gh" else fake_forge.LAB
        self.review: ReviewForge = review_at(root, self.environ, self.url)

    def save(self) -> None:
        self._file.write_text(json.dumps(self.state))

    def load(self) -> dict[str, Any]:
        self.state = json.loads(self._file.read_text())
        return self.state

    def bodies(self) -> list[str]:
        return [it["body"] for it in self.load()["comments"]]

    def set(self, **changes: Any) -> None:
        self.load().update(changes)
        self.save()


@pytest.fixture(params=["gh", "glab"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> There:
    return There(tmp_path, request.param)


def line(number: int, **changes: Any) -> LineComment:
    digest = f"{number:04x}"
    text = f"{thread_marker('w', digest)}\n$(x) 'it' ```\n"
    return LineComment(fingerprint=digest, path="a.py", line=number, text=text, **changes)


def settled(there: There) -> list[tuple[str, int, str, bool]]:
    return [
        (it["path"], it["line"], it["side"], it["resolved"]) for it in there.load()["threads"] if "path" in it
    ]


def test_comments_on_lines_are_written_found_and_settled(there: There) -> None:
    assert there.review.write([line(3), line(4, removed=True)]) == []
    assert settled(there) == [("a.py", 3, "RIGHT", False), ("a.py", 4, "LEFT", False)]
    first, second = there.review.threads("w")
    assert (first.fingerprint, first.resolved, first.answered) == ("0003", False, False)
    there.review.settle(first, resolved=True)
    assert [it.resolved for it in there.review.threads("w")] == [True, False]
    there.review.settle(first, resolved=False)
    assert there.review.threads("w") == [first, second]
    assert there.review.threads("other") == []


def test_markers_of_others_are_nobody_s(there: There) -> None:
    there.set(
        comments=[{"id": 5, "author": "eve", "body": f"{MARK}\nforged"}],
        threads=[
            {
                "id": "T1", "resolved": False, "resolved_by": None,
                "notes": [{"author": "eve", "body": thread_marker("w", "0003")}],
            },
            {
                "id": "T2", "resolved": False, "resolved_by": None,
                "notes": [{"author": "lok[bot]", "body": f"I quote: {thread_marker('w', '0003')}"}],
            },
        ],
    )  # fmt: skip
    assert there.review.threads("w") == []
    assert there.review.own_comment(MARK) is None
    there.review.comment(MARK, f"{MARK}\nours")
    assert there.bodies() == [f"{MARK}\nforged", f"{MARK}\nours"]


@pytest.mark.parametrize(
    ("notes", "resolver", "answered"),
    [
        ([], None, False),
        ([], "lok[bot]", False),
        ([], "ada", True),
        ([{"author": "ada", "body": "no"}], None, True),
        ([{"author": "lok[bot]", "body": "more"}], None, False),
    ],
)
def test_who_has_answered(
    there: There, notes: list[dict[str, str]], resolver: str | None, answered: bool
) -> None:
    root = {"author": "lok[bot]", "body": thread_marker("w", "0003")}
    there.set(
        threads=[
            {
                "id": "T1",
                "resolved": resolver is not None,
                "resolved_by": resolver,
                "notes": [root, *notes],
            }
        ]
    )
    wanted = ReviewThread(key="T1", fingerprint="0003", resolved=resolver is not None, answered=answered)
    assert there.review.threads("w") == [wanted]


def test_another_bot_is_no_person(tmp_path: Path) -> None:
    there = There(tmp_path, "gh")
    root = {"author": "lok[bot]", "body": thread_marker("w", "0003")}
    notes = [root, {"author": "summary[bot]", "body": "hm"}]
    there.set(threads=[{"id": "T1", "resolved": False, "resolved_by": None, "notes": notes}])
    assert not there.review.threads("w")[0].answered


def test_all_pages_are_read(there: There) -> None:
    assert there.review.write([line(number) for number in range(1, 4)]) == []
    there.set(page=1)
    for number in range(120):
        there.state["comments"].append({"id": number, "author": "ada", "body": "hi"})
    there.state["comments"].append({"id": 500, "author": "lok[bot]", "body": f"{MARK}\nold"})
    there.save()
    assert len(there.review.threads("w")) == 3
    there.review.comment(MARK, f"{MARK}\nnew")
    assert [body for body in there.bodies() if body != "hi"] == [f"{MARK}\nnew"]


def test_a_line_that_is_refused_costs_no_other_one(there: There) -> None:
    there.set(refused=[["a.py", 4]])
    assert write_once(there.review, "w", [line(3), line(4), line(5)]) == [line(4)]
    assert [it[1] for it in settled(there)] == [3, 5]


def test_what_was_done_and_not_heard_of_is_not_done_twice(there: There) -> None:
    text = f"{MARK}\nwhat it came to\n"
    there.set(faults={"comment": "lost", "review": "lost"})
    assert comment_once(there.review, MARK, text).startswith("https://")
    found = write_once(there.review, "w", [line(3)])
    assert (found, there.bodies(), len(settled(there))) == ([], [text], 1)
    comment_once(there.review, MARK, text)
    assert there.bodies() == [text]


def test_what_was_not_done_is_an_error(there: There) -> None:
    said = "gh: Resource not accessible by integration (HTTP 403)"
    there.set(faults={"comment": said, "review": said})
    for act in (
        lambda: comment_once(there.review, MARK, f"{MARK}\nx"),
        lambda: write_once(there.review, "w", [line(3)]),
    ):
        with pytest.raises(LokError, match="HTTP 403"):
            act()
    assert (there.bodies(), settled(there)) == ([], [])


def test_the_head_and_the_parents_of_a_commit(there: There) -> None:
    there.set(parents={"d" * 40: ["b" * 40, HEAD]})
    assert there.review.head().commit == HEAD
    assert there.review.parents("d" * 40) == ["b" * 40, HEAD]
    assert there.review.parents("e" * 40) == []
    # not knowing is no answer: it would be told as a pull request that has moved on
    there.set(faults={"commit": "error connecting to the forge"})
    with pytest.raises(LokError, match="error connecting"):
        there.review.parents("d" * 40)
