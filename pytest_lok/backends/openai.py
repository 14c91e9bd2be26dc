"""OpenAI's two APIs: chat completions, which most other servers speak too, and responses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pytest_lok.backends.server import Incoming, ServerDialect, part, tables, text_of
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault

_URL = "https://api.openai.com/v1"
_KEYS = ("OPENAI_API_KEY",)


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
    messages = [{"role": "user", "content": prompt.text}]
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


def _take_chat(coming: Incoming, event: Mapping[str, Any]) -> None:
    coming.model = str(event.get("model") or coming.model)
    coming.count(part(event, "usage"), ["prompt_tokens"], ["completion_tokens"])
    choice = next(iter(tables(event, "choices")), {})
    said = part(choice, "delta") or part(choice, "message")
    coming.text.append(text_of(said.get("content")))
    if refusal := text_of(said.get("refusal")):
        coming.fail(BackendFault.REFUSED, (coming.why or "the model refused: ") + refusal)
    match choice.get("finish_reason"):
        case "length":
            coming.fail(BackendFault.TRUNCATED)
        case "content_filter":
            coming.fail(BackendFault.REFUSED)
        case None | "":
            return
    coming.whole = True  # its usage may follow


CHAT = ServerDialect(
    url=_URL,
    keys=_KEYS,
    address=_at("/chat/completions"),
    body=_chat_body,
    take=_take_chat,
    spared={
        "stream_options": "stream_options",
        "max_tokens": "max_completion_tokens",  # the newer name, which a refusal of the older one tells
        "response_format": "response_format",
    },
    hints=_hints,
)


def _responses_body(
    prompt: Prompt, model: str, max_tokens: int | None, refused: Collection[str]
) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "input": prompt.text, "stream": True, "store": False}
    if prompt.system:
        body["instructions"] = prompt.system
    if max_tokens is not None:
        body["max_output_tokens"] = max_tokens
    if prompt.schema is not None and "text" not in refused:
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": prompt.schema}}
    return body


_INCOMPLETE = {"max_output_tokens": BackendFault.TRUNCATED, "content_filter": BackendFault.REFUSED}


def _take_response(coming: Incoming, event: Mapping[str, Any]) -> None:
    """Events; the last of them, or the one document, is the response as it stands then."""
    match event.get("type"):
        case "response.output_text.delta":
            coming.text.append(text_of(event.get("delta")))
        case "response.refusal.delta":
            coming.fail(
                BackendFault.REFUSED, (coming.why or "the model refused: ") + text_of(event.get("delta"))
            )
    response = part(event, "response") or (event if event.get("object") == "response" else {})
    status = response.get("status")
    coming.model = str(response.get("model") or coming.model)
    if status in (None, "queued", "in_progress"):
        return
    coming.count(part(response, "usage"), ["input_tokens"], ["output_tokens"])
    messages = [item for item in tables(response, "output") if item.get("type") == "message"]
    if not coming.text:
        coming.text += [text_of(message.get("content")) for message in messages]
    refusals = [it for message in messages for it in tables(message, "content") if it.get("refusal")]
    if refusals and coming.fault is None:
        coming.fail(BackendFault.REFUSED, f"the model refused: {text_of(refusals[0]['refusal'])}")
    if status != "completed":
        why = str(part(response, "incomplete_details").get("reason") or status)
        coming.fail(
            _INCOMPLETE.get(why, BackendFault.BAD_OUTPUT),
            "" if why in _INCOMPLETE else f"the answer ended early: {why}",
        )
    coming.ended = True


RESPONSES = ServerDialect(
    url=_URL,
    keys=_KEYS,
    address=_at("/responses"),
    body=_responses_body,
    take=_take_response,
    spared={"text": "text.format"},
    hints=_hints,
)
