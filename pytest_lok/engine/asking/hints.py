"""A failure, and the place that asked -> what can be done about the failure there."""

from __future__ import annotations

from pytest_lok.core.workflow.model import Origin, Step, Workflow
from pytest_lok.errors import BackendError, BackendFault

_RETRY = "{} `retries` of the step"
_SPLIT = "split the step with `for_each`"
_BY_STEP = {
    BackendFault.RATE_LIMIT: _RETRY,
    BackendFault.OVERLOAD: _RETRY,
    BackendFault.NETWORK: _RETRY,
    BackendFault.TOO_LONG: _SPLIT,
    BackendFault.TRUNCATED: _SPLIT,
}
"""What the keys of a step can do about a fault, beside what the backend advises."""


class LateAnswerError(BackendError):
    """The time limit of the attempt was over, and there was no answer."""

    def __init__(self, backend: str, limit: float) -> None:
        super().__init__(
            f"{backend} gave no answer within {limit:g} s",
            kind=BackendFault.TIMEOUT,
            backend=backend,
            hint=f"raise `timeout` in [backends.{backend}]",
        )


def hint_here(failure: BackendError, step: Step, workflow: Workflow, raised_by: str) -> str:
    """The backend's hint, with what the step can do too; of a step that nobody wrote there are no keys."""
    if isinstance(failure, LateAnswerError):
        return more_time(step, workflow, raised_by, failure.backend)
    advice = _BY_STEP.get(failure.kind, "") if is_written(workflow) else ""
    advice = advice.format("raise" if step.retries else "set")
    return ", or ".join(filter(None, [failure.hint, advice]))


def more_time(step: Step, workflow: Workflow, raised_by: str, backend: str = "") -> str:
    """How to raise the time limit of an attempt: where it is set now, else where it can be.

    ``raised_by`` is how it is raised for one run alone.
    """
    of_backend = f"`timeout` in [backends.{backend}]" if backend else "`timeout` in [defaults]"
    if not is_written(workflow):
        return f"raise {of_backend}, or for this run: {raised_by}"
    if step.timeout is None and workflow.timeout is not None:
        return "raise `timeout` of the workflow, or set that of the step; 0 = no limit"
    other = f", or {of_backend}" if backend and step.timeout is None else ""
    return f"raise `timeout` of the step{other}; 0 = no limit"


def is_written(workflow: Workflow) -> bool:
    """Whether the workflow is a file that its user can change, so that hints may name keys of steps."""
    return workflow.origin in (Origin.PROJECT, Origin.USER, Origin.PATH)
