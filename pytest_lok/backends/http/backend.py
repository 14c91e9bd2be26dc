"""A prompt -> a reply, by an HTTP server: one hardened way of asking; what each API is like is data.

A dialect writes the question, and folds what comes in, event by event or as one document, into a
PartialReply. Everything else is the same for all APIs and stands here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import field, replace
from functools import partial
from typing import Any, TypeAlias

from pytest_lok.backends.http.client import HttpClient, ResponseStream, page_words, server_error_message
from pytest_lok.backends.http.endpoint import ConfiguredApi, Endpoint, HttpConfig
from pytest_lok.backends.http.event_errors import check_event, error_in_event, names_error
from pytest_lok.backends.http.event_states import names_bad_ending
from pytest_lok.backends.http.partial_reply import OnEvent, PartialReply
from pytest_lok.backends.json_fields import table
from pytest_lok.core.asking.providers import is_url
from pytest_lok.core.asking.tools import Tool, ToolCalls, answer_schema
from pytest_lok.core.results import Reply
from pytest_lok.core.text.strict_json import load_stored
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault, OutputError
from pytest_lok.late_regex import late_regex

TakeCalls: TypeAlias = Callable[[ToolCalls, Mapping[str, Any]], Mapping[str, Any]]
"""Moves the calls of tools out of an event of an API, and gives what is left of the event."""

_END_TIMEOUT = 2.0
"""Seconds that are waited for more after an ending; some servers leave their stream open."""

_LAST_EVENT_TIMEOUT = 0.5
"""Seconds that are waited for an error after the last event."""


def _bearer(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _no_hints(table: str, model: str) -> Mapping[BackendFault, str]:  # noqa: ARG001 - others need them
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDialect:
    """What one API is like.

    ``url`` is its usual base URL; ``url_variable`` may hold another one, which ``read_url`` makes whole.
    ``keys`` are variables that may hold its key; () = it needs none. ``address(base, model)`` and
    ``headers(key)`` make the URL and the headers of a question, ``body(prompt, model, max_tokens, refused)``
    its JSON, images included. ``optional_fields`` maps a part of the body to a text in the server's refusal
    of it; a part in ``refused`` is left out. ``on_event`` folds an event into the answer.
    ``hints(table, model)`` are better remedies than the usual ones. ``is_free``: answers cost no money.

    ``spelling`` says where in the body each option of an answer stands, but for ``max_tokens``.

    Of an API that has tools, ``tools_body(tools)`` is the part of the body that offers some, and
    ``take_calls`` moves the calls out of an event: what is left is the event of an answer without tools.
    """

    url: str
    address: Callable[[str, str], str]
    body: Callable[[Prompt, str, int | None, Collection[str]], dict[str, Any]]
    on_event: OnEvent
    keys: tuple[str, ...] = ()
    url_variable: str = ""
    read_url: Callable[[str], str] = str
    headers: Callable[[str], Mapping[str, str]] = _bearer
    optional_fields: Mapping[str, str] = field(default_factory=dict)
    hints: Callable[[str, str], Mapping[BackendFault, str]] = _no_hints
    is_free: bool = False
    tools_body: Callable[[Sequence[Tool]], dict[str, Any]] | None = None
    take_calls: TakeCalls | None = None
    spelling: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class HttpBackend:
    """Asks a server in its dialect, streaming.

    A part of a request that a server has refused is left out, or spelled otherwise, from then on.
    """

    def __init__(
        self,
        name: str,
        api: HttpConfig,
        dialect: HttpDialect,
        *,
        http: HttpClient,
        environ: Mapping[str, str],
    ) -> None:
        said = environ.get(dialect.url_variable, "").strip()
        variable = dialect.url_variable if said and not api.base_url else ""
        base_url = api.base_url or (dialect.read_url(said) if said else dialect.url)
        self._api = ConfiguredApi(
            backend=name, base_url=base_url.rstrip("/"), config=api, url_variable=variable
        )
        self._dialect = dialect
        self._http = http
        usual = () if api.base_url else dialect.keys
        set_here = [variable for variable in usual if environ.get(variable, "").strip()]
        self._key_env = api.key_env or next(iter([*set_here, *usual]), "")
        self._key = environ.get(self._key_env, "").strip()
        self._refused: set[str] = set()

    @property
    def name(self) -> str:
        return self._api.backend

    def unavailable(self) -> BackendError | None:
        """NOT_CONFIGURED where the key is missing or cannot be one, or the variable's URL is none."""
        variable = self._api.url_variable
        if variable and not is_url(self._api.base_url):
            hint = f"set {variable} to a whole URL, such as {self._dialect.url}"
            return self._not_configured(f"the variable {variable} holds no URL", hint)
        if self._key_env and not self._key:
            return self._not_configured(
                f"the variable {self._key_env} is not set", f"export {self._key_env}=… with the server's key"
            )
        if not (self._key.isascii() and self._key.isprintable()):
            return self._not_configured(
                f"the key in {self._key_env} holds characters no key has", f"set {self._key_env} again"
            )
        return None

    def key_variable(self) -> str | None:
        return self._key_env or None

    @property
    def takes_images(self) -> bool:
        return True

    @property
    def calls_tools(self) -> bool:
        return self._dialect.tools_body is not None

    async def ask(self, prompt: Prompt) -> Reply:
        problem = self.unavailable()
        if problem is not None:
            raise problem
        model = await self._model_for(prompt)
        endpoint, (max_tokens, _) = self._endpoint(model), self._api.config.options_of(prompt)
        while True:
            refused = frozenset(self._refused)
            calls = ToolCalls() if prompt.tools and "tools" not in refused else None
            body = self._body(prompt, model, refused)
            on_event, take_calls = telling(prompt, self._dialect.on_event), self._dialect.take_calls
            clean = partial(take_calls, calls) if take_calls and calls is not None else _as_it_is
            try:
                async with self._http.post(endpoint, body) as stream:
                    reply = await read(stream, endpoint, on_event, clean)
                said = reply.to_reply(endpoint, model, max_tokens=max_tokens, is_free=self._dialect.is_free)
                return said if calls is None else replace(said, text=calls.to_json(said.text, prompt.tools))
            except BackendError as error:
                optional = {**self._dialect.optional_fields, **({} if calls is None else {"tools": "tool"})}
                if error.kind is not BackendFault.BAD_REQUEST or not self._leaves_out(
                    error.message, optional, refused
                ):
                    raise

    async def _model_for(self, prompt: Prompt) -> str:
        """The model to ask; NOT_CONFIGURED where nobody names one."""
        return self._api.model_for(prompt)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._http.aclose()

    def _body(self, prompt: Prompt, model: str, refused: Collection[str]) -> dict[str, Any]:
        """The body of a question. A server that has refused tools is told the JSON of their calls."""
        dialect, more = self._dialect, dict[str, Any]()
        max_tokens, options = self._api.config.options_of(prompt)
        if prompt.tools and dialect.tools_body is not None and "tools" not in refused:
            more = dialect.tools_body(prompt.tools)
            prompt = replace(prompt, schema=None)
        elif prompt.tools:
            from pytest_lok.core.workflow.json_schema import instruction

            prompt = replace(prompt, text=f"{prompt.text}\n\n{instruction(answer_schema(prompt.tools))}")
        body = {**dialect.body(prompt, model, max_tokens, refused), **more}
        for name, value in options.items():
            if name not in dialect.spelling:
                hint = f"take it out of {self._api.table} and of the step"
                raise self._not_configured(f"it knows no option {name!r}", hint)
            body = spelled(body, dialect.spelling[name], value)
        return body

    def _leaves_out(self, message: str, optional: Mapping[str, str], refused: Collection[str]) -> bool:
        """Whether the refusal names an optional field that was sent; the next request goes without it."""
        for name, named in optional.items():
            if named in message and name not in refused:
                self._refused.add(name)
                return True
        return False

    def _endpoint(self, model: str) -> Endpoint:
        table, variable = self._api.table, self._key_env
        key = f"check the key in {variable}" if variable else f"name its key with `api_key_env` in {table}"
        return self._api.endpoint(
            self._dialect.address(self._api.base_url, model),
            secret=self._key,
            headers=self._dialect.headers(self._key),
            hints={BackendFault.AUTH: key, **self._dialect.hints(table, model)},
        )

    def _not_configured(self, message: str, hint: str) -> BackendError:
        return self._api.error(BackendFault.NOT_CONFIGURED, message, hint)


def spelled(body: Mapping[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    """The body with a value at a path of it; what else stands on the way stays."""
    first, *rest = path
    return {**body, first: spelled(table(body, first), tuple(rest), value) if rest else value}


def telling(prompt: Prompt, on_event: OnEvent) -> OnEvent:
    """``on_event`` that also hands the text of each event to who wants to see the answer come in."""
    if (on_text := prompt.on_text) is None:
        return on_event

    def fold(reply: PartialReply, event: Mapping[str, Any]) -> None:
        known = len(reply.text)
        on_event(reply, event)
        for piece in reply.text[known:]:
            on_text(piece)

    return fold


_DONE: Mapping[str, Any] = {}
_FIELD = late_regex(r"[A-Za-z_-]*:")


def _as_it_is(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return event


async def read(
    stream: ResponseStream,
    endpoint: Endpoint,
    on_event: OnEvent,
    clean: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _as_it_is,
) -> PartialReply:
    """Read an answer to its end: events after "data:", JSON by line, or one document.

    ``clean`` takes out of an event what is no part of an answer's text.
    """
    if stream.is_json:
        reply = PartialReply()
        reply.on_event(clean(check_event(await stream.document(), endpoint)), on_event)
        reply.ended = True
        return reply

    async def cleaned() -> AsyncGenerator[Mapping[str, Any], None]:
        async with aclosing(_events(stream, endpoint)) as events:
            async for event in events:
                yield event if event is _DONE else clean(event)

    return await fold_events(cleaned(), on_event, endpoint)


async def fold_events(
    events: AsyncGenerator[Mapping[str, Any], None], on_event: OnEvent, endpoint: Endpoint
) -> PartialReply:
    """Fold the events of an answer, until nothing more comes after its ending.

    After the last event only an error may come. The stream is read to its end where the server closes it,
    for then the connection can serve another question.
    """
    import asyncio

    reply, now = PartialReply(), asyncio.get_running_loop().time
    grace = min(_END_TIMEOUT, endpoint.idle / 2)
    try:
        async with asyncio.timeout(None) as rest, aclosing(events):
            async for event in events:
                if reply.ended:
                    _check_trailing(reply, event, on_event)
                    continue
                if event is _DONE:
                    reply.ended = True
                else:
                    reply.on_event(event, on_event)
                if reply.ended:
                    rest.reschedule(now() + min(_LAST_EVENT_TIMEOUT, grace))
                elif reply.is_settled is (rest.when() is None):
                    rest.reschedule(now() + grace if reply.is_settled else None)
    except TimeoutError:
        if not rest.expired():
            raise
    return reply


def _check_trailing(reply: PartialReply, event: Mapping[str, Any], on_event: OnEvent) -> None:
    """Read what came after the last event: an error counts, and so does more text than the same once more."""
    more = PartialReply()
    more.on_event(event, on_event)
    if more.fault is not None:
        reply.set_error(more.fault, more.why)
    if "".join(more.text) not in ("", "".join(reply.text)):
        reply.set_error(BackendFault.BAD_OUTPUT, "the server went on after its answer had ended")


async def _events(stream: ResponseStream, endpoint: Endpoint) -> AsyncGenerator[Mapping[str, Any], None]:
    """The decoded events in the lines of a stream, after "data:" or by themselves.

    An error event is raised.
    """
    name, mark = "", "\ufeff"
    async with aclosing(stream.iter_lines()) as lines:
        async for line in lines:
            line, mark = line.removeprefix(mark), ""
            if line.startswith(("{", "[")):
                name, data = "", line
            elif not line.strip():
                # a blank line ends an event, and with it the event's name
                name = ""
                continue
            elif not _FIELD.match(line):
                what = page_words(line) if line.lstrip().startswith("<") else f"something else: {line[:200]}"
                message = f"the server gave no answer, it sent {what}"
                raise endpoint.error(BackendFault.BAD_OUTPUT, message)
            else:
                title, _, data = line.partition(":")
                data = data.strip()
                if title == "event":
                    name = data
                if names_error(title) and data:
                    name = "error"
                elif title != "data" or not data:
                    # a comment, or a field such as "id"
                    continue
            if data == "[DONE]":
                yield _DONE
            elif not names_error(name):
                event = check_event(stream.parsed(data), endpoint)
                yield {**event, "event": name} if names_bad_ending(name) else event
            else:  # whatever it holds
                raise _error_event(endpoint, data)


def _error_event(endpoint: Endpoint, data: str) -> BackendError:
    """The BackendError of an event whose name says that it is an error."""
    try:
        return error_in_event(endpoint, check_event(load_stored(data), endpoint))
    except (ValueError, OutputError):
        return error_in_event(endpoint, server_error_message(data))
    except BackendError as error:
        return error
