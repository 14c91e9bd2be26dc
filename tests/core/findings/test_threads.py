"""What is written on a pull request: a model of a forge and of people, and what holds whatever they do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.findings.threads import (
    DiffLines,
    ReviewThread,
    ThreadPlan,
    changed_lines_of,
    marked_fingerprint,
    plan_threads,
    run_marker,
    thread_marker,
)
from pytest_lok.core.results import Finding, Standing
from tests.core.reports import finding
from tests.fuzz import examples

DIFF = """\
diff --git a/a.py b/a.py
index 1..2 100644
--- a/a.py
+++ b/a.py
@@ -1,3 +1,4 @@
 one
-two
+2
+2.5
 three
@@ -10,2 +11,1 @@ def f():
-ten
 eleven
diff --git "a/caf\\303\\251.py" "b/caf\\303\\251.py"
new file mode 100644
--- /dev/null
+++ "b/caf\\303\\251.py"
@@ -0,0 +1 @@
+x
\\ No newline at end of file
"""


def reported(line: int, standing: Standing = "blocks", **changes: Any) -> Finding:
    return replace(finding(path="a.py", line=line, fingerprint=f"{line:04x}"), standing=standing, **changes)


def planned(
    *findings: Finding, threads: tuple[ReviewThread, ...] = (), limit: int = 20, complete: bool = True
) -> ThreadPlan:
    changed = {"a.py": DiffLines(added=frozenset(range(1, 50)), removed=frozenset({3}))}
    return plan_threads(findings, threads, changed, limit=limit, complete=complete)


def thread(line: int, **changes: bool) -> ReviewThread:
    return ReviewThread(key=f"T{line}", fingerprint=f"{line:04x}", **changes)


def test_the_changed_lines_of_a_diff() -> None:
    found = changed_lines_of(DIFF)
    assert found["a.py"] == DiffLines(added=frozenset({2, 3}), removed=frozenset({2, 10}))
    assert found["café.py"] == DiffLines(added=frozenset({1}))
    assert changed_lines_of("no diff") == {}


def test_what_counts_is_commented_on_at_its_last_changed_line() -> None:
    plan = planned(
        reported(1), reported(48, end_line=90), reported(3, removed=True), reported(2, "minor"), reported(60)
    )
    assert [(it.finding.line, it.line, it.removed) for it in plan.write] == [
        (1, 1, False), (48, 49, False), (3, 3, True),
    ]  # fmt: skip
    assert plan.unplaced == 1


def test_a_thread_is_kept_resolved_or_opened_again() -> None:
    plan = planned(
        *(reported(line) for line in (1, 2, 3)), reported(4, "known"), reported(5, "outvoted"),
        threads=(thread(1), thread(2, resolved=True), thread(4), thread(5), thread(6)),
    )  # fmt: skip
    assert [it.finding.line for it in plan.write] == [3]
    assert plan.kept == 1
    assert plan.reopen == (thread(2, resolved=True),)
    # what was dismissed, and what nobody reports any more
    assert plan.resolve == (thread(4), thread(6))


def test_what_a_person_has_answered_is_not_said_again() -> None:
    for state in (thread(1, answered=True), thread(1, answered=True, resolved=True)):
        assert planned(reported(1), threads=(state,)) == ThreadPlan(answered=1)


def test_nothing_is_resolved_by_a_run_that_has_not_judged_everything() -> None:
    assert planned(threads=(thread(1),), complete=False) == ThreadPlan()


def test_a_comment_that_stands_there_twice_is_resolved_once() -> None:
    twin = replace(thread(1), key="T9")
    assert planned(reported(1), threads=(thread(1), twin)).resolve == (twin,)


def test_there_is_a_limit_for_all_that_is_open() -> None:
    plan = planned(*(reported(line) for line in range(1, 6)), threads=(thread(1), thread(40)), limit=3)
    assert ([it.finding.line for it in plan.write], plan.crowded, plan.kept) == ([2, 3], 2, 1)
    assert planned(reported(1), limit=0) == ThreadPlan(crowded=1)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- lok:w finding abcd -->",
        "<!-- lok:w finding abcd -->\r\nmore",
        "<!-- lok:w finding abcd -->\nx\n<!-- lok:w finding ef01 -->",
    ],
)
def test_a_marker_is_read(text: str) -> None:
    assert marked_fingerprint(text, "w") == "abcd"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x\n<!-- lok:w finding abcd -->",
        " <!-- lok:w finding abcd -->",
        "<!-- lok:w finding ABCD -->",
        "<!-- lok:w finding  -->",
        "<!-- lok:w finding ../x -->",
        "<!-- lok:w2 finding abcd -->",
        "<!-- lok:w finding abcd --> more",
        run_marker("w"),
    ],
)
def test_what_is_no_marker_is_none(text: str) -> None:
    assert marked_fingerprint(text, "w") == ""
    assert marked_fingerprint(thread_marker("w", "abcd"), "w") == "abcd"


@dataclass
class PullRequest:
    """A forge and the people on it, as simple as can be: the oracle of the plan's promises."""

    threads: list[ReviewThread] = field(default_factory=list)
    said: int = 0

    def apply(self, plan: ThreadPlan) -> None:
        for thread in plan.resolve:
            self.change(thread, resolved=True)
        for thread in plan.reopen:
            self.change(thread, resolved=False)
        for it in plan.write:
            self.said += 1
            self.threads.append(ReviewThread(key=f"T{self.said}", fingerprint=it.finding.fingerprint))

    def change(self, thread: ReviewThread, **changes: Any) -> None:
        at = next(n for n, it in enumerate(self.threads) if it.key == thread.key)
        self.threads[at] = replace(self.threads[at], **changes)


@given(st.data())
@settings(max_examples=examples(150))
def test_whatever_runs_and_people_do(data: st.DataObject) -> None:
    there, limit = PullRequest(), data.draw(st.integers(0, 4))
    for _ in range(data.draw(st.integers(1, 8))):
        lines = data.draw(st.sets(st.integers(1, 6)))
        complete = data.draw(st.booleans())
        before = list(there.threads)
        found = [reported(line) for line in sorted(lines)]
        plan = planned(*found, threads=tuple(before), limit=limit, complete=complete)
        there.apply(plan)
        alive = {it.fingerprint for it in found}
        # never two threads about one finding, never more open ones than allowed
        assert len({it.fingerprint for it in there.threads}) == len(there.threads)
        assert sum(not it.resolved for it in there.threads) <= limit
        # every finding is accounted for, once
        said = len(plan.write) + len(plan.reopen) + plan.kept + plan.answered + plan.unplaced + plan.crowded
        assert said == len(found)
        for it in there.threads:
            if complete and it.fingerprint not in alive:
                assert it.resolved
        for old, new in zip(before, there.threads, strict=False):
            if old.answered and old.fingerprint in alive:
                assert new == old
        # the same run once more does nothing
        again = planned(*found, threads=tuple(there.threads), limit=limit, complete=complete)
        assert (again.write, again.resolve, again.reopen) == ((), (), ())
        if there.threads:
            one = data.draw(st.sampled_from(there.threads))
            there.change(one, **data.draw(st.sampled_from([{}, {"answered": True}, _RESOLVED])))


_RESOLVED = {"answered": True, "resolved": True}
