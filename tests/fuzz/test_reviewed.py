"""Reviews that ask only about what changed since the last one come to what a review of the whole change comes to.

The reviewer reports each planted bug that it is shown, and no other. What it would report of the whole change
is known by git alone, so a bug that is lost on the way from commit to commit makes a difference.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.cli.projects import Project
from tests.cli.reviews import WORKFLOW, Reviewed
from tests.fuzz import examples

NAMES = ("a.py", "b.py", "é c.py", "d/e.py")
_NUMBERS = itertools.count()


class History:
    """A change that grows commit by commit, by one small step after the other."""

    def __init__(self, change: Reviewed) -> None:
        self.change = change
        self.root = change.root
        self.bugs = itertools.count()

    def lines(self, name: str) -> list[str]:
        file = self.root / name
        return file.read_text().split("\n") if file.exists() else [f"{n} of {name}" for n in range(12)]

    def write(self, name: str, lines: list[str]) -> None:
        self.change.project.write(name, "\n".join(lines))

    def bug(self, name: str, other: str) -> None:
        lines = self.lines(name)
        lines.insert(len(lines) // 2, f"BUG {next(self.bugs)} {other}")
        self.write(name, lines)

    def plain(self, name: str, other: str) -> None:
        self.write(name, [f"near {other}", *self.lines(name)])

    def fix(self, name: str, other: str) -> None:
        lines = self.lines(name)
        at = next((n for n, line in enumerate(lines) if "BUG" in line), None)
        self.write(name, lines if at is None else lines[:at] + lines[at + 1 :])

    def move(self, name: str, other: str) -> None:
        lines = self.lines(name)
        moved = [line for line in lines if "BUG" in line]
        self.write(name, [line for line in lines if "BUG" not in line])
        self.write(other, self.lines(other) + moved)

    def copy(self, name: str, other: str) -> None:
        self.write(other, self.lines(name))

    def rename(self, name: str, other: str) -> None:
        lines = self.lines(name)
        (self.root / name).unlink(missing_ok=True)
        self.write(other, lines)

    def remove(self, name: str, other: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def restore(self, name: str, other: str) -> None:
        if name in self.change.git("ls-tree", "-r", "-z", "--name-only", "main").split("\0"):
            self.change.git("checkout", "-q", "main", "--", name)

    def rewrite(self, name: str, other: str) -> None:
        if self.change.git("rev-list", "--count", "main..HEAD").strip() not in ("0", "1"):
            self.change.git("reset", "-q", "--soft", "HEAD~1")

    def merge(self, name: str, other: str) -> None:
        self.change.commit()
        self.change.git("switch", "-q", "main")
        self.change.commit(**{f"main{next(self.bugs)}.txt": "BUG of the base\n"})
        self.change.git("switch", "-q", "topic")
        self.change.git("merge", "-q", "--no-edit", "main")

    def workflow(self, name: str, other: str) -> None:
        self.change.project.workflow("review", f"{WORKFLOW}# {next(self.bugs)}\n")

    def lose(self, name: str, other: str) -> None:
        self.change.state.unlink(missing_ok=True)


COMMON = ("bug", "plain", "fix", "move", "copy", "rename", "remove", "restore")
RARE = ("rewrite", "merge", "workflow", "lose")
STEPS = st.tuples(st.sampled_from(COMMON * 3 + RARE), st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(
    lambda step: step[1] != step[2]
)


@given(pushes=st.lists(st.lists(STEPS, min_size=1, max_size=3), min_size=2, max_size=4))
@settings(
    max_examples=examples(3),
    phases=[Phase.generate],  # a failing history is short, and to shrink it takes minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_each_push_is_judged_as_the_whole_change_is(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    pushes: list[list[tuple[str, str, str]]],
) -> None:
    place = tmp_path / str(next(_NUMBERS))
    (place / "outside").mkdir(parents=True)
    project = Project(place / "project", capsys)
    project.write("lok.toml", "")
    monkeypatch.chdir(project.root)
    change = Reviewed(project, place / "outside")
    history = History(change)
    change.begin(**{name: "\n".join(history.lines(name)) for name in NAMES[:3]})
    history.bug("a.py", "first")
    for push in pushes:
        for step, name, other in push:
            getattr(history, step)(name, other)
        change.commit()
        done = change.run()
        wanted = change.wanted()
        if not change.git("diff", "--name-only", "main...HEAD").strip():
            assert done.code == 3  # there is nothing to review
        elif change.step(done)["findings"] is None:
            assert (done.code, wanted) == (3, set())  # nothing of it is text
        else:
            assert change.found(done) == wanted, change.told(done)
            assert done.code == (1 if wanted else 0), change.told(done)
