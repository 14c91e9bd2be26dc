"""Factory's Droid: how ``droid exec`` is called, and what its ``stream-json`` output says."""

from __future__ import annotations

from dataclasses import field

from pytest_lok.backends import endings
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
    reader,
    text_or_empty,
    tool_error,
)
from pytest_lok.backends.json_fields import sum_counters, table
from pytest_lok.core.results import Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault

_REFUSALS = (
    "not permitted", "insufficient permission", "permission denied", "rejected", "declined", "cancelled",
)  # fmt: skip
_INPUTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


@dataclass(slots=True)
class _DroidTurn:
    """What droid has printed so far. ``texts`` are its messages since the last call of a tool."""

    model: str = ""
    error: str = ""
    completions: list[Event] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    waiting: dict[object, tuple[str, Event]] = field(default_factory=dict)
    refused: list[tuple[str, Event]] = field(default_factory=list)
    open: bool = False

    def take(self, event: Event) -> None:
        """Fold one event into what has come so far."""
        kind = event.get("type")
        self.open = kind != "completion"
        match kind:
            case "system":
                self.model = text_or_empty(event.get("model"))
            case "message" if event.get("role") == "assistant":
                self.texts.append(text_or_empty(event.get("text")))
            case "tool_call":
                self.texts.clear()
                self.waiting[event.get("id")] = str(event.get("toolName")), table(event, "parameters")
            case "tool_result":
                self.texts.clear()
                use, said = self.waiting.pop(event.get("id"), ("a tool", {})), error_text(event.get("error"))
                if event.get("isError") is not False and any(word in said.casefold() for word in _REFUSALS):
                    self.refused.append(use)
            case "error":
                self.error = self.error or error_text(event.get("message")) or "an error without words"
            case "completion":
                self.completions.append(event)


@reader
def read_droid(done: Completed) -> CliResult:
    """Read the events: the last is the completion, and its text is the one message after the last tool.

    Two such messages are one answer that was cut: the tool asks for its rest, gives that alone as its final
    text, and does not say so.
    """
    turn = _DroidTurn()
    for event in json_objects(done.stdout):
        turn.take(event)
    if turn.refused:
        return denied_tools(turn.refused, "refused")
    if turn.error:
        return tool_error(turn.error, done)
    if done.exit_code or len(turn.completions) != 1 or turn.open:
        return nothing_usable(done, "completion")
    if turn.waiting:
        return ending_error(endings.TOOL)
    [said] = turn.completions
    text = text_or_empty(said.get("finalText"))
    if len(turn.texts) > 1:
        return ending_error(endings.CUT, f"it gave {len(turn.texts)} messages one after the other")
    if turn.texts not in ([], [text]):
        return CliError(kind=BackendFault.BAD_OUTPUT, message="its final text differs from its message")
    usage = table(said, "usage")
    return CliReply(
        text=text,
        model=turn.model.removeprefix("custom:"),
        usage=Usage(
            calls=1,
            input_tokens=sum_counters(usage, *_INPUTS),
            output_tokens=sum_counters(usage, "output_tokens"),
        ),
    )


DROID = CliDialect(
    program="droid",
    install="npm install -g droid",
    sign_in="run `droid` once and sign in, or set FACTORY_API_KEY",
    version=("--version",),
    subcommand="exec",
    options=(CliOption(names=("-o", "--output-format"), value="stream-json", fixed=True),),
    access={
        "read": (
            CliOption(names=("--only-tools",), value="Read,LS,Grep,Glob"),
            # It runs elsewhere: in the project it would run the project's own hooks.
            CliOption(
                names=("--append-system-prompt",),
                value="The files of the project are in {workspace}",
            ),
        ),
        # It wants one tool to be named, and offers this one to nobody.
        "none": (CliOption(names=("--only-tools",), value="TodoWrite", fixed=True),),
    },
    model=CliOption(names=("-m", "--model")),
    takes={
        "reasoning_effort": flag("-r", "--reasoning-effort"),
        "tools": flag("--only-tools", join=","),
    },
    env=PLAIN_TERMINAL,
    keys=("FACTORY_API_KEY",),
    private={"read": {}, "none": {}},
    read=read_droid,
    is_finished=last_event_is("completion"),
)
