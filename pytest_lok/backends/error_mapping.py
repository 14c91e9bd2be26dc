"""The words of a server or a tool for what went wrong -> a BackendFault, and its remedy."""

from __future__ import annotations

import re

from pytest_lok.errors import BackendFault
from pytest_lok.late_regex import late_regex

_TOO_LONG = late_regex(
    r"prompt is too long|context (window|length)|context_length|maximum context|input exceeds"
    r"|exceeds \d+ ?MB",
    re.IGNORECASE,
)
# Conservative: numbers count only beside a word that makes them a status.
_STATUS = late_regex(
    r"(?:status|code|http|error|rejected)\W{0,12}(?:code\W{0,3})?([45]\d\d)\b", re.IGNORECASE
)
# Two numbers mean nothing else, but for places in files; they count by themselves at an end of a line.
_BARE_STATUS = late_regex(r"^\W*(429|529)\b(?!:\d)|(?<!line )(?<![:.])\b(429|529)\W*$", re.MULTILINE)
_WORDS = (
    (BackendFault.TOO_LONG, _TOO_LONG),
    (
        BackendFault.AUTH,
        late_regex(
            r"not (logged|signed) in|please (run /login|log ?in|sign in)|unauthori[sz]ed|unauthenticated"
            r"|(invalid|incorrect|missing|no) (\S+ )?api[ _-]?key|api key not valid|authentication"
            r"|missing environment variable|must specify the \S+ environment variable|set an auth method"
            r"|expired token|token has expired",
            re.IGNORECASE,
        ),
    ),
    (
        BackendFault.RATE_LIMIT,
        late_regex(r"rate.?limit|too many requests|quota|resource.?exhausted|usage limit", re.IGNORECASE),
    ),
    (
        BackendFault.OVERLOAD,
        late_regex(
            r"overloaded|high demand|service unavailable|internal server error|bad gateway|server is busy",
            re.IGNORECASE,
        ),
    ),
    # before those of the network: a stream is also "disconnected" by what stands here
    (BackendFault.REFUSED, late_regex(r"content.?filter", re.IGNORECASE)),
    (
        BackendFault.TRUNCATED,
        late_regex(r"max_(output_)?tokens|output token (limit|maximum)", re.IGNORECASE),
    ),
    (
        BackendFault.NETWORK,
        late_regex(
            r"\bE(CONNREFUSED|CONNRESET|NOTFOUND|TIMEDOUT|AI_AGAIN|HOSTUNREACH|NETUNREACH)\b|fetch failed"
            r"|connection (refused|failed|reset|error|closed)|stream disconnected|could not resolve|dns error"
            r"|network (is unreachable|error)|stream ended without|API Error: terminated|socket hang up"
            r"|\btimed out\b|(connection|request|gateway) time-?out",
            re.IGNORECASE,
        ),
    ),
    (
        BackendFault.REFUSED,
        late_regex(r"content.?policy|content moderation|usage policy|safety", re.IGNORECASE),
    ),
    (BackendFault.EMPTY, late_regex(r"empty (response|answer)", re.IGNORECASE)),
    (
        BackendFault.BAD_REQUEST,
        late_regex(
            r"model\b.{0,80}\b(does not exist|not found|not supported)|unknown model|selected model"
            r"|unexpected argument|unknown (option|argument)",
            re.IGNORECASE,
        ),
    ),
)


_USED_UP = late_regex(
    r"insufficient[_ ](quota|credits?|balance|funds)|billing_(hard_limit|not_active|error)"
    r"|credit balance is too low|payment required|out of credits",
    re.IGNORECASE,
)
_PLAN = late_regex(r"check your plan and billing|quota exceeded\. check your plan", re.IGNORECASE)


def is_quota_used_up(text: str) -> bool:
    """Whether money or quota is used up, so that waiting does not help.

    A text that names a pause is not meant.
    """
    return bool(_USED_UP.search(text)) or (bool(_PLAN.search(text)) and retry_after(text) is None)


def fault_of_status(status: int) -> BackendFault:
    """The fault that an HTTP status from 400 on stands for."""
    match status:
        case 401 | 403:
            return BackendFault.AUTH
        case 402:
            return BackendFault.QUOTA
        case 408 | 504:
            return BackendFault.TIMEOUT
        case 413:
            return BackendFault.TOO_LONG
        case 429:
            return BackendFault.RATE_LIMIT
        case _ if status >= 500:
            return BackendFault.OVERLOAD
        case _:
            return BackendFault.BAD_REQUEST


def fault_of_text(text: str) -> BackendFault | None:
    """The fault that a message tells of; None where the message is not clear."""
    if _TOO_LONG.search(text):
        return BackendFault.TOO_LONG
    if is_quota_used_up(text):
        return BackendFault.QUOTA
    status = _STATUS.search(text) or _BARE_STATUS.search(text)
    if status:
        return fault_of_status(int(next(filter(None, status.groups()))))
    return next((fault for fault, words in _WORDS if words.search(text)), None)


_RETRY = late_regex(
    r"(?:(?:retry|again) (?:after|in) |\"retryDelay\":\s*\")(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m)", re.IGNORECASE
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def retry_after(text: str) -> float | None:
    """The pause in seconds that a message asks for; None if it asks for none."""
    pause = _RETRY.search(text)
    return float(pause[1]) * _SECONDS[pause[2].lower()] if pause else None


def remedy(fault: BackendFault, backend: str) -> str:
    """What a user can do about a fault, where the backend knows nothing better.

    What the keys of a step can do is added by the engine, where there is a step that somebody wrote.
    """
    match fault:
        case BackendFault.RATE_LIMIT:
            return "ask again later, or check the account's limits and credit"
        case BackendFault.QUOTA:
            return "waiting does not help: add credit or raise the limit, or ask another backend"
        case BackendFault.OVERLOAD | BackendFault.NETWORK:
            return "ask again later"
        case BackendFault.TIMEOUT:
            return f"ask again later, or raise `timeout` in [backends.{backend}]"
        case BackendFault.TOO_LONG:
            return "shorten the prompt"
        case BackendFault.TRUNCATED:
            return "ask for less at once"
        case BackendFault.REFUSED:
            return "reword the prompt, or ask another backend"
        case BackendFault.AUTH:
            return f"check the key or the sign-in of [backends.{backend}]; `lok doctor` shows what is found"
        case _:
            return f"check the settings in [backends.{backend}]"
