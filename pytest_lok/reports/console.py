"""StepResult, RunResult -> the lines a person reads; whoever prints them neutralises them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pytest_lok.core.results import BEFORE_FIX, WAITING_CODE, Outcome, RunResult, Section, StepResult, Usage
from pytest_lok.core.text.truncation import one_line
from pytest_lok.reports.facts import brief, done, fixed, item_label, last_attempt, many, outcomes, shown_runs
from pytest_lok.reports.widths import wrapped

# of one section: the end of a log is where the error is
_TAIL_LINES = 40
_TAIL_CHARS = 8_000
_ITEMS = 10  # items that are shown without being asked
_RECAPPED = 20  # steps that are said again at the end
_RECAP_LINES = 5
_RECAP_CHARS = 200


def status(result: StepResult, width: int = 0) -> str:
    """One line: outcome, name (padded to ``width``), seconds, what was decided, who answered, the cost."""
    facts = [f"{duration(result.seconds):>6}" if width else duration(result.seconds)] if result.ran else []
    facts += [*brief(result), ", ".join(backends([result])), cost(result.usage)]
    if result.attempts > 1 and not result.items:
        facts.append(f"{result.attempts} attempts")
    facts.append(fixed(result))
    if _stands_on_its_line(result):
        facts.append(result.reason)
    if result.resumed is not None:
        facts.append(f"({result.resumed.text})")
    return "  ".join([f"{result.outcome:<7}", f"{result.name:<{width}}", *filter(None, facts)]).rstrip()


def details(result: StepResult, *, output: bool, whole: bool = False, columns: int = 0) -> Iterator[str]:
    """What a step did, and why it did not pass, indented; ``output`` adds what it printed or said.

    ``whole`` leaves nothing out, also not the sections of a step that passed; else of a long text the end
    is shown. Reasons and findings are wrapped to fit ``columns``, 0 = lines of any length.
    """
    if result.nested:
        yield from _nested(result, output=output, whole=whole, columns=columns)
        return
    sections: list[Section] = []
    if result.outcome is not Outcome.SKIPPED and (whole or not result.passed):
        known = result.sections if result.passed else _evidence(result, output=output, whole=whole)
        sections = [it if whole else replace(it, text=tail(it.text)) for it in known]
    why = () if result.passed else _why(result, sections, whole=whole)
    facts = [row for line in done(result, whole=whole) for row in _indented(line)]
    yield from _wrapped([*why, *facts], columns)
    for section in sections:
        if "\n" not in section.text and BEFORE_FIX in section.title:
            yield from _wrapped(_indented(f"{section.title}: {section.text}"), columns)
        else:
            yield f"    --- {section.title} ---"
            # the output of a program stays as it is
            worded = section.title.endswith(("findings", "was asked again"))
            yield from _wrapped(_indented(section.text), columns if worded else 0)


def _nested(result: StepResult, *, output: bool, whole: bool, columns: int) -> Iterator[str]:
    """The steps of the workflow that a step ran, indented below it, each with its own details."""
    inner = [step for run in result.nested for step in run.steps]
    width = max((len(step.name) for step in inner), default=0)
    runs, left = (result.nested, "") if whole else shown_runs(result.nested)
    if left:
        yield f"    ({left}: -v shows them)"
    for run in runs:
        if run.label:
            yield f"    {run.label}"
        for step in run.steps:
            yield from _indented(status(step, width))
            for line in details(step, output=output, whole=whole, columns=max(columns - 4, 0)):
                yield f"    {line}".rstrip()
    # the reason of a step that stands there is not told again
    if not result.passed and not any(it.outcome.red and it.reason in result.reason for it in inner):
        yield from _wrapped(_why(result, (), whole=whole), columns)


def recap(steps: Sequence[StepResult], width: int = 0, *, columns: int = 0) -> Iterator[tuple[str, str]]:
    """Steps that are not passed once more: lines, each with the outcome that it tells ("" = none).

    Of each step they hold the first line of its reason, and its last lines.
    """
    if steps:
        yield "", "--- what did not pass ---"
    for step in steps[:_RECAPPED]:
        yield step.outcome, status(step, width)
        reason = _reason(step)
        below = [*_indented(one_line(reason, _RECAP_CHARS))] if reason else []
        below = [*_wrapped([*below, *_items(step, _RECAP_LINES)], columns)]
        for section in [*_evidence(step, output=True, whole=False)][-1:]:
            below += _indented("\n".join(tail(section.text).split("\n")[-_RECAP_LINES:]))
        yield from (("", line) for line in below)
    if len(steps) > _RECAPPED:
        yield "", f"and {many(len(steps) - _RECAPPED, 'step')} more, see above"


def printed(result: StepResult) -> str:
    """What a step printed or said, without what its reason says at the end of it once more."""
    return _without_reason(result.output, result.reason)


def _without_reason(output: str, reason: str) -> str:
    # a command that failed says its exit code below what it printed
    text = output.strip("\n").rstrip().removesuffix(reason).rstrip()
    last = text.rpartition("\n")[2]
    said = text.removesuffix(last).rstrip() if re.fullmatch(r"exit code: -?\d+", last) else text
    # of a command that said one line, the line is the reason
    return "" if said == reason else said


def _stands_on_its_line(result: StepResult) -> bool:
    return result.outcome is Outcome.SKIPPED and one_line(result.reason, _RECAP_CHARS) == result.reason


def _why(result: StepResult, sections: Sequence[Section], *, whole: bool) -> Iterator[str]:
    if not _stands_on_its_line(result) and (reason := _reason(result)):
        yield from _indented(_without_findings(reason, sections))
    if result.hint:
        yield from _indented(f"hint: {result.hint}")
    yield from _items(result, len(result.items) if whole else _ITEMS, sections)
    for refusal in result.refusals:
        if refusal.reason not in result.reason:
            yield from _indented(f"{refusal.backend}: {refusal.kind}: {refusal.reason}")


def _evidence(result: StepResult, *, output: bool, whole: bool) -> Iterator[Section]:
    """The sections of a step that did not pass, and what it said where no section says it."""
    sections = list(result.sections) if whole else last_attempt(result.sections)
    known = set()
    for section in sections:
        first, _, rest = section.text.partition("\n")
        # the condition of an assert is the reason already
        text = rest if section.title.endswith("assert") and first in result.reason else section.text
        known.add(text := _without_reason(text, result.reason))
        # each fix may have failed for the same reason
        if text and not (BEFORE_FIX in section.title and text in result.reason):
            yield replace(section, text=text)
    said = printed(result)
    if output and said and not result.items and said not in known:
        yield Section(title="output", text=said)
    # where the output only repeats the reason, the answers stand nowhere else
    if result.output == result.reason and result.findings is None:
        yield from (Section(title=f"{reply.backend} answered", text=reply.text) for reply in result.replies)


def summary(result: RunResult) -> str:
    """One line: the run's outcome, time, how many steps came to what, who answered and the cost."""
    counts = Counter(step.outcome for step in result.steps.values())
    facts = [
        outcomes(counts),
        ", ".join(backends(result.steps.values())),
        cost(result.usage),
        resumed(result.steps.values()),
    ]
    head = f"{result.workflow}: {'waiting' if result.exit_code == WAITING_CODE else result.outcome}"
    # of a process that was killed nobody knows how long it ran
    if result.seconds or not result.interrupted:
        head += f" in {duration(result.seconds)}"
    if result.interrupted:
        head += f" ({result.interrupted})"
    if result.idle:
        head += f" ({nothing_judged(result)})"
    return " · ".join([head, *filter(None, facts)])


def resumed(results: Iterable[StepResult]) -> str:
    """``2 kept, 1 changed``: the steps of a run that goes on from another; "" = it does not."""
    counts = Counter(result.resumed.words for result in results if result.resumed is not None)
    return ", ".join(f"{number} {words}" for words, number in counts.items())


def nothing_judged(result: RunResult) -> str:
    """Why an idle run gives no answer."""
    ran = any(step.ran for step in result.steps.values())
    who = "every step of format `findings`" if ran else "every step"
    return f"nothing was judged: {who} was skipped by its own `when`"


def closing(result: RunResult) -> list[str]:
    """The last lines of a run: what its gates set aside, and its summary."""
    aside = (f"{step.name}: {line}" for step in result.steps.values() for line in step.set_aside)
    return [*aside, summary(result)]


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


def _wrapped(lines: Iterable[str], columns: int) -> Iterator[str]:
    """The lines, broken between words where there are so many columns; a quote stays as it is."""
    for line in lines:
        yield from [line] if not columns or line.lstrip().startswith("> ") else wrapped(line, columns)


def _indented(text: str) -> Iterator[str]:
    return (f"    {line}".rstrip() for line in text.split("\n"))


def _reason(result: StepResult) -> str:
    """The reason; "" if it counts the items that stand below it, as the line of the step does."""
    bad = sum(item.outcome is not Outcome.PASSED for item in result.items)
    if bad and result.reason.startswith(f"{bad} of {len(result.items)} items did not pass"):
        return ""
    return result.reason or "no reason was given"


def _without_findings(reason: str, sections: Sequence[Section]) -> str:
    """A reason without the findings that a section below shows whole."""
    shown = {line for it in sections if it.title.endswith("findings") for line in it.text.split("\n")}
    first, *lines = reason.split("\n")
    left = [line for line in lines if line not in shown and line.partition(" (")[0] not in shown]
    return "\n".join([first if left or not lines else first.removesuffix(":"), *left])


def _items(result: StepResult, most: int, sections: Sequence[Section] = ()) -> Iterator[str]:
    """The items that did not pass, each with its last lines."""
    bad = [item for item in result.items if item.outcome is not Outcome.PASSED]
    for item in bad[:most]:
        of_item = [it for it in sections if it.title.startswith(f"[{item.index}] ")]
        reason = _without_findings(item.reason, of_item)
        yield from _indented(f"{item_label(item)}: {item.outcome}: {reason}")
        said = _without_reason(item.output, item.reason)
        if said:
            yield from (f"  {line}" for line in _indented("\n".join(tail(said).split("\n")[-_RECAP_LINES:])))
    if len(bad) > most:
        yield from _indented(f"and {many(len(bad) - most, 'item')} more (-v shows all)")
