"""A prompt -> a reply, by an HTTP server: one hardened way of asking; what each API is like is data.

A dialect says how a question is written, and folds what comes in, event by event or as one
document, into an ``PartialReply``; whether that is a whole answer is judged here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pytest_lok.backends.endings import CUT, Ending, Endings, judged
from pytest_lok.backends.http.client import (
    Endpoint,
    HttpClient,
    HttpConfig,
    ResponseStream,
    complaint,
    remedies,
)
from pytest_lok.backends.states import is_bad, told
from pytest_lok.backends.troubles import broken, checked, is_error
from pytest_lok.core.results import Reply, Usage
from pytest_lok.core.text.strict_json import load_stored
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault, OutputError

_GRACE = 2.0
"""Seconds in which what follows an ending has to come; some servers leave their stream open."""

_LAST = 0.5
"""Seconds in which what follows the last event has to come."""


@dataclass(slots=True)
class PartialReply:
    """What has come of an answer so far.

    ``ended``: nothing more is to be read; ``open``: an event that always comes last has not come yet.
    ``fault`` says that the answer is none, ``why`` in the server's words.
    """

    text: list[str] = field(default_factory=list)
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    ended: bool = False
    open: bool = False
    refusal: str = ""
    fault: BackendFault | None = None
    why: str = ""
    _whole: bool = False
    _more: bool = False
    _after: bool = False
    _parts: set[str] = field(default_factory=set)

    def count(self, usage: Any, inputs: Collection[str], outputs: Collection[str]) -> None:
        """Take those of the counters that are reported; later reports replace earlier ones."""
        self.input_tokens = _sum(usage, inputs, self.input_tokens)
        self.output_tokens = _sum(usage, outputs, self.output_tokens)

    def say(self, text: str) -> None:
        """More of the answer."""
        self.text.append(text)
        self._after = self._after or (self._whole and bool(text.strip()))
        self._more = self._more or (self._whole and bool(text))

    def restart(self) -> None:
        """What came was none of the answer."""
        self.text.clear()
        self._parts.clear()

    def alone(self, answers: object) -> None:
        """Of what one event holds of answers there must be one, whatever number they bear."""
        if isinstance(answers, list) and len(answers) > 1:
            self.fail(BackendFault.BAD_OUTPUT, "the server gave several answers at once")

    def part_of(self, number: object) -> None:
        """What comes is of that one of several answers; more than one is none."""
        self._parts.add(str(number))
        if len(self._parts) > 1:
            self.fail(BackendFault.BAD_OUTPUT, "the server gave several answers at once")

    def end(self, word: object, known: Endings, said: Any = "") -> None:
        """The server's word for how the answer ended, and what it said of it; None and "" are none."""
        if word is None or word == "":
            return
        self._whole, self._after = True, False
        if end := judged(word, known):
            self.stop(end, said)

    def stop(self, end: Ending, said: Any = "") -> None:
        """It ended, and not as a whole answer; ``said``: the server's words, if it has some."""
        self.fail(end.kind, f"{end.why}: {said}" if said else end.why)

    def take(self, event: Mapping[str, Any], take: Take) -> None:
        """An event, in its dialect; and whatever it tells beside."""
        was = self._whole
        take(self, event)
        if self.fault is None and (end := told(event, ends=self._whole and not was)):
            self.stop(end)

    def refuse(self, text: str) -> None:
        """Some of the model's words why it does not answer."""
        if text:
            self.refusal += text
            self.fault, self.why = BackendFault.REFUSED, f"the model refused: {self.refusal}"

    def fail(self, kind: BackendFault, why: str) -> None:
        """The server said that this is no answer; its first word counts."""
        if self.fault is None:
            self.fault, self.why = kind, why

    @property
    def settled(self) -> bool:
        """Whether it has ended, as far as can be known while the stream goes on."""
        return self._whole and not self.open and not self._more

    def reply(self, endpoint: Endpoint, asked: str, *, most: int | None = None, free: bool = False) -> Reply:
        """A whole answer of the model ``asked``, or BackendError with what came of it.

        Some servers say "stop" of an answer that they cut at the ``most`` tokens that were asked for.
        """
        text = "".join(self.text)
        if not self._whole and self.ended:
            self.fail(BackendFault.NETWORK, "the server did not say how its answer ended: it may be cut")
        elif not self._whole or self.open or self._after:
            self.fail(BackendFault.NETWORK, "the answer broke off in the middle")
        elif most is not None and self.output_tokens == most:
            self.stop(CUT, f"it has all the {most} tokens that it may have")
        if self.fault is not None:
            raise endpoint.error(self.fault, self.why, output=text)
        return Reply(
            text=text,
            backend=endpoint.backend,
            model=self.model or asked,
            usage=Usage(
                calls=1,
                input_tokens=self.input_tokens,
                output_tokens=self.output_tokens,
                cost_usd=0.0 if free else None,
            ),
        )


def _sum(usage: Any, names: Collection[str], before: int | None) -> int | None:
    counts = [usage[name] for name in names if isinstance(usage.get(name), int)]
    return sum(counts) if counts else before


def part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table inside a decoded one; an empty one where there is none."""
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def tables(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The tables of a list inside a decoded table."""
    inner = value.get(name)
    return [it for it in inner if isinstance(it, dict)] if isinstance(inner, list) else []


def text_of(content: Any) -> str:
    """A message's text, which some servers give in parts."""
    if isinstance(content, list):
        return "".join(text_of(it.get("text")) for it in content if isinstance(it, dict))
    return content if isinstance(content, str) else ""


def _bearer(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _no_hints(table: str, model: str) -> Mapping[BackendFault, str]:  # noqa: ARG001 - others need them
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDialect:
    """An API. ``keys``: variables that may hold its key, () = it needs none; ``model``: its usual one.

    ``address(base, model)`` and ``headers(key)`` say where a question goes and how; ``body(prompt,
    model, max_tokens, refused)`` writes it, without those parts the server has refused: ``spared``
    maps them to what its refusal names. ``hints(table, model)`` are better remedies than the usual.
    """

    url: str
    address: Callable[[str, str], str]
    body: Callable[[Prompt, str, int | None, Collection[str]], dict[str, Any]]
    take: Callable[[PartialReply, Mapping[str, Any]], None]
    keys: tuple[str, ...] = ()
    model: str = ""
    headers: Callable[[str], Mapping[str, str]] = _bearer
    spared: Mapping[str, str] = field(default_factory=dict)
    hints: Callable[[str, str], Mapping[BackendFault, str]] = _no_hints
    free: bool = False


class HttpBackend:
    """Asks a server in its dialect, streaming.

    Servers differ in what they refuse in a request: what one has refused is left out or spelled
    otherwise from then on.
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
        self._name = name
        self._api = api
        self._dialect = dialect
        self._http = http
        self._base = (api.base_url or dialect.url).rstrip("/")
        usual = () if api.base_url else dialect.keys
        set_here = [variable for variable in usual if environ.get(variable, "").strip()]
        self._key_env = api.key_env or next(iter([*set_here, *usual]), "")
        self._key = environ.get(self._key_env, "").strip()
        self._refused: set[str] = set()

    @property
    def name(self) -> str:
        return self._name

    def unavailable(self) -> BackendError | None:
        """NOT_CONFIGURED where its key is missing."""
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
        """The variable its key is in."""
        return self._key_env or None

    async def ask(self, prompt: Prompt) -> Reply:
        problem = self.unavailable()
        if problem is not None:
            raise problem
        model = prompt.model or self._api.model or self._dialect.model
        if not model:
            raise self._not_configured(
                "no model is named", f"set `model` in [backends.{self._name}] or in the step"
            )
        endpoint = self._endpoint(model)
        while True:
            refused = frozenset(self._refused)
            body = self._dialect.body(prompt, model, self._api.max_tokens, refused)
            try:
                async with self._http.post(endpoint, body) as stream:
                    coming = await read(stream, endpoint, self._dialect.take)
                return coming.reply(endpoint, model, most=self._api.max_tokens, free=self._dialect.free)
            except BackendError as error:
                if error.kind is not BackendFault.BAD_REQUEST or not self._learn(error.message, refused):
                    raise

    async def aclose(self) -> None:
        """Close the connections of this loop."""
        await self._http.aclose()

    def _learn(self, message: str, spared: Collection[str]) -> bool:
        """Whether a refusal names a part of the request that can be spared, and was not yet."""
        for name, named in self._dialect.spared.items():
            if named in message and name not in spared:
                self._refused.add(name)
                return True
        return False

    def _endpoint(self, model: str) -> Endpoint:
        table = f"[backends.{self._name}]"
        key = (
            f"check the key in {self._key_env}"
            if self._key_env
            else f"name its key with `api_key_env` in {table}"
        )
        return Endpoint(
            backend=self._name,
            url=self._dialect.address(self._base, model),
            headers=self._dialect.headers(self._key),
            secret=self._key,
            hints={
                **remedies(self._name, self._base),
                BackendFault.AUTH: key,
                **self._dialect.hints(table, model),
            },
            idle=self._api.idle,
        )

    def _not_configured(self, message: str, hint: str) -> BackendError:
        return BackendError(
            f"{self._name}: {message}", kind=BackendFault.NOT_CONFIGURED, backend=self._name, hint=hint
        )


Take: TypeAlias = Callable[[PartialReply, Mapping[str, Any]], None]
_DONE: Mapping[str, Any] = {}
_FIELD = re.compile(r"[A-Za-z_-]*:")


async def read(stream: ResponseStream, endpoint: Endpoint, take: Take) -> PartialReply:
    """All of an answer: events after "data:", documents by line, or one document."""
    if stream.is_json:
        coming = PartialReply()
        coming.take(checked(await stream.document(), endpoint), take)
        coming.ended = True
        return coming
    return await folded(_events(stream, endpoint), take, endpoint)


async def folded(
    events: AsyncGenerator[Mapping[str, Any], None], take: Take, endpoint: Endpoint
) -> PartialReply:
    """The events, until nothing more comes after the answer's ending.

    After the last one nothing is to come but an error. All is read, for the connection can then serve again.
    """
    coming, now = PartialReply(), asyncio.get_running_loop().time
    grace = min(_GRACE, endpoint.idle / 2)
    try:
        async with asyncio.timeout(None) as rest, aclosing(events):
            async for event in events:
                if coming.ended:
                    _follow(coming, event, take)
                    continue
                if event is _DONE:
                    coming.ended = True
                else:
                    coming.take(event, take)
                if coming.ended:
                    rest.reschedule(now() + min(_LAST, grace))
                elif coming.settled is (rest.when() is None):
                    rest.reschedule(now() + grace if coming.settled else None)
    except TimeoutError:
        if not rest.expired():
            raise
    return coming


def _follow(coming: PartialReply, event: Mapping[str, Any], take: Take) -> None:
    """What came after the last event: more of an answer, or another, makes it none."""
    more = PartialReply()
    more.take(event, take)
    if more.fault is not None:
        coming.fail(more.fault, more.why)
    if "".join(more.text) not in ("", "".join(coming.text)):
        coming.fail(BackendFault.BAD_OUTPUT, "the server went on after its answer had ended")


async def _events(stream: ResponseStream, endpoint: Endpoint) -> AsyncGenerator[Mapping[str, Any], None]:
    """What the lines of a stream hold: events after "data:", or by themselves."""
    name, mark = "", "\ufeff"
    async with aclosing(stream.lines()) as lines:
        async for line in lines:
            line, mark = line.removeprefix(mark), ""
            if line.startswith(("{", "[")):
                name, data = "", line
            elif not line.strip():
                name = ""  # the blank line between events
                continue
            elif not _FIELD.match(line):
                what = "a page" if line.lstrip().startswith("<") else "something else"
                raise endpoint.error(
                    BackendFault.BAD_OUTPUT, f"the server sent {what} instead of an answer: {line[:200]}"
                )
            else:
                title, _, data = line.partition(":")
                data = data.strip()
                if title == "event":
                    name = data
                if is_error(title) and data:
                    name = "error"
                elif title != "data" or not data:
                    continue  # a comment, another field
            if data == "[DONE]":
                yield _DONE
            elif not is_error(name):
                event = checked(stream.parsed(data), endpoint)
                yield {**event, "event": name} if is_bad(name) else event
            else:  # whatever it holds
                raise _told(endpoint, data)


def _told(endpoint: Endpoint, data: str) -> BackendError:
    """The failure told by an event that is called an error."""
    try:
        return broken(endpoint, checked(load_stored(data), endpoint))
    except (ValueError, OutputError):
        return broken(endpoint, complaint(data))
    except BackendError as error:
        return error
