"""StepResult -> what was decided and done, in words: the vote, edits, checks, who did not answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_lok.core.results import (
    ASKED_AGAIN,
    BEFORE_FIX,
    NO_EDITS,
    EditedFile,
    ItemResult,
    NestedRun,
    Outcome,
    Score,
    Section,
    StepResult,
    Verdict,
)
from pytest_lok.core.text.truncation import one_line

_BALLOT = 20  # characters of a ballot that are shown
_DISSENT = 80  # characters of a ballot that a Verdict's dissent holds
_REASON = 80
_LABEL = 60
_RUNS = 12  # runs of an inner workflow that are shown without being asked
_MOST = 10  # files, or findings set aside, that are named without being asked


def shown_runs(runs: Sequence[NestedRun]) -> tuple[list[NestedRun], str]:
    """Which runs of its workflow a step shows: the red ones, then the last; and what is said of the rest."""
    chosen = sorted(runs, key=lambda run: any(step.outcome.red for step in run.steps))[-_RUNS:]
    left = len(runs) - len(chosen)
    kept = {id(run) for run in chosen}
    said = f"{left:,} more run{'' if left == 1 else 's'} of the workflow" if left else ""
    return [run for run in runs if id(run) in kept], said


def vote(verdict: Verdict | None) -> str:
    """``yes 2 : 1 no (gamma)``: the ballots by weight, the chosen one first; "" where nobody voted."""
    if verdict is None or not verdict.tally:
        return ""
    (top, weight), *others = sorted(verdict.tally.items(), key=lambda entry: -entry[1])
    texts = [f"{one_line(top, _BALLOT)} {weight:g}"]
    for ballot, weight in others:
        names = (name for name, said in _dissent(verdict) if said == one_line(ballot, _DISSENT))
        texts.append(f"{weight:g} {one_line(ballot, _BALLOT)} ({', '.join(names)})")
    return " : ".join(texts)


def dissents(verdict: Verdict | None, backend: str) -> bool:
    """Whether this backend voted for something else than what was chosen."""
    return verdict is not None and any(name == backend for name, _ in _dissent(verdict))


def _dissent(verdict: Verdict) -> Iterator[tuple[str, str]]:
    for entry in verdict.dissent:
        name, _, said = entry.partition(": ")
        yield name, said


def brief(result: StepResult) -> list[str]:
    """What stands on the step's own line: how many items or findings there are, and the vote."""
    texts = []
    if result.items:
        passed = sum(item.outcome is Outcome.PASSED for item in result.items)
        texts.append(f"{passed}/{len(result.items)} items")
    if result.findings is not None:
        texts.append(many(len(result.findings), "finding"))
    return [*texts, *filter(None, [vote(result.verdict), scores(result)])]


def scores(result: StepResult, most: int = 3) -> str:
    """``8/10, 0.93``: the scores of a step; "" = it has none."""
    left = len(result.scores) - most
    more = f" and {left} more" if left > 0 else ""
    return ", ".join(map(score_text, result.scores[:most])) + more


def score_text(score: Score) -> str:
    """``8/10`` of a scale, ``0.93`` of a share; a scale that begins elsewhere is told whole."""
    if (score.least, score.most) == (0, 1):
        return f"{score.value:.2f}"
    return (
        f"{score.value:g}/{score.most:g}"
        if score.least == 0
        else f"{score.value:g} of {score.least:g}-{score.most:g}"
    )


def coverage(result: StepResult) -> str:
    """``8 of 12 items, 2 of 3 backends``: how much of a step was answered; "" = all of it."""
    counts = answered_of(result)
    if all(answered == asked for answered, asked in counts.values()):
        return ""
    return ", ".join(f"{answered:,} of {many(asked, what)}" for what, (answered, asked) in counts.items())


def answered_of(result: StepResult) -> dict[str, tuple[int, int]]:
    """Of how many items, and of how many backends or answers, how many were valid: ``{"item": (8, 12)}``.

    A step that asks at most one question has none. Answers are counted where a backend gives several.
    """
    asked = [*(it.backend for it in result.replies), *(it.backend for it in result.refusals)]
    counts: dict[str, tuple[int, int]] = {}
    if result.items and asked:
        judged = sum(it.outcome in (Outcome.PASSED, Outcome.FAILED) for it in result.items)
        counts["item"] = judged, len(result.items)
    if len(asked) > max(len(result.items), 1):
        once = len(set(asked)) == len(asked) and not result.items
        counts["backend" if once else "answer"] = len(result.replies), len(asked)
    return counts


def done(result: StepResult, *, whole: bool = False) -> Iterator[str]:
    """Lines for a step of any outcome: who was left out, what was edited, verified and set aside.

    ``whole`` names every file and every finding, else the first ten.
    """
    if not result.passed and (answered := coverage(result)):
        yield f"answered: {answered}"
    if result.verdict is not None and result.verdict.note:
        yield result.verdict.note
    if result.passed:
        yield from (f"no answer of {it.backend}: {one_line(it.reason, _REASON)}" for it in result.refusals)
    yield from _first(map(edited, result.edits), "file", whole=whole)
    yield from (section.text for section in result.sections if section.title == NO_EDITS)
    if result.verified:
        yield f"verified: {one_line(result.verified, _REASON)}"
    yield from _first((f"set aside: {line}" for line in result.set_aside), "finding", whole=whole)
    if result.reviewed:
        yield result.reviewed


def fixed(result: StepResult) -> str:
    """``after 1 fix: verify failed``: the corrections of a step that passed; "" = none."""
    before = [it for it in result.sections if it.title.startswith(BEFORE_FIX)]
    if not before or not result.passed:
        return ""
    why = one_line(before[-1].text.partition("\n")[0].partition(":")[0], _REASON)
    return f"after {len(before)} {'fix' if len(before) == 1 else 'fixes'}: {why}"


def attempts_before(result: StepResult) -> list[Section]:
    """What was asked again, of items too: attempts before a fix, and corrections of lost quotes."""
    return [it for it in result.sections if BEFORE_FIX in it.title or it.title.endswith(ASKED_AGAIN)]


def edited(file: EditedFile) -> str:
    """``edited src/app.py (+1 -1)``."""
    return f"{'created' if file.created else 'edited'} {file.file} (+{file.added} -{file.removed})"


def in_spite_of(needs: Sequence[str], results: Mapping[str, StepResult]) -> str:
    """``2 of 3 passed, not c``: which steps a step does not rest on, though it depends on them.

    "" where all passed, or were skipped by their own ``when``. Why one did not pass stands above.
    """
    known = [results[name] for name in needs if name in results]
    broken = [it for it in known if not it.passed and (it.outcome is not Outcome.SKIPPED or it.blocked)]
    if not broken:
        return ""
    names = ", ".join(it.name for it in broken)
    return f"{sum(it.passed for it in known)} of {len(known)} passed, not {names}"


def last_attempt(sections: Iterable[Section]) -> list[Section]:
    """The sections of the last attempt; of each one before a fix only the line that says what was wrong."""
    shown: list[Section] = []
    for section in sections:
        before, fix, _ = section.title.rpartition(BEFORE_FIX)
        if fix:
            # what stands between two fixes is the attempt that the second one corrects
            shown = [it for it in shown if BEFORE_FIX in it.title or not it.title.startswith(before)]
            section = Section(title=section.title, text=section.text.partition("\n")[0])
        shown.append(section)
    return shown


def item_label(item: ItemResult) -> str:
    """``[2] src/app.py``: an item by its number and what it is."""
    return f"[{item.index}] {item_value(item)}"


def item_value(item: ItemResult) -> str:
    """What an item is, on one line: a text as it stands, an object by its ``name``, anything else as JSON."""
    value = item.item.get("name") if isinstance(item.item, dict) else item.item
    if not isinstance(value, str) or not value.strip():
        value = json.dumps(item.item, ensure_ascii=False)
    return one_line(value, _LABEL)


def some(names: Sequence[str], most: int) -> str:
    """``a, b, c and 12 more``: the first names, and how many others there are."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left:,} more" if left > 0 else "")


def many(number: int, what: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def outcomes(counts: Mapping[Outcome, int]) -> str:
    """``1 passed, 2 errors``: how many steps or items came to what; "" = there are none."""
    several = {Outcome.ERROR: "errors"}
    known = [(outcome, counts[outcome]) for outcome in Outcome if counts.get(outcome)]
    return ", ".join(f"{n} {several.get(it, it) if n > 1 else it}" for it, n in known)


def _first(lines: Iterable[str], what: str, *, whole: bool) -> Iterator[str]:
    texts = list(lines)
    yield from texts if whole else texts[:_MOST]
    if len(texts) > _MOST and not whole:
        yield f"and {many(len(texts) - _MOST, what)} more (-v names all)"
