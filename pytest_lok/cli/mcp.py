"""``lok mcp``: serve the workflows of the project to an agent, over standard input and output."""

from __future__ import annotations

import sys

import click

from pytest_lok.cli.finite_range import FiniteRange
from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import UsageError

ACCEPTS = ("backend", "timeout", "max_parallel", *COMMON_OPTIONS)


def _serve(answer_within: float) -> int:
    import asyncio

    from pytest_lok.workspace.processes.descendants import is_inside_run

    call = Invocation.of(click.get_current_context())
    if is_inside_run(call.environ):
        raise UsageError(
            "`lok mcp` does not serve inside of a run of lok: what a run asks would ask the run again",
            hint="take lok out of the MCP servers of the tool that the run starts",
        )
    try:
        from pytest_lok.mcp_server.server import serve_stdio
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise UsageError(
            "`lok mcp` needs the package mcp, version 2, which is not installed here",
            hint="pip install 'pytest-lok[mcp]'",
        ) from missing
    if sys.stdin is not None and sys.stdin.isatty():
        call.terminal.note(
            "lok mcp serves an agent on standard input and output: register the command with your agent "
            "(`lok agents` says how). Ctrl-D ends it."
        )
    from pytest_lok.cli.execute import stopping_on_signals
    from pytest_lok.mcp_server.toolbox import Toolbox

    async def body() -> int:
        toolbox = Toolbox(call.project, limit=answer_within)
        serving = asyncio.create_task(serve_stdio(toolbox, call.terminal.escape_untrusted, sys.stderr))

        def stop(reason: str) -> None:
            # first the runs: writing to a client that does not read may take for ever
            toolbox.stop(reason)
            serving.cancel()

        with stopping_on_signals(stop, toolbox.kill) as stopped:
            await asyncio.wait([serving])
        if stopped:
            return 128 + stopped[0]
        await serving
        return 0

    return asyncio.run(body())


command = OptionsCommand(
    "mcp",
    callback=_serve,
    params=[
        click.Option(
            ["--answer-within"],
            type=FiniteRange(min=0, min_open=True),
            default=50.0,
            metavar="SECONDS",
            help="Answer a call within this time: where its run goes on, with the id of the run. Clients "
            "give up after 60 s or more.  [default: 50]",
        )
    ],
    accepts=ACCEPTS,
    help="""Serve the workflows of the project as tools of an agent, with the Model Context Protocol over
    standard input and output. It needs the extra: pip install 'pytest-lok[mcp]'.

    Each workflow that has a description is a tool with its arguments. Beside them there are ask, start,
    status, result, cancel and findings. What is not passed says so in its first words.

    Programs that start servers may do so in any directory: give them `lok mcp --dir PROJECT`. Trust the
    project's settings with `lok trust` before, if they need it; until then one tool says so.

    The server ends with its client: at the end of standard input, or with SIGTERM; and so do its runs.
    """,
)
