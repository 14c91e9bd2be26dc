"""An Ollama server that is looked at: whether it answers, what it has, and what is asked of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.http.ollama import CHAT
from pytest_lok.backends.http.ollama_server import OllamaBackend, OllamaServer
from pytest_lok.errors import BackendFault
from tests.backends.asking import ask, expect_error
from tests.fake_llm_api import FakeLLM


@pytest.fixture
def api() -> Iterator[FakeLLM]:
    with FakeLLM([{"reply": "fine"}]) as server:
        yield server


def backend(environ: dict[str, str] | None = None, **config: Any) -> OllamaBackend:
    found = environ or {}
    return OllamaBackend("ollama", HttpConfig(**config), http=HttpClient({}), environ=found, servers={})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("gpu", "http://gpu:11434"),
        ("gpu:9000", "http://gpu:9000"),
        (":9000", "http://127.0.0.1:9000"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("[::]:9000", "http://127.0.0.1:9000"),
        ("[::1]", "http://[::1]:11434"),
        ("http://gpu", "http://gpu"),
        ("https://gpu/ollama", "https://gpu/ollama"),
        ("gpu:port", "gpu:port"),
    ],
)
def test_a_host_is_read_as_ollama_reads_it(host: str, url: str) -> None:
    assert CHAT.read_url(host) == url


def test_a_host_that_is_none_is_said() -> None:
    problem = backend({"OLLAMA_HOST": "gpu:port"}).unavailable()
    assert problem is not None
    assert problem.message == "ollama: the variable OLLAMA_HOST holds no URL"


def test_the_first_model_that_answers_in_words_is_asked() -> None:
    with _Tags(["nomic-embed", "qwen3"], embedding=["nomic-embed"]) as url:
        assert OllamaServer(url).state().chat_model == "qwen3"


def test_a_server_is_asked_for_its_model(api: FakeLLM) -> None:
    it = backend({"OLLAMA_HOST": api.url})
    assert (ask(it).text, ask(it).model) == ("fine", "fake-large")
    assert ask(it, model="fake-small").model == "fake-small"
    assert [request["path"] for request in api.requests].count("/api/tags") == 1, "looked at once"
    assert it.unreachable() is None


def test_a_named_model_needs_no_look(api: FakeLLM) -> None:
    assert ask(backend(base_url=api.url, model="m")).model == "m"
    assert [request["path"] for request in api.requests] == ["/api/chat"]


@pytest.mark.parametrize("model", ["fake-large", "", "fake-large:latest"])
def test_a_model_that_is_there(api: FakeLLM, model: str) -> None:
    api.set_rules({"models": ["fake-large:latest"]})
    assert backend(base_url=api.url, model=model).unreachable() is None


def test_a_model_that_is_not_there(api: FakeLLM) -> None:
    problem = backend(base_url=api.url, model="qwen3").unreachable()
    assert problem is not None
    assert problem.message == "ollama: the server has no model qwen3"
    assert problem.hint == (
        "`ollama pull qwen3`, or set `model` in [backends.ollama] to one that is there: fake-large, fake-small"
    )


def test_a_server_without_models() -> None:
    with _Tags([]) as url:
        it = backend(base_url=url)
        problem = it.unreachable()
        assert problem is not None
        assert (problem.kind, problem.message) == (
            BackendFault.NOT_CONFIGURED,
            "ollama: the server has no model",
        )
        assert "ollama pull" in expect_error(it).hint


@pytest.mark.parametrize(
    ("environ", "program", "kind", "hint"),
    [
        ({}, False, BackendFault.NOT_INSTALLED, "install and start Ollama"),
        ({}, True, BackendFault.NETWORK, "`ollama serve` starts it"),
        ({"OLLAMA_HOST": "127.0.0.1:1"}, False, BackendFault.NETWORK, "OLLAMA_HOST"),
    ],
)
def test_no_server(
    tmp_path: Path, environ: dict[str, str], program: bool, kind: BackendFault, hint: str
) -> None:
    if program:
        (tmp_path / "ollama").write_text("#!/bin/sh\n")
        (tmp_path / "ollama").chmod(0o755)
    it = backend({"PATH": str(tmp_path), **environ})
    if not environ:  # whatever runs on the machine of whoever runs this
        it._server = OllamaServer("http://127.0.0.1:1")
    problem = it.unreachable()
    assert problem is not None
    assert problem.kind is kind
    assert "no Ollama server answers at http://127.0.0.1:1" in problem.message
    assert hint in problem.hint
    assert it.unavailable() is None, "one that is named is asked, and asked again"


def test_a_server_that_comes_up_later_is_asked(api: FakeLLM) -> None:
    it = backend(base_url="http://127.0.0.1:1")
    assert expect_error(it).kind is BackendFault.NETWORK
    it._server.url = api.url
    assert it.unreachable() is not None, "whoever only chooses does not look again"
    it._api = backend(base_url=api.url)._api
    assert ask(it).text == "fine"


def test_another_server_is_none_of_ollama() -> None:
    with _Tags(None) as url:
        assert OllamaServer(url).state().problem == f"what answers at {url} is no Ollama server (HTTP 404)"


def test_a_server_that_says_nothing_costs_a_second() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        assert OllamaServer(url).state().problem == f"no Ollama server answers at {url}"
        assert time.monotonic() - began < 5


class _Tags:
    """A server with these models (None: one that is no Ollama), of which some only embed."""

    def __init__(self, models: list[str] | None, embedding: list[str] | None = None) -> None:
        import json

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(None if models is None else {"models": [{"name": name} for name in models]})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
                kind = "embedding" if asked in (embedding or ()) else "completion"
                self.answer({"capabilities": [kind]})

            def answer(self, document: object) -> None:
                self.send_response(404 if document is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
