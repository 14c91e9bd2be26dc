"""StepResult, RunResult -> the lines a person reads; whoever prints them neutralises them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from pytest_lok.core.results import ItemResult, Outcome, RunResult, StepResult, Usage

NOTHING_JUDGED = "nothing was judged: every step was skipped by its own `when`"
# of one section: the end of a log is where the error is
_TAIL_LINES = 40
_TAIL_CHARS = 8_000


def status(result: StepResult, width: int = 0) -> str:
    """One line: outcome, name (padded to ``width``), seconds and who answered at what cost."""
    facts = [duration(result.seconds)] if result.ran else []
    facts += [", ".join(backends([result])), cost(result.usage)]
    if result.attempts > 1 and not result.items:
        facts.append(f"{result.attempts} attempts")
    return "  ".join([f"{result.outcome:<7}", f"{result.name:<{width}}", *filter(None, facts)]).rstrip()


def details(result: StepResult, *, output: bool) -> Iterator[str]:
    """Why a step is not passed and what to do, indented; ``output`` adds what it printed or said."""
    if result.passed:
        return
    yield from _indented(result.reason or "no reason was given")
    if result.hint:
        yield from _indented(f"hint: {result.hint}")
    for item in result.items:
        if item.outcome.red:
            yield from _indented(_item(item))
    for refusal in result.refusals:
        if refusal.reason not in result.reason:
            yield from _indented(f"{refusal.backend}: {refusal.kind}: {refusal.reason}")
    sections = [(section.title, section.text) for section in result.sections]
    if output and result.output not in ("", result.reason, *(text for _, text in sections)):
        sections.append(("output", result.output))
    # where the output only repeats the reason, the answers stand nowhere else
    if result.output == result.reason and result.findings is None:
        sections += [(f"{reply.backend} answered", reply.text) for reply in result.replies]
    for title, text in sections:
        yield f"    --- {title} ---"
        yield from _indented(tail(text))


def summary(result: RunResult) -> str:
    """One line: the run's outcome, time, how many steps came to what, who answered and the cost."""
    counts = Counter(step.outcome for step in result.steps.values())
    facts = [
        ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]),
        ", ".join(backends(result.steps.values())),
        cost(result.usage),
    ]
    head = f"{result.workflow}: {result.outcome} in {duration(result.seconds)}"
    if result.interrupted:
        head += f" ({result.interrupted})"
    if result.idle:
        head += f" ({NOTHING_JUDGED})"
    return " · ".join([head, *filter(None, facts)])


def closing(result: RunResult) -> list[str]:
    """The last lines of a run: its summary, and what its gates set aside."""
    aside = (f"{step.name}: {line}" for step in result.steps.values() for line in step.set_aside)
    return [summary(result), *aside]


def outputs(result: RunResult, *, every: bool = False) -> str:
    """What ``lok run`` prints: the leaves' outputs, or every step's under its name."""
    if not every:
        return result.output
    return "\n\n".join(f"== {step.name} ==\n{step.output}".rstrip() for step in result.steps.values())


def previews(result: RunResult) -> str:
    """The diffs of a dry run: of every step whose edits were shown instead of made."""
    shown = [step for step in result.steps.values() if step.blocked_by == step.name]
    return "".join(item.output for step in shown for item in step.items or [step])


def answer(result: StepResult, *, backend: str) -> str:
    """One backend's answer, or that it gave none and why, under a heading."""
    model = next((reply.model for reply in result.replies if reply.model), "")
    facts = [model, duration(result.seconds), cost(result.usage)]
    heading = f"== {backend} == {' · '.join(filter(None, facts))}"
    if result.passed:
        return f"{heading}\n{result.output}"
    hint = f"\nhint: {result.hint}" if result.hint else ""
    return f"{heading}\nno answer: {result.reason}{hint}"


def backends(results: Iterable[StepResult]) -> list[str]:
    """Who answered, each once, in order of first answer."""
    return list(dict.fromkeys(reply.backend for result in results for reply in result.replies))


def duration(seconds: float) -> str:
    """``0.3 s``, ``59.9 s``, ``2 min 05 s``, ``1 h 01 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def cost(usage: Usage) -> str:
    """``1,204 tokens, $0.0123``, ``(cached)`` for what was known already; "" where nothing was reported."""
    if usage.cached and not usage.calls:
        return "(cached)"
    facts = []
    if usage.tokens is not None:
        facts.append(f"{usage.tokens:,} token{'' if usage.tokens == 1 else 's'}")
    if usage.cost_usd is not None:
        facts.append(f"${usage.cost_usd:.4f}")
    known = f"({usage.cached} cached)" if usage.cached else ""
    return " ".join(filter(None, [", ".join(facts), known]))


def tail(text: str) -> str:
    """The end of a text, with a note of how much went before."""
    lines = text[-_TAIL_CHARS:].rstrip("\n").split("\n")[-_TAIL_LINES:]
    kept = "\n".join(lines)
    left_out = len(text.rstrip("\n")) - len(kept)
    return f"[{left_out:,} characters before]\n{kept}" if left_out > 0 else kept


def _indented(text: str) -> Iterator[str]:
    return (f"    {line}".rstrip() for line in text.split("\n"))


def _item(item: ItemResult) -> str:
    return f"item {item.index}: {item.outcome}: {item.reason}"
