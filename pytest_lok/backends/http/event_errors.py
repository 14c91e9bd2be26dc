"""An event of a server -> the same event, or BackendError where anything in it tells of an error.

Servers and the gateways before them tell of errors in many shapes, also in the middle of an answer that
then ends well. So the whole of an event is looked at, but for the parts that repeat our own words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.http import event_states as states
from pytest_lok.backends.http.client import error_message
from pytest_lok.backends.http.endpoint import Endpoint
from pytest_lok.errors import BackendError, BackendFault

_ERRORS = frozenset({"error", "errors", "exception", "failure"})
_KINDS = ("type", "object", "status", "event", "state")
_CODES = ("code", "status_code", "statusCode")
_SAID = ("detail", "msg", "message")
_YES = ("success", "ok")
_GOOD = (200, "0", "200", "ok", "success", "none", "null", "false", "no error")


def check_event(event: Any, endpoint: Endpoint) -> Mapping[str, Any]:
    """The event, if it is a table and tells of no error; else BackendError in the server's words."""
    if not isinstance(event, dict):
        raise endpoint.error(BackendFault.BAD_OUTPUT, "the server sent JSON that is no answer")
    # Gateways tell of errors in many shapes, so every field is looked at, not only the usual ones.
    failed = False
    for name, value in states.walk_fields(event):
        known = name.casefold()
        if _is_name_of_error(name) and not _is_good(value):
            raise error_in_event(endpoint, value)
        if known == "base_resp" and isinstance(value, dict) and value.get("status_code"):
            raise error_in_event(endpoint, {"code": value["status_code"], "message": value.get("status_msg")})
        failed = failed or (known in _KINDS and names_error(value)) or (known in _YES and value is False)
    codes = [event.get(name) for name in _CODES]
    if isinstance(event.get("status"), int) and event["status"] >= 400:
        codes.append(event["status"])
    said = [event.get(name) for name in _SAID if name == "detail" or isinstance(event.get(name), str)]
    if failed or not all(map(_is_good_code, codes)) or not all(map(_is_good, said)):
        raise error_in_event(endpoint, event)
    return event


def error_in_event(endpoint: Endpoint, error: Any) -> BackendError:
    """The BackendError for an error value that stands in an event."""
    said = error_message({"error": error}) or json.dumps(error)[:500]
    names = [error.get(name) for name in ("code", "type", "status")] if isinstance(error, dict) else []
    by_code = [faults.fault_of_status(code) for code in names if isinstance(code, int) and code >= 400]
    by_name = [faults.fault_of_text(name.replace("_", " ")) for name in names if isinstance(name, str)]
    kinds = [*by_code, faults.fault_of_text(said), *by_name, BackendFault.OVERLOAD]
    if faults.is_quota_used_up(json.dumps(error)):
        kinds.insert(0, BackendFault.QUOTA)
    return endpoint.error(next(filter(None, kinds)), f"the server broke off: {said}")


def names_error(*words: object) -> bool:
    """Whether one of the words names an error: "error", "response.failed", "overloaded_error"."""
    return any(
        isinstance(word, str) and word.casefold().endswith(("error", "failed", "failure", "exception"))
        for word in words
    )


@lru_cache(1024)
def _is_name_of_error(name: str) -> bool:
    words = states.split_name(name)
    return not _ERRORS.isdisjoint(words) or words[0].startswith("error")


def _is_good(error: Any) -> bool:
    """Whether an error field tells of no error: many servers always send it, with nothing in it."""
    if isinstance(error, dict):
        return all(map(_is_good, error.values()))
    if isinstance(error, list):
        return all(map(_is_good, error))
    return not error or (error.casefold() if isinstance(error, str) else error) in _GOOD


def _is_good_code(code: Any) -> bool:
    return _is_good(code) or isinstance(code, bool) or (isinstance(code, int) and 200 <= code < 300)
