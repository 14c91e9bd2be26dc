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
    """Where the step is written, what was asked of whom, the answer, why it is not green, what to do.

    ``asked`` are the prompts that were sent. ``root`` is the result of the step that blocked this one. Every
    text is cut to a bounded size, and escaped for terminals and CI runners.
    """
    parts = [f"{step.path}:{step.line}: step {step.name!r} {_outcome_phrase(result)}"]
    if result.ran:
        parts += _request(step, asked)
        parts += _replies(result, step)
        parts += _sections_and_items(result)
    parts += _reason_and_hint(result, root)
    return escape_untrusted("\n".join(parts))


def escape_untrusted(text: str) -> str:
    """Text without tokens that neither a terminal, a CI runner nor a reader of JUnit files obeys.

    The engine has masked the secrets in what a run says; files, names and arguments may still hold tokens.
    """
    text = escape_control_chars(_TOKENS.text(text))
    return escape_ci_commands(text).replace("[[ATTACHMENT|", "[ [ATTACHMENT|")


def reason_line(result: StepResult, limit: int = 300) -> str:
    """The reason of a result in one line of at most ``limit`` characters."""
    return escape_untrusted(one_line(result.reason, limit))


def listed(names: Sequence[str], limit: int = 8) -> str:
    """Names with commas between; of many the first ones, and how many there are more."""
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return escape_untrusted(", ".join(names[:limit]) + more)


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


def _request(step: Step, asked: Sequence[BackendAsked]) -> Iterator[str]:
    """The command as written, or the last prompts as they were sent; equal prompts are shown once."""
    match step.action:
        case Shell(shell=None, argv=argv):
            yield from _block("command", " ".join(part.source for part in argv))
        case Shell(shell=template) if template is not None:
            yield from _block("command", template.source)
        case Ask(prompt=prompt) if not asked:
            yield from _block("prompt, as written", prompt.source)
    # several backends are usually asked the same, and a prompt may be long
    by_text: dict[str, list[str]] = {}
    for event in asked:
        recipient = f"{event.backend} ({event.model})" if event.model else event.backend
        recipients = by_text.setdefault(event.prompt, [])
        if recipient not in recipients:
            recipients.append(recipient)
    for text, recipients in by_text.items():
        yield from _block(f"asked {', '.join(recipients)}", excerpt(text))


def _replies(result: StepResult, step: Step) -> Iterator[str]:
    for reply in result.replies:
        yield from _block(_reply_title(reply), excerpt(reply.text))
    # the reason of the step often quotes the one refusal there is
    for refusal in result.refusals:
        if refusal.reason not in result.reason:
            yield f"{refusal.backend} gave no valid answer: {refusal.kind}: {refusal.reason}"
    verdict = result.verdict
    if verdict is not None:
        tally = ", ".join(
            f"{excerpt(value, lines=1, chars=80)}: {votes:g}" for value, votes in verdict.tally.items()
        )
        yield "verdict: " + "; ".join(filter(None, [verdict.strategy, tally, verdict.note]))
        if verdict.dissent:
            yield f"dissent: {', '.join(verdict.dissent)}"
    shown = {result.reason, *(section.text.strip() for section in result.sections)}
    if isinstance(step.action, Shell) and result.output.strip() and result.output.strip() not in shown:
        yield from _block("output", excerpt(result.output, lines=40, chars=8_000))


def _reply_title(reply: Reply) -> str:
    facts = [reply.model, duration(reply.seconds), cost(reply.usage)]
    return f"{reply.backend} answered ({', '.join(filter(None, facts))})"


def _sections_and_items(result: StepResult) -> Iterator[str]:
    for section in result.sections:
        if section.text.strip():
            yield from _block(section.title, excerpt(section.text, lines=40, chars=8_000))
    red = [item for item in result.items if item.outcome.red]
    for item in red[:_ITEMS]:
        yield from _block(_item_title(item), excerpt(item.output, lines=12, chars=2_000))
    if len(red) > _ITEMS:
        yield f"and {len(red) - _ITEMS} more items"


def _item_title(item: ItemResult) -> str:
    return f"item {item.index} ({excerpt(str(item.item), lines=1, chars=80)}): {item.outcome}: {item.reason}"


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


def _block(title: str, text: str) -> Iterator[str]:
    yield f"{title}:"
    yield "\n".join(f"    {row}".rstrip() for row in text.strip("\n").split("\n"))
