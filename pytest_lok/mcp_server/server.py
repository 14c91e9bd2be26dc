"""The protocol: the tools of a toolbox over standard input and output, with the SDK of MCP."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, cast

from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from pytest_lok.errors import LokError
from pytest_lok.mcp_server.answers import Answer
from pytest_lok.mcp_server.stdin import InputLines
from pytest_lok.reports.escaping import escape_control_chars
from pytest_lok.version import __version__

if TYPE_CHECKING:
    import anyio

    from pytest_lok.mcp_server.catalog import ToolSpec
    from pytest_lok.mcp_server.toolbox import Toolbox

INSTRUCTIONS = """\
lok runs this project's reviews and other workflows of commands and language models. Each workflow is a tool.
The first words of every answer are the verdict: `passed`, or `NOT PASSED` with the reason. A run that is not
passed is an answer, not a failure of the tool: read `reasons` and `findings`. Never report a run as passed
whose verdict does not say `passed`. `NOT FINISHED` means that the run goes on: call `status` with run_id and
wait_seconds until `state` is `finished`, then `result`. `ask` asks language models one question."""

_STDIN = 0


class _Progress:
    """Tells the client of one call how far it is; the number is the seconds since the call, and grows."""

    def __init__(self, ctx: ServerRequestContext[Any], now: Any) -> None:
        self._ctx = ctx
        self._now = now
        self._began = now()
        self._last = 0.0

    async def __call__(self, message: str) -> None:
        """Send one line; nothing is sent to a client that has not asked for progress."""
        self._last = max(round(self._now() - self._began, 3), self._last + 0.001)
        await self._ctx.session.report_progress(self._last, None, message)


def make_server(toolbox: Toolbox, escape: Callable[[str], str] = escape_control_chars) -> Server[Any]:
    """The server of a toolbox, for any transport; ``escape`` makes an error's text fit to be shown."""

    async def list_tools(_: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_tool(spec) for spec in toolbox.tools()])

    async def call_tool(ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        tell = _Progress(ctx, asyncio.get_running_loop().time)
        try:
            return _answered(await toolbox.call(params.name, params.arguments or {}, tell))
        except LokError as wrong:
            return _refused(escape(str(wrong)))
        except Exception as bug:
            traceback.print_exception(bug)
            said = f"this is a bug of lok: {type(bug).__name__}: {bug}\n  hint: please report it"
            return _refused(escape(said))

    return Server(
        "lok",
        version=__version__,
        title="lok",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def serve_stdio(toolbox: Toolbox, escape: Callable[[str], str], aside: TextIO | None) -> None:
    """Serve until standard input ends; what anything else prints goes to ``aside`` meanwhile."""
    server = make_server(toolbox, escape)
    # runs end at once: a client that does not read could hold back the last words, and all that follows
    lines = InputLines(_STDIN, partial(toolbox.stop, "the client is gone"))
    try:
        async with stdio_server(stdin=cast("anyio.AsyncFile[str]", lines)) as (read, write):
            # what is printed could come out of a buffer when the protocol is over
            with contextlib.redirect_stdout(aside):
                await server.run(read, write, server.create_initialization_options())
    except* BrokenPipeError:
        pass  # the client is gone, which ends the server as well
    finally:
        await toolbox.close()


def _tool(spec: ToolSpec) -> Tool:
    return Tool(
        name=spec.name,
        title=spec.title or None,
        description=spec.description,
        input_schema=dict(spec.schema),
        output_schema=dict(spec.answer) if spec.answer else None,
        annotations=ToolAnnotations(read_only_hint=spec.read_only, destructive_hint=spec.destructive),
    )


def _answered(answer: Answer) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=answer.text)], structured_content=answer.document
    )


def _refused(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
