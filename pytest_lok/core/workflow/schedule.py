"""What may start and what must be skipped, given the results so far: a state machine with no I/O.

A step is *waiting* until every step it needs has a result, then it is *ready* (``take`` hands it
out, once) or it is settled without running: blocked, or short of ``min_deps_success``. There is no
level barrier: a step is ready the moment its own last need is settled. Settling one step can settle
a whole subtree; ``settle`` walks it with a work list, so a chain of any depth is no recursion, and
every step costs one visit per edge (in-degree counters; graphlib fixes the order and names cycles
once, in ``plan``).

Rules, all in ``_result_without_running``:

- A need that passed, failed softly, or was skipped by its own ``when`` is fine.
- A need that failed, errored or was itself blocked blocks the step; ``blocked_by`` carries the root
  cause down the whole subtree.
- With ``min_deps_success`` the declared needs are counted instead: enough that passed and the step
  runs, whatever became of the others; too few and it is an error of the step.
- A step with cases is several steps. Whoever needs it needs all of them; where needs are counted, they
  count as one, which has passed if all of them have.
- What waits for a person's answer, and what that blocks, blocks in any case: the answer may be no.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.case_results import result_of_all
from pytest_lok.core.workflow.model import Approve, Step


class Schedule:
    """The state of one run. Every step comes out of it exactly once: taken, or settled unrun."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = {step.name: step for step in steps}
        self._results: dict[str, StepResult] = {}
        self._missing: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {name: [] for name in self._steps}
        self._ready: deque[Step] = deque()
        # the steps with cases, by the name that stands in the file
        self._cases: dict[str, list[Step]] = {}
        self._open_cases: dict[str, set[str]] = {}
        for step in self._steps.values():
            if step.case is not None:
                self._cases.setdefault(step.written_name, []).append(step)
                self._open_cases.setdefault(step.written_name, set()).add(step.name)
            needs = set(step.needs)
            self._missing[step.name] = len(needs)
            for need in needs:
                self._dependents[need].append(step.name)
            if not needs:
                self._ready.append(step)

    def resume(self, known: Iterable[StepResult]) -> list[StepResult]:
        """Begin with results that are there already; returns those of steps they settle without running."""
        known = list(known)
        self._results.update((result.name, result) for result in known)
        self._ready = deque(step for step in self._ready if step.name not in self._results)
        return [unrun for result in known for unrun in self.settle(result)]

    @property
    def results(self) -> Mapping[str, StepResult]:
        """Every result so far, live; also those of steps with cases, once each of their cases has one."""
        return self._results

    @property
    def done(self) -> bool:
        """Every step has a result."""
        return all(name in self._results for name in self._steps)

    def take(self) -> Step | None:
        """The next step to start, or None if nothing is ready now."""
        return self._ready.popleft() if self._ready else None

    def settle(self, result: StepResult) -> list[StepResult]:
        """Record a result; returns those of the steps it settled without running, root first."""
        unrun: list[StepResult] = []
        todo = [result]
        # the list grows while it is walked: a step that is settled may settle others
        for finished in todo:
            self._results[finished.name] = finished
            self._note_case(self._steps.get(finished.name))
            for name in self._dependents[finished.name]:
                self._missing[name] -= 1
                if self._missing[name] or name in self._results:
                    continue
                step = self._steps[name]
                verdict = self._result_without_running(step)
                if verdict is None:
                    self._ready.append(step)
                else:
                    todo.append(verdict)
                    unrun.append(verdict)
        return unrun

    def _note_case(self, step: Step | None) -> None:
        """Put the cases of a step together, after the last of them."""
        if step is None or step.case is None:
            return
        name, open_ = step.written_name, self._open_cases[step.written_name]
        open_.discard(step.name)
        if not open_:
            self._results[name] = result_of_all(self._cases[name], self._results)

    def abandon(self, reason: str, *, blocked_by: str = "") -> list[StepResult]:
        """Settle every step that has no result: an error, or blocked by a step that stopped the run."""
        outcome = Outcome.SKIPPED if blocked_by else Outcome.ERROR
        left = [
            StepResult(name=name, outcome=outcome, reason=reason, blocked_by=blocked_by)
            for name in self._steps
            if name not in self._results
        ]
        self._results.update((result.name, result) for result in left)
        self._ready.clear()
        return left

    def _result_without_running(self, step: Step) -> StepResult | None:
        """None = it may run; else the result it has without running."""
        for name in step.needs:
            if self._waits(self._results[name]):
                return _blocked(step, self._results[name])
        counted = step.depends_on if step.min_deps_success is not None else ()
        if step.min_deps_success is not None:
            passed = sum(self._results[name].passed for name in counted)
            if passed < step.min_deps_success:
                return _too_few(step, passed, [self._results[name] for name in counted])
        for name in step.needs:
            is_counted = name in counted or self._steps[name].written_name in counted
            if not is_counted and not allows_dependents(self._results[name]):
                return _blocked(step, self._results[name])
        return None

    def _waits(self, need: StepResult) -> bool:
        """Whether an answer of a person is missing, to that step or to what blocks it."""
        root = self._results.get(need.blocked_by, need)
        if root.waiting:
            return True
        # a dry run asks nobody
        asks = (it := self._steps.get(root.name)) is not None and isinstance(it.action, Approve)
        return asks and root.blocked_by == root.name


def outdated(
    steps: Iterable[Step], results: Mapping[str, StepResult], order: Mapping[str, int]
) -> frozenset[str]:
    """Steps that did not run, and rest on results that have been replaced since: they are open again.

    ``steps`` are in the order they run in; ``order`` says when each result was settled.
    """
    stale: set[str] = set()
    for step in steps:
        result = results.get(step.name)
        # only what was skipped because of others can change with them
        if result is None or result.passed or result.attempts or result.withheld:
            continue
        if any(need in stale or order.get(need, 0) > order[step.name] for need in step.needs):
            stale.add(step.name)
    return frozenset(stale)


def allows_dependents(need: StepResult) -> bool:
    """Whether what needs it may run."""
    return not need.outcome.red and not need.blocked


def _blocked(step: Step, need: StepResult) -> StepResult:
    root = need.blocked_by or need.name
    reason = need.reason if need.blocked else f"blocked: step {root!r} {_verb(need)}"
    return StepResult(name=step.name, outcome=Outcome.SKIPPED, reason=reason, blocked_by=root)


def _too_few(step: Step, passed: int, counted: list[StepResult]) -> StepResult:
    others = ", ".join(f"{r.name} {_verb(r)}" for r in counted if not r.passed)
    needed = f"{passed} of {len(counted)} dependencies passed, {step.min_deps_success} needed"
    return StepResult(
        name=step.name,
        outcome=Outcome.SOFT if step.continue_on_error else Outcome.ERROR,
        underlying=Outcome.ERROR if step.continue_on_error else None,
        reason=f"{needed} (min_deps_success): {others}",
    )


def _verb(result: StepResult) -> str:
    skipped = "was blocked" if result.blocked else "was skipped"
    if result.waiting:
        return "waits for an answer"
    return {
        Outcome.PASSED: "passed",
        Outcome.FAILED: "failed",
        Outcome.ERROR: "had an error",
        Outcome.SOFT: "failed softly",
        Outcome.SKIPPED: skipped,
    }[result.outcome]
