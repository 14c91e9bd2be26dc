"""Events -> the lines of a run that stay on the screen, each with the outcome that it tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_lok.core.events import (
    BackendAsked,
    Event,
    RunFinished,
    RunStarted,
    RunWaiting,
    StepFinished,
    StepProgressed,
    StepRetrying,
    StepStarted,
)
from pytest_lok.core.results import Outcome
from pytest_lok.core.text.truncation import leave_out_middle
from pytest_lok.reports.console import details, status
from pytest_lok.reports.facts import in_spite_of, many, some

if TYPE_CHECKING:
    from pytest_lok.cli.question_count import Announce
    from pytest_lok.core.results import StepResult

_NAME_WIDTH = 30  # columns of the longest name beside which what follows still stands in a column
_NEAR = 10  # lines above the end that are still in sight
_NAMED = 8
_WIDTH = 80  # columns of a table where nobody knows how many there are
_MANY = 10  # parts of a step whose number is told before the first one begins
_PROMPT_LINES = 60  # lines of a prompt that -v shows

Line: TypeAlias = tuple[str, str]
"""A line of the screen, behind the outcome that it tells; "" = none."""


class ProgressLines:
    """Events -> the lines that stay on the screen, each with the outcome that it tells ("" = none).

    ``announce`` is told of a step that has parts, before the first one begins, and says what it asks.

    ``finished`` False leaves out the ends of steps, because something else shows them. ``printed`` says
    of which steps the output goes to stdout anyway. ``title`` is the first line, "" = none. ``needs`` has the
    declared dependencies of each step. Reasons are wrapped to fit ``width``, 0 = lines
    of any length. ``every`` False counts the skipped steps in a line, instead of naming each.
    """

    def __init__(
        self,
        *,
        verbose: bool = False,
        finished: bool = True,
        printed: Literal["leaves", "all", "none"] = "leaves",
        title: str = "",
        needs: Mapping[str, Sequence[str]] | None = None,
        width: int = 0,
        every: bool = True,
    ) -> None:
        self._verbose = verbose
        self._shows_finished = finished
        self._printed = printed
        self._title = title
        self._needs = needs or {}
        self._screen_width = width
        self._names_skipped = every
        self.announce: Announce = lambda *_: ""
        self._name_width = 0
        self._steps: tuple[str, ...] = ()
        self._leaves: frozenset[str] = frozenset()
        self._results: dict[str, StepResult] = {}
        self._stopped = ""
        self._count = 0
        self._ends: dict[str, int] = {}

    def lines(self, event: Event) -> Iterator[Line]:
        """The lines that the event adds."""
        for line in self._lines(event):
            self._count += 1
            yield line
        if isinstance(event, StepFinished):
            self._ends[event.result.name] = self._count

    def stop(self, reason: str) -> None:
        """From now on, steps that end because of this are told together, at the end of the run."""
        self._stopped = reason

    @property
    def name_width(self) -> int:
        """Columns of the steps' names."""
        return self._name_width

    def out_of_sight(self, printed: str) -> list[StepResult]:
        """The red steps that stand far above, now that ``printed`` has been printed too."""
        now = self._count + printed.count("\n")
        return [
            result
            for name, result in self._results.items()
            if result.outcome.red and now - self._ends[name] > _NEAR and not self._is_told_together(result)
        ]

    def _lines(self, event: Event) -> Iterator[Line]:
        match event:
            case RunStarted():
                self._name_width = min(_NAME_WIDTH, max(map(len, event.steps), default=0))
                self._steps, self._leaves = event.steps, frozenset(event.leaves)
                if self._title:
                    yield "", self._title
            case RunWaiting():
                yield "", "waiting  for another run in this directory: one of the two runs alone"
            case StepStarted() if self._verbose:
                yield "", f"started  {event.step}"
            case BackendAsked() if self._verbose:
                yield "", f"asking   {event.step:<{self._name_width}}  {event.backend}"
                shown = leave_out_middle(event.prompt, head=8_000, tail=2_000, lines=_PROMPT_LINES)
                yield from (("", f"    > {line}") for line in shown.strip().split("\n"))
            case StepProgressed(finished=0, round=None):
                # before the first of them is paid for
                asks = self.announce(event.step, event.total)
                if asks or event.total >= _MANY:
                    about = f"0/{event.total:,}" + (f"  {asks}" if asks else "")
                    yield "", f"begins   {event.step:<{self._name_width}}  {about}"
            case StepRetrying():
                attempt = f"{event.attempt} of {event.attempts}" if event.attempts else f"{event.attempt}"
                why = f"attempt {attempt} failed, retrying in {event.delay:.1f} s: {event.reason}"
                yield "", f"again    {event.step:<{self._name_width}}  {why}"
            case StepFinished(result=result):
                self._results[result.name] = result
                if self._shows_finished and not self._is_told_together(result) and not self._counts(result):
                    yield from self._finished(result)
            case RunFinished() if self._shows_finished:
                yield from self._skipped_steps()
                yield from self._stopped_steps()

    def _finished(self, result: StepResult) -> Iterator[Line]:
        yield result.outcome, status(result, self._name_width)
        # the reason of a step that had too few names them itself
        if result.attempts and (rests_on := in_spite_of(self._needs.get(result.name, ()), self._results)):
            yield "", f"    {rests_on}"
        output = not self._prints(result.name)
        shown = details(result, output=output, whole=self._verbose, columns=self._screen_width)
        yield from (("", line) for line in shown)
        # without agreement each answer stands above
        if self._verbose and (result.passed or result.items):
            from pytest_lok.reports.table import table

            yield from (
                ("", f"    {line}") for line in table(result, width=(self._screen_width or _WIDTH) - 4)
            )

    def _is_told_together(self, result: StepResult) -> bool:
        """Whether the step was ended by what stopped the run, or did not begin because of that."""
        root = self._results.get(result.blocked_by, result)
        return bool(self._stopped) and root.outcome.red and root.reason.endswith(self._stopped)

    def _counts(self, result: StepResult) -> bool:
        """Whether the step is counted at the end of the run, and not named."""
        return not self._names_skipped and result.outcome is Outcome.SKIPPED

    def _skipped_steps(self) -> Iterator[Line]:
        """Of the steps that are not named a line for those that were not needed, and one for the others."""
        counted = [it for it in self._results.values() if self._counts(it) and not self._is_told_together(it)]
        for words, blocked in (("not needed", False), ("not run", True)):
            if number := sum(it.blocked is blocked for it in counted):
                yield "skipped", f"skipped  {words}: {many(number, 'step')}"

    def _stopped_steps(self) -> Iterator[Line]:
        """Of each outcome a line for all steps that were running, and one for all that had not begun."""
        known = (self._results[name] for name in self._steps if name in self._results)
        ended = [result for result in known if self._is_told_together(result)]
        for word, began in (("stopped", True), ("not run", False)):
            for outcome in Outcome:
                names = [it.name for it in ended if bool(it.attempts) is began and it.outcome is outcome]
                if names:
                    yield outcome, f"{outcome:<7}  {word}: {some(names, _NAMED)}"

    def _prints(self, name: str) -> bool:
        """Whether the output of a step goes to stdout, and is not repeated here."""
        return self._printed == "all" or (self._printed == "leaves" and name in self._leaves)
