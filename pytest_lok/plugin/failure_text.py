"""StepResult + Step -> the text that is shown when the step is not green."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.results import ItemResult, Outcome, Reply, StepResult
from pytest_lok.core.text.truncation import leave_out_middle, one_line
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.core.workflow.model import Ask, Shell, Step
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.escaping import escape_ci_commands, escape_control_chars

_TOKENS = Redactor()
_ITEMS = 5  # failed items of a for_each that are shown


def explain(
    result: StepResult,
    step: Step,
    *,
    asked: Sequence[BackendAsked] = (),
    root: StepResult | None = None,
) -> str:
    """Where it is written, what was asked of whom, the answer, why it is not green, what to do.

    ``root`` is the result of the step that blocked this one. Every text is bounded and harmless to
    terminals and CI runners.
    """
    parts = [f"{step.path}:{step.line}: step {step.name!r} {_came_to(result)}"]
    if result.ran:
        parts += _question(step, asked)
        parts += _answers(result, step)
        parts += _evidence(result)
    parts += _why(result, root)
    return escape_untrusted("\n".join(parts))


def escape_untrusted(text: str) -> str:
    """Text that neither a terminal, a CI runner nor a reader of JUnit files obeys, without tokens.

    What a run tells has lost its secrets already; files, names and arguments have not.
    """
    text = escape_control_chars(_TOKENS.text(text))
    return escape_ci_commands(text).replace("[[ATTACHMENT|", "[ [ATTACHMENT|")


def short(result: StepResult, limit: int = 300) -> str:
    """The reason in one bounded line."""
    return escape_untrusted(one_line(result.reason, limit))


def bounded(text: str, *, lines: int = 24, chars: int = 4_000) -> str:
    """The start and the end of a long text, with a note of what is left out between."""
    return leave_out_middle(text.strip("\n"), head=chars // 2, tail=chars // 2, lines=lines)


def _came_to(result: StepResult) -> str:
    match result.outcome:
        case Outcome.FAILED:
            return "failed"
        case Outcome.ERROR:
            return "could not do its work"
        case Outcome.SOFT:
            return "failed softly" if result.underlying is Outcome.FAILED else "could not do its work (soft)"
        case Outcome.SKIPPED:
            return "did not run"
        case Outcome.PASSED:
            return "passed"


def _question(step: Step, asked: Sequence[BackendAsked]) -> Iterator[str]:
    """The command as written, or the last prompts as they were sent; the same one is shown once."""
    match step.action:
        case Shell(shell=None, argv=argv):
            yield from _block("command", " ".join(part.source for part in argv))
        case Shell(shell=template) if template is not None:
            yield from _block("command", template.source)
        case Ask(prompt=prompt) if not asked:
            yield from _block("prompt, as written", prompt.source)
    by_text: dict[str, list[str]] = {}
    for event in asked:
        to = f"{event.backend} ({event.model})" if event.model else event.backend
        tos = by_text.setdefault(event.prompt, [])
        if to not in tos:
            tos.append(to)
    for text, tos in by_text.items():
        yield from _block(f"asked {', '.join(tos)}", bounded(text))


def _answers(result: StepResult, step: Step) -> Iterator[str]:
    for reply in result.replies:
        yield from _block(_who(reply), bounded(reply.text))
    for refusal in result.refusals:
        if refusal.reason not in result.reason:
            yield f"{refusal.backend} gave no valid answer: {refusal.kind}: {refusal.reason}"
    verdict = result.verdict
    if verdict is not None:
        tally = ", ".join(
            f"{bounded(value, lines=1, chars=80)}: {votes:g}" for value, votes in verdict.tally.items()
        )
        yield "verdict: " + "; ".join(filter(None, [verdict.strategy, tally, verdict.note]))
        if verdict.dissent:
            yield f"dissent: {', '.join(verdict.dissent)}"
    known = {result.reason, *(section.text.strip() for section in result.sections)}
    if isinstance(step.action, Shell) and result.output.strip() and result.output.strip() not in known:
        yield from _block("output", bounded(result.output, lines=40, chars=8_000))


def _who(reply: Reply) -> str:
    facts = [reply.model, duration(reply.seconds), cost(reply.usage)]
    return f"{reply.backend} answered ({', '.join(filter(None, facts))})"


def _evidence(result: StepResult) -> Iterator[str]:
    for section in result.sections:
        if section.text.strip():
            yield from _block(section.title, bounded(section.text, lines=40, chars=8_000))
    bad = [item for item in result.items if item.outcome.red]
    for item in bad[:_ITEMS]:
        yield from _block(_item(item), bounded(item.output, lines=12, chars=2_000))
    if len(bad) > _ITEMS:
        yield f"and {len(bad) - _ITEMS} more items"


def _item(item: ItemResult) -> str:
    return f"item {item.index} ({bounded(str(item.item), lines=1, chars=80)}): {item.outcome}: {item.reason}"


def _why(result: StepResult, root: StepResult | None) -> Iterator[str]:
    rows = bounded(result.reason or "no reason was given").split("\n")
    yield "\n".join(f"E   {row}".rstrip() for row in rows)
    if root is not None and root.reason and root.reason not in result.reason:
        yield f"E   {root.name}: {bounded(root.reason, lines=8)}"
    hint = result.hint or (root.hint if root is not None else "")
    if hint:
        yield f"hint: {hint}"
    if result.attempts > 1 and not result.items:
        yield f"({result.attempts} attempts, {duration(result.seconds)})"


def _block(title: str, text: str) -> Iterator[str]:
    yield f"{title}:"
    yield "\n".join(f"    {row}".rstrip() for row in text.strip("\n").split("\n"))
