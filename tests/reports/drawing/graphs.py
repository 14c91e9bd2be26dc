"""Graphs to draw: of every shape, and large ones."""

from collections.abc import Sequence

from hypothesis import strategies as st

Graph = dict[str, Sequence[str]]

CHAIN: Graph = {"a": (), "b": ("a",), "c": ("b",)}
FAN: Graph = {"a": (), "b": ("a",), "c": ("a",), "d": ("a",)}
DIAMOND: Graph = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
APART: Graph = {"a": (), "b": (), "c": ("a",)}
SHORTCUT: Graph = {"a": (), "b": ("a",), "c": ("a", "b"), "d": ("a", "c")}


@st.composite
def graphs(draw: st.DrawFn, most: int = 14) -> Graph:
    """Any graph without circles; the nodes stand in any order, and some needs are named twice."""
    count = draw(st.integers(0, most))
    needs = {
        f"n{at}": tuple(f"n{need}" for need in draw(st.lists(st.integers(0, at - 1), max_size=4)))
        if at
        else ()
        for at in range(count)
    }
    return {name: needs[name] for name in draw(st.permutations([*needs]))}


def large(steps: int, width: int) -> Graph:
    """Layers of so many steps; each needs three of the layer before, and every tenth the very first step."""
    needs: Graph = {}
    for at in range(steps):
        before = [f"n{at - width - side}" for side in (-1, 0, 1) if 0 <= at - width - side < at - at % width]
        needs[f"n{at}"] = (*before, *(["n0"] if at and at % 10 == 0 else []))
    return needs
