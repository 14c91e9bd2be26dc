"""A prompt -> a reply, by a model that Ollama runs."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from pytest_lok.backends import faults
from pytest_lok.backends.attempt import attempt
from pytest_lok.backends.http import Api, Endpoint, Http, Stream, message_of, remedies
from pytest_lok.core.results import Reply, Usage
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault

URL = "http://localhost:11434"
MODEL = "llama3.2"


class Ollama:
    """Asks an Ollama server, streaming; needs no key, and what it does costs no money."""

    def __init__(self, name: str, api: Api, *, http: Http) -> None:
        self._name = name
        self._api = api
        self._http = http
        self._base = (api.base_url or URL).rstrip("/").removesuffix("/api")

    @property
    def name(self) -> str:
        """What workflows call it."""
        return self._name

    def unavailable(self) -> BackendError | None:
        """Nothing can be missing but the server itself, which only asking tells."""
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        """One request; BackendError says what went wrong and what to do."""
        return await attempt(self._name, prompt, self._answer)

    async def aclose(self) -> None:
        """Close the connections of this loop."""
        await self._http.aclose()

    async def _answer(self, prompt: Prompt) -> Reply:
        model = prompt.model or self._api.model or MODEL
        endpoint = self._endpoint(model)
        async with self._http.post(endpoint, self._body(prompt, model)) as stream:
            return await self._read(stream, endpoint, model)

    def _endpoint(self, model: str) -> Endpoint:
        table = f"[backends.{self._name}]"
        return Endpoint(
            backend=self._name,
            url=f"{self._base}/api/chat",
            hints={
                **remedies(self._name, self._base),
                BackendFault.NETWORK: f"start it with `ollama serve`; `base_url` in {table} says where it is",
                BackendFault.BAD_REQUEST: f"`ollama pull {model}`, or correct `model` in {table}",
                BackendFault.TOO_LONG: "shorten the prompt, or give the model a larger context (num_ctx)",
            },
            idle=self._api.idle,
        )

    def _body(self, prompt: Prompt, model: str) -> dict[str, Any]:
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
        if self._api.max_tokens is not None:
            body["options"] = {"num_predict": self._api.max_tokens}
        if prompt.schema is not None:
            body["format"] = prompt.schema
        return body

    async def _read(self, stream: Stream, endpoint: Endpoint, model: str) -> Reply:
        text: list[str] = []
        last: dict[str, Any] = {}
        async with aclosing(stream.lines()) as lines:
            async for line in lines:
                if not line.strip():
                    continue
                event = stream.parsed(line)
                if not isinstance(event, dict):
                    raise endpoint.error(BackendFault.BAD_OUTPUT, "the server sent JSON that is no answer")
                if event.get("error"):
                    said = message_of(event)
                    raise endpoint.error(
                        faults.of_text(said) or BackendFault.OVERLOAD, f"the server broke off: {said}"
                    )
                message = event.get("message")
                if isinstance(message, dict) and isinstance(message.get("content"), str):
                    text.append(message["content"])
                if event.get("done"):
                    last = event
                    break
        await stream.finish()
        return self._reply("".join(text), last, endpoint, model)

    def _reply(self, text: str, last: dict[str, Any], endpoint: Endpoint, model: str) -> Reply:
        if not last:
            raise endpoint.error(BackendFault.NETWORK, "the answer broke off in the middle", output=text)
        if last.get("done_reason") == "length":
            raise endpoint.error(
                BackendFault.TRUNCATED, "the answer was cut at its longest length", output=text
            )
        asked, answered = last.get("prompt_eval_count"), last.get("eval_count")
        return Reply(
            text=text,
            backend=self._name,
            model=str(last.get("model") or model),
            usage=Usage(
                calls=1,
                input_tokens=asked if isinstance(asked, int) else None,
                output_tokens=answered if isinstance(answered, int) else None,
                cost_usd=0.0,
            ),
        )
