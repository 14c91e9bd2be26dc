"""Cases run for real, with reviewers whose errors are known."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.evaluation.evaluated import Evaluation, evaluate_runs
from pytest_lok.core.evaluation.places import ExpectedFindings
from pytest_lok.core.results import Reply, Usage
from pytest_lok.core.workflow.model import Budget
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendError, BackendFault
from pytest_lok.wiring import Project
from pytest_lok.wiring.evaluation.case_runs import CaseRuns
from pytest_lok.wiring.evaluation.prepared import PreparedCase, prepare_cases
from pytest_lok.workspace.cases.shelf import ShelvedCase, read_cases
from tests.workspace.cases.test_commits import git
from tests.workspace.cases.test_shelf import write

DEMO = Path(__file__).parents[3] / "demo" / "cases"
SETTINGS = "".join(f'[backends.{name}]\ntype = "scripted"\n' for name in "abc")
WORKFLOW = """
[gate]
quorum = 2
scope = "diff"
{budget}
[[steps]]
name = "diff"
shell = "git diff $LOK_BASE...HEAD"
judges = false
[[steps]]
name = "review"
output_format = "findings"
backends = ["a", "b", "c"]
prompt = "{{{{ steps.diff.output }}}}"
"""
Answer = Callable[[str, ShelvedCase, int], "Sequence[str] | None"]
"""A backend, a case and a sample -> the quotes that it reports; None = no answer."""


class Reviewer:
    """Knows every case by what its patch adds, and reports the quotes that it is told to."""

    def __init__(self, name: str, shelved: Sequence[ShelvedCase], answer: Answer) -> None:
        self.name = name
        self._answer = answer
        self._shelved = shelved
        self.asked: list[tuple[str, int]] = []
        self.after: Callable[[], None] = lambda: None

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        case = next(it for it in self._shelved if body(it) in prompt.text)
        self.asked.append((case.case.name, prompt.sample))
        self.after()
        said = self._answer(self.name, case, prompt.sample)
        if said is None:
            raise BackendError("is asleep", kind=BackendFault.REFUSED, backend=self.name)
        path = (case.case.must_block or case.case.must_not_block or [None])[0]
        listed = [finding(path.path if path else changed(case), quote) for quote in said]
        return Reply(text=json.dumps(listed), backend=self.name, usage=Usage(calls=1, cost_usd=0.01))

    async def aclose(self) -> None:
        pass


def body(it: ShelvedCase) -> str:
    """The last hunk of a patch, which no other case has."""
    return (it.patch or b"").decode().split("\n@@")[-1].split("\n", 1)[1].rstrip()


def changed(it: ShelvedCase) -> str:
    return (it.patch or b"").decode().split("+++ b/", 1)[1].split("\n", 1)[0]


def finding(path: str, quote: str) -> dict[str, object]:
    return {
        "rule_id": "bug", "title": "t", "message": "m", "severity": "high", "confidence": 0.9, "path": path,
        "line": 1, "evidence": quote,
    }  # fmt: skip


def planted(it: ShelvedCase) -> str:
    return it.case.must_block[0].quote


def harmless(it: ShelvedCase) -> str:
    """A line that the change adds."""
    return next(line[1:] for line in body(it).split("\n") if line.startswith("+") and len(line) > 8)


class Lab:
    """A project with the workflow ``review``, and cases for it."""

    def __init__(
        self,
        root: Path,
        cases: Path,
        *,
        budget: str = "",
        workflow: str = WORKFLOW,
        settings: str = SETTINGS,
        only: Sequence[str] = (),
    ) -> None:
        files = {"lok.toml": settings, ".lok/workflows/review.toml": workflow.format(budget=budget)}
        self.root = write(root, files)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(root / "home"),
            "LOK_BASE": "nowhere",
            "GIT_DIR": "",
        }
        self.project = Project.open(root, environ={k: v for k, v in environ.items() if v})
        self.plan = self.project.plan(self.project.load("review"))
        self.folder = root / "made"
        self.folder.mkdir()
        self.shelved = [it for it in read_cases(cases) if not only or it.case.name in only]
        self.prepared: list[PreparedCase] = asyncio.run(
            prepare_cases(self.project, self.shelved, self.folder)
        )
        self.reviewers: Mapping[str, Reviewer] = {}

    def runs(
        self,
        answer: Answer,
        repeats: int = 1,
        on_done: Callable[..., None] | None = None,
        *,
        budget_each: bool = False,
    ) -> CaseRuns:
        self.reviewers = {name: Reviewer(name, self.shelved, answer) for name in "abc"}
        backends: dict[str, Backend] = {**self.reviewers}
        made = CaseRuns(
            self.project,
            self.plan,
            self.prepared,
            self.folder,
            repeats=repeats,
            backends=backends,
            budget_each=budget_each,
        )
        made.on_done = on_done
        return made

    def evaluated(self, runs: CaseRuns) -> Evaluation:
        gate = self.plan.workflow.gate
        assert gate is not None
        return evaluate_runs(self.plan, gate, asyncio.run(runs.execute()), seconds=1.0, cut=runs.cut)


# --- the cases of the demo

MISS = {"a": 0.1, "b": 0.25, "c": 0.5}
WRONG = {"a": 0.1, "b": 0.1, "c": 0.3}
LOST = 0.05
DISPUTED = ("javascript/clean-loop", "python/clean-bound-query", "python/timing", "shell/token-in-log")
SEED = 1  # how often intervals hold over many seeds is a test of core/evaluation


def chance(*words: object) -> float:
    """A number between 0 and 1 that is always the same for these words."""
    return int.from_bytes(hashlib.sha256(repr((SEED, *words)).encode()).digest()[:6], "big") / 2**48


def by_chance(name: str, it: ShelvedCase, sample: int) -> Sequence[str] | None:
    key = (name, it.case.name, sample)
    if chance("lost", *key) < LOST:
        return None
    if it.case.clean:
        return [harmless(it)] if chance("wrong", *key) < WRONG[name] else []
    return [] if chance("miss", *key) < MISS[name] else [planted(it)]


def test_the_known_errors_of_reviewers_of_the_demo_are_measured(tmp_path: Path) -> None:
    lab = Lab(tmp_path, DEMO)
    assert len(lab.shelved) == 30
    assert sum(it.case.clean for it in lab.shelved) == 10
    evaluation = lab.evaluated(lab.runs(by_chance))
    assert (evaluation.done, evaluation.cut) == (30, "")
    rows = {str(row.judge): row for row in evaluation.rows}
    answers = {name: {it.case.name: by_chance(name, it, 0) for it in lab.shelved} for name in MISS}
    for name in MISS:
        scores = rows[name].scores
        bad = [answers[name][it.case.name] for it in lab.shelved if not it.case.clean]
        clean = [answers[name][it.case.name] for it in lab.shelved if it.case.clean]
        assert scores.recall.successes == sum(bool(it) for it in bad), "each error, and no other"
        assert scores.false_greens.successes == sum(it == [] for it in bad)
        assert scores.false_reds.successes == sum(bool(it) for it in clean)
        assert scores.inconclusive.successes == sum(it is None for it in (*bad, *clean))
        assert scores.recall.low <= (1 - LOST) * (1 - MISS[name]) <= scores.recall.high
        assert scores.false_reds.low <= (1 - LOST) * WRONG[name] <= scores.false_reds.high
        assert rows[name].usage.cost_usd == pytest.approx(0.01 * sum(it is not None for it in (*bad, *clean)))
    votes = [
        sum(bool(answers[name][it.case.name]) for name in MISS) for it in lab.shelved if not it.case.clean
    ]
    for quorum in (1, 2, 3):
        assert rows[f"quorum {quorum}"].scores.recall.successes == sum(it >= quorum for it in votes)
    assert rows["the workflow"].scores == rows["quorum 2"].scores, "which is what the gate says"
    assert {*map(len, (it.asked for it in lab.reviewers.values()))} == {30}, "every answer was asked for once"


@pytest.mark.parametrize(("quorum", "row"), [("1", "quorum 1"), ('"all"', "quorum 3")])
def test_another_quorum_rules_as_the_row_of_it_said(tmp_path: Path, quorum: str, row: str) -> None:
    """What was worked out of the answers is what the workflow says that has this quorum."""
    # cases on which the reviewers do not agree, or one of them is silent
    lab = Lab(tmp_path, DEMO, workflow=WORKFLOW.replace("quorum = 2", f"quorum = {quorum}"), only=DISPUTED)
    assert len(lab.prepared) == len(DISPUTED)
    rows = {str(it.judge): it for it in lab.evaluated(lab.runs(by_chance)).rows}
    said = rows[row]
    assert said.cases == rows["the workflow"].cases
    assert len({mark.mark for case in said.cases for mark in case.rulings}) > 1


# --- a few cases

CASES = {
    "bad/case.toml": '[[must_block]]\npath = "a.py"\nquote = "worse"\n',
    "bad/before/a.py": "good\n",
    "bad/after/a.py": "good\nworse\n",
    "fine/case.toml": "clean = true\n",
    "fine/before/a.py": "good\n",
    "fine/after/a.py": "good\nbetter\n",
}


def small(tmp_path: Path, **more: str) -> Lab:
    cases = write(tmp_path / "cases", CASES)
    lab = Lab(tmp_path / "project", cases, **more)
    object.__setattr__(lab.shelved[0], "patch", b"+++ b/a.py\n@@\n+worse")
    object.__setattr__(lab.shelved[1], "patch", b"+++ b/a.py\n@@\n+better")
    return lab


def right(name: str, it: ShelvedCase, sample: int) -> Sequence[str]:
    return [] if it.case.clean else [planted(it)]


def test_each_repeat_is_another_sample(tmp_path: Path) -> None:
    lab = small(tmp_path)
    evaluation = lab.evaluated(lab.runs(right, repeats=2))
    assert sorted(lab.reviewers["a"].asked) == [("bad", 0), ("bad", 1000), ("fine", 0), ("fine", 1000)]
    assert evaluation.own.scores.recall.cases == 1
    assert (evaluation.own.scores.flips.successes, evaluation.own.scores.flips.cases) == (0, 2)
    assert [path.name for path in lab.folder.iterdir() if path.name.startswith("run-")] == []


def test_who_changes_its_mind_has_flipped(tmp_path: Path) -> None:
    lab = small(tmp_path)
    flipping = lab.runs(lambda name, it, sample: [] if sample else right(name, it, sample), repeats=2)
    scores = lab.evaluated(flipping).own.scores
    assert (scores.flips.successes, scores.recall.successes) == (1, 0.5)


def test_nobody_who_is_silent_is_right(tmp_path: Path) -> None:
    lab = small(tmp_path)
    rows = lab.evaluated(lab.runs(lambda *_: None)).rows
    assert {mark.mark for row in rows for case in row.cases for mark in case.rulings} == {"inconclusive"}


def test_a_budget_is_one_for_all_runs_and_what_it_cuts_is_not_evaluated(tmp_path: Path) -> None:
    lab = small(tmp_path, budget="[budget]\ncalls = 7\n")
    evaluation = lab.evaluated(lab.runs(right, repeats=3))
    assert sum(len(it.asked) for it in lab.reviewers.values()) == 7
    assert (evaluation.done < 3, evaluation.wanted, evaluation.cut) == (True, 6, "the budget is spent")


def test_each_run_may_have_all_of_the_budget_as_in_a_gate(tmp_path: Path) -> None:
    lab = small(tmp_path, budget="[budget]\ncalls = 3\n")
    evaluation = lab.evaluated(lab.runs(right, repeats=2, budget_each=True))
    assert (evaluation.done, evaluation.cut, evaluation.own.scores.recall.share) == (4, "", 1.0)
    lab.plan = replace(lab.plan, workflow=replace(lab.plan.workflow, budget=Budget(calls=2)))
    short = lab.evaluated(lab.runs(right, budget_each=True))
    assert (short.done, short.own.scores.inconclusive.successes + short.own.scores.recall.successes > 0) == (
        2,
        True,
    )


def test_what_is_stopped_keeps_what_is_done(tmp_path: Path) -> None:
    lab = small(tmp_path)
    ended: list[str] = []
    runs = lab.runs(right, repeats=20, on_done=lambda case, *_: ended.append(case.case.name))
    lab.reviewers["a"].after = lambda: runs.stop("enough") if ended else None
    evaluation = lab.evaluated(runs)
    assert 0 < evaluation.done < evaluation.wanted == 40
    assert evaluation.cut == "enough"
    assert evaluation.own.scores.recall.share == 1.0


def test_every_answer_of_a_loop_and_of_a_repeat_counts(tmp_path: Path) -> None:
    workflow = WORKFLOW.replace(
        'output_format = "findings"', 'output_format = "findings"\nrepeat = 2\npass = 1'
    )
    workflow = workflow.replace('name = "review"', "name = \"review\"\nfor_each = '[1, 2]'")
    lab = small(tmp_path, workflow=workflow)
    evaluation = lab.evaluated(
        lab.runs(lambda name, it, sample: [] if sample == 1 else right(name, it, sample))
    )
    rows = {str(row.judge): row.scores for row in evaluation.rows}
    # each item is asked about twice, and one answer without a finding is enough
    assert sorted(lab.reviewers["a"].asked) == [
        *[("bad", 0)] * 2,
        *[("bad", 1)] * 2,
        *[("fine", 0)] * 2,
        *[("fine", 1)] * 2,
    ]
    assert {
        (it.recall.successes, it.false_greens.successes, it.inconclusive.successes) for it in rows.values()
    } == {(0, 1, 0)}


def test_the_environment_of_commands_is_that_of_a_gate(tmp_path: Path) -> None:
    """What the settings say of it would hide the base."""
    lab = small(tmp_path, settings=f'[defaults]\nenv_policy = "clean"\n{SETTINGS}')
    assert lab.evaluated(lab.runs(right)).own.scores.recall.share == 1.0


def test_commits_of_a_project_that_is_a_part_of_its_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    ids = []
    for text in ("good\n", "good\nworse\n"):
        write(repository, {"part/a.py": text, "other/b.py": text})
        for words in (["init", "-q", "."], ["add", "."], ["commit", "-q", "-m", "x"]):
            git(repository, *words)
        ids.append(git(repository, "rev-parse", "HEAD"))
    case = f'base = "{ids[0]}"\nhead = "{ids[1]}"\n[[must_block]]\npath = "a.py"\nquote = "worse"\n'
    cases = write(tmp_path / "cases", {"one/case.toml": case})
    workflow = WORKFLOW.replace("HEAD", "HEAD --relative -- .")
    lab = Lab(repository / "part", cases, workflow=workflow)
    object.__setattr__(lab.shelved[0], "patch", b"+++ b/a.py\n@@\n+worse")
    assert lab.evaluated(lab.runs(right)).own.scores.recall.share == 1.0


def test_what_the_cases_expect_is_looked_up_in_their_files(tmp_path: Path) -> None:
    lab = small(tmp_path)
    expected: ExpectedFindings = lab.prepared[0].expected
    assert expected.must_block[0].headline == "a.py:2"
