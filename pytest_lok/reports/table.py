"""StepResult -> a table of who said what: a row per backend, or per item with a column per backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pytest_lok.core.results import ItemResult, Refusal, Reply, StepResult
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import dissents, item_label
from pytest_lok.reports.widths import aligned, fit

MARKS: Mapping[str, str] = MappingProxyType(
    {"passed": "✓", "failed": "✗", "error": "!", "skipped": "↷", "soft": "~"}
)
_ITEM = 24  # columns of an item
_CELL = 16  # columns of an answer, where each backend has a column
_ROWS = 100


def table(result: StepResult, *, width: int) -> list[str]:
    """The table of a step that asked several backends or has items, at most so wide; [] for another step.

    Of an answer the first words are shown, behind a mark: it agrees, it dissents, nothing was
    agreed on, or there is none.
    """
    asked = [*(it.backend for it in result.replies), *(it.backend for it in result.refusals)]
    names = list(dict.fromkeys(asked))
    if result.items:
        rows = [["", "item", *(names if len(names) > 1 else []), "outcome", ""]]
        room = min(_CELL, max(6, (width - _ITEM - 20) // max(1, len(names))))
        rows += [_item_row(result, item, names, room) for item in result.items[:_ROWS]]
        left = len(result.items) - _ROWS
        return [*aligned(rows, width=width), *([f"and {left:,} items more"] if left > 0 else [])]
    if len(names) < 2:
        return []
    return aligned([_backend_row(result, name) for name in names], width=width)


def _item_row(result: StepResult, item: ItemResult, names: Sequence[str], room: int) -> list[str]:
    replies = [it for it in result.replies if it.item == item.index]
    refusals = [it for it in result.refusals if it.item == item.index]
    cells = [fit(_cell(name, replies, refusals, item), room) for name in names] if len(names) > 1 else []
    last = item.reason or (item.output if len(names) < 2 else "")
    return [MARKS[item.outcome], fit(item_label(item), _ITEM), *cells, item.outcome, last]


def _cell(
    name: str,
    replies: Iterable[Reply],
    refusals: Iterable[Refusal],
    whole: StepResult | ItemResult,
) -> str:
    # an answer that is no ballot is both, an answer and a refusal
    for refusal in refusals:
        if refusal.backend == name:
            return f"{MARKS['error']} {refusal.reason}"
    for reply in replies:
        if reply.backend == name:
            # without agreement nobody was outvoted
            agrees = "?" if whole.outcome.red and whole.verdict is None else MARKS["passed"]
            return f"{MARKS['failed'] if dissents(whole.verdict, name) else agrees} {reply.text}"
    return ""


def _backend_row(result: StepResult, name: str) -> list[str]:
    reply = next((it for it in result.replies if it.backend == name), None)
    facts = [duration(reply.seconds), cost(reply.usage)] if reply else ["", ""]
    return [name, *facts, _cell(name, result.replies, result.refusals, result)]
