"""Ollama's API: models of this machine, or of another; what they do costs no money."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pytest_lok.backends import endings
from pytest_lok.backends.http.backend import HttpDialect
from pytest_lok.backends.http.content import text_in
from pytest_lok.backends.http.partial_reply import PartialReply
from pytest_lok.backends.json_fields import table, tables, text_of
from pytest_lok.core.asking.tools import PARAMETERS, Tool, ToolCalls
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault

_PORT = 11434
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - nothing listens here
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
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt.text}]
    if prompt.images:
        messages[0]["images"] = [image.base64 for image in prompt.images]
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


def _on_event(reply: PartialReply, event: Mapping[str, Any]) -> None:
    reply.model = str(event.get("model") or reply.model)
    message = table(event, "message")
    reply.add_text(text_in(reply, message.get("content")))
    reply.add_refusal(text_of(message.get("refusal")))
    # the field of another API of the server, which no answer to /api/chat has
    if event.get("response"):
        reply.set_ending(endings.NOT_TEXT)
    reply.add_usage(event, ["prompt_eval_count"], ["eval_count"])
    # old servers ignore `truncate`, and cut a prompt so that it just fits the context
    if event.get("prompt_eval_count") in _CONTEXTS:
        reply.set_error(
            BackendFault.TOO_LONG,
            f"the prompt was cut: the model read {event['prompt_eval_count']} tokens, a whole context",
        )
    reply.ended = event.get("done") is True
    reply.open = not reply.ended
    reply.end_with(event.get("done_reason"), endings.OLLAMA)


def _tools_body(tools: Sequence[Tool]) -> dict[str, Any]:
    return {
        "tools": [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": PARAMETERS},
            }
            for tool in tools
        ]
    }


def _take_calls(calls: ToolCalls, event: Mapping[str, Any]) -> Mapping[str, Any]:
    message = dict(table(event, "message"))
    found = tables(message, "tool_calls")
    if not found or found != message["tool_calls"]:
        return event
    for call in found:
        # a call is always whole
        calls.take(object(), table(call, "function").get("name"), table(call, "function").get("arguments"))
    del message["tool_calls"]
    return {**event, "message": message}


def _read_host(host: str) -> str:
    """The URL of ``OLLAMA_HOST``, which is read as Ollama's own program does: ``gpu``, ``:9000``, a URL."""
    scheme, separator, rest = host.rpartition("://")
    try:
        parts = urlsplit(f"{scheme or 'http'}://{rest}")
        port = parts.port or ("" if separator else _PORT)
    except ValueError:  # no number, or a bracket that is not closed: whoever asks says that it is no URL
        return host
    # the server reads the same variable, and may listen on addresses that nobody can connect to
    name = "127.0.0.1" if parts.hostname in (None, *_ANY_ADDRESS) else parts.hostname
    name = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path}"


CHAT = HttpDialect(
    url=f"http://localhost:{_PORT}",
    url_variable="OLLAMA_HOST",
    read_url=_read_host,
    address=_address,
    body=_body,
    on_event=_on_event,
    hints=_hints,
    is_free=True,
    spelling={
        **{name: ("options", name) for name in ("temperature", "top_p", "top_k", "seed")},
        "reasoning_effort": ("think",),
    },
    tools_body=_tools_body,
    take_calls=_take_calls,
)
