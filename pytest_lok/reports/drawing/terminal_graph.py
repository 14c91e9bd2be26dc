"""Steps and what they need -> a drawing for a terminal: a line for each step, with its edges beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pytest_lok.reports.drawing.graph_svg import Node
from pytest_lok.reports.drawing.layering import Needs, in_order, reduced_edges
from pytest_lok.reports.facts import some
from pytest_lok.reports.untrusted import escape_untrusted
from pytest_lok.reports.widths import columns_of, fit

STEP, LAST = "○", "●"
"""A step, and one that no other step needs."""
_LEFT, _MIDDLE, _RIGHT = ("├", "╰"), ("┼", "┴"), ("┤", "╯")  # a line that goes on below, and one that ends
_TEXT = 34
"""Columns that the text beside the drawing has at least; where the drawing leaves fewer, needs are named."""
_NAMED = 6
_SHORTEST = 7  # columns of a note
_READ = 1_000  # characters of a text that are looked at


def terminal_graph(nodes: Mapping[str, Node], needs: Needs, columns: int = 80) -> str:
    """The drawing in so many columns. A step has a line to each step that it needs, straight or by others.

    Where too many lines would run beside each other, each step says in words what it needs.
    """
    order = in_order(needs)
    edges = reduced_edges(needs, order)
    rows = [*_rows(order, edges)]
    widest = max(map(len, rows), default=0)
    if widest <= max(columns - _TEXT, 2):
        return "\n".join(
            _line(f"{row:<{widest}} ", nodes[name], columns) for row, name in zip(rows, order, strict=True)
        )
    direct: dict[str, list[str]] = {name: [] for name in order}
    for need, name in edges:
        direct[name].append(_clean(need))
    marks = dict.fromkeys(order, LAST) | {need: STEP for need, _ in edges}
    return "\n".join(
        _line(f"{marks[name]} ", nodes[name], columns, after=some(direct[name], _NAMED)) for name in order
    )


def _line(drawing: str, node: Node, columns: int, *, after: str = "") -> str:
    """The drawing, the name, what it comes after, and as much of the note as there is room for."""
    name = f"{_clean(node.name)} ← {after}" if after else _clean(node.name)
    name = fit(name, columns - len(drawing))
    room = columns - len(drawing) - columns_of(name) - 2
    return f"{drawing}{name}  {fit(_clean(node.note), room)}".rstrip() if room > _SHORTEST else drawing + name


def _clean(text: str) -> str:
    return " ".join(escape_untrusted(text[:_READ]).split())


def _rows(order: Sequence[str], edges: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The drawing of each step. A column is the line of one step down to the last one that needs it."""
    left = Counter(need for need, _ in edges)
    direct: dict[str, set[str]] = {name: set() for name in order}
    for need, name in edges:
        direct[name].add(need)
    lanes: list[str | None] = []
    for name in order:
        joined = [at for at, source in enumerate(lanes) if source in direct[name]]
        for at in joined:
            left[str(lanes[at])] -= 1
        ending = [at for at in joined if not left[str(lanes[at])]]
        # a column is used again once its line has ended
        free = [at for at, source in enumerate(lanes) if source is None]
        place = next(iter(ending), None)
        if place is None:  # to the right of a line that goes on
            place = next((at for at in free if not joined or at > joined[0]), len(lanes))
        lanes += [None] * (place + 1 - len(lanes))
        yield _row(lanes, place, joined, ending, STEP if left[name] else LAST)
        for at in ending:
            lanes[at] = None
        lanes[place] = name if left[name] else None
        while lanes and lanes[-1] is None:
            lanes.pop()


def _row(
    lanes: Sequence[str | None], place: int, joined: Sequence[int], ending: Sequence[int], mark: str
) -> str:
    first, last = min(place, *joined, place), max(place, *joined, place)
    said = []
    for at, source in enumerate(lanes):
        if at == place:
            said.append(mark)
        elif at in joined:
            kind = _LEFT if at == first else _RIGHT if at == last else _MIDDLE
            said.append(kind[at in ending])
        else:
            said.append("│" if source is not None else "─" if first < at < last else " ")
        said.append("─" if first <= at < last else " ")
    return "".join(said).rstrip()
