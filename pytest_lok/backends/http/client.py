"""A JSON question -> the lines of a streamed answer, over httpx; every failure is a BackendError.

httpx is imported when the first question is asked. It reads nothing from the process's environment
or from ~/.netrc: proxies and certificates come from the mapping given here.
"""

from __future__ import annotations

import functools
import json
import math
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.http.endpoint import Endpoint
from pytest_lok.core.text.strict_json import load_stored
from pytest_lok.core.text.truncation import one_line, truncate
from pytest_lok.errors import BackendError, BackendFault, OutputError
from pytest_lok.version import __version__

if TYPE_CHECKING:
    import asyncio
    import ssl

    import httpx

MAX_RETRY_AFTER = 3600.0
"""Seconds; the longest pause that a server may ask for."""

_HEADERS = {
    "User-Agent": f"pytest-lok/{__version__}",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
}
_CONNECT_TIMEOUT = 15.0
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


class ResponseStream:
    """The body of a response while it comes in; every failure is a BackendError."""

    def __init__(self, response: httpx.Response, endpoint: Endpoint) -> None:
        self._response = response
        self._endpoint = endpoint
        self._bytes = response.aiter_bytes()

    @property
    def is_json(self) -> bool:
        """Whether the body is one document and no stream, which some servers cannot, or will not, send."""
        return "json" in self._type and "ndjson" not in self._type and "event-stream" not in self._type

    @property
    def _type(self) -> str:
        return str(self._response.headers.get("content-type", "")).lower()

    async def iter_bytes(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes as they come; BAD_OUTPUT beyond 64 MiB."""
        size = 0
        async for chunk in self._bytes:
            size += len(chunk)
            if size > _MAX_ANSWER_BYTES:
                raise self._endpoint.error(BackendFault.BAD_OUTPUT, "the answer is longer than any can be")
            yield chunk

    async def iter_lines(self) -> AsyncGenerator[str, None]:
        """Yield the lines. Only a newline ends one: other separators stand unescaped inside JSON."""
        rest = bytearray()
        async for chunk in self.iter_bytes():
            rest += chunk
            if b"\n" in chunk:
                *whole, rest = rest.split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "replace").rstrip("\r")
        if rest:
            yield rest.decode("utf-8", "replace")

    async def document(self) -> Any:
        """Read the whole body as one JSON value."""
        return self.parsed("\n".join([line async for line in self.iter_lines()]))

    def parsed(self, text: str) -> Any:
        """Decode a JSON value of the answer; BAD_OUTPUT if the text is none."""
        try:
            return load_stored(text)
        except OutputError as error:
            raise self._endpoint.error(
                BackendFault.BAD_OUTPUT, f"what the server sent cannot be used: {error.message}"
            ) from None
        except ValueError:
            raise self._endpoint.error(
                BackendFault.BAD_OUTPUT, f"the server sent something that is not JSON: {truncate(text)}"
            ) from None


@functools.lru_cache(maxsize=64)
def _parsed_url(url: str) -> httpx.URL:
    """A server's address for httpx, which takes a tenth of a question's time to read it."""
    import httpx

    return httpx.URL(url)


class HttpClient:
    """What all HTTP backends share: a client for each event loop, and one TLS context.

    ``environ`` may name proxies (``HTTPS_PROXY``, …) and certificates (``SSL_CERT_FILE``,
    ``SSL_CERT_DIR``). ``transport`` makes the transport; None = DirectTransport, and httpx's for proxies.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._environ = environ
        self._transport = transport
        self._tls: ssl.SSLContext | None = None
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, httpx.AsyncClient]] = (
            WeakKeyDictionary()
        )

    @asynccontextmanager
    async def post(
        self, endpoint: Endpoint, body: Mapping[str, Any] | bytes
    ) -> AsyncIterator[ResponseStream]:
        """Send a question. The body of the ``with`` runs once the status says success; leaving it closes.

        ``body`` is a value that becomes JSON, or the JSON itself.
        """
        import httpx

        idle = None if math.isinf(endpoint.idle) else endpoint.idle
        timeout = httpx.Timeout(idle, connect=_CONNECT_TIMEOUT, pool=None)
        try:
            client = self._client(endpoint.url.lower().startswith("https:"))
            # Made by hand: what a client would add, such as cookies, nobody wants, and costs as much again.
            request = httpx.Request(
                "POST",
                _parsed_url(endpoint.url),
                headers={**_HEADERS, **endpoint.headers},
                content=body if isinstance(body, bytes) else json.dumps(body).encode(),
                extensions={"timeout": timeout.as_dict()},
            )
            async with aclosing(await client.send(request, stream=True)) as response:
                if response.status_code != httpx.codes.OK:
                    raise await _refusal(endpoint, response)
                yield ResponseStream(response, endpoint)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise _connection_error(endpoint, error) from error

    async def aclose(self) -> None:
        """Close the clients of the running loop. Another question makes new ones."""
        import asyncio

        for client in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await client.aclose()

    def _client(self, secure: bool) -> httpx.AsyncClient:
        import asyncio

        clients = self._clients.setdefault(asyncio.get_running_loop(), {})
        if secure not in clients:
            clients[secure] = self._make_client(secure)
        return clients[secure]

    def _make_client(self, secure: bool) -> httpx.AsyncClient:
        import httpx

        from pytest_lok.backends.http.transport import DirectTransport, ProxiedTransport

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        tls = self._tls_context() if secure else _no_tls()
        mounts = {
            pattern: ProxiedTransport(
                httpx.AsyncHTTPTransport(verify=tls, limits=limits, proxy=proxy),
                _without_password(proxy, self._environ),
            )
            if proxy
            else None
            for pattern, proxy in proxies(self._environ).items()
        }
        return httpx.AsyncClient(
            verify=tls,
            limits=limits,
            # Proxies and certificates come from the mapping given to HttpClient, not from the process.
            trust_env=False,
            # A redirect would take the key to another server.
            follow_redirects=False,
            transport=self._transport() if self._transport else DirectTransport(tls),
            mounts=None if self._transport else mounts,
        )

    def _tls_context(self) -> ssl.SSLContext:
        """The TLS context, made once: making one takes longer than a request."""
        import ssl

        import certifi

        if self._tls is None:
            file, path = (self._environ.get(name) or None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
            self._tls = ssl.create_default_context(
                cafile=file or (None if path else certifi.where()), capath=path
            )
        return self._tls


def _no_tls() -> ssl.SSLContext:
    """A context for clients that get no https URL. It trusts nobody and costs nothing to make."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def proxies(environ: Mapping[str, str]) -> dict[str, str | None]:
    """httpx's URL patterns -> the proxy for them; None = no proxy."""

    def value(name: str) -> str:
        return (environ.get(name.lower()) or environ.get(name.upper()) or "").strip()

    found: dict[str, str | None] = {}
    for scheme in ("http", "https"):
        proxy = value(f"{scheme}_proxy") or value("all_proxy")
        if proxy:
            found[f"{scheme}://"] = proxy if "://" in proxy else f"http://{proxy}"
    if not found:
        return {}
    for host in (*_LOCAL, *value("no_proxy").split(",")):
        host = host.strip()
        if host == "*":
            return {}
        if host:
            found[f"all://{host}" if _names_one_host(host) else f"all://*{host.lstrip('*.')}"] = None
    return found


def _without_password(proxy: str, environ: Mapping[str, str]) -> str:
    """A proxy as it is shown: its address without user and password, and the variable that names it."""
    import httpx

    url = str(httpx.URL(proxy).copy_with(userinfo=b""))
    named = [name for name in environ if name.lower().endswith("_proxy")]
    held = [name for name in named if environ[name].strip() in (proxy, proxy.removeprefix("http://"))]
    return f"{url} ({held[0]})" if held else url


def _names_one_host(host: str) -> bool:
    """Whether a name in NO_PROXY is an address or "localhost"; any other covers its subdomains too."""
    return host in _LOCAL or bool(re.fullmatch(r"[\d.]+|\[.*\]", host)) or "://" in host


def _connection_error(endpoint: Endpoint, error: Exception) -> BackendError:
    """The BackendError for an exception of httpx; the more special classes come first."""
    import httpx

    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
            return endpoint.error(BackendFault.NOT_CONFIGURED, f"{endpoint.url} cannot be asked: {error}")
        case httpx.ProxyError():
            return endpoint.error(
                BackendFault.NETWORK,
                f"no connection to {endpoint.url} {error}",
                hint="is the proxy right? NO_PROXY names the servers that are asked without one",
            )
        case httpx.ConnectTimeout():
            message = f"no connection to {endpoint.url} within {_CONNECT_TIMEOUT:g} s"
            return endpoint.error(BackendFault.NETWORK, message)
        case httpx.TimeoutException():
            return endpoint.error(BackendFault.TIMEOUT, f"the server said nothing for {endpoint.idle:g} s")
        case httpx.ConnectError():
            return _unreachable(endpoint, error)
        case httpx.DecodingError():
            return endpoint.error(BackendFault.BAD_OUTPUT, f"the answer cannot be decoded: {error}")
    return endpoint.error(BackendFault.NETWORK, f"the connection broke: {str(error) or type(error).__name__}")


def _unreachable(endpoint: Endpoint, error: Exception) -> BackendError:
    """The BackendError of a connection that did not come about: why, and what to do about that."""
    import ssl

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    message = f"no connection to {endpoint.url}: "
    match cause:
        case ssl.SSLCertVerificationError():
            why = cause.verify_message or "it cannot be verified"
            return endpoint.error(
                BackendFault.NETWORK,
                f"{message}its certificate is not trusted: {why}",
                hint="SSL_CERT_FILE=ca.pem names the authority that signed it",
            )
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE" | "HTTP_REQUEST"):
            return endpoint.error(
                BackendFault.NOT_CONFIGURED,
                f"{message}that port does not speak https",
                hint=f"write http:// in `base_url` of [backends.{endpoint.backend}]",
            )
    return endpoint.error(BackendFault.NETWORK, f"{message}{str(error) or 'refused'}")


async def _refusal(endpoint: Endpoint, response: httpx.Response) -> BackendError:
    """The BackendError of a status that is no success, in the server's words where it has some."""
    status = response.status_code
    if 300 <= status < 400:
        target = response.headers.get("location", "another place")
        return endpoint.error(
            BackendFault.NOT_CONFIGURED, f"{endpoint.url} redirects to {target}, where the key is not sent"
        )
    text = await _read_start(response)
    said = server_error_message(text)
    pause = parse_retry_after(response.headers)
    if pause is None and (asked := faults.retry_after(text)) is not None:
        pause = min(asked, MAX_RETRY_AFTER)
    # Several APIs answer 400 to a prompt that is too long, and 429 to an account without money.
    kind = faults.fault_of_status(status)
    if kind is BackendFault.BAD_REQUEST and faults.fault_of_text(said) is BackendFault.TOO_LONG:
        kind = BackendFault.TOO_LONG
    if faults.is_quota_used_up(text):
        kind = BackendFault.QUOTA
    return endpoint.error(
        kind,
        f"HTTP {status} {response.reason_phrase}: {said}"
        if said
        else f"HTTP {status} {response.reason_phrase}",
        retry_after=pause,
    )


async def _read_start(response: httpx.Response) -> str:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > _MAX_ERROR_BYTES:
            break
    return data.decode("utf-8", "replace")


def server_error_message(text: str) -> str:
    """The message in the body of an error, whatever its shape; of a page its words, else the body's start."""
    try:
        value = json.loads(text)
    except ValueError:
        return page_words(text) if text.lstrip().startswith("<") else text[:500].strip()
    return error_message(value) or text[:500]


def page_words(page: str) -> str:
    """What a page of HTML says to people: its title, else its first words."""
    page = re.sub(r"(?is)<(script|style)\b[^<]*</\1>", " ", page[:4_000])
    title = re.search(r"(?is)<title[^<>]*>([^<]*)", page)
    words = title[1] if title and title[1].strip() else re.sub(r"<[^<>]*>", " ", page)
    import html

    return f'a page that says "{one_line(html.unescape(words), 200)}"'


def error_message(value: Any) -> str:
    """The text under ``error.message``, ``error``, ``message`` or ``detail`` of a decoded error, else ""."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return value if isinstance(value, str) else ""
    for key in ("error", "message", "detail"):
        if value.get(key):
            inner = value[key]
            return error_message(inner) or json.dumps(inner)[:500]
    return ""


def parse_retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait by ``retry-after-ms`` or ``Retry-After`` (seconds or a date).

    None if neither is sane.
    """
    from email.utils import parsedate_to_datetime

    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = (headers.get(name) or "").strip()
        if not text:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
            except (ValueError, TypeError, OverflowError):
                continue
        if math.isnan(seconds):
            continue
        return min(max(seconds, 0.0), MAX_RETRY_AFTER)
    return None
