"""Connections to servers that do as told, over real sockets."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from pytest_lok.backends.http.transport import DirectTransport
from tests.backends.asking import run_async

T = TypeVar("T")
Story = Callable[[httpx.AsyncClient], Awaitable[T]]

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n"


class Served:
    """What came in: one list of requests for each connection."""

    def __init__(self, *answers: bytes, then_close: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self._answers = list(answers)
        self._then_close = then_close
        self._tls = tls
        self.connections: list[list[bytes]] = []
        self.closed = 0

    def run(self, story: Story[T], *, tls: ssl.SSLContext | None = None, read: float = 30) -> T:
        """Tell a story to a client of this server."""

        async def stage() -> T:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
            port = server.sockets[0].getsockname()[1]
            scheme = "https" if self._tls else "http"
            async with (
                server,
                httpx.AsyncClient(
                    transport=DirectTransport(tls or ssl.create_default_context()),
                    base_url=f"{scheme}://localhost:{port}",
                    timeout=httpx.Timeout(30, read=read),
                ) as client,
            ):
                result = await story(client)
            while self.closed < len(self.connections):  # nothing is left open
                await asyncio.sleep(0.005)
            return result

        return run_async(stage())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen: list[bytes] = []
        self.connections.append(seen)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                sizes = [
                    line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                ]
                seen.append(head + await reader.readexactly(int(sizes[0]) if sizes else 0))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                writer.write(answer)
                await writer.drain()
                if self._then_close:
                    break
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        self.closed += 1


async def twice(client: httpx.AsyncClient) -> list[str]:
    return [(await client.post("/", content=b"x" * size)).text for size in (3, 100_000)]


@pytest.mark.parametrize("answer", [FINE, CHUNKED, b"HTTP/1.1 103 Early Hints\r\n\r\n" + FINE])
def test_a_connection_serves_again(answer: bytes) -> None:
    served = Served(answer)
    assert served.run(twice) == ["fine", "fine"]
    assert [len(requests) for requests in served.connections] == [2]
    assert served.connections[0][1].endswith(b"\r\n\r\n" + b"x" * 100_000)


@pytest.mark.parametrize(
    "answer", [FINE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), b"HTTP/1.0 200 OK\r\n\r\nfine"]
)
def test_one_that_ends_is_not_used_again(answer: bytes) -> None:
    served = Served(answer, then_close=True)
    assert served.run(twice) == ["fine", "fine"]
    assert [len(requests) for requests in served.connections] == [1, 1]


def test_one_that_the_server_has_closed_meanwhile_is_not_used_again() -> None:
    served = Served(FINE, then_close=True)

    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.post("/")).text == "fine"
        while not served.closed:
            await asyncio.sleep(0.005)
        assert (await client.post("/")).text == "fine"

    served.run(story)
    assert len(served.connections) == 2


def test_an_answer_that_is_not_read_to_its_end_costs_the_connection() -> None:
    served = Served(FINE.replace(b"4", b"400"), FINE)

    async def story(client: httpx.AsyncClient) -> str:
        async with client.stream("POST", "/") as response:
            assert response.status_code == 200
        return (await client.post("/")).text

    assert served.run(story) == "fine"
    assert len(served.connections) == 2


def test_each_of_many_at_once_has_a_connection() -> None:
    """Nobody is answered before everybody has asked."""
    everybody = asyncio.Event()
    asked = gone = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked, gone
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        if asked == 300:
            everybody.set()
        await everybody.wait()
        writer.write(FINE)
        await reader.read()
        writer.close()
        gone += 1

    async def story() -> list[str]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=300)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with (
            server,
            httpx.AsyncClient(transport=DirectTransport(ssl.create_default_context())) as client,
        ):
            answers = await asyncio.gather(*(client.get(url, timeout=60) for _ in range(300)))
        while gone < 300:
            await asyncio.sleep(0.005)
        return [answer.text for answer in answers]

    assert run_async(story()) == ["fine"] * 300


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200", httpx.RemoteProtocolError),
        (FINE[:-1], httpx.RemoteProtocolError),
        (CHUNKED[:-9], httpx.RemoteProtocolError),
        (b"220 mail.test ESMTP\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000, httpx.RemoteProtocolError),
    ],
    ids=["nothing", "half a line", "cut", "cut chunks", "another protocol", "no length", "endless head"],
)
def test_what_is_no_answer(answer: bytes, error: type[Exception]) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        with pytest.raises(error):
            await client.post("/")

    Served(answer, then_close=True).run(story)


@pytest.mark.parametrize("answer", [b"", FINE[:-1]], ids=["head", "body"])
def test_silence_is_waited_for_so_long_and_no_longer(answer: bytes) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/")

    Served(answer).run(story, read=0.2)


def test_nobody_listens() -> None:
    async def story() -> None:
        async with httpx.AsyncClient(transport=DirectTransport(ssl.create_default_context())) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get("http://127.0.0.1:9/")

    run_async(story())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of localhost, signed by itself, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    file = tmp_path / "localhost.pem"
    key = tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run(
        [openssl, "req", *kind, *subject, "-keyout", key, "-out", file], capture_output=True, check=True
    )
    file.write_text(file.read_text() + key.read_text())
    return file


def test_tls_is_checked_and_serves_again(certificate: Path) -> None:
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    served = Served(FINE, tls=ours)
    assert served.run(twice, tls=ssl.create_default_context(cafile=certificate)) == ["fine", "fine"]
    assert len(served.connections) == 1

    async def story(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await client.post("/")

    Served(FINE, tls=ours).run(story)
