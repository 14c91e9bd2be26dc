"""The content of a server's message -> its text; a part that is neither text nor thoughts is an error."""

from __future__ import annotations

from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends.http.partial_reply import PartialReply
from pytest_lok.backends.json_fields import text_of

_TEXTS = frozenset({"text", "output_text"})
_BESIDE_TEXT = frozenset({"thinking", "redacted_thinking", "reasoning", "reference", "refusal"})


def text_in(reply: PartialReply, content: Any) -> str:
    """The text of a message. A part that is neither text nor thoughts sets an error of the reply."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for it in content if isinstance(content, list) else [content]:
        kind = it.get("type", "text") if isinstance(it, dict) else type(it).__name__
        if kind in _TEXTS and isinstance(it.get("text"), str):
            texts.append(it["text"])
        elif kind in _TEXTS and not any(it[key] for key in it if key != "type"):
            # an empty part that announces the text to come
            continue
        elif kind not in _BESIDE_TEXT:
            reply.set_ending(
                endings.TOOL if "tool" in str(kind) or "function" in str(kind) else endings.NOT_TEXT
            )
        if isinstance(it, dict):
            reply.add_refusal(text_of(it.get("refusal")))
        if kind == "refusal":
            reply.set_ending(endings.DECLINED)
    return "".join(texts)
