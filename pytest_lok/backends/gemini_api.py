"""Google's Gemini API: generateContent, streamed."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from pytest_lok.backends.server import Incoming, ServerDialect, part, tables, text_of
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault

# What an answer is stopped for that says nothing about its text.
_BROKEN = re.compile(r"MALFORMED|UNEXPECTED|TOO_MANY|MISSING|OTHER|UNSPECIFIED")


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
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": prompt.text}]}]}
    if prompt.system:
        body["systemInstruction"] = {"parts": [{"text": prompt.system}]}
    if config:
        body["generationConfig"] = config
    return body


def _take(coming: Incoming, event: Mapping[str, Any]) -> None:
    """A part of the answer; every event counts the tokens of all."""
    coming.model = str(event.get("modelVersion") or coming.model)
    coming.count(
        part(event, "usageMetadata"), ["promptTokenCount"], ["candidatesTokenCount", "thoughtsTokenCount"]
    )
    if blocked := part(event, "promptFeedback").get("blockReason"):
        coming.fail(BackendFault.REFUSED, f"the prompt was blocked: {blocked}")
    candidate = next(iter(tables(event, "candidates")), {})
    said = tables(part(candidate, "content"), "parts")
    coming.text += [text_of(it.get("text")) for it in said if not it.get("thought")]
    reason = str(candidate.get("finishReason") or "")
    coming.whole = coming.whole or bool(reason)
    if reason == "MAX_TOKENS":
        coming.fail(BackendFault.TRUNCATED)
    elif _BROKEN.search(reason):
        coming.fail(BackendFault.BAD_OUTPUT, f"the model broke off: {reason}")
    elif reason not in ("", "STOP"):
        coming.fail(BackendFault.REFUSED, f"the answer was stopped: {reason}")


GENERATE = ServerDialect(
    url="https://generativelanguage.googleapis.com/v1beta",
    keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    address=_address,
    headers=_headers,
    body=_body,
    take=_take,
    spared={"schema": "response"},  # "response_json_schema", "responseMimeType", …
)
