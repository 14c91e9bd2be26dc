"""Everything that happens in a run, as values; ``fold`` makes the RunResult out of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Literal, TypeAlias

from pytest_lok.core.approval import Approval
from pytest_lok.core.history import FailedAttempt, StepHistory
from pytest_lok.core.json_values import Json
from pytest_lok.core.results import NO_USAGE, CasePlace, Refusal, Reply, RunResult, StepResult, Usage
from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStep:
    """What an earlier run has recorded of a step.

    ``result`` None = it began, and has no end. ``inputs`` are digests of what it read, by what that is; {} =
    not known. ``tree`` is the state of the files that it read, and ``left`` the one in which its edits left
    them; "" = not known, or none. ``effects``: it changes something outside. ``run_id``: the run in which it
    itself ran. ``stopped``: it was ended before it could end. ``answers`` are those that it got, by the
    digest of the question.
    """

    result: StepResult | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    tree: str = ""
    left: str = ""
    effects: bool = False
    run_id: str = ""
    stopped: bool = False
    answers: Mapping[str, Reply] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeState:
    """What a run begins with.

    ``results`` are those of steps that are not run again, whatever they read, and ``spent`` is what of the
    budget is gone; ``brought`` is gone too, and was told by the events of an earlier run alone. ``recorded``
    are steps of the run that is resumed, by name: each keeps its result if that is still what it would be.
    ``again`` names steps that run in any case. ``resumes`` is the id of that run; "" = there is none.
    ``approvals`` are answers that people have given in it, or to it.
    """

    results: tuple[StepResult, ...] = ()
    spent: Usage = NO_USAGE
    brought: Usage = NO_USAGE
    recorded: Mapping[str, RecordedStep] = field(default_factory=dict)
    again: frozenset[str] = frozenset()
    resumes: str = ""
    approvals: tuple[Approval, ...] = ()

    @property
    def told(self) -> Iterator[Event]:
        """The events by which a run tells what it has from before."""
        if self.brought != NO_USAGE:
            yield BudgetSpent(usage=self.brought)
        for approval in self.approvals:
            yield ApprovalGiven(approval=approval)


FRESH_START = ResumeState()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run began; ``time`` is UTC seconds since the epoch, ``steps`` what will be considered, in order.

    ``reviews`` are those of them that report findings. ``head`` is the commit that the work tree is of, and
    ``base`` the one where the change left its base; "" = not known. ``resumes`` is the id of the run that
    this one goes on from; "" = it begins anew. ``cases`` are the places of all steps of the workflow
    that are cases, whether or not they were selected.
    """

    run_id: str
    workflow: str
    path: str
    sha256: str
    time: float
    steps: tuple[str, ...]
    selected: tuple[str, ...]
    leaves: tuple[str, ...]
    reviews: tuple[str, ...] = ()
    base: str = ""
    head: str = ""
    resumes: str = ""
    cases: tuple[CasePlace, ...] = ()
    kind: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWaiting:
    """Another run of the workspace must end first: one of the two runs alone."""

    kind: Literal["run_waiting"] = "run_waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step's dependencies are done and it has a place to run; ``at`` is seconds since the run began.

    ``effects``: it changes something outside of the project.
    """

    step: str
    at: float
    effects: bool = False
    kind: Literal["step_started"] = "step_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgressed:
    """So many of a step's parts have ended: items of a ``for_each``, answers of a ``repeat``, or inner steps.

    ``round`` is that of a loop whose inner steps are counted; None = there is no loop.
    """

    step: str
    finished: int
    total: int
    round: int | None = None
    kind: Literal["step_progressed"] = "step_progressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendBusy:
    """A question waits, because its backend already has as many as it may have at once."""

    step: str
    backend: str
    item: int | None = None
    kind: Literal["backend_busy"] = "backend_busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendAsked:
    """A prompt went to a backend; ``item`` is the index of the ``for_each`` item, None outside.

    ``options`` are all that the answer was asked for with: the backend's own and the step's.
    """

    step: str
    backend: str
    prompt: str
    model: str = ""
    item: int | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    kind: Literal["backend_asked"] = "backend_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendAnswering:
    """An answer is coming in: its first words, without one that may go on, and its characters so far."""

    step: str
    backend: str
    words: str
    characters: int
    item: int | None = None
    kind: Literal["backend_answering"] = "backend_answering"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendReplied:
    """A backend gave a valid answer.

    ``question`` is a digest of all that the answer depends on; "" = that is not known.
    """

    step: str
    reply: Reply
    item: int | None = None
    question: str = ""
    kind: Literal["backend_replied"] = "backend_replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRefused:
    """A backend gave no valid answer (after its own retries, if any)."""

    step: str
    refusal: Refusal
    item: int | None = None
    kind: Literal["backend_refused"] = "backend_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """A run goes on with an answer that a person has given to the question of a step."""

    approval: Approval
    kind: Literal["approval_given"] = "approval_given"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpent:
    """A call began or was answered: so much more of the budget is gone. Not told where there is none."""

    usage: Usage
    kind: Literal["budget_spent"] = "budget_spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetrying:
    """An attempt failed, and another one follows after ``delay`` seconds, of at most ``attempts`` in all."""

    step: str
    attempt: int
    delay: float
    reason: str
    attempts: int = 0
    item: int | None = None
    kind: Literal["step_retrying"] = "step_retrying"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step has its outcome, also one that never started; ``at`` is seconds since the run began.

    The rest is what a later run has to know to keep the result, as in RecordedStep.
    """

    result: StepResult
    at: float
    inputs: Mapping[str, str] = field(default_factory=dict)
    tree: str = ""
    left: str = ""
    run_id: str = ""
    stopped: bool = False
    effects: bool = False
    kind: Literal["step_finished"] = "step_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSeen:
    """The files were in this state from the time when these steps began until they had ended."""

    steps: tuple[str, ...]
    tree: str
    kind: Literal["files_seen"] = "files_seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """A run ended; ``interrupted`` says why early, "" = by itself. ``seconds`` is wall time."""

    seconds: float
    interrupted: str = ""
    kind: Literal["run_finished"] = "run_finished"


Event: TypeAlias = (
    RunStarted
    | RunWaiting
    | StepStarted
    | StepProgressed
    | BackendBusy
    | BackendAsked
    | BackendAnswering
    | BackendReplied
    | BackendRefused
    | ApprovalGiven
    | BudgetSpent
    | StepRetrying
    | StepFinished
    | FilesSeen
    | RunFinished
)


def not_to_be_kept(event: Event) -> Event:
    """An event that is not recorded as it was: no later run may take what is left for what there was."""
    match event:
        case StepFinished():
            return replace(event, inputs={})
        case BackendReplied():
            return replace(event, question="")
        case _:
            return event


LIVE_EVENTS = (StepProgressed, BackendBusy, BackendAnswering)
"""What only a view of the running run shows; no journal keeps it."""


def fold(events: Iterable[Event]) -> RunResult:
    """A run's events, in order, as its result; see RunFold."""
    folding = RunFold()
    for event in events:
        folding.add(event)
    return folding.result()


class RunFold:
    """The events of a run, added in order → its result; steps with no StepFinished are not in it.

    A journal cut short (no RunFinished) folds into an interrupted run, never a green one. A run that
    was taken over has started several times; it is as old as the first.
    """

    def __init__(self) -> None:
        self._start: RunStarted | None = None
        self._end: RunFinished | None = None
        # seconds of the run before it was taken over
        self._earlier = 0.0
        self._steps: dict[str, StepResult] = {}
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._retried: dict[str, tuple[FailedAttempt, ...]] = {}

    def add(self, event: Event) -> None:
        """Add the next event; those that are only for live views change nothing."""
        match event:
            case StepStarted(step=step, at=at):
                # a step that is run again begins anew
                self._began[step] = self._earlier + at
                self._ended.pop(step, None)
                self._retried.pop(step, None)
            case StepFinished(result=result, at=at):
                self._steps[result.name] = result
                began = self._began.get(result.name)
                # the result of another attempt, after the run, has no time in it
                if began is not None and self._earlier + at >= began:
                    self._ended[result.name] = self._earlier + at
            case StepRetrying(step=step) if step in self._began:
                failed = FailedAttempt(
                    number=event.attempt, reason=event.reason, delay=event.delay, item=event.item
                )
                self._retried[step] = (*self._retried.get(step, ()), failed)
            case RunStarted():
                self._earlier += event.time - self._start.time if self._start else 0.0
                self._start = event
                self._end = None
            case RunFinished():
                self._end = event
            case _:
                pass

    def result(self) -> RunResult:
        """What came of the run, as far as its events have been added."""
        start, end, steps = self._start, self._end, self._steps
        if start is None:
            return RunResult(run_id="", workflow="", interrupted="no run was recorded")
        return RunResult(
            run_id=start.run_id,
            workflow=start.workflow,
            path=start.path,
            sha256=start.sha256,
            started=start.time - self._earlier,
            seconds=self._earlier + end.seconds if end else 0.0,
            steps={name: steps[name] for name in start.steps if name in steps},
            selected=start.selected,
            leaves=start.leaves,
            reviews=start.reviews,
            base=start.base,
            head=start.head,
            interrupted=end.interrupted if end else "the run did not end",
            history={name: self._history(name) for name in start.steps if name in self._began},
            cases={place.name: place for place in start.cases},
        )

    def _history(self, step: str) -> StepHistory:
        return StepHistory(
            started=self._began[step], ended=self._ended.get(step), retried=self._retried.get(step, ())
        )
