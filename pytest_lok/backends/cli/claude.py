"""Claude Code: how it is called, and what its ``stream-json`` output says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_lok.backends import endings
from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import CliDialect, CliError, CliOption, CliReply, CliResult, flag
from pytest_lok.backends.cli.transcripts import (
    PLAIN_TERMINAL,
    Event,
    busiest_model,
    denied_tools,
    ending_error,
    error_text,
    json_objects,
    last_event_is,
    nothing_usable,
    reader,
    text_or_empty,
)
from pytest_lok.backends.endings import Ending, ending_for
from pytest_lok.backends.json_fields import sum_counters, table, tables
from pytest_lok.core.asking.answer_options import server_names
from pytest_lok.core.results import Usage
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault

if TYPE_CHECKING:
    from pytest_lok.core.asking.images import Image

_ASSISTANT_ERRORS = {
    "authentication_failed": BackendFault.AUTH,
    "oauth_org_not_allowed": BackendFault.AUTH,
    "billing_error": BackendFault.QUOTA,
    "rate_limit": BackendFault.RATE_LIMIT,
    "overloaded": BackendFault.OVERLOAD,
    "server_error": BackendFault.OVERLOAD,
    "invalid_request": BackendFault.BAD_REQUEST,
    "model_not_found": BackendFault.BAD_REQUEST,
    "max_output_tokens": BackendFault.TRUNCATED,
}
# Older versions do not print all of these fields.
_CLAUDE_WORDS = {
    "subtype": endings.CLAUDE_RESULTS,
    "stop_reason": endings.MESSAGES,
    "terminal_reason": endings.CLAUDE_LOOPS,
}
_CALLS = ("tool_use", "pause_turn")
_ALLOWED = ("allowed", "allowed_warning")


@reader
def read_claude(done: Completed) -> CliResult:
    """Read the events, of which the last is the result; an error is a result too.

    Where an answer gets too long the tool asks for its rest, and its result is the rest alone, so an answer
    after an interruption is an error.
    """
    events = json_objects(done.stdout)
    results = [event for event in events if event.get("type") == "result"]
    if not results:
        return nothing_usable(done, "JSON result")
    said = results[-1]
    trouble = next(filter(None, (_claude_failed(it, done) for it in results)), None)
    trouble = trouble or _claude_interrupted(events, said) or _claude_stopped(events)
    trouble = trouble or _claude_unfinished(events, results)
    if trouble is not None:
        return replace(trouble, cost_usd=_claude_usage(said).cost_usd)
    return CliReply(
        text=text_or_empty(said.get("result")),
        model=busiest_model(table(said, "modelUsage"), "outputTokens"),
        usage=_claude_usage(said),
    )


def _claude_usage(said: Event) -> Usage:
    usage, cost = table(said, "usage"), said.get("total_cost_usd")
    return Usage(
        calls=1,
        input_tokens=sum_counters(
            usage, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"
        ),
        output_tokens=sum_counters(usage, "output_tokens"),
        cost_usd=float(cost) if isinstance(cost, int | float) else None,
    )


def _claude_failed(said: Event, done: Completed) -> CliError | None:
    """Why a result is no answer; None if it is one."""
    text, errors = text_or_empty(said.get("result")).strip(), error_text(said.get("errors"))
    words = [(said[key], known) for key, known in _CLAUDE_WORDS.items() if said.get(key) is not None]
    end = next(filter(None, (ending_for(word, known) for word, known in words)), None)
    if end is None and said.get("subtype") is None and said.get("is_error") is not False:
        # no field says that the answer is good, so it is not
        end = ending_for("nothing", endings.CLAUDE_RESULTS)
    status = said.get("api_error_status")
    if said.get("is_error") not in (False, None) or errors or done.exit_code or status:
        message = errors or text or (end.why if end else "claude reported an error and gave no reason")
        kind = _claude_kind(said, message)
        hint = "raise `max_usd` among its options, or `usd` under [budget]" if _is_out_of_money(said) else ""
        return CliError(kind=kind or (end.kind if end else BackendFault.CRASHED), message=message, hint=hint)
    if end is not None:
        return ending_error(end, text if end.kind is BackendFault.REFUSED else "")
    # without any output token the text is the tool's own, and no model has seen the prompt
    if text and sum_counters(table(said, "usage"), "output_tokens") == 0:
        return CliError(kind=faults.fault_of_text(text) or BackendFault.BAD_OUTPUT, message=text)
    if denials := tables(said, "permission_denials"):
        uses = [(str(it.get("tool_name")), table(it, "tool_input")) for it in denials]
        return denied_tools(uses, "denied")
    return None


def _is_out_of_money(said: Event) -> bool:
    """Whether the tool's own limit of money ended its work."""
    return "error_max_budget_usd" in (said.get("subtype"), said.get("terminal_reason"))


def _claude_kind(said: Event, text: str) -> BackendFault | None:
    status = said.get("api_error_status")
    if said.get("api_error") == "connection_failed":
        return BackendFault.NETWORK
    if faults.is_quota_used_up(text):
        return BackendFault.QUOTA
    if isinstance(status, int) and status not in (400, 404):
        return faults.fault_of_status(status)
    return faults.fault_of_text(text) or (BackendFault.BAD_REQUEST if isinstance(status, int) else None)


def _claude_interrupted(events: Iterable[Event], said: Event) -> CliError | None:
    """What happened on the way to a result that says it is good."""
    for event in events:
        text = error_text([error_text(it.get("text")) for it in tables(table(event, "message"), "content")])
        error = event.get("error")
        match event.get("type"):
            case "assistant" if error or _is_made_up(event):
                known = _ASSISTANT_ERRORS.get(error) if isinstance(error, str) else None
                kind = known or faults.fault_of_text(text) or BackendFault.CRASHED
                return CliError(
                    kind=kind, message=text or error_text(error) or "claude answered for its model"
                )
            case "user" if event.get("isSynthetic") and "token limit" in text:
                return ending_error(endings.CUT)
            case "error":
                message = error_text(error) or error_text(event.get("message")) or "an error without words"
                return CliError(kind=faults.fault_of_text(message) or BackendFault.CRASHED, message=message)
            case "rate_limit_event" if status := _limited(table(event, "rate_limit_info")):
                how = f"its rate limit says {status}: {error_text(said.get('result'))}"
                return CliError(kind=BackendFault.RATE_LIMIT, message=how)
    return None


def _claude_stopped(events: Iterable[Event]) -> CliError | None:
    """An ending that only the model's messages tell; a call of a tool is none once something follows it."""
    last: Ending | None = None
    for event in events:
        if event.get("type") == "user":
            last = None
        stream = table(event, "event")
        for holder in (event, table(event, "message"), table(stream, "message"), table(stream, "delta")):
            if event.get("type") == "result" or (word := holder.get("stop_reason")) is None:
                continue
            last = ending_for(word, endings.MESSAGES)
            if last is not None and word not in _CALLS:
                return ending_error(last)
    return None if last is None else ending_error(last)


def _limited(limit: Event) -> str:
    """The word of a rate limit that does not let the question pass, "" of one that does."""
    status = str(limit.get("status", _ALLOWED[0]))
    return "" if status in _ALLOWED or limit.get("isUsingOverage") is True else status


def _is_made_up(event: Event) -> bool:
    return bool(
        event.get("is_api_error_message")
        or event.get("isApiErrorMessage")
        or table(event, "message").get("model") == "<synthetic>"
    )


def _claude_unfinished(events: list[dict[str, Any]], results: list[dict[str, Any]]) -> CliError | None:
    """Whether there is more than one answer, or something is still to come."""
    if len({json.dumps(it.get("result")) for it in results}) > 1:
        return CliError(kind=BackendFault.BAD_OUTPUT, message=f"it gave {len(results)} results that differ")
    waiting: set[object] = set()
    for event in events:
        content = tables(table(event, "message"), "content")
        waiting |= {str(it.get("id")) for it in content if it.get("type") == "tool_use"}
        waiting -= {str(it.get("tool_use_id")) for it in content if it.get("type") == "tool_result"}
    if waiting:
        return ending_error(endings.TOOL)
    turns = [event.get("type") for event in events if event.get("type") in ("assistant", "user", "result")]
    if turns[-1] != "result" or results[-1].get("queued_turn_count"):
        return CliError(kind=BackendFault.BAD_OUTPUT, message="it began another turn, which has no result")
    return None


def escape_slash(prompt: str) -> str:
    """Escape a leading "/": the tool would answer a command of its own without any model."""
    return "\n" + prompt if prompt.lstrip().startswith("/") else prompt


def _budget(usd: float) -> list[CliOption]:
    # it takes no exponent, and nothing that is not more than 0
    return [CliOption(names=("--max-budget-usd",), value=f"{max(usd, 0.000001):.6f}", fixed=True)]


def _servers(servers: Mapping[str, Any]) -> list[CliOption]:
    """MCP servers, whose tools it would not be allowed to call unless they are named."""
    allowed = ",".join(f"mcp__{name}" for name in server_names(servers))
    return [
        CliOption(names=("--mcp-config",), value=json.dumps(servers), fixed=True),
        CliOption(names=("--allowedTools", "--allowed-tools"), value=allowed, fixed=True),
    ]


def _show(text: str, images: Sequence[Image], _: Sequence[Path]) -> tuple[str, list[CliOption]]:
    """The question as a message with blocks, which the tool takes instead of text."""
    shown = [
        {"type": "image", "source": {"type": "base64", "media_type": it.media_type, "data": it.base64}}
        for it in images
    ]
    message = {"role": "user", "content": [*shown, {"type": "text", "text": text}]}
    option = CliOption(names=("--input-format",), value="stream-json", fixed=True)
    return json.dumps({"type": "user", "message": message}) + "\n", [option]


CLAUDE = CliDialect(
    program="claude",
    install="npm install -g @anthropic-ai/claude-code",
    sign_in="run `claude` once and sign in, or set ANTHROPIC_API_KEY",
    version=("--version",),
    options=(
        CliOption(names=("-p", "--print"), fixed=True),
        CliOption(names=("--output-format",), value="stream-json", fixed=True),
        CliOption(names=("--verbose",)),
        CliOption(names=("--strict-mcp-config",)),
        # In -p it runs the hooks and helpers of any directory's .claude/settings.json unasked.
        CliOption(names=("--setting-sources",), value="user"),
        CliOption(names=("--no-session-persistence",)),
    ),
    access={
        "read": (CliOption(names=("--tools",), value="Read,Grep,Glob"),),
        "none": (CliOption(names=("--tools",), value="", fixed=True),),
    },
    model=CliOption(names=("--model",)),
    system=CliOption(names=("--system-prompt",), fixed=True),
    show=_show,
    takes={
        "reasoning_effort": flag("--effort"),
        "max_turns": flag("--max-turns"),
        "max_usd": _budget,
        "tools": flag("--tools", join=","),
        "mcp": _servers,
    },
    env={
        **PLAIN_TERMINAL,
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
        "CLAUDE_CODE_MAX_RETRIES": "2",
    },
    keys=(
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
    ),
    session_files=("$CLAUDE_CONFIG_DIR/.credentials.json", "~/.claude/.credentials.json"),
    limit=10_000_000,
    escape_prompt=escape_slash,
    read=read_claude,
    is_finished=last_event_is("result"),
)
