"""Steps for tests of the pure core, in a short notation: ``steps("a b:a c:a,b")``."""

from __future__ import annotations

from dataclasses import replace

from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.core.workflow.model import Shell, Step, Workflow


def step(name: str, *needs: str, min_deps_success: int | None = None, soft: bool = False) -> Step:
    """A step that depends on ``needs`` and does nothing."""
    return Step(
        name=name,
        action=Shell(),
        depends_on=needs,
        needs=needs,
        min_deps_success=min_deps_success,
        continue_on_error=soft,
    )


def steps(notation: str) -> list[Step]:
    """``"a b:a c:a,b"``: a, b that needs a, c that needs both."""
    made = []
    for word in notation.split():
        name, _, needs = word.partition(":")
        made.append(step(name, *(needs.split(",") if needs else ())))
    return made


def workflow(notation: str) -> Workflow:
    """The same as a workflow called ``w``."""
    return Workflow(stem="w", name="w", steps=tuple(steps(notation)))


def passed(name: str) -> StepResult:
    return StepResult(name=name, outcome=Outcome.PASSED)


def ended(name: str, outcome: Outcome) -> StepResult:
    result = StepResult(name=name, outcome=outcome, reason=f"{outcome} for a test")
    return replace(result, underlying=Outcome.FAILED) if outcome is Outcome.SOFT else result
