"""What claude, codex and gemini print -> the answer, or why it is none.

An answer counts only if its tool said that the turn ended well, and nothing in what it printed tells
of an error, a refusal or a call that waits for a reply.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import CliError, CliReply, Heard, crashed
from pytest_lok.backends.endings import Ending, judged
from pytest_lok.core.results import Usage
from pytest_lok.core.text.strict_json import load_stored
from pytest_lok.core.text.truncation import truncate
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault, OutputError

Event = Mapping[str, Any]


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects among the lines; banners and warnings between them are passed over.

    OutputError for one that says a thing twice.

    Lines end at "\n" alone: U+2028 stands unescaped inside strings.
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


def ends_with(*kinds: str) -> Callable[[str], bool]:
    """Whether the last event that says something is one of these, with which a tool has said all."""

    def is_finished(text: str) -> bool:
        try:
            told = [event.get("type") for event in objects(text)]
        except OutputError:
            return False
        return next((kind in kinds for kind in reversed(told) if kind not in _BESIDE), False)

    return is_finished


_BESIDE = ("system", "rate_limit_event")


def _once(read: Callable[[Completed], Heard]) -> Callable[[Completed], Heard]:
    """A reader that takes no answer from events of which one says a thing twice."""

    @functools.wraps(read)
    def heard(done: Completed) -> Heard:
        try:
            return read(done)
        except OutputError as error:
            return CliError(
                kind=BackendFault.BAD_OUTPUT, message=f"its output cannot be used: {error.message}"
            )

    return heard


def _count(stats: Event, *names: str) -> int | None:
    """The sum of those of the counters that are reported."""
    values = [stats[name] for name in names if isinstance(stats.get(name), int)]
    return sum(values) if values else None


def _part(value: Event, name: str) -> Event:
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}


def _tables(value: Event, name: str) -> list[Event]:
    inner = value.get(name)
    return [it for it in inner if isinstance(it, Mapping)] if isinstance(inner, list) else []


def _most(models: Event, counter: str) -> str:
    """The model that wrote the most: small ones may have helped."""
    return max(models, key=lambda name: _count(_part(models, name), counter) or 0, default="")


def _told(value: Any) -> str:
    """An error in its own words, however it is given."""
    if isinstance(value, Mapping):
        return _told(value.get("message")) or (json.dumps(value) if value else "")
    if isinstance(value, list):
        return "; ".join(filter(None, map(_told, value)))
    return str(value).strip() if value else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _failed(message: str, done: Completed) -> CliError:
    if not message:
        return crashed(done)
    return CliError(kind=faults.of_text(message) or BackendFault.CRASHED, message=message)


def _ended(end: Ending, said: str = "") -> CliError:
    return CliError(kind=end.kind, message=f"{end.why}: {said}" if said else end.why)


def _unreadable(done: Completed, missing: str) -> CliError:
    if done.exit_code:
        return crashed(done)
    return CliError(kind=BackendFault.BAD_OUTPUT, message=f"its output holds no {missing}")


def _denied(uses: list[tuple[str, Event]], how: str) -> CliError:
    """Work that was not done, for a tool was not allowed: what was answered without it is a guess."""
    named = [" ".join(filter(None, [tool, _subject(inputs)])) for tool, inputs in uses]
    count = f"{len(named)} uses of tools were {how}" if len(named) > 1 else f"1 use of a tool was {how}"
    return CliError(
        kind=BackendFault.BAD_OUTPUT,
        message=f"{count}: {', '.join(dict.fromkeys(named))}",
        hint="allow the tool in `args`, put what it needs into the prompt, or tell the model to do without",
    )


def _subject(inputs: Event) -> str:
    """What a tool was to be used on."""
    texts = [inputs.get(key) for key in ("file_path", "path", "command", "pattern", "url")]
    texts += list(inputs.values())
    return truncate(next((text for text in texts if isinstance(text, str)), ""), 80)


# --- claude

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
_CLAUDE_WORDS = {  # of which older ones do not say all
    "subtype": endings.CLAUDE_RESULTS,
    "stop_reason": endings.MESSAGES,
    "terminal_reason": endings.CLAUDE_LOOPS,
}
_CALLS = ("tool_use", "pause_turn")
_ALLOWED = ("allowed", "allowed_warning")


@_once
def read_claude(done: Completed) -> Heard:
    """Events by line; the last is the result, and an error is one too.

    Where an answer gets too long the tool asks for its rest, and the result is the rest alone.
    """
    events = objects(done.stdout)
    results = [event for event in events if event.get("type") == "result"]
    if not results:
        return _unreadable(done, "JSON result")
    said = results[-1]
    trouble = next(filter(None, (_claude_failed(it, done) for it in results)), None)
    trouble = trouble or _claude_interrupted(events, said) or _claude_stopped(events)
    trouble = trouble or _claude_unfinished(events, results)
    if trouble is not None:
        return trouble
    usage, cost = _part(said, "usage"), said.get("total_cost_usd")
    return CliReply(
        text=_text(said.get("result")),
        model=_most(_part(said, "modelUsage"), "outputTokens"),
        usage=Usage(
            calls=1,
            input_tokens=_count(
                usage, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"
            ),
            output_tokens=_count(usage, "output_tokens"),
            cost_usd=float(cost) if isinstance(cost, int | float) else None,
        ),
    )


def _claude_failed(said: Event, done: Completed) -> CliError | None:
    """Why a result is none."""
    text, errors = _text(said.get("result")).strip(), _told(said.get("errors"))
    words = [(said[key], known) for key, known in _CLAUDE_WORDS.items() if said.get(key) is not None]
    end = next(filter(None, (judged(word, known) for word, known in words)), None)
    if end is None and said.get("subtype") is None and said.get("is_error") is not False:
        end = judged("nothing", endings.CLAUDE_RESULTS)  # nothing says that it is good
    status = said.get("api_error_status")
    if said.get("is_error") not in (False, None) or errors or done.exit_code or status:
        message = errors or text or (end.why if end else "claude reported an error and gave no reason")
        kind = _claude_kind(said, message)
        return CliError(kind=kind or (end.kind if end else BackendFault.CRASHED), message=message)
    if end is not None:
        return _ended(end, text if end.kind is BackendFault.REFUSED else "")
    if text and _count(_part(said, "usage"), "output_tokens") == 0:  # words of its own, not of a model
        return CliError(kind=faults.of_text(text) or BackendFault.BAD_OUTPUT, message=text)
    if denials := _tables(said, "permission_denials"):
        uses = [(str(it.get("tool_name")), _part(it, "tool_input")) for it in denials]
        return _denied(uses, "denied")
    return None


def _claude_kind(said: Event, text: str) -> BackendFault | None:
    status = said.get("api_error_status")
    if said.get("api_error") == "connection_failed":
        return BackendFault.NETWORK
    if faults.used_up(text):
        return BackendFault.QUOTA
    if isinstance(status, int) and status not in (400, 404):
        return faults.of_status(status)
    return faults.of_text(text) or (BackendFault.BAD_REQUEST if isinstance(status, int) else None)


def _claude_interrupted(events: Iterable[Event], said: Event) -> CliError | None:
    """What happened on the way to a result that says it is good."""
    for event in events:
        text = _told([_told(it.get("text")) for it in _tables(_part(event, "message"), "content")])
        error = event.get("error")
        match event.get("type"):
            case "assistant" if error or _is_made_up(event):
                known = _ASSISTANT_ERRORS.get(error) if isinstance(error, str) else None
                kind = known or faults.of_text(text) or BackendFault.CRASHED
                return CliError(kind=kind, message=text or _told(error) or "claude answered for its model")
            case "user" if event.get("isSynthetic") and "token limit" in text:
                return _ended(endings.CUT)
            case "error":
                message = _told(error) or _told(event.get("message")) or "an error without words"
                return CliError(kind=faults.of_text(message) or BackendFault.CRASHED, message=message)
            case "rate_limit_event" if status := _limited(_part(event, "rate_limit_info")):
                how = f"its rate limit says {status}: {_told(said.get('result'))}"
                return CliError(kind=BackendFault.RATE_LIMIT, message=how)
    return None


def _claude_stopped(events: Iterable[Event]) -> CliError | None:
    """An ending that only the model's messages tell; a call of a tool is none once something follows it."""
    last: Ending | None = None
    for event in events:
        if event.get("type") == "user":
            last = None
        stream = _part(event, "event")
        for told in (event, _part(event, "message"), _part(stream, "message"), _part(stream, "delta")):
            if event.get("type") == "result" or (word := told.get("stop_reason")) is None:
                continue
            last = judged(word, endings.MESSAGES)
            if last is not None and word not in _CALLS:
                return _ended(last)
    return None if last is None else _ended(last)


def _limited(limit: Event) -> str:
    """The word of a rate limit that does not let the question pass, "" of one that does."""
    status = str(limit.get("status", _ALLOWED[0]))
    return "" if status in _ALLOWED or limit.get("isUsingOverage") is True else status


def _is_made_up(event: Event) -> bool:
    return bool(
        event.get("is_api_error_message")
        or event.get("isApiErrorMessage")
        or _part(event, "message").get("model") == "<synthetic>"
    )


def _claude_unfinished(events: list[dict[str, Any]], results: list[dict[str, Any]]) -> CliError | None:
    """Whether there is more than one answer, or something is still to come."""
    if len({json.dumps(it.get("result")) for it in results}) > 1:
        return CliError(kind=BackendFault.BAD_OUTPUT, message=f"it gave {len(results)} results that differ")
    waiting: set[object] = set()
    for event in events:
        content = _tables(_part(event, "message"), "content")
        waiting |= {str(it.get("id")) for it in content if it.get("type") == "tool_use"}
        waiting -= {str(it.get("tool_use_id")) for it in content if it.get("type") == "tool_result"}
    if waiting:
        return _ended(endings.TOOL)
    turns = [event.get("type") for event in events if event.get("type") in ("assistant", "user", "result")]
    if turns[-1] != "result" or results[-1].get("queued_turn_count"):
        return CliError(kind=BackendFault.BAD_OUTPUT, message="it began another turn, which has no result")
    return None


# --- codex


@_once
def read_codex(done: Completed) -> Heard:
    """Events by line: the last message counts, and only if the turn was completed after it."""
    text: str | None = None
    usage: Event | None = None
    failed, complaint = "", ""
    events = objects(done.stdout)
    for event in events:
        kind, item = str(event.get("type")), _part(event, "item")
        if kind == "item.completed" and item.get("type") == "agent_message":
            text, usage, complaint = _text(item.get("text")), None, ""
        elif kind == "turn.started":
            text, usage = None, None
        elif kind == "turn.completed":
            usage = _part(event, "usage")
        elif kind.startswith("turn.") or kind.endswith("failed"):
            failed = _told(event.get("error")) or f"the turn ended in a way lok does not know: {kind}"
        elif kind.endswith("error"):  # a retry's notice, unless nothing better follows
            complaint = _told(event.get("message")) or _told(event.get("error")) or kind
    if failed or done.exit_code:
        return _failed(failed or complaint, done)
    if text is None or usage is None:
        return _failed(complaint, done) if complaint else _unreadable(done, "completed turn")
    if complaint:
        return _failed(complaint, done)
    return _codex_calls(events) or CliReply(
        text=text,
        usage=Usage(
            calls=1,
            input_tokens=_count(usage, "input_tokens"),
            output_tokens=_count(usage, "output_tokens"),
        ),
    )


def _codex_calls(events: Iterable[Event]) -> CliError | None:
    """Calls that were declined, and items that began and did not end; plans and thoughts need not."""
    declined: list[tuple[str, Event]] = []
    waiting: dict[str, str] = {}
    for event in events:
        kind, item = str(event.get("type")), _part(event, "item")
        what = str(item.get("type"))
        if not kind.startswith("item.") or what in ("todo_list", "reasoning"):
            continue
        one = f"{what} {item.get('id')}"
        if kind != "item.completed" or item.get("status") == "in_progress":
            waiting[one] = " ".join(
                filter(None, [what, _subject({**item, "id": None, "type": None, "status": None})])
            )
            continue
        waiting.pop(one, None)
        if item.get("status") == "declined":
            declined.append((what, item))
    if declined:
        return _denied(declined, "declined")
    if not waiting:
        return None
    named = ", ".join(dict.fromkeys(waiting.values()))
    return CliError(kind=BackendFault.BAD_OUTPUT, message=f"a call still waits for its result: {named}")


# --- gemini

_LONGEST = (8192, 65_535, 65_536)  # tokens; an answer of exactly so many was cut
_EXITS = {41: BackendFault.AUTH, 42: BackendFault.BAD_REQUEST}
_STATUSES = (400, 401, 403, 429, 500, 502, 503, 504, 529)
_REFUSALS = ("policy_violation", "permission_denied", "path_not_in_workspace")
_REASONS = re.compile(r'"finish_reasons":\s*\[([^\]]*)\](?!,\s*"role":\s*"utility)')


@dataclass(slots=True)
class _Turn:
    """What gemini has printed so far; ``open``: something came after the last result."""

    text: str = ""
    complaint: str = ""
    results: list[Event] = field(default_factory=list)
    waiting: dict[object, tuple[str, Event]] = field(default_factory=dict)
    refused: list[tuple[str, Event]] = field(default_factory=list)
    open: bool = False

    def take(self, event: Event) -> None:
        """The next event."""
        kind = event.get("type")
        self.open = kind in ("message", "tool_use", "tool_result") or (self.open and kind != "result")
        match kind:
            case "message" if event.get("role") == "assistant":
                self.text += _text(event.get("content"))
            case "tool_use":
                self.text = ""
                self.waiting[event.get("tool_id")] = str(event.get("tool_name")), _part(event, "parameters")
            case "tool_result":
                self.text = ""
                use, error = self.waiting.pop(event.get("tool_id"), ("a tool", {})), _part(event, "error")
                if error.get("type") in _REFUSALS or "not in workspace" in _told(error).casefold():
                    self.refused.append(use)
            case "error":
                self.complaint = self.complaint or _told(event.get("message")) or "an error without words"
            case "result":
                self.results.append(event)


@_once
def read_gemini(done: Completed) -> Heard:
    """Events by line: what the assistant said after its last tool, if the result says success."""
    turn = _Turn()
    for event in objects(done.stdout):
        turn.take(event)
    if "oop detected" in turn.complaint:  # it says success all the same
        return CliError(kind=BackendFault.TRUNCATED, message=turn.complaint)
    if len(turn.results) != 1 or turn.open:
        failed = done.exit_code or turn.complaint
        return _gemini_failed(turn.complaint, done) if failed else _unreadable(done, "result")
    [result] = turn.results
    stats, error = _part(result, "stats"), _told(result.get("error")) or turn.complaint
    if result.get("status") == "error" or error or done.exit_code:
        return _gemini_failed(error, done)
    end = judged(result.get("status"), endings.GEMINI) or (endings.TOOL if turn.waiting else None)
    if _count(stats, "output_tokens") in _LONGEST:  # nothing else tells, where it keeps no log
        end = Ending(kind=BackendFault.TRUNCATED, why="the answer has as many tokens as the model can give")
    if end is not None:
        return _ended(end)
    if turn.refused:
        return _denied(turn.refused, "denied")
    return CliReply(
        text=turn.text,
        model=_most(_part(stats, "models"), "output_tokens"),
        usage=Usage(
            calls=1,
            input_tokens=_count(stats, "input_tokens"),
            output_tokens=_count(stats, "output_tokens"),
        ),
    )


def read_gemini_log(log: str) -> CliError | None:
    """Why what gemini calls a success is no answer: its log tells how each of the model's texts ended."""
    reasons = [word for found in _REASONS.findall(log) for word in re.findall(r'"([^"]*)"', found)]
    end = next(filter(None, (judged(word, endings.CHAT) for word in reasons)), None)
    return None if end is None else _ended(end)


def _gemini_failed(message: str, done: Completed) -> CliError:
    """Its exit code is its own, or the HTTP status modulo 256."""
    heard = _failed(message, done)
    kind = _EXITS.get(done.exit_code)
    if kind is None and heard.kind is BackendFault.CRASHED:
        status = next((status for status in _STATUSES if status % 256 == done.exit_code), 0)
        kind = faults.of_status(status) if status else None
    return heard if kind is None else CliError(kind=kind, message=heard.message)
