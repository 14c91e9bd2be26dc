"""Codex: how ``codex exec`` is called, and what its events say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import tomli

from pytest_lok.backends.cli.dialect import CliDialect, CliError, CliOption, CliReply, CliResult
from pytest_lok.backends.cli.transcripts import (
    PLAIN_TERMINAL,
    Event,
    denied_tools,
    error_text,
    json_objects,
    last_event_is,
    nothing_usable,
    reader,
    text_or_empty,
    tool_error,
    tool_target,
)
from pytest_lok.backends.json_fields import sum_counters, table
from pytest_lok.core.results import Usage
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.asking.images import Image

_SERVER = late_regex(r"[A-Za-z0-9_-]+")
"""The names that codex itself allows for a server."""


@reader
def read_codex(done: Completed) -> CliResult:
    """Read the events: the last message counts, and only if its turn was completed after it."""
    text: str | None = None
    usage: Event | None = None
    failed, complaint = "", ""
    events = json_objects(done.stdout)
    for event in events:
        kind, item = str(event.get("type")), table(event, "item")
        if kind == "item.completed" and item.get("type") == "agent_message":
            text, usage, complaint = text_or_empty(item.get("text")), None, ""
        elif kind == "turn.started":
            text, usage = None, None
        elif kind == "turn.completed":
            usage = table(event, "usage")
        elif kind.startswith("turn.") or kind.endswith("failed"):
            failed = error_text(event.get("error")) or f"the turn ended in a way lok does not know: {kind}"
        elif kind.endswith("error"):  # a retry's notice, unless nothing better follows
            complaint = error_text(event.get("message")) or error_text(event.get("error")) or kind
    if failed or done.exit_code:
        return tool_error(failed or complaint, done)
    if text is None or usage is None:
        return tool_error(complaint, done) if complaint else nothing_usable(done, "completed turn")
    if complaint:
        return tool_error(complaint, done)
    return _codex_calls(events) or CliReply(
        text=text,
        usage=Usage(
            calls=1,
            input_tokens=sum_counters(usage, "input_tokens"),
            output_tokens=sum_counters(usage, "output_tokens"),
        ),
    )


def _codex_calls(events: Iterable[Event]) -> CliError | None:
    """The error of calls that were declined, or that began and did not end.

    Plans and thoughts need no end.
    """
    declined: list[tuple[str, Event]] = []
    waiting: dict[str, str] = {}
    for event in events:
        kind, item = str(event.get("type")), table(event, "item")
        what = str(item.get("type"))
        if not kind.startswith("item.") or what in ("todo_list", "reasoning"):
            continue
        one = f"{what} {item.get('id')}"
        if kind != "item.completed" or item.get("status") == "in_progress":
            waiting[one] = " ".join(
                filter(None, [what, tool_target({**item, "id": None, "type": None, "status": None})])
            )
            continue
        waiting.pop(one, None)
        if item.get("status") == "declined":
            declined.append((what, item))
    if declined:
        return denied_tools(declined, "declined")
    if not waiting:
        return None
    named = ", ".join(dict.fromkeys(waiting.values()))
    return CliError(kind=BackendFault.BAD_OUTPUT, message=f"a call still waits for its result: {named}")


def _setting(key: str, value: str) -> CliOption:
    return CliOption(names=("-c", "--config"), value=f"{key}={value}", key=f"{key}=")


def _disabled(feature: str) -> CliOption:
    """Switch a feature off by a setting: codex ignores unknown ones, and not an unknown ``--disable``."""
    return _setting(f"features.{feature}", "false")


def _without_servers(env: Mapping[str, str]) -> list[CliOption]:
    """Switch off each MCP server of the user's settings: codex starts them all, and has no word for none.

    Switching off one that is not there would be an error of codex.
    """
    home = env.get("CODEX_HOME") or f"{env.get('HOME', '')}/.codex"
    try:
        servers = tomli.loads(Path(home, "config.toml").read_text(encoding="utf-8")).get("mcp_servers")
    except (OSError, ValueError):  # what is wrong with its settings, codex says itself
        return []
    names = servers if isinstance(servers, dict) else ()
    return [_setting(f"mcp_servers.{name}.enabled", "false") for name in names if _SERVER.fullmatch(name)]


def _show(text: str, _: Sequence[Image], files: Sequence[Path]) -> tuple[str, list[CliOption]]:
    """An option for each file; lok puts others behind them, for a word that follows would be a file."""
    return text, [CliOption(names=("--image", "-i"), value=str(file), fixed=True) for file in files]


CODEX = CliDialect(
    program="codex",
    install="npm install -g @openai/codex",
    sign_in="run `codex login`, or set CODEX_API_KEY",
    version=("--version",),
    subcommand="exec",
    options=(
        CliOption(names=("--json", "--experimental-json"), fixed=True),
        CliOption(names=("--skip-git-repo-check",)),
        CliOption(names=("--ephemeral",)),
        _disabled("plugins"),
        _disabled("unbounded_connection_retries"),
        _setting("project_doc_max_bytes", "0"),
        _setting("web_search", '"disabled"'),
        _setting("check_for_update_on_startup", "false"),
        _setting("analytics.enabled", "false"),
    ),
    more_options=_without_servers,
    access={
        "read": (CliOption(names=("-s", "--sandbox"), value="read-only"),),
        "none": (
            CliOption(names=("-s", "--sandbox"), value="read-only", fixed=True),
            _disabled("shell_tool"),
            _disabled("view_image"),
            _disabled("multi_agent"),
        ),
    },
    trailing=("-",),
    model=CliOption(names=("-m", "--model")),
    takes={
        "reasoning_effort": lambda it: [replace(_setting("model_reasoning_effort", f'"{it}"'), fixed=True)],
        "verbosity": lambda it: [replace(_setting("model_verbosity", f'"{it}"'), fixed=True)],
    },
    show=_show,
    env=PLAIN_TERMINAL,
    keys=("CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_HOME"),
    session_files=("$CODEX_HOME/auth.json", "~/.codex/auth.json"),
    limit=1_048_576,
    size=len,
    read=read_codex,
    is_finished=last_event_is("turn.completed", "turn.failed"),
)
