"""What reports say of a step beside its text: its parts (findings, items, backends), facts, sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.results import Finding, ItemResult, Outcome, StepResult
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.facts import coverage, done, item_value, last_attempt, vote
from pytest_lok.reports.failure_text import excerpt, item_text, reason_line, table_of
from pytest_lok.reports.untrusted import escape_untrusted

_SHOWN = 50  # subtests of one step; a for_each may have thousands of items


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtest:
    """One blocking finding, one item of a ``for_each``, or one of several backends.

    ``path`` and ``line`` are the place that a finding points at, else "" and 0.
    """

    name: str
    outcome: Outcome
    reason: str = ""
    text: str = ""
    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        text = excerpt(self.text, lines=120, chars=16_000)
        lines = [f"{self.name}: {self.outcome}", *text.splitlines(), f"E   {self.reason}"]
        return escape_untrusted("\n".join(lines))


def may_have_subtests(result: StepResult) -> bool:
    """Whether there is more to a step than one answer or one command, as far as can be told at once."""
    return bool(
        result.items or result.findings or result.nested or len(result.replies) + len(result.refusals) > 1
    )


def subtests_of(result: StepResult, asked: Sequence[BackendAsked] = ()) -> list[Subtest]:
    """The step's subtests, red ones first: its blocking findings, or else its items, or its backends.

    ``asked`` are the prompts that were sent.
    """
    if result.nested:
        # what did not run is no part: pytest would count it as passed
        nested = [it for it in _of_nested(result) if it.outcome.red or it.outcome is Outcome.PASSED]
        return _first(sorted(nested, key=lambda subtest: not subtest.outcome.red))
    blocking = [_of_finding(finding) for finding in result.findings or () if finding.blocking]
    if blocking:
        return _first(blocking)
    # one part is the step itself, and would be counted twice
    if len(result.items) < 2 and len(result.replies) + len(result.refusals) < 2:
        return []
    items = sorted(result.items, key=lambda item: not item.outcome.red)
    subtests = [_of_item(result, item, asked) for item in items[:_SHOWN]] or list(_of_backends(result))
    subtests += [Subtest(name="", outcome=item.outcome) for item in items[_SHOWN:]]  # only counted
    subtests.sort(key=lambda subtest: not subtest.outcome.red)
    return _first(subtests) if len(subtests) > 1 else []


def _first(subtests: list[Subtest]) -> list[Subtest]:
    """As many as are shown; the last one stands for the others, and is as red as the worst of them."""
    left = subtests[_SHOWN - 1 :]
    if len(left) < 2:
        return subtests
    worst = next((it.outcome for it in left if it.outcome.red), left[0].outcome)
    said = f"{len(left):,} more parts of this step are not listed"
    return [*subtests[: _SHOWN - 1], Subtest(name=f"and {len(left):,} more", outcome=worst, reason=said)]


SCORE_FACT = "score["
"""How the fact begins that is called by what a score is written as, in brackets."""


def step_facts(
    result: StepResult, *, workflow: str, workflow_sha256: str, run_id: str
) -> dict[str, str | int | float]:
    """Plain facts of a step by name, of JSON's own types; a fact that is not known is left out."""
    facts = {
        "workflow": workflow,
        "outcome": result.outcome.value,
        "reason": reason_line(result) if result.reason else "",
        "set_aside": "; ".join(result.set_aside),
        "answered": "" if result.passed else coverage(result),
        "blocked_by": result.blocked_by,
        "seconds": result.seconds,
        "attempts": result.attempts,
        "backend": str(result.backend),
        "model": str(_model(result)),
        "tokens": result.usage.tokens,
        "cached": result.usage.cached or None,
        "cost_usd": result.usage.cost_usd,
        "resumed": result.resumed.text if result.resumed is not None else "",
        **{f"{SCORE_FACT}{it.name}]": it.value for it in result.scores},
        "run_id": run_id,
        "workflow_sha256": workflow_sha256,
    }
    return {name: value for name, value in facts.items() if value not in ("", None)}


def sections_of(result: StepResult) -> Iterator[tuple[str, str]]:
    """Titles and texts of a step that is not red: who said what, what was decided and done."""
    if result.resumed is not None:
        yield "resumed", result.resumed.text
    if rows := table_of(result):
        yield "answers", "\n".join(rows)
    if result.output and result.ran:
        yield "output", result.output
    yield from ((section.title, section.text) for section in last_attempt(result.sections))
    if facts := [*filter(None, [vote(result.verdict)]), *done(result, whole=True)]:
        yield "result", "\n".join(facts)
    # of a step that passed, the only red parts are backends, and "result" names them
    if not result.passed:
        yield from ((part.name, part.reason) for part in subtests_of(result) if part.outcome.red)


def _model(result: StepResult) -> str:
    return next((reply.model for reply in result.replies if reply.backend == result.backend), "")


def _of_finding(finding: Finding) -> Subtest:
    text = [finding.message, f"evidence: {finding.evidence}"]
    if any(finding.reporters):
        text.append(f"reported by: {', '.join(finding.reporters)}")
    return Subtest(
        name=escape_untrusted(f"{finding.rule_id} {finding.path}:{finding.line}"),
        outcome=Outcome.FAILED,
        reason=finding.headline,
        text="\n".join(text),
        path=finding.path,
        line=finding.line,
    )


def _of_item(result: StepResult, item: ItemResult, asked: Sequence[BackendAsked]) -> Subtest:
    text = "\n".join(item_text(result, item, asked)) if item.outcome.red else ""
    name = escape_untrusted(f"item {item.index}: {item_value(item)}")
    return Subtest(name=name, outcome=item.outcome, reason=item.reason, text=text)


def _of_nested(result: StepResult, before: str = "") -> Iterator[Subtest]:
    """The steps of the workflow that the step ran, each followed by those that it ran itself."""
    for run in result.nested:
        start = f"{before}{run.label}: " if run.label else before
        for step in run.steps:
            told = sections_of(step) if step.outcome.red and not step.nested else ()
            text = "\n".join(f"{title}: {text}" for title, text in told)
            name = f"{start}{step.name}"
            yield Subtest(name=escape_untrusted(name), outcome=step.outcome, reason=step.reason, text=text)
            yield from _of_nested(step, f"{name}/")


def _of_backends(result: StepResult) -> Iterator[Subtest]:
    for reply in result.replies:
        yield Subtest(name=reply.backend, outcome=Outcome.PASSED, text=reply.text)
    for refusal in result.refusals:
        reason = f"{refusal.kind}: {refusal.reason}"
        yield Subtest(name=refusal.backend, outcome=Outcome.ERROR, reason=reason, text=refusal.hint)
