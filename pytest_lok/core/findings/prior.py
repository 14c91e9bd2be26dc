"""What is known of an earlier review of a change: its findings, and what each step was given for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_lok.core.finding import Finding
    from pytest_lok.core.results import StepResult
    from pytest_lok.core.workflow.model import Step

REVIEWED = "LOK_REVIEWED"
"""The variable in which a run tells `lok parts` which commit was reviewed; no run inherits it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedStep:
    """What a step has reported, the backends that it has asked, and a digest of what else it was given."""

    asked: tuple[str, ...] = ()
    inputs: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedState:
    """A whole review of the commit ``head``, of all that changed since the commit ``base``.

    ``conditions`` are the digests of what it was made with, by what that is: a review with others is another
    one. ``steps`` has every step that reports findings.
    """

    base: str
    head: str
    conditions: Mapping[str, str]
    steps: Mapping[str, ReviewedStep] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorReview:
    """What a run knows of an earlier review; ``why`` says why that is nothing, without a state."""

    state: ReviewedState | None = None
    why: str = ""


NOTHING_REVIEWED = PriorReview()


def needed_by(steps: Sequence[Step], name: str, barriers: Collection[str] = ()) -> list[str]:
    """The steps that a step rests on, directly or not, but not those behind one of the ``barriers``."""
    by_name = {step.name: step for step in steps}
    found: dict[str, None] = {}
    todo = list(by_name[name].needs)
    while todo:
        other = todo.pop()
        if other not in found and other in by_name:
            found[other] = None
            todo += [] if other in barriers else by_name[other].needs
    return sorted(found)


def inputs_digest(steps: Sequence[Step], results: Mapping[str, StepResult], name: str) -> str:
    """A digest of what a step is given besides the parts of the change."""
    given = [
        [other, str(result.outcome), result.output]
        for other in needed_by(steps, name)
        if (result := results.get(other)) is not None and not _is_parted(result)
    ]
    return hashlib.sha256(json.dumps(given).encode()).hexdigest()


def _is_parted(result: StepResult) -> bool:
    """Whether it is what `lok parts` puts out."""
    return isinstance(result.data, dict) and {"coverage", "parts", "skipped"} <= result.data.keys()
