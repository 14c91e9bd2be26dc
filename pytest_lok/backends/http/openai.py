"""OpenAI's two APIs: chat completions, which most other servers speak too, and responses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends.http.backend import HttpDialect
from pytest_lok.backends.http.content import text_in
from pytest_lok.backends.http.partial_reply import PartialReply
from pytest_lok.backends.json_fields import table, tables, text_of
from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.core.asking.tools import PARAMETERS, Tool, ToolCalls
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault

_URL = "https://api.openai.com/v1"
_OPENAI = PROVIDERS["openai"]


def _at(path: str) -> Callable[[str, str], str]:
    return lambda base, _: base if base.endswith(path) else base + path


def _hints(table: str, _: str) -> Mapping[BackendFault, str]:
    return {
        BackendFault.BAD_REQUEST: f"check `model` in {table}, and that its `base_url` ends as the server "
        "documents it, usually in /v1"
    }


def _chat_body(
    prompt: Prompt, model: str, max_tokens: int | None, refused: Collection[str]
) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = prompt.text
    if prompt.images:
        images = [{"type": "image_url", "image_url": {"url": image.url}} for image in prompt.images]
        content = [{"type": "text", "text": prompt.text}, *images]
    messages = [{"role": "user", "content": content}]
    if prompt.system:
        messages.insert(0, {"role": "system", "content": prompt.system})
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    if "stream_options" not in refused:
        body["stream_options"] = {"include_usage": True}
    if max_tokens is not None:
        body["max_completion_tokens" if "max_tokens" in refused else "max_tokens"] = max_tokens
    if prompt.schema is not None and "response_format" not in refused:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": prompt.schema},
        }
    return body


def _on_chat_event(reply: PartialReply, event: Mapping[str, Any]) -> None:
    reply.model = str(event.get("model") or reply.model)
    reply.add_usage(table(event, "usage"), ["prompt_tokens"], ["completion_tokens"])
    choices = tables(event, "choices")
    reply.require_one(event.get("choices"))
    for number, choice in enumerate(choices):
        reply.from_candidate(choice.get("index", number))
        message = table(choice, "delta") or table(choice, "message")
        if not all(isinstance(choice.get(it), dict | type(None)) for it in ("delta", "message")):
            reply.set_ending(endings.NOT_TEXT)
        texts = [table(choice, it).get("content") for it in ("delta", "message")]
        reply.require_one([it for it in (*texts, choice.get("text")) if it])
        reply.add_text(text_in(reply, message.get("content")))
        reply.add_refusal(text_of(message.get("refusal")))
        # some servers write null as a text
        if choice.get("finish_reason") != "null":
            reply.end_with(choice.get("finish_reason"), endings.CHAT)


def _chat_tools(tools: Sequence[Tool]) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": _function(tool)} for tool in tools]}


def _function(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": PARAMETERS}


def _take_chat_calls(calls: ToolCalls, event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = event.get("choices")
    if not isinstance(choices, list):
        return event
    return {**event, "choices": [_without_calls(calls, choice) for choice in choices]}


def _without_calls(calls: ToolCalls, choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    choice = dict(choice)
    for holder in ("delta", "message"):
        message = dict(table(choice, holder))
        for at, call in enumerate(tables(message, "tool_calls")):
            function = table(call, "function")
            calls.take(call.get("index", at), function.get("name"), function.get("arguments"))
        if tables(message, "tool_calls") == message.get("tool_calls"):
            del message["tool_calls"]
            choice[holder] = message
    if calls and choice.get("finish_reason") == "tool_calls":
        choice["finish_reason"] = "stop"
    return choice


CHAT = HttpDialect(
    url=_URL,
    keys=_OPENAI.keys,
    url_variable=_OPENAI.url_variable,
    address=_at("/chat/completions"),
    body=_chat_body,
    on_event=_on_chat_event,
    optional_fields={
        "stream_options": "stream_options",
        # the newer name of the field, which the refusal of the older name mentions
        "max_tokens": "max_completion_tokens",
        "response_format": "response_format",
    },
    hints=_hints,
    spelling={
        name: (name,)
        for name in (
            "temperature",
            "top_p",
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "reasoning_effort",
            "verbosity",
        )
    },
    tools_body=_chat_tools,
    take_calls=_take_chat_calls,
)


def _responses_body(
    prompt: Prompt, model: str, max_tokens: int | None, refused: Collection[str]
) -> dict[str, Any]:
    asked: str | list[dict[str, Any]] = prompt.text
    if prompt.images:
        images = [{"type": "input_image", "image_url": image.url} for image in prompt.images]
        asked = [{"role": "user", "content": [{"type": "input_text", "text": prompt.text}, *images]}]
    body: dict[str, Any] = {
        "model": model,
        "input": asked,
        "stream": True,
        "store": False,
    }
    if "truncation" not in refused:
        # by default a prompt that is too long loses its beginning, and nothing says so
        body["truncation"] = "disabled"
    if prompt.system:
        body["instructions"] = prompt.system
    if max_tokens is not None:
        body["max_output_tokens"] = max_tokens
    if prompt.schema is not None and "text" not in refused:
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": prompt.schema}}
    return body


_ITEMS = ("message", "reasoning")  # what was asked for; others are tools


_COMMENTARY = "commentary"
_PHASES = (None, "", _COMMENTARY, "final_answer")


def _read_messages(reply: PartialReply, messages: list[Mapping[str, Any]]) -> None:
    """Take the text of the messages of the final phase, or of all if none has a phase."""
    phases = [message.get("phase") for message in messages]
    if any(phase not in _PHASES for phase in phases):
        reply.set_error(BackendFault.BAD_OUTPUT, f"its messages are of phases lok does not know: {phases}")
    wanted = ("final_answer",) if "final_answer" in phases else (None, "")
    # the messages repeat the refusal that came in events before
    refusal, reply.refusal = reply.refusal, ""
    texts = [text_in(reply, it.get("content")) for it in messages if it.get("phase") in wanted]
    reply.refusal = reply.refusal or refusal
    reply.require_one(list(filter(None, texts)))
    before = "".join(reply.text).strip()
    if any(texts) and before not in ("", "".join(texts).strip()):
        reply.set_error(
            BackendFault.BAD_OUTPUT, "the server told one text bit by bit, and another at its end"
        )
    if any(texts) or _COMMENTARY in phases:
        reply.text[:] = texts


def _on_response_event(reply: PartialReply, event: Mapping[str, Any]) -> None:
    """Fold an event. The last one, or the one document, holds the whole response."""
    match event.get("type"):
        case "response.output_text.delta":
            reply.from_candidate(event.get("output_index", ""))
            reply.add_text(text_in(reply, event.get("delta")))
        case "response.refusal.delta":
            reply.add_refusal(text_of(event.get("delta")))
    item = table(event, "item")
    if item.get("type", "message") not in _ITEMS:
        reply.set_ending(endings.TOOL)
    if item.get("phase") == _COMMENTARY:
        reply.discard_text()
    response = table(event, "response") or (event if event.get("object") == "response" else {})
    status = response.get("status")
    reply.model = str(response.get("model") or reply.model)
    if status in (None, "queued", "in_progress"):
        return
    reply.add_usage(table(response, "usage"), ["input_tokens"], ["output_tokens"])
    items = tables(response, "output")
    messages = [item for item in items if item.get("type") == "message"]
    if any(item.get("type") not in _ITEMS for item in items):
        reply.set_ending(endings.TOOL)
    if items != (response.get("output") or []):
        reply.set_ending(endings.NOT_TEXT)
    _read_messages(reply, messages)
    for word in (
        table(response, "incomplete_details").get("reason"),
        status,
        *(item.get("status") for item in messages),
    ):
        reply.end_with(word, endings.RESPONSES)
    reply.ended = True


def _response_tools(tools: Sequence[Tool]) -> dict[str, Any]:
    return {"tools": [{"type": "function", **_function(tool), "strict": False} for tool in tools]}


def _take_response_calls(calls: ToolCalls, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The calls of the whole response count, which repeats those that came one by one."""
    event = dict(event)
    if table(event, "item").get("type") == _CALL:
        del event["item"]
    response = table(event, "response") or (event if event.get("object") == "response" else {})
    if not isinstance(response.get("output"), list):
        return event
    rest = []
    for at, item in enumerate(response["output"]):
        if isinstance(item, dict) and item.get("type") == _CALL and item.get("status") in _CALL_ENDS:
            calls.take(at, item.get("name"), item.get("arguments"))
        else:
            rest.append(item)
    response = {**response, "output": rest}
    return response if event.get("object") == "response" else {**event, "response": response}


_CALL = "function_call"
_CALL_ENDS = (None, "completed")

RESPONSES = HttpDialect(
    url=_URL,
    keys=_OPENAI.keys,
    url_variable=_OPENAI.url_variable,
    address=_at("/responses"),
    body=_responses_body,
    on_event=_on_response_event,
    optional_fields={"text": "text.format", "truncation": "truncation"},
    hints=_hints,
    spelling={
        "temperature": ("temperature",),
        "top_p": ("top_p",),
        "reasoning_effort": ("reasoning", "effort"),
        "verbosity": ("text", "verbosity"),
    },
    tools_body=_response_tools,
    take_calls=_take_response_calls,
)
