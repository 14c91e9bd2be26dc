"""StepResult + Step -> the text that is shown when the step is not green."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.findings.gate import headlines
from pytest_lok.core.results import ItemResult, Outcome, Reply, Section, StepResult
from pytest_lok.core.text.truncation import leave_out_middle, one_line
from pytest_lok.core.workflow.model import Approve, Ask, Shell, Step
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import done, item_label, last_attempt, many, outcomes, shown_runs, vote
from pytest_lok.reports.table import table
from pytest_lok.reports.untrusted import escape_untrusted

_ITEMS = 5  # failed items of a for_each that are shown whole
_ROWS = 20  # items of a for_each that are listed
_WIDTH = 80  # columns of a table; who makes a report does not know the terminal that shows it


def explain(
    result: StepResult,
    step: Step,
    *,
    asked: Sequence[BackendAsked] = (),
    root: StepResult | None = None,
    parts_apart: bool = False,
) -> str:
    """Where the step is written, what was asked of whom, the answer, why it is not green, what to do.

    ``asked`` are the prompts that were sent. ``root`` is the result of the step that blocked this one.
    ``parts_apart``: the red parts of a failed step have reports of their own. Every text is cut to a bounded
    size, and escaped for terminals and CI runners.
    """
    parts = [f"{step.path}:{step.line}: step {step.name!r} {_outcome_phrase(result)}"]
    if result.ran:
        parts += _task(step, asked)
        parts += table_of(result)
        if result.nested:
            parts += _inner_steps(result)
        elif result.items:
            parts += _red_items(result, asked, apart=parts_apart and result.outcome is Outcome.FAILED)
            parts += _found(result)
        else:
            parts += _exchange(result, asked)
            parts += _output(result, step)
        parts += done(result)
    if result.resumed is not None:
        parts.append(result.resumed.text)
    parts += _reason_and_hint(result, root)
    return escape_untrusted("\n".join(parts))


def _inner_steps(result: StepResult, indent: str = "  ") -> Iterator[str]:
    """The steps of the workflow that the step ran, each in a line, and why those are red that are."""
    runs, left = shown_runs(result.nested)
    if left:
        yield f"{indent[2:]}({left})"
    for run in runs:
        of = f" ({run.label})" if run.label else ""
        yield f"{indent[2:]}the workflow {run.workflow}{of}:"
        for step in run.steps:
            yield f"{indent}{step.name}: {step.outcome}{f': {reason_line(step)}' if step.reason else ''}"
            if step.outcome.red and not step.nested:
                yield from (f"{indent}  {line}" for part in _exchange(step, ()) for line in part.split("\n"))
            yield from _inner_steps(step, indent + "  ")


def item_text(result: StepResult, item: ItemResult, asked: Sequence[BackendAsked]) -> Iterator[str]:
    """What was asked about one item of a ``for_each`` step, what came of it, and how it was judged."""
    prefix = f"[{item.index}] "
    of_item = replace(
        result,
        reason=item.reason,
        verdict=item.verdict,
        replies=tuple(reply for reply in result.replies if reply.item == item.index),
        refusals=tuple(refusal for refusal in result.refusals if refusal.item == item.index),
        sections=tuple(
            Section(title=section.title.removeprefix(prefix), text=section.text)
            for section in result.sections
            if section.title.startswith(prefix)
        ),
    )
    yield from _exchange(of_item, [event for event in asked if event.item == item.index])
    if not of_item.replies and item.output not in ("", item.reason):
        yield from _block("output", excerpt(item.output, lines=12, chars=2_000))


def table_of(result: StepResult) -> list[str]:
    """A row for each item, or for each of several backends; of many items those that are red, and a count."""
    if not result.items:
        return table(result, width=_WIDTH)
    items = sorted(result.items, key=lambda item: not item.outcome.red)
    counts = Counter(item.outcome for item in items[_ROWS:])
    rest = outcomes(counts)
    more = [f"and {many(len(items) - _ROWS, 'item')} more: {rest}"] if rest else []
    return [*table(replace(result, items=tuple(items[:_ROWS])), width=_WIDTH), *more]


def reason_line(result: StepResult, limit: int = 300) -> str:
    """The reason of a result in one line of at most ``limit`` characters."""
    return escape_untrusted(one_line(result.reason, limit))


def excerpt(text: str, *, lines: int = 24, chars: int = 4_000) -> str:
    """The start and the end of a long text, with a note that says how much is left out between."""
    return leave_out_middle(text.strip("\n"), head=chars // 2, tail=chars // 2, lines=lines)


def _outcome_phrase(result: StepResult) -> str:
    match result.outcome:
        case Outcome.FAILED:
            return "failed"
        case Outcome.ERROR:
            return "could not do its work"
        case Outcome.SOFT:
            return "failed softly" if result.underlying is Outcome.FAILED else "error (soft)"
        case Outcome.SKIPPED:
            return "did not run"
        case Outcome.PASSED:
            return "passed"


def _task(step: Step, asked: Sequence[BackendAsked]) -> Iterator[str]:
    """The command as written, or the prompt as written where nobody was asked."""
    match step.action:
        case Shell(shell=None, argv=argv):
            yield from _block("command", " ".join(part.source for part in argv))
        case Shell(shell=template) if template is not None:
            yield from _block("command", template.source)
        case Ask(prompt=prompt) if not asked:
            yield from _block("prompt, as written", prompt.source)
        case Approve(question=question):
            yield from _block("question, as written", question.source)


def _exchange(result: StepResult, asked: Sequence[BackendAsked]) -> Iterator[str]:
    """The prompts as they were sent, the answers, the vote, and what was found out about them."""
    # several backends are usually asked the same, and a prompt may be long
    by_text: dict[str, list[str]] = {}
    for event in asked:
        recipient = f"{event.backend} ({event.model})" if event.model else event.backend
        recipients = by_text.setdefault(event.prompt, [])
        if recipient not in recipients:
            recipients.append(recipient)
    for text, recipients in by_text.items():
        yield from _block(f"asked {', '.join(recipients)}", excerpt(text))
    for reply in result.replies:
        yield from _block(_reply_title(reply), excerpt(reply.text))
    # the reason of the step often quotes the one refusal there is
    for refusal in result.refusals:
        if refusal.reason not in result.reason:
            yield f"{refusal.backend} gave no valid answer: {refusal.kind}: {refusal.reason}"
    if ballots := vote(result.verdict):
        yield f"vote: {ballots}"
    for section in last_attempt(result.sections):
        if "\n" not in section.text and "before fix " in section.title:
            yield f"{section.title}: {section.text}"
        elif section.text.strip():
            yield from _block(section.title, excerpt(section.text, lines=40, chars=8_000))


def _output(result: StepResult, step: Step) -> Iterator[str]:
    shown = {result.reason, *(section.text.strip() for section in result.sections)}
    if isinstance(step.action, Shell) and result.output.strip() and result.output.strip() not in shown:
        yield from _block("output", excerpt(result.output, lines=40, chars=8_000))


def _reply_title(reply: Reply) -> str:
    facts = [reply.model, duration(reply.seconds), cost(reply.usage)]
    return f"{reply.backend} answered ({', '.join(filter(None, facts))})"


def _red_items(result: StepResult, asked: Sequence[BackendAsked], *, apart: bool) -> Iterator[str]:
    """The first red items, each with its question and its answer; none if they are reported ``apart``."""
    red = [item for item in result.items if item.outcome.red]
    for item in () if apart else red[:_ITEMS]:
        yield f"{item_label(item)}: {item.outcome}: {item.reason}"
        yield from (
            f"    {row}".rstrip() for text in item_text(result, item, asked) for row in text.split("\n")
        )


def _reason_and_hint(result: StepResult, root: StepResult | None) -> Iterator[str]:
    rows = excerpt(result.reason or "no reason was given").split("\n")
    yield "\n".join(f"E   {row}".rstrip() for row in rows)
    # who reads this wants the cause, which may stand hundreds of lines above
    if root is not None and root.reason and root.reason not in result.reason:
        yield f"E   {root.name}: {excerpt(root.reason, lines=8)}"
    hint = result.hint or (root.hint if root is not None else "")
    if hint:
        yield f"hint: {hint}"
    if result.attempts > 1 and not result.items:
        yield f"({result.attempts} attempts, {duration(result.seconds)})"


def _found(result: StepResult) -> Iterator[str]:
    """What the items report that were answered, where others were not: nothing else names it."""
    if result.findings and result.outcome is not Outcome.FAILED:
        yield from _block("findings of what was answered", headlines(result.findings))


def _block(title: str, text: str) -> Iterator[str]:
    yield f"{title}:"
    yield "\n".join(f"    {row}".rstrip() for row in text.strip("\n").split("\n"))
