"""``lok graph NAME``: what of a workflow depends on what, for the terminal, as Mermaid or as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.workflow_command import complete_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.reports.drawing.graph_svg import Node

_NARROWEST = 40
_ON_PAPER = 80  # columns where nobody knows how wide the reader's screen is


def _graph(name: str, form: str) -> int:
    from pytest_lok.reports.drawing.steps import needs_of, nodes_of
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    workflow = call.project().load(name)
    nodes, needs = nodes_of(workflow.steps), needs_of(workflow.steps)
    if call.json:
        call.deliver(dumps(_document(workflow, nodes, needs)))
    elif form == "mermaid":
        from pytest_lok.reports.drawing.mermaid import mermaid

        call.deliver(mermaid(nodes, needs).rstrip())
    elif form == "svg":
        from pytest_lok.reports.drawing.graph_svg import graph_file

        call.deliver(graph_file(nodes, needs, _title(workflow)).rstrip())
    else:
        from pytest_lok.reports.drawing.terminal_graph import terminal_graph
        from pytest_lok.reports.widths import fit

        columns = max(call.screen_width or _ON_PAPER, _NARROWEST)
        drawing = terminal_graph(nodes, needs, columns)
        call.deliver(f"{fit(_title(workflow), columns)}\n\n{drawing}")
    return 0


def _title(workflow: Workflow) -> str:
    from pytest_lok.reports.untrusted import escape_untrusted

    return escape_untrusted(": ".join(filter(None, [workflow.stem, workflow.description])))


def _document(
    workflow: Workflow, nodes: Mapping[str, Node], needs: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    return {
        "workflow": workflow.stem,
        "path": workflow.path,
        "steps": [
            {"name": node.name, "kind": node.kind, "needs": needs[node.name], "does": node.note}
            for node in nodes.values()
        ],
    }


command = OptionsCommand(
    "graph",
    callback=_graph,
    params=[
        click.Argument(["name"], metavar="WORKFLOW", shell_complete=complete_workflow),
        click.Option(
            ["-f", "--format", "form"],
            type=click.Choice(["text", "mermaid", "svg"]),
            default="text",
            show_default=True,
            help="text: for the terminal. mermaid: for Markdown of GitHub and GitLab. svg: a picture.",
        ),
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Draw what of WORKFLOW depends on what. Nothing is run or asked, and no argument is needed.

    In the terminal each step has a line. It is joined to the steps that it needs: straight, or by way of
    other steps. ● is a step that no other step needs.

    \b
    lok graph review
    lok graph review --format svg -o review.svg
    """,
)
