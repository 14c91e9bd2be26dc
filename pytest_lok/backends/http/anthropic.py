"""Anthropic's Messages API: how a question is written and its events are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends.http.backend import HttpDialect
from pytest_lok.backends.http.content import text_in
from pytest_lok.backends.http.event_states import is_nothing
from pytest_lok.backends.http.partial_reply import PartialReply
from pytest_lok.backends.json_fields import table, text_of
from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.core.asking.tools import PARAMETERS, Tool, ToolCalls
from pytest_lok.engine.ports import Prompt

_USUAL_TOKENS = 8192  # the API wants a number; `max_tokens` of the settings is another one
_DELTAS = (None, "text_delta", "thinking_delta", "signature_delta", "citations_delta")
_EVENTS = ("message_start", "content_block_start", "content_block_stop", "message_delta", "ping")
_HOLDERS = ("delta", "content_block", "content", "text", "completion")
_INPUTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def _address(base: str, _: str) -> str:
    base = base.removesuffix("/messages").removesuffix("/v1")
    return f"{base}/v1/messages"


def _headers(key: str) -> Mapping[str, str]:
    return {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}


def _body(prompt: Prompt, model: str, max_tokens: int | None, refused: Collection[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": max_tokens or _USUAL_TOKENS,
        "messages": [{"role": "user", "content": _content(prompt) if prompt.images else prompt.text}],
        "stream": True,
    }
    if prompt.system:
        body["system"] = prompt.system
    if prompt.schema is not None and "output_config" not in refused:
        body["output_config"] = {"format": {"type": "json_schema", "schema": prompt.schema}}
    return body


def _content(prompt: Prompt) -> list[dict[str, Any]]:
    """The blocks of a question with images, which the API wants before the text."""
    images = [
        {"type": "image", "source": {"type": "base64", "media_type": it.media_type, "data": it.base64}}
        for it in prompt.images
    ]
    return [*images, {"type": "text", "text": prompt.text}]


def _on_event(reply: PartialReply, event: Mapping[str, Any]) -> None:
    """Fold an event of the stream, or the one document that is a whole message."""
    message = event if event.get("type") == "message" else table(event, "message")
    reply.model = str(message.get("model") or reply.model)
    if event.get("type") == "message_start" and any(reply.text):
        reply.require_one(["", ""])
    reply.add_text(text_in(reply, message.get("content")))
    reply.add_text(text_in(reply, event.get("content_block")))
    reply.open = event.get("type") not in ("message", "message_stop")
    match event.get("type"):
        case "content_block_delta":
            delta = table(event, "delta")
            known = delta == event.get("delta") and delta.get("type") in _DELTAS
            if not known or not isinstance(delta.get("text", ""), str):
                reply.set_ending(endings.NOT_TEXT)
            reply.add_text(text_of(delta.get("text")))
        case "message_stop" | "message":
            reply.ended = True
        case kind if kind not in _EVENTS and not all(is_nothing(event.get(it)) for it in _HOLDERS):
            reply.set_ending(endings.NOT_TEXT)
    usage = table(message, "usage") or table(event, "usage")
    reply.add_usage(usage, _INPUTS if "input_tokens" in usage else (), ["output_tokens"])
    for holder in (message, table(event, "delta")):
        why = table(holder, "stop_details").get("explanation")
        reply.end_with(holder.get("stop_reason"), endings.MESSAGES, why)


def _tools_body(tools: Sequence[Tool]) -> dict[str, Any]:
    return {
        "tools": [
            {"name": tool.name, "description": tool.description, "input_schema": PARAMETERS} for tool in tools
        ]
    }


def _take_calls(calls: ToolCalls, event: Mapping[str, Any]) -> Mapping[str, Any]:
    event, place = dict(event), event.get("index")
    block, delta = table(event, "content_block"), table(event, "delta")
    if block.get("type") == "tool_use":
        calls.take(place, block.get("name"), block.get("input") or "")
        del event["content_block"]
    if delta.get("type") == "input_json_delta":
        calls.take(place, "", delta.get("partial_json"))
        return {"type": "ping"}
    if event.get("type") == "message" and isinstance(event.get("content"), list):
        event["content"] = [
            block for at, block in enumerate(event["content"]) if not _is_call(calls, at, block)
        ]
    for holder in ("delta", ""):
        said = dict(table(event, holder)) if holder else event
        if calls and said.get("stop_reason") == "tool_use":
            said["stop_reason"] = "end_turn"
            event = {**event, holder: said} if holder else said
    return event


def _is_call(calls: ToolCalls, place: int, block: object) -> bool:
    """Whether a part of a message is a call, which is taken then."""
    if not isinstance(block, dict) or block.get("type") != "tool_use":
        return False
    calls.take(place, block.get("name"), block.get("input"))
    return True


MESSAGES = HttpDialect(
    url="https://api.anthropic.com",
    keys=PROVIDERS["anthropic"].keys,
    url_variable=PROVIDERS["anthropic"].url_variable,
    address=_address,
    headers=_headers,
    body=_body,
    on_event=_on_event,
    optional_fields={"output_config": "output_config"},
    spelling={
        "temperature": ("temperature",),
        "top_p": ("top_p",),
        "top_k": ("top_k",),
        "reasoning_effort": ("output_config", "effort"),
    },
    tools_body=_tools_body,
    take_calls=_take_calls,
)
