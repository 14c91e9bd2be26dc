"""A server on loopback that answers as a test says, byte by byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def answering(
    body: str, *, kind: str = "text/event-stream", status: int = 200, held: float = 0.0
) -> Iterator[tuple[str, list[Any]]]:
    """The address of a server that says ``body`` to everybody, and what it was asked.

    It leaves the connection open for ``held`` seconds after that.
    """
    asked: list[Any] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(body.encode())
            self.wfile.flush()
            over.wait(held)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            over.set()
            server.shutdown()
            thread.join(10)


def stream(*events: Any) -> str:
    """Server-sent events; a text is sent as it is."""
    return "".join(f"data: {it if isinstance(it, str) else json.dumps(it)}\n\n" for it in events)
