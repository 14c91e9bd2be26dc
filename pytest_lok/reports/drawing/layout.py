"""What depends on what -> where each node stands and how each edge runs, in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from pytest_lok.dataclass import dataclass
from pytest_lok.reports.drawing.layering import Layers, Needs, Slot, layers_of

Point: TypeAlias = tuple[float, float]

_LANE = 10
"""The breadth of a place that a long edge passes."""
_GAP = 14
_BETWEEN = 46
"""The room between two layers, where the edges turn."""
_MARGIN = 8
_ALIGNMENTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A drawing's size, the box of each node, and the points of each edge, its ends included.

    An edge is straight from its first point to the second, turns between that and the third, and so on.
    ``across``: the layers stand beside each other, from left to right, else one below the other.
    """

    width: float
    height: float
    across: bool
    boxes: Mapping[str, Box]
    edges: Mapping[tuple[str, str], Sequence[Point]]


def layout(needs: Needs, sizes: Mapping[str, Point], fits: float) -> Layout:
    """Place the nodes of these sizes: from left to right where that fits in this width, else downwards."""
    layers = layers_of(needs)
    across = _placed(layers, sizes, across=True)
    if across.width <= fits:
        return across
    down = _placed(layers, sizes, across=False)
    return down if down.width <= fits or down.width < across.width else across


def _placed(layers: Layers, sizes: Mapping[str, Point], *, across: bool) -> Layout:
    """The layout in one direction."""
    along, beside = (0, 1) if across else (1, 0)  # of a size: which part runs along the edges
    breadth = {
        slot: _LANE if slot.passing else sizes[slot.node][beside] for row in layers.slots for slot in row
    }
    places = _places(layers, breadth)
    lowest = min((places[slot] - breadth[slot] / 2 for slot in places), default=0.0) - _MARGIN
    highest = max((places[slot] + breadth[slot] / 2 for slot in places), default=0.0) + _MARGIN
    spans: dict[Slot, tuple[float, float]] = {}
    boxes: dict[str, Box] = {}
    at = float(_MARGIN)
    for row in layers.slots:
        end = at + max(sizes[slot.node][along] for slot in row if not slot.passing)
        for slot in row:
            spans[slot] = at, end
            places[slot] -= lowest
            if not slot.passing:
                width, height = sizes[slot.node]
                x, y = (at, places[slot] - breadth[slot] / 2)[:: 1 if across else -1]
                boxes[slot.node] = Box(x=x, y=y, width=width, height=height)
        at = end + _BETWEEN
    edges = {
        edge: [point if across else point[::-1] for point in _route(*edge, sizes, along, spans, places)]
        for edge in layers.edges
    }
    width, height = (at - _BETWEEN + _MARGIN, highest - lowest)[:: 1 if across else -1]
    return Layout(width=max(width, 0.0), height=height, across=across, boxes=boxes, edges=edges)


def _route(
    source: str,
    target: str,
    sizes: Mapping[str, Point],
    along: int,
    spans: Mapping[Slot, tuple[float, float]],
    places: Mapping[Slot, float],
) -> Iterator[Point]:
    """The points of an edge, as in Layout; of each the place along the edges comes first."""
    start, end = Slot(node=source), Slot(node=target)
    yield spans[start][0] + sizes[source][along], places[start]
    yield spans[start][1], places[start]
    lane = Slot(node=source, passing=1)
    while lane in spans and spans[lane][0] < spans[end][0]:
        yield from ((edge, places[lane]) for edge in spans[lane])
        lane = Slot(node=source, passing=lane.passing + 1)
    yield spans[end][0], places[end]


def _places(layers: Layers, breadth: Mapping[Slot, float]) -> dict[Slot, float]:
    """The middle of each slot: near the middle of its neighbours, in the layer's order, none over another."""
    neighbours: dict[Slot, tuple[list[Slot], list[Slot]]] = {slot: ([], []) for slot in breadth}
    for before, after in layers.links:
        neighbours[after][0].append(before)
        neighbours[before][1].append(after)
    places: dict[Slot, float] = {}
    for row in layers.slots:
        _place(row, dict.fromkeys(row, 0.0), breadth, places)
    for number in range(_ALIGNMENTS):
        side = number % 2
        for row in layers.slots[::-1] if side else layers.slots:
            wanted = {}
            for slot in row:
                near = neighbours[slot][side] or [slot]
                wanted[slot] = sum(places[other] for other in near) / len(near)
            _place(row, wanted, breadth, places)
    return places


def _place(
    row: Sequence[Slot],
    wanted: Mapping[Slot, float],
    breadth: Mapping[Slot, float],
    places: dict[Slot, float],
) -> None:
    """Give each slot of a layer the place it wants, as far as those before and behind it let it."""
    offsets: list[float] = []
    at = 0.0
    for slot in row:
        offsets.append(at + breadth[slot] / 2)
        at += breadth[slot] + _GAP
    # slots that push each other move as one: blocks with the mean of what their slots want
    # (the pool-adjacent-violators algorithm)
    blocks: list[tuple[float, int]] = []
    for slot, offset in zip(row, offsets, strict=True):
        mean, size = wanted[slot] - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, number = blocks.pop()
            mean = (before * number + mean * size) / (number + size)
            size += number
        blocks.append((mean, size))
    shifts = [mean for mean, size in blocks for _ in range(size)]
    for slot, offset, shift in zip(row, offsets, shifts, strict=True):
        places[slot] = offset + shift
