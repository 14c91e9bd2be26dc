"""Graphs as SVG and Mermaid: every step and edge is there, and text of others is only text."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.reports.drawing.graph_svg import Node, graph_file, graph_svg
from pytest_lok.reports.drawing.layering import in_order, reduced_edges
from pytest_lok.reports.drawing.mermaid import mermaid
from tests.reports.drawing.graphs import DIAMOND, Graph, graphs
from tests.reports.formats.runs import HOSTILE, LONG

SVG = "{http://www.w3.org/2000/svg}"
KNOWN = {"svg", "title", "style", "path", "g", "rect", "text"}


def nodes(graph: Graph, note: str = "") -> dict[str, Node]:
    return {name: Node(name=name, note=note, kind="question") for name in graph}


@given(graphs())
def test_a_file_has_each_step_and_each_edge_once(graph: Graph) -> None:
    tree = ET.fromstring(graph_file(nodes(graph), graph, "w"))
    assert sorted(it.text or "" for it in tree.iter(f"{SVG}text")) == sorted(graph)
    assert len([*tree.iter(f"{SVG}path")]) == len(reduced_edges(graph, in_order(graph)))


@given(st.text(max_size=60) | st.sampled_from([HOSTILE, LONG]))
def test_text_of_others_is_text(text: str) -> None:
    graph: Graph = {text: (), "b": (text,)}
    made = graph_file(nodes(graph, text), graph, text[:200])
    tree = ET.fromstring(made)
    assert {it.tag.removeprefix(SVG) for it in tree.iter()} <= KNOWN
    assert not [key for it in tree.iter() for key in it.attrib if key.startswith("on") or "href" in key]
    assert len(made) < 20_000


def test_a_critical_path_is_emphasised_and_a_click_leads_somewhere() -> None:
    linked = {name: Node(name=name, link=f"#{name}") for name in DIAMOND}
    made = graph_svg(linked, DIAMOND, critical=["a", "b", "d"])
    assert made.count('class="edge critical"') == 2
    assert re.findall(r'href="([^"]+)"', made) == ["#a", "#b", "#c", "#d"]


def test_mermaid() -> None:
    graph: Graph = {"a": (), "b": ("a", "a"), "c": ("a", "b")}
    named = {
        "a": Node(name="a", note='$ echo "x" | [end]', kind="command"),
        "b": Node(name="b", note="asks x", kind="question"),
        "c": Node(name="c"),
    }
    assert mermaid(named, graph) == (
        "flowchart TD\n"
        '    s1["a<br/>#36; echo #34;x#34; #124; #91;end#93;"]\n'
        '    s2("b<br/>asks x")\n'
        '    s3["c"]\n'
        "    s1 --> s2\n"
        "    s1 --> s3\n"
        "    s2 --> s3\n"
    )


@given(st.text(max_size=60) | st.sampled_from([HOSTILE, LONG]))
def test_no_text_ends_its_label_in_mermaid(text: str) -> None:
    lines = mermaid({"a": Node(name="a", note=text)}, {"a": ()}).split("\n")
    assert len(lines) == 3
    assert re.fullmatch(r'    s1\["a(<br/>)?[^"<>`]*"\]', lines[1])
