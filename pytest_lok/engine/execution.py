"""What one execution of a step has gathered so far. It becomes the StepResult, whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from pytest_lok.core.results import (
    BEFORE_FIX,
    NO_USAGE,
    RUBRIC_BY,
    Approval,
    EditedFile,
    Finding,
    ItemResult,
    Json,
    NestedRun,
    Outcome,
    Refusal,
    Reply,
    Score,
    Section,
    StepResult,
    Usage,
    Verdict,
)
from pytest_lok.core.templates.scope import Loop, Scope
from pytest_lok.core.text.truncation import leave_out_middle
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Step
    from pytest_lok.engine.context import RunContext
    from pytest_lok.engine.ports import Prompt

_HEAD, _TAIL = 8_000, 56_000
"""Characters of a section that are kept: more of its end, where errors stand, than of its start."""


@dataclass(slots=True)
class StepExecution:
    """One execution of a step, or of one item of a ``for_each`` step, filled as the step goes on.

    ``asked`` names the backends that got the ``question``. ``reported`` holds the data of those whose answer
    counts, by name; "" = the step's command. ``findings`` are the located findings of that data.
    ``answered`` are all replies so far, also those that nothing has been made of yet. ``parts`` are the items
    or samples that run now, and ``ended`` is the result of such an item.
    ``material`` is the part of the prompt that an answer may quote, and ``quoting`` says that all JSON of
    the answer is quoted from there. ``nested`` are the runs of the workflow that it runs, and ``aside`` is
    what their gates set aside. ``began`` is when the first question was asked, or the first command
    started; None = not yet. ``rulings`` are what judges have said, by backend, rubric and text.
    ``waiting`` is the question that nobody has answered yet, ``approval`` the answer to it.
    """

    step: Step
    context: RunContext
    loop: Loop | None = None
    sample: int = 0
    output: str = ""
    cut: bool = False
    data: Json = None
    has_data: bool = False
    exit_code: int | None = None
    attempts: int = 0
    usage: Usage = NO_USAGE
    verdict: Verdict | None = None
    verified: str = ""
    edits: tuple[EditedFile, ...] = ()
    replies: list[Reply] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    items: list[ItemResult] = field(default_factory=list)
    nested: list[NestedRun] = field(default_factory=list)
    aside: tuple[str, ...] = ()
    answered: list[Reply] = field(default_factory=list)
    parts: Sequence[StepExecution] = ()
    ended: ItemResult | None = None
    reported: dict[str, Json] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    question: Prompt | None = None
    findings: tuple[Finding, ...] | None = None
    reviewed: str = ""
    material: str = ""
    quoting: bool = False
    began: float | None = None
    rulings: dict[tuple[str, str, str], tuple[Json, Json]] = field(default_factory=dict)
    waiting: str = ""
    approval: Approval | None = None

    def begin(self) -> None:
        """Note that a question is asked or a command started: waiting for a place is over."""
        if self.began is None:
            self.began = self.context.now()

    def seconds(self, made: float) -> float:
        """Seconds since it began; since ``made``, if it has asked nobody and run nothing."""
        return self.context.now() - (made if self.began is None else self.began)

    @property
    def item(self) -> int | None:
        """The item's index for events; None outside of ``for_each``."""
        return None if self.loop is None else self.loop.index

    def scope(self) -> Scope:
        """What the step's texts may read now, of the item and the case that it is about."""
        scope, case = self.context.scope(self.loop), self.step.case
        return scope if case is None else replace(scope, case=case.values)

    def reset_answer(self) -> None:
        """Forget the answer before another attempt. Usage and sections stay."""
        self.verdict = None
        self.verified = ""
        self.replies.clear()
        self.refusals.clear()
        self.reported.clear()

    def add_section(self, title: str, text: str) -> None:
        """Add a section to the step's report; a text of white space alone is left out."""
        if text.strip():
            self.sections.append(Section(title=title, text=leave_out_middle(text, head=_HEAD, tail=_TAIL)))

    def said_by_checks(self) -> str:
        """What the asserts have read and the judges have said about the answer, since the last fix."""
        said: list[str] = []
        for section in reversed(self.sections):
            if section.title.startswith(BEFORE_FIX):
                break
            if section.title == "assert" or section.title.startswith(RUBRIC_BY):
                said.append(section.text)
        return "\n".join(reversed(said))

    def adopt_answer(self, other: StepExecution) -> None:
        """Take over the answer of one of several attempts (``repeat``) at this step."""
        self.output, self.cut, self.data, self.has_data = other.output, other.cut, other.data, other.has_data
        self.verdict, self.quoting = other.verdict, other.quoting
        self.replies = other.replies
        # what the other attempts report counts no more, but is shown
        if other.findings is not None:
            lost = [it for it in self.findings or () if it.standing in ("blocks", "undecided")]
            from pytest_lok.core.findings.reading import merge_attempts

            self.findings = merge_attempts(
                [*other.findings, *(replace(it, standing="outvoted") for it in lost)]
            )

    def absorb_part(self, other: StepExecution, label: str) -> None:
        """Add the usage, replies and sections of a part of this step: an item, or one of several answers."""
        if other.began is not None:
            self.began = other.began if self.began is None else min(self.began, other.began)
        self.usage += other.usage
        self.attempts += other.attempts
        self.replies += [replace(it, item=other.item) for it in other.replies]
        self.refusals += [replace(it, item=other.item) for it in other.refusals]
        self.edits += other.edits
        self.nested += other.nested
        self.aside += other.aside
        self.verified = self.verified or other.verified
        if other.findings is not None:
            from pytest_lok.core.findings.reading import merge_attempts

            self.findings = merge_attempts([*(self.findings or ()), *other.findings])
        self.sections += [replace(s, title=f"[{label}] {s.title}") for s in other.sections]
        self.scores += [replace(it, name=f"[{label}] {it.name}") for it in other.scores]

    def interrupt(self, reason: str) -> None:
        """Keep what there is, also of the running parts; an item that has not ended has an error, and why."""
        if self.ended is None and not self.nested:
            self.replies = [*self.answered]
        for part in self.parts:
            part.interrupt(reason)
            is_item = part.loop is not self.loop
            self.absorb_part(part, str(part.item) if is_item else f"answer {part.sample + 1}")
            if is_item:
                self.items.append(part.ended or part.item_result(Outcome.ERROR, reason, 0.0))
        self.parts = ()

    def item_result(self, outcome: Outcome, reason: str, seconds: float) -> ItemResult:
        """The execution as the result of one item, which took so many seconds."""
        loop = self.loop or Loop(item=None, index=0)
        return ItemResult(
            index=loop.index,
            item=loop.item,
            outcome=outcome,
            reason=reason,
            output=self.output,
            cut=self.cut,
            seconds=seconds,
            verdict=self.verdict,
        )

    def result(
        self,
        outcome: Outcome,
        reason: str = "",
        hint: str = "",
        *,
        underlying: Outcome | None = None,
        seconds: float = 0.0,
    ) -> StepResult:
        """The execution as the step's result with this outcome."""
        outvoted = self.aside
        if self.findings and not self.nested:
            from pytest_lok.core.findings.gate import set_aside

            outvoted = set_aside(self.context.plan.workflow.gate, self.findings)
        return StepResult(
            name=self.step.name,
            outcome=outcome,
            reason=reason,
            hint=hint,
            output=self.output,
            cut=self.cut,
            data=self.data,
            has_data=self.has_data,
            quoting=self.quoting,
            exit_code=self.exit_code,
            waiting=self.waiting,
            approval=self.approval,
            attempts=self.attempts,
            replies=tuple(self.replies),
            refusals=tuple(self.refusals),
            verdict=self.verdict,
            items=tuple(self.items),
            findings=self.findings,
            set_aside=outvoted,
            reviewed=self.reviewed,
            edits=self.edits,
            verified=self.verified,
            sections=tuple(self.sections),
            scores=tuple(self.scores),
            usage=self.usage,
            underlying=underlying,
            nested=tuple(self.nested),
            seconds=seconds,
        )


class InconclusiveError(StepUnableError):
    """The gate cannot decide. ``soft``: the workflow only wants to be warned of that."""

    def __init__(self, message: str, *, hint: str, soft: bool) -> None:
        super().__init__(message, hint=hint)
        self.soft = soft


class DryRunError(LokError):
    """The edits apply, and this is a dry run: ``execution.output`` is their diff."""
