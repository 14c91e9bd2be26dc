"""Steps and what they need -> a flowchart in Mermaid, as GitHub and GitLab draw it in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_lok.core.text.truncation import one_line
from pytest_lok.late_regex import late_regex
from pytest_lok.reports.drawing.graph_svg import Node
from pytest_lok.reports.drawing.layering import Needs, in_order
from pytest_lok.reports.untrusted import escape_untrusted

# Mermaid has codes of characters, such as #35;, and no other way to write them
_PLAIN = late_regex(r"[^\w .,:()/+\-]", 256)
_LABEL = 80


def mermaid(nodes: Mapping[str, Node], needs: Needs) -> str:
    """The flowchart: commands have rectangles, questions rounded ones. Every dependency has its arrow."""
    order = in_order(needs)
    ids = {name: f"s{at}" for at, name in enumerate(order, 1)}
    lines = ["flowchart TD"]
    for name in order:
        node = nodes[name]
        label = "<br/>".join(_text(text) for text in (node.name, node.note) if text)
        left, right = ("(", ")") if node.kind == "question" else ("[", "]")
        lines.append(f'    {ids[name]}{left}"{label}"{right}')
    for name in order:
        lines += [f"    {ids[need]} --> {ids[name]}" for need in dict.fromkeys(needs[name]) if need in ids]
    return "\n".join([*lines, ""])


def _text(text: str) -> str:
    return _PLAIN.sub(lambda found: f"#{ord(found.group())};", one_line(escape_untrusted(text), _LABEL))
