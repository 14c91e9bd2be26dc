"""What a message of a server holds -> its text, and what other fields than the usual say of its ending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends.endings import End, Endings
from pytest_lok.backends.server import Incoming, part, text_of
from pytest_lok.errors import BackendFault

_TEXTS = frozenset({"text", "output_text"})
_BESIDE_TEXT = frozenset({"thinking", "redacted_thinking", "reasoning", "reference", "refusal"})
_REASONS = ("native_finish_reason", "done_reason", "finish_reason")
_DETAILS = (("finish_details", "type"), ("stop_details", "type"), ("incomplete_details", "reason"))
_ODD = End(kind=BackendFault.BAD_OUTPUT, why="the answer has a part that is no text")


def said(coming: Incoming, content: Any) -> str:
    """The text of a message; parts that are neither text nor its thoughts are no answer."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for it in content if isinstance(content, list) else [content]:
        kind = it.get("type", "text") if isinstance(it, dict) else type(it).__name__
        if kind in _TEXTS and isinstance(it.get("text", ""), str):
            texts.append(it.get("text", ""))
        elif kind not in _BESIDE_TEXT:
            coming.stop(endings.TOOL if "tool" in str(kind) or "function" in str(kind) else _ODD)
        if isinstance(it, dict):
            coming.refuse(text_of(it.get("refusal")))
        if kind == "refusal":
            coming.stop(endings.DECLINED)
    return "".join(texts)


def stop_beside(coming: Incoming, known: Endings, *told: Mapping[str, Any]) -> None:
    """What other fields say of the ending: those of a router, or of the model behind it."""
    for it in told:
        words = [it.get(name) for name in _REASONS] + [part(it, name).get(key) for name, key in _DETAILS]
        words = [word for word in words if isinstance(word, str) and word.casefold() in known]
        stopped = it.get("stop_reason")  # a number is that of a token
        words += [stopped] if isinstance(stopped, str) and stopped not in ("", "null") else []
        for end in filter(None, (endings.judged(word, known) for word in words)):
            coming.stop(end)
