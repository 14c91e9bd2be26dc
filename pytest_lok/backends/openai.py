"""A prompt -> a reply, by any server that speaks OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pytest_lok.backends import faults
from pytest_lok.backends.attempt import attempt
from pytest_lok.backends.http import Api, Endpoint, Http, Stream, message_of, remedies
from pytest_lok.core.results import Reply, Usage
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault

URL = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"
_PATH = "/chat/completions"
_SPARED = {
    "stream_options": "stream_options",
    "max_tokens": "max_completion_tokens",  # the newer name, which a refusal of the older one tells
    "response_format": "response_format",
}


class OpenAI:
    """Asks an OpenAI-compatible server, streaming.

    Servers differ in what they refuse in a request: what one has refused is left out or spelled
    otherwise from then on.
    """

    def __init__(self, name: str, api: Api, *, http: Http, environ: Mapping[str, str]) -> None:
        self._name = name
        self._api = api
        self._http = http
        self._key_env = api.key_env or ("" if api.base_url else KEY)
        self._key = environ.get(self._key_env, "").strip()
        self._refused: set[str] = set()
        base = (api.base_url or URL).rstrip("/")
        self._endpoint = Endpoint(
            backend=name,
            url=base if base.endswith(_PATH) else base + _PATH,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            secret=self._key,
            hints=self._hints(base),
            idle=api.idle,
        )

    @property
    def name(self) -> str:
        """What workflows call it."""
        return self._name

    def unavailable(self) -> BackendError | None:
        """NOT_CONFIGURED where its key is missing."""
        if self._key_env and not self._key:
            return self._not_configured(
                f"the variable {self._key_env} is not set", f"export {self._key_env}=… with the server's key"
            )
        if not self._key.isascii():
            return self._not_configured(
                f"the key in {self._key_env} holds characters no key has", f"set {self._key_env} again"
            )
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        """One request; BackendError says what went wrong and what to do."""
        return await attempt(self._name, prompt, self._answer)

    async def aclose(self) -> None:
        """Close the connections of this loop."""
        await self._http.aclose()

    async def _answer(self, prompt: Prompt) -> Reply:
        problem = self.unavailable()
        if problem is not None:
            raise problem
        model = prompt.model or self._api.model
        if not model:
            raise self._not_configured(
                "no model is named", f"set `model` in [backends.{self._name}] or in the step"
            )
        while True:
            try:
                async with self._http.post(self._endpoint, self._body(prompt, model)) as stream:
                    return (await self._read(stream)).reply(self._name, self._endpoint, model)
            except BackendError as error:
                if error.kind is not BackendFault.BAD_REQUEST or not self._learn(error.message):
                    raise

    def _body(self, prompt: Prompt, model: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": prompt.text}]
        if prompt.system:
            messages.insert(0, {"role": "system", "content": prompt.system})
        body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
        if "stream_options" not in self._refused:
            body["stream_options"] = {"include_usage": True}
        if self._api.max_tokens is not None:
            short = "max_tokens" not in self._refused
            body["max_tokens" if short else "max_completion_tokens"] = self._api.max_tokens
        if prompt.schema is not None and "response_format" not in self._refused:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": prompt.schema},
            }
        return body

    def _learn(self, message: str) -> bool:
        """Whether a refusal names a part of the request that can be spared, and was not yet."""
        for part, named in _SPARED.items():
            if named in message and part not in self._refused:
                self._refused.add(part)
                return True
        return False

    async def _read(self, stream: Stream) -> _Coming:
        coming = _Coming()
        if stream.is_json:
            coming.take(self._checked(await stream.document()), "message")
            coming.ended = True
            return coming
        async with aclosing(stream.lines()) as lines:
            async for line in lines:
                if line.lstrip().startswith("<"):
                    raise self._endpoint.error(
                        BackendFault.BAD_OUTPUT, f"the server sent a page instead of an answer: {line[:200]}"
                    )
                if not line.startswith("data:"):
                    continue  # a comment, an event's name, or the blank line between events
                data = line[5:].strip()
                if data == "[DONE]":
                    coming.ended = True
                    break
                coming.take(self._checked(stream.parsed(data)), "delta")
        if coming.ended:
            await stream.finish()
        return coming

    def _checked(self, event: Any) -> dict[str, Any]:
        if not isinstance(event, dict):
            raise self._endpoint.error(BackendFault.BAD_OUTPUT, "the server sent JSON that is no answer")
        if event.get("error"):
            said = message_of(event)
            code = event["error"].get("code") if isinstance(event["error"], dict) else None
            by_code = faults.of_status(code) if isinstance(code, int) and code >= 400 else None
            raise self._endpoint.error(
                by_code or faults.of_text(said) or BackendFault.OVERLOAD, f"the server broke off: {said}"
            )
        return event

    def _not_configured(self, message: str, hint: str) -> BackendError:
        return BackendError(
            f"{self._name}: {message}", kind=BackendFault.NOT_CONFIGURED, backend=self._name, hint=hint
        )

    def _hints(self, base: str) -> Mapping[BackendFault, str]:
        table = f"[backends.{self._name}]"
        key = (
            f"check the key in {self._key_env}"
            if self._key_env
            else f"name its key with `api_key_env` in {table}"
        )
        return {
            **remedies(self._name, base),
            BackendFault.AUTH: key,
            BackendFault.BAD_REQUEST: f"check `model` in {table}, and that its `base_url` ends as the server "
            "documents it, usually in /v1",
        }


@dataclass(slots=True)
class _Coming:
    """What has come of an answer so far."""

    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    reason: str = ""
    model: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    ended: bool = False

    def take(self, event: Mapping[str, Any], part: str) -> None:
        """One chunk, or the whole document."""
        self.model = str(event.get("model") or self.model)
        if isinstance(event.get("usage"), dict):
            self.usage = event["usage"]
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        self.reason = str(choice.get("finish_reason") or self.reason)
        said = choice.get(part)
        if isinstance(said, dict):
            self.text.append(_text(said.get("content")))
            self.refusal.append(_text(said.get("refusal")))

    def reply(self, backend: str, endpoint: Endpoint, asked: str) -> Reply:
        """A whole answer, or why it is none."""
        text, refusal = "".join(self.text), "".join(self.refusal)
        match self.reason:
            case "length":
                raise endpoint.error(
                    BackendFault.TRUNCATED, "the answer was cut at its longest length", output=text
                )
            case "content_filter":
                raise endpoint.error(
                    BackendFault.REFUSED, "the answer was stopped by a content filter", output=text
                )
        if refusal:
            raise endpoint.error(BackendFault.REFUSED, f"the model refused: {refusal}", output=refusal)
        if not self.reason and not self.ended:
            raise endpoint.error(BackendFault.NETWORK, "the answer broke off in the middle", output=text)
        return Reply(
            text=text,
            backend=backend,
            model=self.model or asked,
            usage=Usage(
                calls=1,
                input_tokens=_count(self.usage, "prompt_tokens"),
                output_tokens=_count(self.usage, "completion_tokens"),
            ),
        )


def _text(content: Any) -> str:
    """A message's text, which some servers give in parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) else None
