"""An httpx request -> its response, over a connection that no other request waits for.

httpx's own pool looks at every connection whenever one changes: a thousand at once take it a hundred
times as long as the server. Here each request in flight has one, the bytes are asyncio's, the protocol is
h11's, and a connection that is free again serves the next request.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import h11
import httpx

KEEP_ALIVE = 5.0
"""Seconds that a free connection is kept; servers close it themselves not much later."""

_CHUNK = 64 * 1024
_Origin: TypeAlias = tuple[bytes, bytes, int | None]


class DirectTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 straight to the server, as many connections as there are requests; ``tls`` for https."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._free: dict[_Origin, list[_Connection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, as soon as its head has come; every failure is one of httpx's exceptions."""
        url = request.url
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.UnsupportedProtocol(f"{url} is no http:// or https:// address with a host")
        limits = request.extensions.get("timeout", {})
        free = self._free.setdefault((url.raw_scheme, url.raw_host, url.port), [])
        connection = _take_usable(free) or await _connect(url, self._tls, limits.get("connect"))
        connection.read_timeout = limits.get("read")
        try:
            with _as_httpx_errors():
                await connection.send(request)
                head = await connection.head()
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(connection, free),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": bytes(head.reason)},
        )

    async def aclose(self) -> None:
        """Close the connections that serve no request now."""
        for free in self._free.values():
            while free:
                free.pop().close()
        # one turn of the loop, in which the transports close their sockets
        await asyncio.sleep(0)


class _Connection:
    """A connection to one server. ``read_timeout`` is the longest silence in seconds; None = any."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._state = h11.Connection(h11.CLIENT)
        self.read_timeout: float | None = None
        self.idle_since = 0.0

    async def send(self, request: httpx.Request) -> None:
        body = await request.aread()
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        events = (head, h11.Data(data=body), h11.EndOfMessage())
        self._writer.write(b"".join(self._state.send(event) or b"" for event in events))
        # drain() costs a task switch, so it is only called if something is left to write
        if self._writer.transport.get_write_buffer_size():
            async with asyncio.timeout(self.read_timeout):
                await self._writer.drain()

    async def head(self) -> h11.Response:
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event
            # else a 1xx, which announces one

    async def body(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(self.read_timeout):
                self._state.receive_data(await self._reader.read(_CHUNK))
        return event  # type: ignore[return-value]  # mypy does not tell sentinels apart

    @property
    def open(self) -> bool:
        """Whether the connection can serve another request.

        The event loop may be busy and not know yet, so the system is asked: a free connection that is
        readable was closed by the server, or holds bytes that nobody asked for.
        """
        if (
            self._reader.at_eof()
            or self._writer.is_closing()
            or time.monotonic() - self.idle_since >= KEEP_ALIVE
        ):
            return False
        news = select.poll()
        news.register(self._writer.get_extra_info("socket"), select.POLLIN)
        return not news.poll(0)

    def reuse(self) -> bool:
        """Make the connection ready for another request; False if the last one has not ended in order."""
        if self._state.our_state is not h11.DONE or self._state.their_state is not h11.DONE:
            return False
        self._state.start_next_cycle()
        self.idle_since = time.monotonic()
        return True

    def close(self) -> None:
        """Close the connection without waiting for what would still come."""
        self._writer.transport.abort()


class _Body(httpx.AsyncByteStream):
    """The body of a response. A body that is read to its end leaves a free connection."""

    def __init__(self, connection: _Connection, free: list[_Connection]) -> None:
        self._connection = connection
        self._free = free

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for data in self._connection.body():
                yield data

    async def aclose(self) -> None:
        if self._connection.reuse():
            self._free.append(self._connection)
        else:
            self._connection.close()


class ProxiedTransport(httpx.AsyncBaseTransport):
    """httpx's transport through a proxy, whose failure to connect says that it is the proxy's."""

    def __init__(self, inner: httpx.AsyncBaseTransport, proxy: str) -> None:
        self._inner = inner
        self._proxy = proxy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request through the proxy; ProxyError where that cannot be reached, or says no."""
        try:
            return await self._inner.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            why = str(error) or "no answer"
            raise httpx.ProxyError(f"through the proxy {self._proxy}: {why}", request=request) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _take_usable(free: list[_Connection]) -> _Connection | None:
    """The free connection that was used last and still stands; None if there is none."""
    while free:
        connection = free.pop()
        if connection.open:
            return connection
        connection.close()
    return None


async def _connect(url: httpx.URL, tls: ssl.SSLContext, read_timeout: float | None) -> _Connection:
    secure = url.scheme == "https"
    # happy eyeballs are for names: an address has only one way to it
    named = any(map(str.isalpha, url.host))
    try:
        async with asyncio.timeout(read_timeout):
            reader, writer = await asyncio.open_connection(
                url.raw_host.decode("ascii"),
                url.port or (443 if secure else 80),
                ssl=tls if secure else None,
                happy_eyeballs_delay=0.25 if named else None,
            )
    except TimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
    return _Connection(reader, writer)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    """Turns what goes wrong on a connection into httpx's exceptions."""
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except OSError as error:
        raise httpx.ReadError(str(error)) from error
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error)) from error
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
