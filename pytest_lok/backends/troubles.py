"""An event of a server -> the same event, or BackendError where anything in it tells of an error.

Servers and the gateways before them tell of errors in many shapes, also in the middle of an answer that
then ends well. So the whole of an event is looked at, but for the parts that repeat our own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_lok.backends import faults
from pytest_lok.backends.http import Endpoint, message_of
from pytest_lok.errors import BackendError, BackendFault

_DEEPEST = 8
_ERRORS = frozenset(
    {
        "error", "errors", "error_code", "errorcode", "error_message", "errormessage", "error_msg",
        "errormsg", "exception", "last_error", "upstream_error",
    }
)  # fmt: skip
_KINDS = ("type", "object", "status", "event", "state")
_CODES = ("code", "status", "status_code")
_UNCUT = ("disabled", "none", "no", "off", "false")
# The answer itself, what repeats the question, and filters that say here that they did not work.
_FILTERS = frozenset(
    {
        "content_filter_result", "content_filter_results", "content_filter_raw", "prompt_filter_results",
        "content_filters",
    }
)  # fmt: skip
_BLOCKS = frozenset({"filtered", "blocked"})
_PASSED = _FILTERS | frozenset(
    {
        "content", "text", "format", "response_format", "schema", "tools", "metadata", "instructions",
        "input", "prompt", "parameters", "arguments", "logprobs",
    }
)  # fmt: skip


def checked(event: Any, endpoint: Endpoint) -> Mapping[str, Any]:
    """An event that is a table and tells of no error; else BackendError in the server's words."""
    if not isinstance(event, dict):
        raise endpoint.error(BackendFault.BAD_OUTPUT, "the server sent JSON that is no answer")
    for name, value in _fields(event):
        known = name.casefold()
        if known in _ERRORS and _is_told(value):
            raise broken(endpoint, value)
        if known == "base_resp" and isinstance(value, dict) and value.get("status_code"):
            raise broken(endpoint, {"code": value["status_code"], "message": value.get("status_msg")})
        if known in _BLOCKS and not _is_harmless(value):
            raise endpoint.error(BackendFault.REFUSED, f"the answer was stopped by a content filter: {name}")
        if known in _FILTERS and (what := _filtered(value)):
            raise endpoint.error(BackendFault.REFUSED, f"the answer was stopped by a content filter: {what}")
        if ("truncat" in known or known == "applied_edits") and _is_cut(value):
            raise endpoint.error(
                BackendFault.TOO_LONG, f"the server may have cut the prompt: {name} is {json.dumps(value)}"
            )
    if (
        is_error(*(event.get(kind) for kind in _KINDS))
        or any(isinstance(event.get(code), int) and event[code] >= 400 for code in _CODES)
        or event.get("success") is False
        or event.get("ok") is False
    ):
        raise broken(endpoint, event)
    return event


def broken(endpoint: Endpoint, error: Any) -> BackendError:
    """The failure that an error in an answer tells of."""
    said = message_of({"error": error}) or json.dumps(error)[:500]
    names = [error.get(name) for name in ("code", "type", "status")] if isinstance(error, dict) else []
    by_code = [faults.of_status(code) for code in names if isinstance(code, int) and code >= 400]
    by_name = [faults.of_text(name.replace("_", " ")) for name in names if isinstance(name, str)]
    kinds = [*by_code, faults.of_text(said), *by_name, BackendFault.OVERLOAD]
    if faults.used_up(json.dumps(error)):
        kinds.insert(0, BackendFault.QUOTA)
    return endpoint.error(next(filter(None, kinds)), f"the server broke off: {said}")


def is_error(*words: object) -> bool:
    """Whether one of them is a name of an error: "error", "response.failed", "overloaded_error"."""
    return any(
        isinstance(word, str) and word.casefold().endswith(("error", "failed", "failure", "exception"))
        for word in words
    )


def _fields(value: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every key and value of an event, and of the tables inside of it."""
    for name, inner in value.items():
        yield name, inner
        if depth < _DEEPEST and name not in _PASSED:
            for it in inner if isinstance(inner, list) else (inner,):
                if isinstance(it, dict):
                    yield from _fields(it, depth + 1)


def _is_told(error: Any) -> bool:
    """Whether an error is one: many servers always send the field, with nothing in it."""
    if isinstance(error, dict):
        return any(map(_is_told, error.values()))
    return error not in (None, "", 0, False, [], "0")


def _filtered(value: Any, what: str = "") -> str:
    """What a filter has stopped, "" = nothing; its own errors are none of the answer."""
    if isinstance(value, list):
        return next(filter(None, (_filtered(it, what) for it in value)), "")
    if not isinstance(value, dict):
        return ""
    if any(name.casefold() in _BLOCKS and not _is_harmless(it) for name, it in value.items()):
        return what or "the prompt or the answer"
    return next(filter(None, (_filtered(it, name) for name, it in value.items())), "")


def _is_harmless(blocked: Any) -> bool:
    return blocked in (None, False, "", [], {}) or str(blocked).casefold() in _UNCUT


def _is_cut(value: Any) -> bool:
    return bool(value) and not isinstance(value, dict) and str(value).casefold() not in _UNCUT
