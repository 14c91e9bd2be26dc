"""Google's Gemini API: generateContent, streamed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pytest_lok.backends import endings
from pytest_lok.backends.http.backend import HttpDialect
from pytest_lok.backends.http.partial_reply import PartialReply
from pytest_lok.backends.json_fields import table, tables, text_of
from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.core.asking.tools import PARAMETERS, Tool, ToolCalls
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault

_CALL_KEYS = frozenset({"functionCall", "thoughtSignature"})
_PARTS = frozenset({"text", "thought", "thoughtSignature"})  # what was asked for; others are tools


def _address(base: str, model: str) -> str:
    if not re.search(r"/v\d\w*$", base):
        base += "/v1beta"
    return f"{base}/models/{quote(model.removeprefix('models/'), safe='')}:streamGenerateContent?alt=sse"


def _headers(key: str) -> Mapping[str, str]:
    return {"x-goog-api-key": key} if key else {}


def _body(prompt: Prompt, _: str, max_tokens: int | None, refused: Collection[str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if max_tokens is not None:
        config["maxOutputTokens"] = max_tokens
    if prompt.schema is not None and "schema" not in refused:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": prompt.schema}
    images = [{"inlineData": {"mimeType": it.media_type, "data": it.base64}} for it in prompt.images]
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": prompt.text}, *images]}]}
    if prompt.system:
        body["systemInstruction"] = {"parts": [{"text": prompt.system}]}
    if config:
        body["generationConfig"] = config
    return body


def _on_event(reply: PartialReply, event: Mapping[str, Any]) -> None:
    """Fold an event. Each one counts all tokens so far."""
    reply.model = str(event.get("modelVersion") or reply.model)
    reply.add_usage(
        table(event, "usageMetadata"), ["promptTokenCount"], ["candidatesTokenCount", "thoughtsTokenCount"]
    )
    feedback = table(event, "promptFeedback")
    if blocked := feedback.get("blockReason"):
        why = ": ".join(map(str, filter(None, (blocked, feedback.get("blockReasonMessage")))))
        reply.set_error(BackendFault.REFUSED, f"the prompt was blocked: {why}")
    reply.require_one(event.get("candidates"))
    for number, candidate in enumerate(tables(event, "candidates")):
        reply.from_candidate(candidate.get("index", number))
        _read_parts(reply, candidate.get("content"))
        said = candidate.get("finishMessage")
        reply.end_with(candidate.get("finishReason"), endings.GENERATE, said)
        # the API explains only endings that are not good ones
        if said:
            reply.set_error(BackendFault.BAD_OUTPUT, f"the answer ended with a message: {said}")


def _read_parts(reply: PartialReply, content: Any) -> None:
    """Take the texts of a candidate's parts, without its thoughts."""
    parts = content.get("parts") if isinstance(content, dict) else content
    for it in parts if isinstance(parts, list) else filter(None, [parts]):
        if not isinstance(it, dict) or not isinstance(it.get("text", ""), str):
            reply.set_ending(endings.NOT_TEXT)
        elif any(it[key] for key in it.keys() - _PARTS):
            reply.set_ending(endings.TOOL)
        elif it.get("thought") not in (None, False, True):
            reply.set_ending(endings.NOT_TEXT)
        elif not it.get("thought"):
            reply.add_text(text_of(it.get("text")))


def _tools_body(tools: Sequence[Tool]) -> dict[str, Any]:
    offered = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": PARAMETERS}
        for tool in tools
    ]
    return {"tools": [{"functionDeclarations": offered}]}


def _take_calls(calls: ToolCalls, event: Mapping[str, Any]) -> Mapping[str, Any]:
    candidates = event.get("candidates")
    if not isinstance(candidates, list):
        return event
    return {**event, "candidates": [_without_calls(calls, candidate) for candidate in candidates]}


def _without_calls(calls: ToolCalls, candidate: Any) -> Any:
    content = table(candidate, "content") if isinstance(candidate, dict) else {}
    if not isinstance(content.get("parts"), list):
        return candidate
    rest = []
    for part in content["parts"]:
        call = table(part, "functionCall") if isinstance(part, dict) else {}
        if call and part.keys() <= _CALL_KEYS:
            # a call is always whole, and its place in all events together is only its own
            calls.take(object(), call.get("name"), call.get("args"))
        else:
            rest.append(part)
    return {**candidate, "content": {**content, "parts": rest}}


GENERATE = HttpDialect(
    url="https://generativelanguage.googleapis.com/v1beta",
    keys=PROVIDERS["gemini-api"].keys,
    url_variable=PROVIDERS["gemini-api"].url_variable,
    address=_address,
    headers=_headers,
    body=_body,
    on_event=_on_event,
    # "response_json_schema", "responseMimeType", …
    optional_fields={"schema": "response"},
    spelling={
        "temperature": ("generationConfig", "temperature"),
        "top_p": ("generationConfig", "topP"),
        "top_k": ("generationConfig", "topK"),
        "seed": ("generationConfig", "seed"),
        "frequency_penalty": ("generationConfig", "frequencyPenalty"),
        "presence_penalty": ("generationConfig", "presencePenalty"),
        "reasoning_effort": ("generationConfig", "thinkingConfig", "thinkingLevel"),
    },
    tools_body=_tools_body,
    take_calls=_take_calls,
)
