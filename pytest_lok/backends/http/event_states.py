"""An event of a server -> bad news about the answer in any of its fields, besides the usual ones.

The words of a field's name say what kind of state the field tells, wherever it stands. A value that is not
on the closed list of good ones for that kind makes the answer an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends.endings import Ending
from pytest_lok.errors import BackendFault
from pytest_lok.late_regex import late_regex

_WORDS = late_regex(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# The answer itself, what repeats the question, and what a server adds from elsewhere.
_NOT_STATES = frozenset(
    {
        "text", "format", "response_format", "schema", "tools", "metadata", "instructions",
        "input", "prompt", "parameters", "arguments", "logprobs", "annotations", "citations",
        "search_results",
    }
)  # fmt: skip
# Filters say here that they did not work, too.
FILTERS = frozenset(
    {
        "content_filter_result", "content_filter_results", "content_filter_raw", "prompt_filter_results",
        "content_filters",
    }
)  # fmt: skip
_CALLS = frozenset({"tool_call", "tool_calls", "toolCalls", "toolUse", "function_call", "functionCall"})
_NOTHING = frozenset({"", "0", "disabled", "none", "null", "no", "off", "false"})
_PASSES = _NOTHING | {
    "accepted", "allow", "allowed", "approved", "checked", "clean", "enabled", "ok", "pass", "passed", "safe",
}  # fmt: skip
_BLOCKED = frozenset(
    {
        "blocked", "censored", "denied", "filtered", "flagged", "moderated", "refusal", "refused", "rejected",
        "violation", "violations",
    }
)  # fmt: skip
_BROKEN = frozenset({"aborted", "canceled", "cancelled", "incomplete", "interrupted", "unfinished"})
_LIMITS = frozenset({"exceeded", "exhausted", "reached"})
_JUDGES = frozenset({"guardrail", "guardrails", "moderation", "moderations", "filter", "safety", "policy"})
_RULINGS = frozenset({"action", "decision", "outcome", "result", "verdict"})
_REASONS = frozenset({"reason", "reasons", "state", "status"})
_ENDED = frozenset({"complete", "completed", "done", "final", "finished"})
_ENDINGS = frozenset({"completion", "end", "finish", "incomplete", "status", "stop", "termination"})
_ROLES = frozenset({"ai", "assistant", "bot", "chatbot", "model"})
_PROGRESS = frozenset(
    {
        "created", "generating", "in_progress", "pending", "processing", "queued", "running", "started",
        "streaming",
    }
)  # fmt: skip


def walk_fields(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every key and value of an event and of the tables inside of it, without parts that repeat texts."""
    left: list[Any] = [event]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += [it for it in value if isinstance(it, dict | list)]
            continue
        for name, inner in value.items():
            yield name, inner
            if isinstance(inner, dict | list) and name not in _NOT_STATES and name not in FILTERS:
                left.append(inner)


def ending_of(event: Mapping[str, Any], *, ends: bool) -> Ending | None:
    """Why an answer with this event is none; None if nothing says so. ``ends``: the answer ends with it."""
    names = (event.get("type"), event.get("event"))
    if name := next((name for name in names if names_bad_ending(name)), ""):
        return endings.ending_for(name.rsplit(".", 1)[-1], endings.ANY_API)
    for name, value in walk_fields(event):
        rule = _rule_for(name)
        if rule and (end := _ending_by_rule(rule, name, value, ends)):
            return end
    return None


def names_bad_ending(name: object) -> bool:
    """Whether a name is that of a bad ending, such as "response.cancelled"."""
    return isinstance(name, str) and bool(endings.ANY_API.get(name.casefold().rsplit(".", 1)[-1]))


def is_nothing(value: Any) -> bool:
    """Whether a value says nothing (empty, zero, "none"): many servers always send the field."""
    if isinstance(value, dict):
        return all(map(is_nothing, value.values()))
    if isinstance(value, list):
        return all(map(is_nothing, value))
    return not value or (isinstance(value, str) and value.casefold() in _NOTHING)


def split_name(name: str) -> list[str]:
    """The words of a name, in lower case: ``finish_reason`` and ``finishReason`` have the same."""
    return [word.casefold() for word in _WORDS.findall(name)] or [""]


@lru_cache(1024)
def _rule_for(name: str) -> str:
    """The kind of state that a field of this name tells; "" = none."""
    if name in FILTERS:
        return "filter"
    words = split_name(name)
    those, last = set(words), words[-1]
    if name in _CALLS:
        return "call"
    if name in ("choices", "candidates", "role") or last in ("warning", "warnings"):
        return name if name == "role" else "warning" if last.startswith("warning") else "answers"
    if "truncat" in name.casefold() or name == "applied_edits":
        return "cut"
    if last == "details":
        return "details" if those & _ENDINGS else ""
    if last in _REASONS or words[-2:] == ["stop", "type"]:
        return "end"
    if those & _JUDGES and last in _JUDGES | _RULINGS:
        return "ruling"
    if last == "tokens":
        # counters, such as "rejected_prediction_tokens", tell of no state
        return ""
    for rule, those_of in (("blocked", _BLOCKED), ("limit", _LIMITS), ("broken", _BROKEN)):
        if those & those_of:
            return rule
    if words[-2:] in (["stop", "sequence"], ["stopping", "word"], ["stopped", "word"], ["stopped", "limit"]):
        return "halted"
    return "progress" if last in _ENDED or last == "partial" else ""


def _ending_by_rule(rule: str, name: str, value: Any, ends: bool) -> Ending | None:
    if rule == "progress":
        return _ending(endings.BROKE_OFF, name, value) if ends and value is (name == "partial") else None
    if is_nothing(value):
        return None
    match rule:
        case "end":
            return _of_word(name, value, ends)
        case "details":
            return _of_details(name, value, ends)
        case "filter":
            return _ending(endings.FILTERED, what) if (what := _filtered(value)) else None
        case "ruling":
            return _of_ruling(name, value)
        case "call":
            return endings.TOOL
        case "answers" | "role":
            return _of_shape(rule, name, value)
        case "warning" if "truncat" not in json.dumps(value).casefold():
            return None
        case "cut" | "warning":
            why = "the server may have cut the prompt"
            return _ending(Ending(kind=BackendFault.TOO_LONG, why=why), name, value)
        case "blocked" if name == "refusal":
            return _ending(endings.DECLINED, value if isinstance(value, str) else json.dumps(value))
    means = {"blocked": endings.FILTERED, "limit": endings.CUT, "halted": endings.STOP_SEQUENCE}
    return _ending(means.get(rule, endings.BROKE_OFF), name, value)


def _ending(end: Ending, *said: Any) -> Ending:
    name, *value = said
    return Ending(kind=end.kind, why=f"{end.why}: {name}" + "".join(f" is {json.dumps(it)}" for it in value))


def _of_shape(rule: str, name: str, value: Any) -> Ending | None:
    """An error where the answers are no list of tables, or where somebody else than the model speaks."""
    if rule == "role":
        known = isinstance(value, str) and value.casefold() in _ROLES
        return None if known else _ending(endings.NOT_TEXT, name, value)
    known = isinstance(value, list) and all(isinstance(it, dict) for it in value)
    return None if known else endings.NOT_TEXT


def _of_word(name: str, value: Any, ends: bool) -> Ending | None:
    """The ending that a word stands for, or a number, or a word for progress."""
    if isinstance(value, list):
        return next(filter(None, (_of_word(name, it, ends) for it in value)), None)
    if isinstance(value, int) and not isinstance(value, bool):
        good = name == "stop_reason" or ("status" in name.casefold() and 200 <= value < 300)
        # a number as "stop_reason" is the id of a token
        return None if good else _ending(endings.BROKE_OFF, name, value)
    if isinstance(value, dict):
        return _of_details(name, value, ends)
    if isinstance(value, str) and value.casefold() in _PROGRESS:
        return _ending(endings.BROKE_OFF, name, value) if ends else None
    return endings.ending_for(value, endings.ANY_API)


def _of_details(name: str, value: Any, ends: bool) -> Ending | None:
    """The ending that a table tells by its type, reason or code; its other fields are read by their names."""
    if not isinstance(value, dict):
        return _of_word(name, value, ends)
    words = [it for it in map(value.get, ("type", "reason", "code")) if not is_nothing(it)]
    if not words and "incomplete" in name:
        return _ending(endings.BROKE_OFF, name, value)
    return next(filter(None, (_of_word(f"status of {name}", it, ends) for it in words)), None)


def _of_ruling(name: str, value: Any) -> Ending | None:
    """The ending that a moderation or a guardrail has ruled."""
    if isinstance(value, list):
        return next(filter(None, (_of_ruling(name, it) for it in value)), None)
    if isinstance(value, dict):
        yes = next((key for key, it in value.items() if it is True and key not in _PASSES), "")
        inner = (
            _of_ruling(*it) for it in value.items() if it[0] in _RULINGS or isinstance(it[1], dict | list)
        )
        return _ending(endings.FILTERED, yes) if yes else next(filter(None, inner), None)
    passes = isinstance(value, str) and value.casefold() in _PASSES
    if passes or is_nothing(value) or isinstance(value, float):
        return None
    return _ending(endings.FILTERED, name, value)


def _filtered(value: Any, what: str = "") -> str:
    """The name of what a filter has blocked; "" = nothing. Errors of the filter itself do not count."""
    if isinstance(value, list):
        return next(filter(None, (_filtered(it, what) for it in value)), "")
    if not isinstance(value, dict):
        return ""
    if any(_rule_for(name) == "blocked" and not is_nothing(it) for name, it in value.items()):
        return what or "the prompt or the answer"
    return next(filter(None, (_filtered(it, name) for name, it in value.items())), "")
