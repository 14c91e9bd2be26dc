"""What an agent tells during its turn by the Agent Client Protocol, and what of it is an answer."""

from __future__ import annotations

from dataclasses import replace

from pytest_lok.backends import endings
from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import CliError, CliReply, CliResult
from pytest_lok.backends.cli.transcripts import Event, denied_tools, ending_error, text_or_empty, tool_target
from pytest_lok.backends.json_fields import sum_counters, table
from pytest_lok.core.results import Usage
from pytest_lok.core.text.truncation import truncate
from pytest_lok.errors import BackendFault
from pytest_lok.late_regex import late_regex

_ALLOW = (
    "put what it needs into the prompt, or tell it to do without; "
    "`allow_refusals = true` in its table takes such an answer"
)
_ASK = (
    "see what it changed with `git status`; its own settings must tell it to ask before it changes anything"
)
_NOTICE = late_regex(r"(Info|Warning|Error): ")
_CHANGING = ("edit", "delete", "move")


class AcpTurn:
    """One turn of an agent. ``refused`` are its uses of tools that were refused, by name and input.

    Nobody ever allows a tool, so a change that was made is one that the agent did not ask for. An agent that
    ``has_notices`` of its own in its text gives an answer only without them, and with counted tokens.
    """

    def __init__(self, *, has_notices: bool = False) -> None:
        self._has_notices = has_notices
        self._notices: list[str] = []
        self.refused: list[tuple[str, Event]] = []
        self._changes: list[tuple[str, Event]] = []
        self._calls: dict[str, Event] = {}
        self._parts: list[str] = []
        self._message: object = None
        self._cost: float | None = None

    def update(self, update: Event) -> CliError | None:
        """Take what the agent tells on its way; the error of an answer that is no text."""
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                return self._spoke(update)
            case "agent_thought_chunk":
                self._message = None
            case "tool_call":
                self._message = None
                self._used(update)
            case "tool_call_update":
                self._used(update)
            case "usage_update":
                cost = table(update, "cost")
                amount = cost.get("amount")
                if cost.get("currency") == "USD" and isinstance(amount, int | float):
                    self._cost = float(amount)
        return None

    def result(self, ended: Event, model: str, allow_refusals: bool) -> CliResult:
        """What the turn comes to, once the agent has said how it ended."""
        end = endings.ending_for(ended.get("stopReason", "nothing"), endings.ACP)
        if self._changes:
            return replace(denied_tools(self._changes, "made without asking"), hint=_ASK)
        if self.refused and not allow_refusals:
            return replace(denied_tools(self.refused, "refused"), hint=_ALLOW)
        if end is not None:
            return ending_error(end)
        if problem := self._unanswered(table(ended, "usage")):
            return problem
        # some agents cut their text between the halves of a surrogate pair
        pieces = "".join(self._parts).encode("utf-16", "surrogatepass")
        try:
            text = pieces.decode("utf-16")
        except UnicodeDecodeError:
            half = "its answer holds half of a surrogate pair, which is not text"
            return CliError(kind=BackendFault.BAD_OUTPUT, message=half)
        return CliReply(text=text, model=model, usage=_usage(table(ended, "usage"), self._cost))

    def _unanswered(self, counted: Event) -> CliError | None:
        """Why the text is that of the agent itself, or has some of it; None if all of it is a model's."""
        if self._notices:
            said = self._notices[-1]
            return CliError(kind=faults.fault_of_text(said) or BackendFault.CRASHED, message=said)
        if self._has_notices and not sum_counters(counted, "outputTokens"):
            why = "no model answered: it counts no tokens"
            return CliError(kind=BackendFault.BAD_OUTPUT, message=why)
        return None

    def _spoke(self, update: Event) -> CliError | None:
        content = table(update, "content")
        if content.get("type") != "text" or not isinstance(content.get("text"), str):
            return ending_error(endings.NOT_TEXT)
        if self._has_notices and _NOTICE.match(content["text"]):
            self._notices.append(content["text"])
        # a tool, a thought or a new message begins a new paragraph
        message = (update.get("messageId"),)
        if self._parts and self._message != message:
            self._parts.append("\n\n")
        self._message = message
        self._parts.append(content["text"])
        return None

    def _used(self, update: Event) -> None:
        name = str(update.get("toolCallId"))
        told = {key: update[key] for key in ("kind", "title", "rawInput") if update.get(key)}
        call = self._calls[name] = {**self._calls.get(name, {}), **told}
        if update.get("status") == "completed" and call.get("kind") in _CHANGING:
            self._changes.append(tool_use(call))


def tool_use(call: Event) -> tuple[str, Event]:
    """What the agent calls a tool, and what it was to be used on unless the name says so."""
    title, kind = text_or_empty(call.get("title")), text_or_empty(call.get("kind"))
    inputs = table(call, "rawInput")
    target = tool_target(inputs)
    if title and title == target:
        title = kind
    named = truncate(title or kind or "a tool", 80)
    return named, {} if target and target in named else inputs


def _usage(counted: Event, cost: float | None) -> Usage:
    """The usage of a turn. Cached tokens and thoughts count, unless the total shows that they are counted."""
    read, written = sum_counters(counted, "inputTokens"), sum_counters(counted, "outputTokens")
    if counted.get("totalTokens") != (read or 0) + (written or 0):
        read = sum_counters(counted, "inputTokens", "cachedReadTokens", "cachedWriteTokens")
        written = sum_counters(counted, "outputTokens", "thoughtTokens")
    return Usage(calls=1, input_tokens=read, output_tokens=written, cost_usd=cost)
