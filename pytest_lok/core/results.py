"""What came of a step and of a run: Outcome, Usage, Reply, Verdict, Finding, StepResult, RunResult."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from typing import TypeVar

from pytest_lok.core.approval import Approval as Approval
from pytest_lok.core.finding import Finding as Finding
from pytest_lok.core.finding import Severity as Severity
from pytest_lok.core.finding import Standing as Standing
from pytest_lok.core.finding import Vote as Vote
from pytest_lok.core.history import Resumed, StepHistory
from pytest_lok.core.json_values import Json as Json
from pytest_lok.dataclass import dataclass


class Outcome(enum.StrEnum):
    """The five outcomes; every surface shows the same one."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    SOFT = "soft"

    @property
    def red(self) -> bool:
        """Whether this outcome alone makes a run not green."""
        return self in (Outcome.FAILED, Outcome.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and money of one or more calls; None = not reported, which is not the same as 0.

    ``cached`` counts the answers that took no call: they came out of the cache, or were recorded.
    """

    calls: int = 0
    cached: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None

    @property
    def tokens(self) -> int | None:
        """Input plus output tokens, or None when neither was reported."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    def __add__(self, other: Usage) -> Usage:
        """Sum; a value one side does not know counts as nothing, unless neither knows it."""
        return Usage(
            calls=self.calls + other.calls,
            cached=self.cached + other.cached,
            input_tokens=_add(self.input_tokens, other.input_tokens),
            output_tokens=_add(self.output_tokens, other.output_tokens),
            cost_usd=_add(self.cost_usd, other.cost_usd),
        )


_N = TypeVar("_N", int, float)


def _add(a: _N | None, b: _N | None) -> _N | None:
    if a is None:
        return b
    return a if b is None else a + b


RUBRIC_BY = "rubric by "  # in the title of a section that holds the ruling of a judge
ASKED_AGAIN = " was asked again"  # at the end of the title of a section with the correction of a backend
BEFORE_FIX = "before fix "  # in the title of a section that says what was wrong with an attempt
WAITING_CODE = 4  # the exit code of a run in which nothing is wrong but that people have not answered yet
NO_USAGE = Usage()
CACHED_USAGE = Usage(cached=1, input_tokens=0, output_tokens=0, cost_usd=0.0)  # an answer known already


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One backend's valid answer to one prompt. ``seconds`` is the time of the successful call.

    ``cached``: it was known already, from a cache or a recording. ``item`` is the index of the ``for_each``
    item that was asked about, None outside.
    """

    text: str
    backend: str
    model: str = ""
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    cached: bool = False
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One backend that gave no valid answer, and why: ``kind`` is a BackendFault's value, or "budget"."""

    backend: str
    kind: str
    reason: str
    hint: str = ""
    item: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What several backends said together: the chosen text, how they were tallied, who dissented.

    ``tally`` maps each compared value to the weight behind it; ``dissent`` holds the valid replies
    that did not agree with the chosen one.
    """

    strategy: str
    text: str
    backend: str
    tally: Mapping[str, float] = field(default_factory=dict)
    dissent: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled piece of evidence for reports: a command's stderr, a verify log, an assert's values."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well an output does by one measure, between ``least`` and ``most``; ``name`` is what is written.

    The name begins with the item in brackets where the step has several.
    """

    name: str
    value: float
    least: float = 0.0
    most: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFile:
    """A file that a step's answer has changed, with how many lines; ``created``: there was none before."""

    file: str
    added: int
    removed: int
    created: bool = False


NO_EDITS = "no edits"
"""The title of the section that says that an answer edits nothing, and may do so."""


def as_error(kind: str, text: str) -> str:
    """A text that is no answer, so that nobody who looks for an error takes it for one."""
    return f"Error: {kind} error: {text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What came of one item of a ``for_each`` step; ``cut`` and ``verdict`` as in StepResult."""

    index: int
    item: Json
    outcome: Outcome
    reason: str = ""
    output: str = ""
    cut: bool = False
    seconds: float = 0.0
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedRun:
    """What came of the steps of a workflow that a step ran; ``item`` as in Reply.

    ``round`` counts from 1 what a loop ran; None = it is none.
    """

    workflow: str
    steps: tuple[StepResult, ...]
    item: int | None = None
    round: int | None = None

    @property
    def label(self) -> str:
        """Which of the step's runs it is, such as "item 0, round 2"; "" = it is the only one."""
        parts = [("item", self.item), ("round", self.round)]
        return ", ".join(f"{what} {number}" for what, number in parts if number is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What came of one step.

    ``reason`` is "" for a passed step alone. ``output`` is the text that the step gave, and ``data`` its
    parsed JSON if the step's format is a JSON one (``has_data``). ``quoting``: the JSON in a text output is
    only quoted from the prompt. ``cut``: the output was too long, a line in its middle stands for what was
    dropped, and nothing is read of it. ``underlying`` is FAILED or ERROR on a soft step. ``blocked_by`` names
    the root cause of a blocked step; "" if the step ran or was skipped by its own ``when``. ``findings`` are
    those of a step with the format of that name, the worst first, also where the step failed; None on other
    steps. ``set_aside`` says which of them did not count though they are severe enough. ``reviewed`` says how
    much of the change was asked about, if the gate knows of earlier reviews. ``edits`` are the files that the
    answer has changed and that stay changed. ``scores`` are those that its asserts have read. ``verified`` is
    the command of ``verify`` that said yes, "" = none did. ``waiting`` is the question that no person has
    answered yet, ``approval`` the answer. ``seconds`` is the step's own time without waiting. ``attempts`` is
    0 for a step that did not run. ``nested`` are the runs of the workflow that the step ran, one for each
    item and round. ``resumed`` says what a run that was resumed made of it; None = the run began anew.
    """

    name: str
    outcome: Outcome
    reason: str = ""
    hint: str = ""
    output: str = ""
    cut: bool = False
    data: Json = None
    has_data: bool = False
    quoting: bool = False
    exit_code: int | None = None
    seconds: float = 0.0
    attempts: int = 0
    replies: tuple[Reply, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    verdict: Verdict | None = None
    items: tuple[ItemResult, ...] = ()
    findings: tuple[Finding, ...] | None = None
    set_aside: tuple[str, ...] = ()
    reviewed: str = ""
    edits: tuple[EditedFile, ...] = ()
    verified: str = ""
    sections: tuple[Section, ...] = ()
    scores: tuple[Score, ...] = ()
    usage: Usage = NO_USAGE
    underlying: Outcome | None = None
    blocked_by: str = ""
    nested: tuple[NestedRun, ...] = ()
    resumed: Resumed | None = None
    waiting: str = ""
    approval: Approval | None = None

    def __repr__(self) -> str:
        """Short: a failed ``assert result.steps["bugs"].passed`` shows it."""
        return f"<step {self.name}: {self._said}>"

    @property
    def _said(self) -> str:
        """The outcome and the start of the reason, in one line that no terminal and no CI runner obeys."""
        text = " ".join(self.reason[:400].split())
        text = repr(text[:100])[1:-1].replace("##", "# #") + ("…" if len(text) > 100 else "")
        return f"{self.outcome}: {text}" if text else self.outcome

    @property
    def passed(self) -> bool:
        """Whether the step did its work and every check held."""
        return self.outcome is Outcome.PASSED

    @property
    def handed_on(self) -> str:
        """The text that later steps read: the output; of a step that did not do its work, an error text.

        That text begins as lok's does, and holds the word in both spellings: ``Error: timeout error: …``.
        """
        if not self.outcome.red and self.outcome is not Outcome.SOFT:
            return self.output
        if (self.underlying or self.outcome) is Outcome.FAILED:
            kind = "check" if self.exit_code in (None, 0) else "shell"
        else:
            kind = self.refusals[-1].kind if self.refusals else "step"
        return as_error(kind, self.output)

    @property
    def blocked(self) -> bool:
        """Whether the step was skipped because a step that it needs broke, and not by its own ``when``."""
        return bool(self.blocked_by)

    @property
    def withheld(self) -> bool:
        """Whether somebody outside kept the step from running, though other steps need it."""
        return self.blocked_by == self.name and not self.attempts

    @property
    def ran(self) -> bool:
        """Whether the step was started; every outcome but skipped says so."""
        return self.outcome is not Outcome.SKIPPED

    @property
    def backend(self) -> str:
        """Who produced the output: the verdict's backend, else the only reply's, else ""."""
        if self.verdict is not None:
            return self.verdict.backend
        return self.replies[0].backend if self.replies else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePlace:
    """Where a case stands in the table of its step, which is called ``step`` in its file.

    ``name`` is that of the case's result. ``column`` is "" where the step has no matrix.
    """

    name: str
    step: str
    row: str
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run: the fold of its events (see ``events.fold``).

    ``interrupted`` says why the run stopped early ("" = it ran to its end); ``reviews`` are the steps that
    report findings; ``started`` is UTC seconds; ``seconds`` is wall time on the monotonic clock. ``head`` is
    the commit of the work tree, and ``base`` the one where the change left its base; "" = not known.
    ``history`` says of each step that began when that was. ``cases`` has the places of all that are cases,
    whether or not they were selected.
    """

    run_id: str
    workflow: str
    path: str = ""
    sha256: str = ""
    started: float = 0.0
    seconds: float = 0.0
    steps: Mapping[str, StepResult] = field(default_factory=dict)
    selected: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    reviews: tuple[str, ...] = ()
    base: str = ""
    head: str = ""
    interrupted: str = ""
    history: Mapping[str, StepHistory] = field(default_factory=dict)
    cases: Mapping[str, CasePlace] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Short: a failed ``assert result.passed`` shows it, with what came of the first red step."""
        outcomes = [step.outcome for step in self.steps.values()]
        counts = [f"{outcomes.count(each)} {each}" for each in Outcome if each in outcomes]
        red = (f"{step.name} {step._said}" for step in self.steps.values() if step.outcome.red)
        facts = [", ".join(counts), self.interrupted, next(red, "")]
        return f"<run {self.workflow}: {' · '.join([self.outcome, *filter(None, facts)])}>"

    @property
    def passed(self) -> bool:
        """The work was done and the answer was yes: nothing red, nothing cut short, something ran."""
        return self.outcome is Outcome.PASSED

    @property
    def outcome(self) -> Outcome:
        """failed > error > passed > soft; a run in which nothing ran is skipped, never passed."""
        outcomes = {r.outcome for r in self.steps.values()}
        if Outcome.FAILED in outcomes:
            return Outcome.FAILED
        if Outcome.ERROR in outcomes or self.interrupted or any(r.withheld for r in self.steps.values()):
            return Outcome.ERROR
        if Outcome.PASSED in outcomes:
            return Outcome.PASSED
        return Outcome.SOFT if Outcome.SOFT in outcomes else Outcome.SKIPPED

    @property
    def idle(self) -> bool:
        """Every step that judges (those that report findings, else all) was skipped by its own ``when``."""
        judging = [self.steps[name] for name in self.reviews if name in self.steps] or self.steps.values()
        return not self.outcome.red and all(
            step.outcome is Outcome.SKIPPED and not step.blocked for step in judging
        )

    @property
    def exit_code(self) -> int:
        """0 green, 1 judged no, 3 could not, 4 waits; the caller adds 2 (usage) and 130 (interrupt)."""
        code = {Outcome.FAILED: 1, Outcome.ERROR: 3}.get(self.outcome, 0)
        return WAITING_CODE if code == 3 and self.only_waits else code

    @property
    def only_waits(self) -> bool:
        """Whether answers of people are all that is missing."""
        steps = self.steps.values()
        cut = self.interrupted or any(step.withheld for step in steps)
        return not cut and {bool(it.waiting) for it in steps if it.outcome is Outcome.ERROR} == {True}

    @property
    def usage(self) -> Usage:
        """What all steps used together."""
        return sum((r.usage for r in self.steps.values()), NO_USAGE)

    @property
    def output(self) -> str:
        """The leaf steps' outputs, in order, a blank line between them; the end of a reason is no output."""
        said = (
            it for name in self.leaves if (it := self.steps.get(name)) and it.output not in ("", it.reason)
        )
        return "\n\n".join(step.output for step in said if not step.reason.endswith(f": {step.output}"))
