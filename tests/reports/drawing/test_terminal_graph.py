"""The drawing for a terminal: read back line by line, the edges are those of the graph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.reports.drawing.graph_svg import Node
from pytest_lok.reports.drawing.layering import in_order, reduced_edges
from pytest_lok.reports.drawing.terminal_graph import terminal_graph
from pytest_lok.reports.widths import columns_of
from tests.reports.drawing.graphs import APART, CHAIN, DIAMOND, FAN, SHORTCUT, Graph, graphs
from tests.reports.formats.runs import HOSTILE

GOES_ON = "│├┼┤"
JOINS = "├┼┤╰┴╯"


def drawn(graph: Graph, columns: int = 200) -> str:
    return terminal_graph({name: Node(name=name) for name in graph}, graph, columns)


def read(drawing: str) -> list[tuple[str, str]]:
    """The edges of a drawing, by following its lines with a finger."""
    edges = []
    lines: dict[int, str] = {}  # the columns with a line from above, and the step from which it comes
    for row in drawing.splitlines():
        name = row.split()[-1]
        cells = row[: row.rindex(name)]
        place = next(at for at, cell in enumerate(cells) if cell in "○●")
        needed = [lines[place]] if place in lines else []
        for step in (-1, 1):
            at = place + step
            while 0 <= at < len(cells) and cells[at] != " ":
                if cells[at] in JOINS:
                    needed.append(lines[at])
                if cells[at] in "├╰┤╯":
                    break
                at += step
        edges += [(need, name) for need in needed]
        lines = {at: source for at, source in lines.items() if at < len(cells) and cells[at] in GOES_ON}
        if cells[place] == "○":
            lines[place] = name
    return edges


@given(graphs())
def test_who_follows_the_lines_finds_the_edges(graph: Graph) -> None:
    assert sorted(read(drawn(graph))) == sorted(reduced_edges(graph, in_order(graph)))


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, ""),
        (CHAIN, "○ a\n○ b\n● c"),
        (FAN, "○   a\n├─● b\n├─● c\n●   d"),
        (DIAMOND, "○   a\n├─○ b\n○ │ c\n●─╯ d"),
        (APART, "○   a\n│ ● b\n●   c"),
        (SHORTCUT, "○ a\n○ b\n○ c\n● d"),
        ({"a": (), "b": (), "c": ()}, "● a\n● b\n● c"),
        (
            {"a": (), "b": (), "c": (), "d": ("a", "c"), "e": ("b",)},
            "○     a\n│ ○   b\n│ │ ○ c\n●─│─╯ d\n  ●   e",
        ),
        (
            {"a": (), "b": ("a",), "c": ("a",), "d": ("a",), "e": ("b", "c", "d")},
            "○     a\n├─○   b\n├─│─○ c\n○ │ │ d\n●─┴─╯ e",
        ),
    ],
)
def test_usual_shapes(graph: Graph, expected: str) -> None:
    assert drawn(graph).splitlines() == [*expected.splitlines()]


def test_where_too_many_lines_run_beside_each_other_needs_are_named() -> None:
    graph: Graph = {f"s{at}": () for at in range(40)} | {"end": [f"s{at}" for at in range(40)]}
    lines = drawn(graph, 80).splitlines()
    assert lines[0] == "○ s0"
    assert lines[-1] == "● end ← s0, s1, s2, s3, s4, s5 and 34 more"


@given(st.text(max_size=300) | st.just(HOSTILE), st.integers(60, 100))
def test_no_line_is_longer_than_the_terminal_or_obeyed_by_it(text: str, columns: int) -> None:
    nodes = {"a": Node(name="a"), "b": Node(name="b", note=text)}
    lines = terminal_graph(nodes, {"a": (), "b": ("a",)}, columns).split("\n")
    assert len(lines) == 2
    assert all(columns_of(line) <= columns for line in lines)
    assert all(char.isprintable() for line in lines for char in line if ord(char) < 0xA0)
