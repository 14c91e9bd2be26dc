from __future__ import annotations

import asyncio
import http.server
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pytest_lok.backends.http.backend import HttpBackend
from pytest_lok.backends.http.client import HttpClient, proxies, server_error_message
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.http.openai import CHAT
from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error, run_async
from tests.fake_llm_api import FakeLLM


@pytest.fixture
def api() -> Iterator[FakeLLM]:
    with FakeLLM() as server:
        yield server


def backend(url: str, http: HttpClient | None = None) -> HttpBackend:
    return HttpBackend(
        "gpt", HttpConfig(base_url=url, model="m1"), CHAT, http=http or HttpClient({}), environ={}
    )


def test_nothing_of_httpx_is_imported_before_a_question() -> None:
    program = """
import sys
from pytest_lok.backends.http import anthropic
from pytest_lok.backends.http import gemini as gemini_api
from pytest_lok.backends.http import client as http
from pytest_lok.backends.http import endpoint
from pytest_lok.backends.http import openai
from pytest_lok.backends.http import ollama
from pytest_lok.backends.http import backend as server
shared = http.HttpClient({})
for dialect in (openai.CHAT, ollama.CHAT, anthropic.MESSAGES, gemini_api.GENERATE):
    server.HttpBackend("a", endpoint.HttpConfig(), dialect, http=shared, environ={}).unavailable()
heavy = {"httpx", "httpcore", "anyio", "certifi"} & sys.modules.keys()
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_connections_serve_again(api: FakeLLM) -> None:
    ports: set[object] = set()

    class Watching(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
            return response

    gpt = backend(api.url + "/v1", HttpClient({}, transport=Watching))

    async def story() -> None:
        for _ in range(5):
            await gpt.ask(Prompt(text="x"))
        await gpt.aclose()

    run_async(story())
    assert len(ports) == 1


def test_each_loop_has_its_own_client(api: FakeLLM) -> None:
    """Sequential loops, and loops of several threads at once."""
    gpt = backend(api.url + "/v1")
    assert [ask(gpt).text for _ in range(2)] == [ask(gpt).text] * 2
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda: replies.append(ask(gpt))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(replies) == 4


def test_backends_share_a_client_and_may_close_it_twice(api: FakeLLM) -> None:
    http = HttpClient({})
    one, two = backend(api.url + "/v1", http), backend(api.url + "/v1", http)

    async def story() -> None:
        await one.ask(Prompt(text="x"))
        await one.aclose()
        await two.ask(Prompt(text="x"))
        await two.aclose()
        await one.aclose()

    run_async(story())
    assert len(api.requests) == 2


def test_another_transport_may_be_used() -> None:
    asked: list[httpx.Request] = []

    class Echo(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(
                200, json={"choices": [{"message": {"content": "echo"}, "finish_reason": "stop"}]}
            )

    assert ask(backend("https://llm.test/v1", HttpClient({}, transport=Echo))).text == "echo"
    assert asked[0].url == "https://llm.test/v1/chat/completions"


def test_cancelling_closes_the_connection(api: FakeLLM) -> None:
    api.set_rules([{"fault": "hang_mid", "reply": "a long enough answer"}])
    gpt = backend(api.url + "/v1")

    async def story() -> None:
        task = asyncio.create_task(gpt.ask(Prompt(text="x")))
        while not api.requests:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while "response" not in api.requests[0]:  # the server has seen it go
            await asyncio.sleep(0.005)
        await gpt.aclose()

    run_async(story())
    assert api.requests[0]["response"]["outcome"] == "hang, client gone"


def test_a_server_that_says_something_else_than_http() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"220 mail.test ESMTP\r\n")
        connection.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        assert (
            expect_error(backend(f"http://127.0.0.1:{listener.getsockname()[1]}")).kind
            is BackendFault.NETWORK
        )
    finally:
        server.join(10)
        listener.close()


def test_a_port_that_speaks_http_is_asked_by_http(api: FakeLLM) -> None:
    error = expect_error(backend(api.url.replace("http:", "https:")))
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "that port does not speak https" in error.message
    assert error.hint == "write http:// in `base_url` of [backends.gpt]"


def test_a_certificate_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    made = subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
            "-keyout", key, "-out", certificate,
        ],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl makes no certificate here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        error = expect_error(backend(f"https://127.0.0.1:{server.server_port}"))
    finally:
        thread.join(10)
        server.server_close()
    assert error.kind is BackendFault.NETWORK
    assert "its certificate is not trusted: self-signed certificate" in error.message
    assert error.hint == "SSL_CERT_FILE=ca.pem names the authority that signed it"


# --- proxies


def test_a_proxy_of_the_given_environment_is_used() -> None:
    with FakeLLM([{"reply": "through the proxy"}]) as proxy:
        http = HttpClient({"HTTP_PROXY": proxy.url})
        assert ask(backend("http://llm.test/v1", http)).text == "through the proxy"


def test_a_proxy_that_is_not_there_is_named_without_its_password() -> None:
    http = HttpClient({"HTTP_PROXY": "http://user:secret-word@127.0.0.1:9"})
    error = expect_error(backend("http://llm.test/v1", http))
    assert error.kind is BackendFault.NETWORK
    assert "through the proxy http://127.0.0.1:9 (HTTP_PROXY): " in error.message
    assert "secret-word" not in f"{error.message} {error.hint}"
    assert "NO_PROXY" in error.hint


def test_loopback_is_never_asked_by_a_proxy(api: FakeLLM) -> None:
    assert ask(backend(api.url + "/v1", HttpClient({"ALL_PROXY": "http://127.0.0.1:9"}))).text


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"NO_PROXY": "a.test"}, {}),
        ({"https_proxy": "p.test:3128"}, {"https://": "http://p.test:3128"}),
        ({"HTTPS_PROXY": "http://p.test", "https_proxy": "http://q.test"}, {"https://": "http://q.test"}),
        ({"ALL_PROXY": "http://p.test"}, {"http://": "http://p.test", "https://": "http://p.test"}),
        ({"ALL_PROXY": "http://p.test", "NO_PROXY": "*"}, None),
    ],
)
def test_what_the_variables_mean(environ: dict[str, str], expected: dict[str, str] | None) -> None:
    assert {key: value for key, value in proxies(environ).items() if value} == (expected or {})


def test_where_no_proxy_is_used() -> None:
    found = proxies({"ALL_PROXY": "http://p.test", "NO_PROXY": "a.test, .b.test,10.0.0.1,[::2]"})
    straight = {key for key, value in found.items() if value is None}
    assert straight == {
        "all://localhost",
        "all://127.0.0.1",
        "all://[::1]",
        "all://*a.test",
        "all://*b.test",
        "all://10.0.0.1",
        "all://[::2]",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "m"}}', "m"),
        ('{"error": "m"}', "m"),
        ('{"message": "m"}', "m"),
        ('{"detail": "m"}', "m"),
        ('{"detail": [{"msg": "m"}]}', '[{"msg": "m"}]'),
        ('[{"error": {"message": "m"}}]', "m"),
        ("plain", "plain"),
        ("", ""),
        ("{}", "{}"),
    ],
)
def test_the_message_in_an_error_of_any_shape(body: str, message: str) -> None:
    assert server_error_message(body) == message
