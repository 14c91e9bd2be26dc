"""Amazon Bedrock's ConverseStream; signing and its binary event stream are botocore's.

botocore comes with ``pytest-lok[bedrock]`` and is imported when the first question is asked. Where the
mapping given here holds no key, it looks where every AWS program does: ``~/.aws``, sign-in, the machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_lok.backends import endings
from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.endings import NOT_TEXT
from pytest_lok.backends.http.backend import fold_events, telling
from pytest_lok.backends.http.client import HttpClient, ResponseStream
from pytest_lok.backends.http.endpoint import ConfiguredApi, Endpoint, HttpConfig
from pytest_lok.backends.http.event_errors import check_event
from pytest_lok.backends.http.event_states import is_nothing
from pytest_lok.backends.http.partial_reply import PartialReply
from pytest_lok.backends.json_fields import table, text_of
from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials
    from botocore.session import Session

TOKEN = "AWS_BEARER_TOKEN_BEDROCK"  # noqa: S105 - a variable's name
_SIGN_IN = f"sign in (`aws sso login`), or set AWS_PROFILE, AWS_ACCESS_KEY_ID or {TOKEN}"
SPELLING = {"temperature": "temperature", "top_p": "topP"}
"""Where in ``inferenceConfig`` each option of an answer stands, but for ``max_tokens``."""
_PARTS = frozenset({"text", "reasoningContent"})  # what was asked for; others are tools
_EXCEPTIONS = {
    "throttlingException": BackendFault.RATE_LIMIT,
    "validationException": BackendFault.BAD_REQUEST,
    "modelTimeoutException": BackendFault.TIMEOUT,
}


class BedrockBackend:
    """Asks a model of Bedrock, streaming, with AWS credentials or a bearer token."""

    def __init__(self, name: str, api: HttpConfig, *, http: HttpClient, environ: Mapping[str, str]) -> None:
        self._http = http
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
        base_url = api.base_url or f"https://bedrock-runtime.{self._region}.amazonaws.com"
        self._api = ConfiguredApi(backend=name, base_url=base_url.rstrip("/"), config=api)
        self._key_env = api.key_env or ("" if api.base_url else TOKEN)
        self._token = environ.get(self._key_env, "").strip()
        self._environ = environ
        self._session: Session | None = None

    @property
    def name(self) -> str:
        return self._api.backend

    def unavailable(self) -> BackendError | None:
        """NOT_INSTALLED without the extra, NOT_CONFIGURED without a region.

        Credentials are looked for when asked.
        """
        if find_spec("botocore") is None:
            return self._api.error(
                BackendFault.NOT_INSTALLED, "botocore is not installed", "pip install 'pytest-lok[bedrock]'"
            )
        if not re.fullmatch(r"[a-z0-9-]+", self._region):
            return self._api.error(
                BackendFault.NOT_CONFIGURED,
                f"{self._region} is no region" if self._region else "the variable AWS_REGION is not set",
                "export AWS_REGION=us-east-1, or wherever the model is",
            )
        if self._api.config.key_env and not self._token:
            return self._api.error(
                BackendFault.NOT_CONFIGURED,
                f"the variable {self._key_env} is not set",
                f"export {self._key_env}=…",
            )
        return None

    @property
    def takes_images(self) -> bool:
        return True

    async def ask(self, prompt: Prompt) -> Reply:
        problem = self.unavailable()
        if problem is not None:
            raise problem
        model = self._api.model_for(prompt)
        body = json.dumps(self._body(prompt)).encode()
        endpoint = self._endpoint(model)
        # credentials may come from a file, a program or the machine's own metadata service
        import asyncio

        headers = await asyncio.to_thread(self._signed, endpoint.url, body)
        async with self._http.post(replace(endpoint, headers=headers), body) as stream:
            reply = await fold_events(_events(stream, endpoint), telling(prompt, _on_event), endpoint)
        max_tokens, _ = self._api.config.options_of(prompt)
        return reply.to_reply(endpoint, model, max_tokens=max_tokens)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._http.aclose()

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        images = [
            {"image": {"format": it.media_type.removeprefix("image/"), "source": {"bytes": it.base64}}}
            for it in prompt.images
        ]
        content = [*images, {"text": prompt.text}]
        body: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
        if prompt.system:
            body["system"] = [{"text": prompt.system}]
        max_tokens, options = self._api.config.options_of(prompt)
        said = {} if max_tokens is None else {"maxTokens": max_tokens}
        for name, value in options.items():
            if name not in SPELLING:
                raise self._api.error(
                    BackendFault.NOT_CONFIGURED,
                    f"it knows no option {name!r}",
                    f"take it out of {self._api.table} and of the step",
                )
            said[SPELLING[name]] = value
        return {**body, "inferenceConfig": said} if said else body

    def _endpoint(self, model: str) -> Endpoint:
        return self._api.endpoint(
            f"{self._api.base_url}/model/{quote(model, safe='')}/converse-stream",
            secret=self._token,
            headers={},
            hints={
                BackendFault.AUTH: f"{_SIGN_IN}; access to models is asked for in the Bedrock console",
                BackendFault.BAD_REQUEST: f"check `model` in {self._api.table}: an id, or a profile of this "
                "region",
            },
        )

    def _signed(self, url: str, body: bytes) -> dict[str, str]:
        """The headers with the signature or the token of the request."""
        if self._token:
            return {"Authorization": f"Bearer {self._token}"}
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest("POST", url, headers={"Content-Type": "application/json"}, data=body)
        SigV4Auth(self._credentials(), "bedrock", self._region).add_auth(request)
        return dict(request.headers.items())

    def _credentials(self) -> ReadOnlyCredentials:
        from botocore.credentials import ReadOnlyCredentials
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        key, secret = (
            self._environ.get(f"AWS_{name}", "") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
        )
        if key and secret:
            return ReadOnlyCredentials(key, secret, self._environ.get("AWS_SESSION_TOKEN"))
        problem = "there are none"
        try:
            self._session = self._session or Session(profile=self._environ.get("AWS_PROFILE"))
            found = self._session.get_credentials()
            if found is not None:
                return found.get_frozen_credentials()
        except BotoCoreError as error:
            problem = str(error)
        raise self._api.error(BackendFault.AUTH, f"no AWS credentials: {problem}", _SIGN_IN)


async def _events(stream: ResponseStream, endpoint: Endpoint) -> AsyncGenerator[Mapping[str, Any], None]:
    """The decoded messages of a binary event stream, each under its type; an exception is a BackendError."""
    from botocore.eventstream import EventStreamBuffer, ParserError

    buffer = EventStreamBuffer()
    async for piece in stream.iter_bytes():
        buffer.add_data(piece)
        try:
            messages = list(buffer)
        except ParserError as error:
            raise endpoint.error(
                BackendFault.BAD_OUTPUT, f"the server sent no event stream: {error}"
            ) from error
        for message in messages:
            headers = message.headers
            event = stream.parsed(message.payload.decode("utf-8", "replace") or "{}")
            if not isinstance(event, dict):
                raise endpoint.error(BackendFault.BAD_OUTPUT, "the server sent JSON that is no answer")
            if headers.get(":message-type") != "event":
                kind = str(headers.get(":exception-type") or headers.get(":error-code") or "")
                said = str(event.get("message") or headers.get(":error-message") or kind)
                fault = _EXCEPTIONS.get(kind) or faults.fault_of_text(said) or BackendFault.OVERLOAD
                raise endpoint.error(fault, f"the server broke off: {said}")
            yield {str(headers.get(":event-type")): check_event(event, endpoint)}


def _on_event(reply: PartialReply, event: Mapping[str, Any]) -> None:
    """Fold one message, which stands under its type."""
    delta = table(table(event, "contentBlockDelta"), "delta")
    # a text has no start; a start announces something else, such as a tool call
    if not is_nothing(table(event, "contentBlockStart").get("start")):
        reply.set_ending(endings.TOOL)
    if not _PARTS.issuperset(name for name, value in delta.items() if not is_nothing(value)):
        reply.set_ending(NOT_TEXT)
    if not isinstance(delta.get("text", ""), str):
        reply.set_ending(NOT_TEXT)
    reply.add_text(text_of(delta.get("text")))
    # the usage follows in another message
    reply.end_with(table(event, "messageStop").get("stopReason"), endings.CONVERSE)
    reply.add_usage(
        table(table(event, "metadata"), "usage"),
        ["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"],
        ["outputTokens"],
    )
