"""Amazon Bedrock on loopback: ConverseStream, its binary event stream, and a check of signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
import select
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote
from zlib import crc32

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI-example"


def message(kind: str, payload: Any, *, exception: bool = False) -> bytes:
    """One message of an event stream."""
    name = "exception" if exception else "event"
    pairs = {":message-type": name, f":{name}-type": kind, ":content-type": "application/json"}
    headers = b"".join(
        struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for key, value in pairs.items()
    )
    body = json.dumps(payload).encode() if not isinstance(payload, bytes) else payload
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    whole = prelude + struct.pack("!I", crc32(prelude)) + headers + body
    return whole + struct.pack("!I", crc32(whole))


def answer(text: str, stop: str = "end_turn", **usage: int) -> list[bytes]:
    """The messages of a whole answer, in pieces of at most 1000 characters."""
    usage = usage or {"inputTokens": 11, "outputTokens": 7}
    pieces = [text[at : at + 1000] for at in range(0, len(text), 1000)]
    return [
        message("messageStart", {"role": "assistant"}),
        *(
            message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})
            for piece in pieces
        ),
        message("contentBlockStop", {"contentBlockIndex": 0}),
        message("messageStop", {"stopReason": stop}),
        message("metadata", {"usage": usage}),
    ]


@dataclass
class FakeBedrock:
    """The server; ``messages`` are the answer, ``status`` with ``said`` an error instead of it."""

    messages: list[bytes] = field(default_factory=lambda: answer("fine"))
    status: int = 200
    said: str = ""
    hangs: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> FakeBedrock:
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"fake": self, "closing": self._closing})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeBedrock
    closing: threading.Event

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.requests.append({"path": self.path, "body": json.loads(body), "headers": headers})
        if self.fake.hangs:
            while not self.closing.wait(0.02) and not select.select([self.connection], [], [], 0)[0]:
                pass  # until the client goes away
            self.close_connection = True
            return
        status = self.fake.status
        said = json.dumps({"message": self.fake.said}).encode()
        if not headers.get("authorization", "").startswith("Bearer ") and not signed(
            self.path, headers, body
        ):
            status, said = 403, b'{"message": "The request signature we calculated does not match"}'
        data = b"".join(self.fake.messages) if status == 200 else said
        kind = "application/vnd.amazon.eventstream" if status == 200 else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def signed(path: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether a request carries the signature that AWS would compute for it (Signature Version 4)."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != "AWS4-HMAC-SHA256" or not parts.get("Credential", "").startswith(ACCESS):
        return False
    names = parts["SignedHeaders"].split(";")
    canonical = "\n".join(
        [
            "POST",
            quote(path),
            "",
            *(f"{name}:{headers[name]}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = parts["Credential"].split("/", 1)[1]
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{SECRET}".encode()
    for step in [*scope.split("/"), to_sign]:
        key = hmac.digest(key, step.encode(), "sha256")
    return key.hex() == parts["Signature"]
