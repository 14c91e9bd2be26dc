"""What depends on what -> layers of nodes: each behind all that it needs, ordered so that few edges cross."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from pytest_lok.dataclass import dataclass

Needs: TypeAlias = Mapping[str, Sequence[str]]
"""Every node, and the nodes that it needs. A need that is no node itself does not count."""

_SWEEPS = 6
_MOST_LANES = 3_000
"""So many places of long edges are kept free between nodes; the edges of more of them run behind nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in a layer: of the node, or of the long edges that leave the node and pass by (``passing``)."""

    node: str
    passing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The slots of each layer in their order, the edges between slots of neighbouring layers, the real edges.

    ``edges`` are pairs of nodes, without those that follow from others. ``links`` are pairs of slots.
    """

    slots: Sequence[Sequence[Slot]]
    edges: Sequence[tuple[str, str]]
    links: Sequence[tuple[Slot, Slot]]


def layers_of(needs: Needs) -> Layers:
    """The layers of a graph without circles; ValueError where there is one."""
    order = in_order(needs)
    edges = reduced_edges(needs, order)
    depth = dict.fromkeys(order, 0)
    for source, target in edges:  # the edges of a node stand behind all edges into it
        depth[target] = max(depth[target], depth[source] + 1)
    slots: list[list[Slot]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in order:
        slots[depth[node]].append(Slot(node=node))
    links: dict[tuple[Slot, Slot], None] = {}
    lanes: set[Slot] = set()
    for source, target in edges:
        _link(source, target, depth, slots, links, lanes)
    return Layers(slots=_ordered(slots, [*links]), edges=edges, links=[*links])


def in_order(needs: Needs) -> list[str]:
    """The nodes, each behind those it needs, else in the given order; ValueError where they form a circle."""
    missing = {node: {need for need in needs[node] if need in needs} for node in needs}
    users: dict[str, list[str]] = {node: [] for node in needs}
    for node, those in missing.items():
        for need in those:
            users[need].append(node)
    place = {node: at for at, node in enumerate(needs)}
    ready = [place[node] for node, those in missing.items() if not those]
    names = [*needs]
    order: list[str] = []
    while ready:
        node = names[ready.pop(0)]
        order.append(node)
        for user in users[node]:
            missing[user].discard(node)
            if not missing[user]:
                insort(ready, place[user])
    if len(order) < len(names):
        raise ValueError("the graph has a circle")
    return order


def reduced_edges(needs: Needs, order: Sequence[str]) -> list[tuple[str, str]]:
    """The edges as pairs (needed, needing), without those that follow from other edges."""
    # a set of nodes is a number with a bit for each: sets of thousands of steps stay cheap
    bit = {node: 1 << at for at, node in enumerate(order)}
    above: dict[str, int] = {}
    edges: list[tuple[str, str]] = []
    for node in order:
        direct = [need for need in dict.fromkeys(needs[node]) if need in bit]
        beyond = 0
        for need in direct:
            beyond |= above[need]
        edges += [(need, node) for need in direct if not beyond & bit[need]]
        above[node] = beyond | sum(bit[need] for need in direct if not beyond & bit[need])
    return edges


def _link(
    source: str,
    target: str,
    depth: Mapping[str, int],
    slots: Sequence[list[Slot]],
    links: dict[tuple[Slot, Slot], None],
    lanes: set[Slot],
) -> None:
    """Add an edge; where it is long, by way of one slot in each layer between, shared with its siblings."""
    before, end = Slot(node=source), Slot(node=target)
    between = range(depth[source] + 1, depth[target])
    if len(lanes) + len(between) > _MOST_LANES:
        return
    for layer in between:
        lane = Slot(node=source, passing=layer - depth[source])
        if lane not in lanes:
            lanes.add(lane)
            slots[layer].append(lane)
        links[before, lane] = None
        before = lane
    links[before, end] = None


def _ordered(slots: list[list[Slot]], links: Sequence[tuple[Slot, Slot]]) -> Sequence[Sequence[Slot]]:
    """Each layer by the mean places of neighbours, forwards and backwards in turn; the best order counts."""
    earlier: dict[Slot, list[Slot]] = {}
    later: dict[Slot, list[Slot]] = {}
    for before, after in links:
        earlier.setdefault(after, []).append(before)
        later.setdefault(before, []).append(after)
    best, fewest = [*map(list, slots)], _crossings(slots, later)
    # the barycentre method of Sugiyama's framework for layered graphs
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        forwards = sweep % 2 == 0
        neighbours = earlier if forwards else later
        for layer in range(1, len(slots)) if forwards else range(len(slots) - 2, -1, -1):
            place = {slot: at for at, slot in enumerate(slots[layer - 1 if forwards else layer + 1])}
            slots[layer] = _by_mean(slots[layer], neighbours, place)
        crossings = _crossings(slots, later)
        if crossings < fewest:
            best, fewest = [*map(list, slots)], crossings
    return best


def _by_mean(
    layer: Sequence[Slot], neighbours: Mapping[Slot, Sequence[Slot]], place: Mapping[Slot, int]
) -> list[Slot]:
    means: dict[Slot, float] = {}
    for at, slot in enumerate(layer):
        places = [place[other] for other in neighbours.get(slot, ())]
        means[slot] = sum(places) / len(places) if places else at
    return sorted(layer, key=means.__getitem__)


def _crossings(slots: Sequence[Sequence[Slot]], later: Mapping[Slot, Sequence[Slot]]) -> int:
    """How often two edges cross."""
    count = 0
    for layer, after in pairwise(slots):
        place = {slot: at for at, slot in enumerate(after)}
        seen: list[int] = []
        for slot in layer:
            ends = sorted(place[other] for other in later.get(slot, ()))
            # an edge crosses those that begin before it and end behind it
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count
