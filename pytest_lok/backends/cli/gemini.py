"""The gemini tool: how it is called, and what its ``stream-json`` output and its telemetry say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import CliDialect, CliError, CliOption, CliReply, CliResult
from pytest_lok.backends.cli.transcripts import (
    PLAIN_TERMINAL,
    Event,
    busiest_model,
    denied_tools,
    ending_error,
    error_text,
    json_objects,
    last_event_is,
    log_ending,
    nothing_usable,
    reader,
    text_or_empty,
    tool_error,
)
from pytest_lok.backends.endings import Ending, ending_for
from pytest_lok.backends.json_fields import sum_counters, table
from pytest_lok.core.results import Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault
from pytest_lok.late_regex import late_regex

_LONGEST = (8192, 65_535, 65_536)  # tokens; an answer of exactly so many was cut
_EXITS = {41: BackendFault.AUTH, 42: BackendFault.BAD_REQUEST}
_STATUSES = (400, 401, 403, 429, 500, 502, 503, 504, 529)
_REFUSALS = ("policy_violation", "permission_denied", "path_not_in_workspace")
_REASONS = late_regex(r'"finish_reasons":\s*\[([^\]]*)\](?!,\s*"role":\s*"utility)')


@dataclass(slots=True)
class _Turn:
    """What gemini has printed so far. ``open``: something came after the last result."""

    text: str = ""
    complaint: str = ""
    results: list[Event] = field(default_factory=list)
    waiting: dict[object, tuple[str, Event]] = field(default_factory=dict)
    refused: list[tuple[str, Event]] = field(default_factory=list)
    open: bool = False

    def take(self, event: Event) -> None:
        """Fold one event into what has come so far."""
        kind = event.get("type")
        self.open = kind in ("message", "tool_use", "tool_result") or (self.open and kind != "result")
        match kind:
            case "message" if event.get("role") == "assistant":
                self.text += text_or_empty(event.get("content"))
            case "tool_use":
                self.text = ""
                self.waiting[event.get("tool_id")] = str(event.get("tool_name")), table(event, "parameters")
            case "tool_result":
                self.text = ""
                use, error = self.waiting.pop(event.get("tool_id"), ("a tool", {})), table(event, "error")
                if error.get("type") in _REFUSALS or "not in workspace" in error_text(error).casefold():
                    self.refused.append(use)
            case "error":
                self.complaint = (
                    self.complaint or error_text(event.get("message")) or "an error without words"
                )
            case "result":
                self.results.append(event)


@reader
def read_gemini(done: Completed) -> CliResult:
    """Read the events: the answer is the text after the last tool call, if the result says success."""
    turn = _Turn()
    for event in json_objects(done.stdout):
        turn.take(event)
    # the tool calls this a success all the same
    if "oop detected" in turn.complaint:
        return CliError(kind=BackendFault.TRUNCATED, message=turn.complaint)
    if len(turn.results) != 1 or turn.open:
        failed = done.exit_code or turn.complaint
        return _gemini_failed(turn.complaint, done) if failed else nothing_usable(done, "result")
    [result] = turn.results
    stats, error = table(result, "stats"), error_text(result.get("error")) or turn.complaint
    if result.get("status") == "error" or error or done.exit_code:
        return _gemini_failed(error, done)
    end = ending_for(result.get("status"), endings.GEMINI) or (endings.TOOL if turn.waiting else None)
    # versions without a telemetry log say nothing else of an answer that was cut
    if sum_counters(stats, "output_tokens") in _LONGEST:
        end = Ending(kind=BackendFault.TRUNCATED, why="the answer has as many tokens as the model can give")
    if end is not None:
        return ending_error(end)
    if turn.refused:
        return denied_tools(turn.refused, "denied")
    return CliReply(
        text=turn.text,
        model=busiest_model(table(stats, "models"), "output_tokens"),
        usage=Usage(
            calls=1,
            input_tokens=sum_counters(stats, "input_tokens"),
            output_tokens=sum_counters(stats, "output_tokens"),
        ),
    )


def read_gemini_log(log: str) -> CliError | None:
    """Why an answer that gemini calls a success is none: its log tells how each text of the model ended."""
    return log_ending(_REASONS, log)


def _gemini_failed(message: str, done: Completed) -> CliError:
    """The error of a failed run; its exit code is gemini's own, or the HTTP status modulo 256."""
    result = tool_error(message, done)
    kind = _EXITS.get(done.exit_code)
    if kind is None and result.kind is BackendFault.CRASHED:
        status = next((status for status in _STATUSES if status % 256 == done.exit_code), 0)
        kind = faults.fault_of_status(status) if status else None
    return result if kind is None else CliError(kind=kind, message=result.message)


_GEMINI_LOG, _SETTINGS = ".gemini/telemetry.log", ".gemini/settings.json"


def _gemini_files(tools: list[str]) -> Mapping[str, str]:
    settings = {
        # A retry would append its text to what had come before.
        "general": {"maxAttempts": 1, "enableAutoUpdate": False},
        "model": {"disableLoopDetection": True},
        "context": {"includeDirectoryTree": False},
        "privacy": {"usageStatisticsEnabled": False},
        "tools": {"core": tools},
        # It tells nobody that an answer was cut or filtered; what it would measure does.
        "telemetry": {"enabled": True, "target": "local", "outfile": _GEMINI_LOG, "logPrompts": False},
    }
    return {_SETTINGS: json.dumps(settings)}


def _adjusted(files: Mapping[str, str], options: Mapping[str, Any]) -> Mapping[str, str]:
    """Its files with options of an answer in its settings: it has no flags for them."""
    settings = json.loads(files[_SETTINGS])
    if "tools" in options:
        settings["tools"] = {"core": options["tools"]}
    if "max_turns" in options:
        settings["model"]["maxSessionTurns"] = options["max_turns"]
    return {**files, _SETTINGS: json.dumps(settings)}


def _in_settings(_: object) -> tuple[CliOption, ...]:
    return ()


GEMINI = CliDialect(
    program="gemini",
    install="npm install -g @google/gemini-cli",
    sign_in="run `gemini` once and sign in, or set GEMINI_API_KEY",
    version=("--version",),
    options=(
        CliOption(names=("-o", "--output-format"), value="stream-json", fixed=True),
        # The user's settings may name servers, and this is the only way to say that none is started.
        CliOption(names=("--allowed-mcp-server-names",), value="none"),
    ),
    access={
        "read": (CliOption(names=("--include-directories",), value="{workspace}", key="{workspace}"),),
        "none": (),
    },
    model=CliOption(names=("-m", "--model")),
    # Without one it first asks another model which to take, and is patient with that one's failures.
    usual_model="flash",
    env={**PLAIN_TERMINAL, "GEMINI_CLI_NO_RELAUNCH": "1", "GEMINI_CLI_TRUST_WORKSPACE": "true"},
    keys=(
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GEMINI_BASE_URL",
        "GEMINI_CLI_HOME",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_GENAI_USE_GCA",
    ),
    session_files=("$GEMINI_CLI_HOME/.gemini/oauth_creds.json", "~/.gemini/oauth_creds.json"),
    # Its settings count only in the directory it runs in, so that is never the workspace itself.
    private={
        "read": _gemini_files(["list_directory", "glob", "grep_search", "read_file", "read_many_files"]),
        "none": _gemini_files(["none"]),
    },
    takes={"tools": _in_settings, "max_turns": _in_settings},
    adjust=_adjusted,
    limit=3_500_000,
    read=read_gemini,
    is_finished=last_event_is("result"),
    log=_GEMINI_LOG,
    read_log=read_gemini_log,
)
