"""What the readers of claude's, codex's and gemini's output share: events by line, and errors.

An answer counts only if its tool said that the turn ended well, and nothing in what it printed tells
of an error, a refusal or a call that waits for a reply.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import CliError, CliResult, exit_error
from pytest_lok.backends.endings import Ending, ending_for
from pytest_lok.backends.json_fields import sum_counters, table
from pytest_lok.core.text.strict_json import load_stored
from pytest_lok.core.text.truncation import truncate
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault, OutputError
from pytest_lok.late_regex import late_regex

PLAIN_TERMINAL = {"NO_COLOR": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}

_WORDS = late_regex(r'"([^"]*)"')
_GENAI_REASONS = late_regex(r'"gen_ai\.response\.finish_reasons":\s*\[([^\]]*)\]')
_CALLS = ("tool_calls", "tool_use", "function_call")
_SIDE_EVENTS = ("system", "rate_limit_event")

Event = Mapping[str, Any]


def json_objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects among the lines; banners and warnings between them are passed over.

    OutputError for an object that has a key twice. Lines end at "\n" alone, for U+2028 stands unescaped
    inside strings.
    """
    found = []
    for line in text.split("\n"):
        if line.lstrip().startswith("{"):
            try:
                value = load_stored(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append(value)
    return found


def last_event_is(*kinds: str) -> Callable[[str], bool]:
    """Makes a test of an output so far: True once its last event, side events apart, is of these kinds."""

    def is_finished(text: str) -> bool:
        try:
            kinds_seen = [event.get("type") for event in json_objects(text)]
        except OutputError:
            return False
        return next((kind in kinds for kind in reversed(kinds_seen) if kind not in _SIDE_EVENTS), False)

    return is_finished


def reader(read: Callable[[Completed], CliResult]) -> Callable[[Completed], CliResult]:
    """A reader of outputs, made to refuse an output in which an object has a key twice."""

    @functools.wraps(read)
    def result(done: Completed) -> CliResult:
        try:
            return read(done)
        except OutputError as error:
            return CliError(
                kind=BackendFault.BAD_OUTPUT, message=f"its output cannot be used: {error.message}"
            )

    return result


def busiest_model(models: Event, counter: str) -> str:
    """The model that wrote the most: small ones may have helped."""
    return max(models, key=lambda name: sum_counters(table(models, name), counter) or 0, default="")


def error_text(value: Any) -> str:
    """An error in its own words, however it is given."""
    if isinstance(value, Mapping):
        return error_text(value.get("message")) or (json.dumps(value) if value else "")
    if isinstance(value, list):
        return "; ".join(filter(None, map(error_text, value)))
    return str(value).strip() if value else ""


def text_or_empty(value: Any) -> str:
    """The value if it is a text, else ""."""
    return value if isinstance(value, str) else ""


def tool_error(message: str, done: Completed) -> CliError:
    """The error that a tool tells of; where it tells nothing, how its process ended."""
    if not message:
        return exit_error(done)
    return CliError(kind=faults.fault_of_text(message) or BackendFault.CRASHED, message=message)


def ending_error(end: Ending, said: str = "") -> CliError:
    """The error of an answer that did not end whole, with the tool's words if it has some."""
    return CliError(kind=end.kind, message=f"{end.why}: {said}" if said else end.why)


def log_ending(reasons: re.Pattern[str], log: str) -> CliError | None:
    """The first bad ending among the lists of words that ``reasons`` finds in a tool's log.

    The call of a tool is none: whether the tool answered stands in the output.
    """
    words = [word for found in reasons.findall(log) for word in _WORDS.findall(found)]
    ends = (ending_for(word, endings.CHAT) for word in words if word not in _CALLS)
    end = next(filter(None, ends), None)
    return None if end is None else ending_error(end)


def read_genai_log(log: str) -> CliError | None:
    """Why an answer that a tool calls a success is none, by its log of OpenTelemetry's GenAI attributes.

    The log tells how each text of the model ended.
    """
    return log_ending(_GENAI_REASONS, log)


def nothing_usable(done: Completed, missing: str) -> CliError:
    """The error of an output without what has to be in it."""
    if done.exit_code:
        return exit_error(done)
    return CliError(kind=BackendFault.BAD_OUTPUT, message=f"its output holds no {missing}")


def denied_tools(uses: list[tuple[str, Event]], how: str) -> CliError:
    """Work that was not done, for a tool was not allowed: what was answered without it is a guess."""
    named = [" ".join(filter(None, [tool, tool_target(inputs)])) for tool, inputs in uses]
    count = f"{len(named)} uses of tools were {how}" if len(named) > 1 else f"1 use of a tool was {how}"
    return CliError(
        kind=BackendFault.BAD_OUTPUT,
        message=f"{count}: {', '.join(dict.fromkeys(named))}",
        hint="allow the tool in `args`, put what it needs into the prompt, or tell the model to do without",
    )


def tool_target(inputs: Event) -> str:
    """What a tool was to be used on."""
    texts = [inputs.get(key) for key in ("file_path", "path", "command", "pattern", "url")]
    texts += list(inputs.values())
    return truncate(next((text for text in texts if isinstance(text, str)), ""), 80)
