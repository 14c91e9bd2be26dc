"""Steps and what they need -> a drawing in SVG, for a page or as a file of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from pytest_lok.dataclass import dataclass
from pytest_lok.reports.drawing.layering import Needs
from pytest_lok.reports.drawing.layout import Box, Layout, Point, layout
from pytest_lok.reports.drawing.markup import element
from pytest_lok.reports.untrusted import escape_untrusted
from pytest_lok.reports.widths import columns_of, fit

STYLE = """
.graph text { font: 600 13px system-ui, sans-serif; fill: var(--text) }
.graph text.note { font: 11px system-ui, sans-serif; fill: var(--faint) }
.graph .edge { fill: none; stroke: var(--edge); stroke-width: 1.5 }
.graph .edge.critical { stroke: var(--accent); stroke-width: 2.5 }
.graph .tip { fill: var(--edge) }
.graph rect { fill: var(--card); stroke: var(--edge); stroke-width: 1.2 }
.graph .stripe { fill: var(--kind); stroke: none }
.graph .node { --kind: var(--edge) }
.graph .node:hover rect, .graph a:focus-visible rect { stroke: var(--accent); stroke-width: 2 }
.graph .passed { --kind: var(--passed) } .graph .failed { --kind: var(--failed) }
.graph .error, .graph .missing { --kind: var(--error) }
.graph .soft { --kind: var(--soft) } .graph .skipped { --kind: var(--skipped) }
.graph .skipped rect, .graph .missing rect { stroke-dasharray: 5 3 }
.graph .failed rect, .graph .error rect { stroke: var(--kind); stroke-width: 2 }
.graph .command { --kind: var(--skipped) } .graph .question { --kind: var(--accent) }
"""
"""The look of a graph; whoever shows one defines the colours."""

_COLOURS = """
svg { --text: #1c2430; --faint: #667085; --edge: #98a2b3; --card: #fff }
svg { --accent: #3b5bdb; --skipped: #98a2b3; background: #fff }
@media (prefers-color-scheme: dark) {
  svg { --text: #e6e9ef; --faint: #98a2b3; --edge: #667085; --card: #1d2330 }
  svg { --accent: #8da2fb; --skipped: #667085; background: #141821 }
}
"""
_LETTER = 7.4  # pixels of a letter, a bit more than most take
_LABEL, _NOTE = 26, 34  # columns
_READ = 1_000  # characters of a text that are looked at
_FITS = 1_060.0
_XMLNS = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step in a drawing: its name, a note below, its ``kind``, which sets the colour, and more to know.

    ``link`` is where a click leads, "" = nowhere.
    """

    name: str
    note: str = ""
    kind: str = ""
    tip: str = ""
    link: str = ""


def graph_svg(nodes: Mapping[str, Node], needs: Needs, *, critical: Sequence[str] = ()) -> Markup:
    """The drawing for a page that has STYLE; the edges along the ``critical`` steps are emphasised."""
    return _drawn(nodes, needs, title="what depends on what", critical=critical)


def graph_file(nodes: Mapping[str, Node], needs: Needs, title: str) -> str:
    """The drawing as a file of its own, which needs nothing else and looks right on light and dark pages."""
    style = element("style", Markup(f"{_COLOURS}{STYLE}"))  # noqa: S704 - our own
    return f"{_drawn(nodes, needs, title=title, style=style, xmlns=_XMLNS)}\n"


def _drawn(
    nodes: Mapping[str, Node],
    needs: Needs,
    *,
    title: str,
    critical: Sequence[str] = (),
    style: Markup = Markup(),  # noqa: B008 - nothing changes it
    xmlns: str | None = None,
) -> Markup:
    drawn = layout(needs, {name: _size(node) for name, node in nodes.items()}, _FITS)
    return element(
        "svg",
        element("title", title),
        style,
        *_edges(drawn, critical),
        *(_node(nodes[name], box) for name, box in drawn.boxes.items()),
        xmlns=xmlns,
        class_="graph",
        viewBox=f"0 0 {drawn.width:.0f} {drawn.height:.0f}",
        width=f"{drawn.width:.0f}",
        height=f"{drawn.height:.0f}",
        role="img" if xmlns else "group",
        aria_label=title,
    )


def _size(node: Node) -> Point:
    columns = max(columns_of(_label(node)) * 1.08, columns_of(_note(node)) * 0.88)
    return max(columns * _LETTER + 30, 84.0), 46.0 if node.note else 32.0


def _label(node: Node) -> str:
    return fit(escape_untrusted(node.name[:_READ]), _LABEL)


def _note(node: Node) -> str:
    return fit(escape_untrusted(node.note[:_READ]), _NOTE)


def _node(node: Node, box: Box) -> Markup:
    x, y = round(box.x, 1), round(box.y, 1)
    middle = round(y + box.height / 2, 1)
    parts = [
        element("title", node.tip) if node.tip else "",
        element("rect", x=x, y=y, width=round(box.width, 1), height=box.height, rx=7),
        element("rect", x=x, y=y + 7, width=4, height=box.height - 14, class_="stripe"),
        element("text", _label(node), x=x + 15, y=middle - 3 if node.note else middle + 4.5),
        element("text", _note(node), x=x + 15, y=middle + 14, class_="note") if node.note else "",
    ]
    group = element("g", *parts, class_=f"node {node.kind}")
    return element("a", group, href=node.link) if node.link else group


def _edges(drawn: Layout, critical: Sequence[str]) -> Iterator[Markup]:
    path = set(pairwise(critical))
    for edge, points in drawn.edges.items():
        kind = "edge critical" if edge in path else "edge"
        yield element("path", d=_curve(points, across=drawn.across), class_=kind)


def _curve(points: Sequence[Point], *, across: bool) -> str:
    """A line that is straight, turns, is straight again, and ends with an arrow."""
    said = [f"M{points[0][0]:.0f} {points[0][1]:.0f}"]
    for at, (x, y) in enumerate(points[1:], 1):
        if at % 2:
            said.append(f"L{x:.0f} {y:.0f}")
            continue
        before = points[at - 1]
        if across:
            middle = (before[0] + x) / 2
            said.append(f"C{middle:.0f} {before[1]:.0f} {middle:.0f} {y:.0f} {x:.0f} {y:.0f}")
        else:
            middle = (before[1] + y) / 2
            said.append(f"C{before[0]:.0f} {middle:.0f} {x:.0f} {middle:.0f} {x:.0f} {y:.0f}")
    x, y = points[-1]
    arrow = [(-6, -4), (-6, 4)] if across else [(-4, -6), (4, -6)]
    (a, b), (c, d) = arrow
    return "".join([*said, f"M{x + a:.0f} {y + b:.0f}L{x:.0f} {y:.0f}L{x + c:.0f} {y + d:.0f}"])
