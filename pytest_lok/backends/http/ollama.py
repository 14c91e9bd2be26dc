"""Ollama's API: models of this machine, or of another; what they do costs no money."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pytest_lok.backends import endings
from pytest_lok.backends.content import said
from pytest_lok.backends.http.backend import HttpDialect, PartialReply, part, text_of
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault

_CONTEXTS = frozenset(1024 * 2**power for power in range(1, 11))  # tokens, as models are loaded with


def _address(base: str, _: str) -> str:
    return f"{base.removesuffix('/api')}/api/chat"


def _hints(table: str, model: str) -> Mapping[BackendFault, str]:
    return {
        BackendFault.NETWORK: f"start it with `ollama serve`; `base_url` in {table} says where it is",
        BackendFault.BAD_REQUEST: f"`ollama pull {model}`, or correct `model` in {table}",
        BackendFault.TOO_LONG: "shorten the prompt, or give the model a larger context (num_ctx)",
    }


def _body(prompt: Prompt, model: str, max_tokens: int | None, _: Collection[str]) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt.text}]
    if prompt.system:
        messages.insert(0, {"role": "system", "content": prompt.system})
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        # Else a prompt beyond the context loses its beginning, and nothing tells.
        "truncate": False,
        "shift": False,
    }
    if max_tokens is not None:
        body["options"] = {"num_predict": max_tokens}
    if prompt.schema is not None:
        body["format"] = prompt.schema
    return body


def _take(coming: PartialReply, event: Mapping[str, Any]) -> None:
    coming.model = str(event.get("model") or coming.model)
    message = part(event, "message")
    coming.say(said(coming, message.get("content")))
    coming.refuse(text_of(message.get("refusal")))
    if event.get("response"):  # of its other API
        coming.stop(endings.ODD)
    coming.count(event, ["prompt_eval_count"], ["eval_count"])
    if event.get("prompt_eval_count") in _CONTEXTS:  # an old server cuts it all the same, to just fit
        coming.fail(
            BackendFault.TOO_LONG,
            f"the prompt was cut: the model read {event['prompt_eval_count']} tokens, a whole context",
        )
    coming.ended = event.get("done") is True
    coming.open = not coming.ended
    coming.end(event.get("done_reason"), endings.OLLAMA)


CHAT = HttpDialect(
    url="http://localhost:11434",
    model="llama3.2",
    address=_address,
    body=_body,
    take=_take,
    hints=_hints,
    free=True,
)
