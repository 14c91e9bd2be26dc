"""Many questions at once: to an HTTP server against bare sockets, and to a tool against a shell's own loop.

Servers and clients are processes of their own (``python -m benchmarks.http ROLE ...``), so that each
has a core, and a peak of memory, to itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from benchmarks.measure import Row, paired, spend
from pytest_lok.engine.ports import Backend, Prompt

ASKS = 1000
TAKES = 0.2  # seconds the server takes for each
PROCESSES = 50
_TEXT = "word " * 400
_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": _TEXT}], "stream": True}).encode()
_REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
_ANSWER = json.dumps(
    {
        "model": "m",
        "choices": [{"message": {"content": _TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 400},
    }
).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def rows() -> Iterator[Row]:
    """Wall time, memory and how many were really asked at once."""
    group = f"{ASKS} HTTP questions at once, answered after {TAKES * 1000:.0f} ms"
    with server() as url:
        pairs = [(child("bare", url), child("lok", url)) for _ in range(5)]
        together = child("together", url)["most"]
    for what, key, goal in (("wall time", "wall", 1.5), ("wall time, connections reused", "again", 1.5)):
        ratio = median(ours[key] / bare[key] for bare, ours in pairs)
        yield Row(group=group, what=f"{what}: lok / bare sockets", ratio=ratio, goal=goal)
    memory = median(ours["memory"] for _, ours in pairs)
    yield Row(
        group=group,
        what="peak memory above start: lok / bare sockets",
        ratio=memory / median(bare["memory"] for bare, _ in pairs),
        note=f"{memory:.0f} MB",
    )
    yield Row(
        group=group,
        what="questions / how many are in flight together",
        ratio=ASKS / together,
        goal=1,
        note="by a server that answers nobody before all have asked",
    )
    with tempfile.TemporaryDirectory() as name:
        yield from tools(Path(name))


def tools(root: Path) -> Iterator[Row]:
    """A tool asked often at once, through the whole of lok's runner."""
    tool = root / "tool"
    tool.write_text("#!/bin/sh\ncat > /dev/null\nsleep 0.3\necho an answer\n")
    tool.chmod(0o755)
    loop = f"for i in $(seq {PROCESSES}); do echo question | {shlex.quote(str(tool))} > out.$i & done; wait"
    yield Row(
        group=f"wall time of a tool asked {PROCESSES} times at once",
        what="lok / a shell's loop",
        ratio=paired(
            lambda: float(child("tools", str(tool))["wall"]),
            lambda: spend(["sh", "-c", loop], cwd=root).wall,
            runs=5,
        ),
        goal=1.3,
        note="the tool sleeps 300 ms",
    )


# --- the server


class _Answering(asyncio.Protocol):
    """Answers each request after a while, or below /together when all have come."""

    waiting: ClassVar[list[_Answering]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.coming = bytearray()

    def data_received(self, data: bytes) -> None:
        self.coming += data
        head, found, rest = self.coming.partition(b"\r\n\r\n")
        if not found or len(rest) < length(head):
            return
        self.coming.clear()
        if not head.startswith(b"POST /together"):
            asyncio.get_running_loop().call_later(TAKES, self.answer)
            return
        self.waiting.append(self)
        if len(self.waiting) == ASKS:
            for one in self.waiting:
                one.answer()
            self.waiting.clear()

    def answer(self) -> None:
        self.transport.write(_HEAD % len(_ANSWER) + _ANSWER)


def length(head: bytes | bytearray) -> int:
    """Of the body, as its head says."""
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


async def serve() -> None:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(_Answering, "127.0.0.1", 0, backlog=ASKS)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.http", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


# --- the clients


def child(*arguments: str) -> dict[str, float]:
    """What a client, in a process of its own, has measured."""
    command = [sys.executable, "-m", "benchmarks.http", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


async def measured(ask_all: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Seconds of asking everything at once, then of asking it again, and MB above the start."""
    before = _peak()
    walls = []
    for _ in range(2):
        began = time.perf_counter()
        await ask_all()
        walls.append(time.perf_counter() - began)
    return {"wall": walls[0], "again": walls[1], "memory": _peak() - before}


def _peak() -> float:
    """The most memory this process has had, in MB."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    status = Path("/proc/self/status").read_text()  # ru_maxrss remembers whoever started this process
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


class _Asking(asyncio.Protocol):
    """One bare connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(self) -> asyncio.Future[bytes]:
        self.coming = bytearray()
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(_REQUEST + _BODY)
        return self.done

    def data_received(self, data: bytes) -> None:
        self.coming += data
        head, found, rest = self.coming.partition(b"\r\n\r\n")
        if found and len(rest) == length(head):
            self.done.set_result(bytes(rest))


async def bare(url: str) -> dict[str, float]:
    """The floor: a connection each, no HTTP library."""
    loop = asyncio.get_running_loop()
    idle: list[_Asking] = []

    async def one() -> None:
        if idle:
            protocol = idle.pop()
        else:
            _, protocol = await loop.create_connection(_Asking, "127.0.0.1", int(url.rpartition(":")[2]))
        assert json.loads(await protocol.ask())["choices"]
        idle.append(protocol)

    return await measured(lambda: asyncio.gather(*(one() for _ in range(ASKS))))


async def lok(url: str) -> dict[str, float]:
    """A backend as it is wired, asked directly."""
    backend, prompt = asking(f"{url}/v1")
    await backend.ask(prompt)  # imports what it needs

    async def one() -> None:
        assert (await backend.ask(prompt)).usage.tokens == 800

    result = await measured(lambda: asyncio.gather(*(one() for _ in range(ASKS))))
    await backend.aclose()
    return result


async def together(url: str) -> dict[str, float]:
    """How many questions get an answer where nobody does before all have asked."""
    backend, prompt = asking(f"{url}/together")
    replies = await asyncio.gather(*(backend.ask(prompt) for _ in range(ASKS)))
    await backend.aclose()
    return {"most": len(replies)}


def asking(url: str) -> tuple[Backend, Prompt]:
    """A backend that speaks to a server, and what to ask it."""
    from pytest_lok.backends.http.backend import HttpBackend
    from pytest_lok.backends.http.client import HttpClient
    from pytest_lok.backends.http.endpoint import HttpConfig
    from pytest_lok.backends.http.openai import CHAT

    backend = HttpBackend("it", HttpConfig(base_url=url, model="m"), CHAT, http=HttpClient({}), environ={})
    return backend, Prompt(text=_TEXT, timeout=60)


async def ask_tool(path: str) -> dict[str, float]:
    """A tool as it is wired, asked directly."""
    from pytest_lok.backends.cli.backend import CliConfig, CommandBackend
    from pytest_lok.workspace.processes.runner import LocalProcesses

    root = Path(path).parent
    run = LocalProcesses(root, {}).launch
    backend = CommandBackend("it", CliConfig(command=path), run=run, workspace=root, environ=dict(os.environ))
    began = time.perf_counter()
    replies = await asyncio.gather(*(backend.ask(Prompt(text="question")) for _ in range(PROCESSES)))
    assert {reply.text for reply in replies} == {"an answer"}
    return {"wall": time.perf_counter() - began}


def main(role: str, *arguments: str) -> None:
    """What one of the processes does."""
    if role == "serve":
        asyncio.run(serve())
    else:
        roles = {"bare": bare, "lok": lok, "together": together, "tools": ask_tool}
        print(json.dumps(asyncio.run(roles[role](*arguments))))


if __name__ == "__main__":
    main(*sys.argv[1:])
