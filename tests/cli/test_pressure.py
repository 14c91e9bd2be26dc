"""A server that bears little: it is asked less, and less often, and gets through all the same."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.projects import Project

ALONE = "".join(f"[backends.{name}]\nenabled = false\n" for name in ("claude", "codex", "gemini", "ollama"))
REPLY = json.dumps(
    {"model": "m", "choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}
).encode()


class Narrow(ThreadingHTTPServer):
    """Serves ``bears`` questions at once, each for 50 ms; to any more it says that it is too much.

    It answers none before ``awaited`` have been there at once, or have had 10 s for that.
    """

    request_queue_size = 128

    def __init__(self, bears: int, awaited: int = 0) -> None:
        self.bears = bears
        self.now = 0
        self.most = 0
        self.awaited = awaited
        self.complete = threading.Event()
        self.refused: list[bool] = []
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Narrow

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        server = self.server
        with server.lock:
            fits = server.now < server.bears
            server.refused.append(not fits)
            server.now += fits
            server.most = max(server.most, server.now)
        if fits:
            if server.most >= server.awaited:
                server.complete.set()
            server.complete.wait(10)
            time.sleep(0.05)
            with server.lock:
                server.now -= 1
        self.send_response(200 if fits else 429)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(REPLY)))
        self.end_headers()
        self.wfile.write(REPLY)

    def log_message(self, *_: object) -> None:
        """Nothing: who runs the tests does not care."""


@contextmanager
def narrow(bears: int, awaited: int = 0) -> Iterator[Narrow]:
    with Narrow(bears, awaited) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def settings(server: Narrow, more: str) -> str:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    return f"{ALONE}[backends.api]\ntype = 'openai'\nbase_url = '{url}'\nmodel = 'm'\n{more}\n"


def steps(number: int, more: str = "") -> str:
    return "\n".join(
        f'[[steps]]\nname = "s{n}"\nbackend = "api"\nprompt = "{n}?"\n{more}' for n in range(number)
    )


def test_it_is_asked_less_at_once_until_it_bears_it(project: Project) -> None:
    with narrow(2) as server:
        project.write("lok.toml", settings(server, "max_concurrent = 16"))
        project.workflow("w", "max_parallel = 40\n" + steps(40, "retries = 9\nretry_delay = 50"))
        done = project.lok("run", "w", "--json")
        assert done.code == 0
        assert done.document["usage"]["calls"] == len(server.refused) >= 40  # also those that were refused
        # some 70 questions for 40 answers; with sixteen at once to the end there are more than 150
        assert len(server.refused) < 110


@pytest.mark.parametrize(
    ("more", "text", "most"),
    [
        ("", steps(20), 16),
        (
            "",
            f"[[steps]]\nname = 's'\nbackend = 'api'\nfor_each = {[*range(20)]}\nprompt = '{{{{ item }}}}?'",
            16,
        ),
        ("max_concurrent = 20", steps(20), 20),
        ("", "max_parallel = 5\n" + steps(20), 5),
        ("[defaults]\nmax_parallel = 3", steps(20), 3),
    ],
    ids=["steps", "items", "more places", "workflow", "settings"],
)
def test_its_places_alone_limit_the_questions_unless_max_parallel_is_set(
    project: Project, more: str, text: str, most: int
) -> None:
    with narrow(99, awaited=most) as server:
        project.write("lok.toml", settings(server, more))
        project.workflow("w", text)
        assert project.lok("run", "w").code == 0
        assert (server.most, len(server.refused)) == (most, 20)
        assert server.complete.is_set()


def test_no_more_begin_than_a_minute_may_have(project: Project) -> None:
    with narrow(9) as server:
        project.write("lok.toml", settings(server, "requests_per_minute = 2"))
        project.workflow("w", steps(3, 'timeout = "1s"'))
        with project.started("run", "w") as process:
            deadline = time.monotonic() + 60
            while len(server.refused) < 2 and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(1.5)  # longer than the step's timeout: waiting in line is no part of it
            assert process.poll() is None
            assert server.refused == [False, False]
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "timed out" not in err
