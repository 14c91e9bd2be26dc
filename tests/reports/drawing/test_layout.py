"""Layouts: no node over another, every edge forward, and no more work than the graph is large."""

import sys
from collections.abc import Callable
from functools import partial
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.reports.drawing.layering import in_order, layers_of, reduced_edges
from pytest_lok.reports.drawing.layout import Box, Layout, layout
from tests.reports.drawing.graphs import APART, CHAIN, DIAMOND, FAN, SHORTCUT, Graph, graphs, large

SIZE = (80.0, 30.0)


def laid_out(graph: Graph, fits: float = 700.0) -> Layout:
    return layout(graph, dict.fromkeys(graph, SIZE), fits)


def above(graph: Graph, edges: list[tuple[str, str]]) -> dict[str, set[str]]:
    """Everything that each node rests on, by plain recursion."""
    direct: dict[str, set[str]] = {node: set() for node in graph}
    for need, node in edges:
        direct[node].add(need)

    def all_of(node: str) -> set[str]:
        return direct[node].union(*map(all_of, direct[node]))

    return {node: all_of(node) for node in graph}


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@given(graphs(), st.sampled_from([0.0, 300.0, 10_000.0]))
def test_no_two_nodes_overlap_and_all_lie_inside(graph: Graph, fits: float) -> None:
    drawn = laid_out(graph, fits)
    assert drawn.boxes.keys() == graph.keys()
    assert not any(overlap(*pair) for pair in combinations(drawn.boxes.values(), 2))
    for box in drawn.boxes.values():
        assert 0 <= box.x <= box.x + box.width <= drawn.width
        assert 0 <= box.y <= box.y + box.height <= drawn.height


@given(graphs(), st.sampled_from([0.0, 10_000.0]))
def test_every_edge_goes_forward_and_over_no_node(graph: Graph, fits: float) -> None:
    drawn = laid_out(graph, fits)
    along = 0 if drawn.across else 1
    for (source, target), points in drawn.edges.items():
        places = [point[along] for point in points]
        assert places == sorted(places)
        assert places[0] < places[-1]
        others = [box for name, box in drawn.boxes.items() if name not in (source, target)]
        straight = [(points[at], points[at + 1]) for at in range(0, len(points) - 1, 2)]
        lines = [
            Box(x=x, y=y, width=end - x + 1e-9, height=last - y + 1e-9) for (x, y), (end, last) in straight
        ]
        assert not any(overlap(line, box) for line in lines for box in others)
        # what is not straight turns between two layers, where there are no nodes
        turns = [(points[at][along], points[at + 1][along]) for at in range(1, len(points) - 1, 2)]
        spans = [((box.x, box.width), (box.y, box.height))[along] for box in others]
        assert not any(start < at + size and at < end for start, end in turns for at, size in spans)


@given(graphs())
def test_the_edges_left_say_what_all_of_them_say(graph: Graph) -> None:
    edges = reduced_edges(graph, in_order(graph))
    every = [(need, node) for node, needs in graph.items() for need in needs]
    assert above(graph, edges) == above(graph, every)
    for edge in edges:
        assert above(graph, [other for other in edges if other != edge]) != above(graph, every)


@given(graphs())
def test_every_node_stands_behind_what_it_needs(graph: Graph) -> None:
    order = in_order(graph)
    assert sorted(order) == sorted(graph)
    assert all(order.index(need) < order.index(node) for node in graph for need in graph[node])


@pytest.mark.parametrize("graph", [{"a": ("a",)}, {"a": ("b",), "b": ("a",)}])
def test_a_circle_is_refused(graph: Graph) -> None:
    with pytest.raises(ValueError, match="circle"):
        layers_of(graph)


def test_a_need_that_is_no_node_is_left_out() -> None:
    assert laid_out({"a": ("gone",)}).edges == {}


@pytest.mark.parametrize(
    ("graph", "layers"),
    [
        ({}, []),
        (CHAIN, [["a"], ["b"], ["c"]]),
        (FAN, [["a"], ["b", "c", "d"]]),
        (DIAMOND, [["a"], ["b", "c"], ["d"]]),
        (APART, [["a", "b"], ["c"]]),
        (SHORTCUT, [["a"], ["b"], ["c"], ["d"]]),
    ],
)
def test_the_layers_of_usual_shapes(graph: Graph, layers: list[list[str]]) -> None:
    rows = layers_of(graph).slots
    assert [[slot.node for slot in row if not slot.passing] for row in rows] == layers


def test_a_crossing_that_need_not_be_is_none() -> None:
    graph: Graph = {"a": (), "b": (), "c": ("b",), "d": ("a",)}
    drawn = laid_out(graph)
    assert (drawn.boxes["a"].y < drawn.boxes["b"].y) == (drawn.boxes["d"].y < drawn.boxes["c"].y)


def test_a_chain_that_is_too_long_runs_downwards() -> None:
    chain: Graph = {f"n{at}": (f"n{at - 1}",) if at else () for at in range(30)}
    drawn = laid_out(chain)
    assert not drawn.across
    assert drawn.width <= 700
    assert len({box.x for box in drawn.boxes.values()}) == 1
    assert laid_out(DIAMOND).across


def calls(work: Callable[[], object]) -> int:
    """How many calls of Python functions some work takes: a measure that no other process disturbs."""
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("width", [1, 10, 10_000])
def test_four_times_the_steps_are_about_four_times_the_work(width: int) -> None:
    few, many = (calls(partial(laid_out, large(steps, width))) for steps in (250, 1_000))
    assert many < 8 * few


def test_the_middle_of_a_fan_stands_before_its_source() -> None:
    boxes = laid_out(FAN).boxes
    assert boxes["a"].y == pytest.approx(boxes["c"].y)
    assert [b.y for b in (boxes["b"], boxes["c"], boxes["d"])] == sorted(boxes[n].y for n in "bcd")
    assert all(b.y - a.y >= SIZE[1] for a, b in pairwise([boxes["b"], boxes["c"], boxes["d"]]))
