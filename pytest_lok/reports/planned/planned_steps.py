"""The steps of a plan: whom each would ask, and how often it runs, also inside of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from pytest_lok.core.workflow.model import Nested
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.questions import QuestionCount, questions_of

if TYPE_CHECKING:
    from pytest_lok.core.asking.pricing import Price
    from pytest_lok.core.json_values import Json
    from pytest_lok.core.workflow.model import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBackend:
    """A backend a step would ask, ``auto`` where it is the best for the task that is available (``why``).

    ``problem`` is why it could not answer, "" if it could. ``price`` is what its model costs, None = unknown.
    ``options`` are those of its answers: its own, and the step's.
    """

    backend: str
    auto: bool = False
    why: str = ""
    problem: str = ""
    price: Price | None = None
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A step as far as it is known before anything ran.

    ``prompt`` is the text that would be sent where nothing in it has to be found out first
    (``prompt_known``), its template otherwise; "" for a command. ``inner`` are the steps of the workflow that
    it runs.
    """

    step: Step
    asked: Sequence[PlannedBackend] = ()
    prompt: str = ""
    prompt_known: bool = False
    inner: Sequence[PlannedStep] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedStep:
    """A step with how often it runs: ``usual`` times, and at most ``most``.

    ``name`` begins with the steps that run its workflow. ``open`` is the step whose items nobody knows yet,
    "" = none; then the numbers are those of one item.
    """

    name: str
    planned: PlannedStep
    usual: int = 1
    most: int = 1
    open: str = ""

    @property
    def questions(self) -> QuestionCount:
        """The questions that it pays for."""
        return questions_of(self.planned.step, len(self.planned.asked)).times(self.usual, self.most)


def counted(
    steps: Iterable[PlannedStep], before: str = "", usual: int = 1, most: int = 1, is_open: str = ""
) -> Iterator[CountedStep]:
    """Every step of a plan, also those of the workflows that it runs, with how often it runs."""
    for planned in steps:
        name, for_each = f"{before}{planned.step.written_name}", planned.step.for_each
        each = CountedStep(name=name, planned=planned, usual=usual, most=most, open=is_open)
        if for_each is not None and for_each.expression is not None:
            each = CountedStep(name=name, planned=planned, open=name)
        elif for_each is not None:
            items = len(for_each.inline)
            each = replace(each, usual=usual * items, most=most * items)
        yield each
        rounds = planned.step.action.max_rounds if isinstance(planned.step.action, Nested) else 1
        yield from counted(planned.inner, f"{name}/", each.usual, each.most * rounds, each.open)
