"""GitHub's Copilot CLI: how it is called, and what its events and its telemetry say."""

from __future__ import annotations

from dataclasses import field

from pytest_lok.backends import endings
from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import CliDialect, CliError, CliOption, CliReply, CliResult, flag
from pytest_lok.backends.cli.transcripts import (
    PLAIN_TERMINAL,
    Event,
    denied_tools,
    ending_error,
    error_text,
    json_objects,
    last_event_is,
    nothing_usable,
    read_genai_log,
    reader,
    text_or_empty,
    tool_error,
)
from pytest_lok.backends.endings import ending_for
from pytest_lok.backends.json_fields import table, tables
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault
from pytest_lok.late_regex import late_regex

# a tool that lok does not let it offer is one that "does not exist"
_REFUSED = late_regex(r"denied|reject|tool '[^']*' does not exist")
_LOG = "telemetry.jsonl"


@dataclass(slots=True)
class _CopilotTurn:
    """What copilot has printed so far.

    ``answers`` are its messages without a call, ``waiting`` the calls that have no result yet.
    """

    model: str = ""
    error: str = ""
    status: object = None
    outcome: object = "success"
    answers: list[str] = field(default_factory=list)
    waiting: dict[object, tuple[str, Event]] = field(default_factory=dict)
    refused: list[tuple[str, Event]] = field(default_factory=list)

    def take(self, kind: str, data: Event) -> None:
        """Fold one event into what has come so far."""
        match kind:
            case "assistant.message":
                self.model = text_or_empty(data.get("model")) or self.model
                calls = tables(data, "toolRequests")
                self.waiting |= {
                    it.get("toolCallId"): (str(it.get("name")), table(it, "arguments")) for it in calls
                }
                if not calls:
                    self.answers.append(text_or_empty(data.get("content")))
            case "tool.execution_complete":
                use, error = self.waiting.pop(data.get("toolCallId"), ("a tool", {})), table(data, "error")
                said = f"{error.get('code')} {error_text(error)}".casefold()
                if data.get("success") is not True and _REFUSED.search(said):
                    self.refused.append(use)
            case "model.call_final_result":
                self.outcome = data.get("result")
            case "session.error" | "abort":
                self.error = self.error or error_text(data.get("message")) or error_text(data) or kind
                self.status = data.get("statusCode")


@reader
def read_copilot(done: Completed) -> CliResult:
    """Read the events: the one message without a call of a tool is the answer, if the result is good.

    Two such messages are one answer that was cut: the tool asks for its rest, and does not say so.
    """
    turn, results, went_on = _CopilotTurn(), list[Event](), False
    for event in json_objects(done.stdout):
        kind = text_or_empty(event.get("type"))
        turn.take(kind, table(event, "data"))
        went_on = went_on or (bool(results) and kind.startswith(("assistant.message", "tool.")))
        if kind == "result":
            results.append(event)
    if turn.error:
        known = faults.fault_of_status(turn.status) if isinstance(turn.status, int) else None
        said = tool_error(turn.error, done)
        return CliError(kind=known or said.kind, message=said.message)
    if len(results) != 1 or done.exit_code:
        return nothing_usable(done, "result")
    if went_on:
        return CliError(kind=BackendFault.BAD_OUTPUT, message="it went on after its result")
    if type(results[0].get("exitCode")) is not int or results[0]["exitCode"] != 0:
        return ending_error(endings.ABORTED)
    if end := ending_for(turn.outcome, endings.COPILOT) or (endings.TOOL if turn.waiting else None):
        return ending_error(end)
    if len(turn.answers) > 1:
        return ending_error(endings.CUT, f"it gave {len(turn.answers)} messages one after the other")
    if turn.refused:
        return denied_tools(turn.refused, "denied")
    return (
        CliReply(text=turn.answers[0], model=turn.model) if turn.answers else nothing_usable(done, "message")
    )


COPILOT = CliDialect(
    program="copilot",
    install="npm install -g @github/copilot",
    sign_in="run `copilot` once and sign in with /login, or set COPILOT_GITHUB_TOKEN",
    version=("--version",),
    options=(
        CliOption(names=("--output-format",), value="json", fixed=True),
        CliOption(names=("--no-color",)),
        CliOption(names=("--no-custom-instructions",)),
        CliOption(names=("--disable-builtin-mcps",)),
        CliOption(names=("--no-auto-update",)),
        CliOption(names=("--no-ask-user",)),
        CliOption(names=("--no-remote",)),
        CliOption(names=("--disallow-temp-dir",)),
    ),
    access={
        "read": (
            CliOption(names=("--available-tools",), value="view,grep,glob"),
            CliOption(names=("--add-dir",), value="{workspace}", key="{workspace}"),
        ),
        # No tool has this name.
        "none": (CliOption(names=("--available-tools",), value="none", fixed=True),),
    },
    model=CliOption(names=("--model",)),
    takes={
        "reasoning_effort": flag("--reasoning-effort", "--effort"),
        "tools": flag("--available-tools", join=","),
    },
    env={
        **PLAIN_TERMINAL,
        # Nothing else says that an answer was stopped by a filter.
        "COPILOT_OTEL_ENABLED": "true",
        "COPILOT_OTEL_EXPORTER_TYPE": "file",
        "COPILOT_OTEL_FILE_EXPORTER_PATH": _LOG,
    },
    keys=(
        "COPILOT_GITHUB_TOKEN",
        "COPILOT_HOME",
        "COPILOT_MODEL",
        "COPILOT_OFFLINE",
        "COPILOT_PROVIDER_API_KEY",
        "COPILOT_PROVIDER_BASE_URL",
        "COPILOT_PROVIDER_BEARER_TOKEN",
        "COPILOT_PROVIDER_TYPE",
        "COPILOT_PROVIDER_WIRE_API",
    ),
    private={"read": {}, "none": {}},
    read=read_copilot,
    is_finished=last_event_is("result"),
    log=_LOG,
    read_log=read_genai_log,
)
