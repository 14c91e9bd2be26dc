from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pytest_lok.mcp_server.stdin import InputLines


def lines_of(descriptor: int) -> tuple[list[str], int]:
    """The lines, and how often the end was told."""
    ends: list[None] = []

    async def body() -> list[str]:
        got = [line async for line in InputLines(descriptor, lambda: ends.append(None))]
        await asyncio.sleep(0)
        return got

    return asyncio.run(body()), len(ends)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\n\nb", ["a", "", "b"]),
        ("ü\u2028\n".encode() + b"\xff\n", ["ü\u2028", "\ufffd"]),
        (b"x" * 200_000 + b"\ny\n", ["x" * 200_000, "y"]),
    ],
)
def test_lines_of_a_file(tmp_path: Path, written: bytes, lines: list[str]) -> None:
    (tmp_path / "in").write_bytes(written)
    with (tmp_path / "in").open("rb") as file:
        assert lines_of(file.fileno()) == (lines, 1)


def test_lines_come_one_by_one_and_the_end_is_told_though_nobody_reads() -> None:
    async def body() -> None:
        theirs, ours = os.pipe()
        ended = asyncio.Event()
        lines = InputLines(theirs, ended.set)
        os.write(ours, b'{"a": 1}\n{"b"')
        assert await anext(lines) == '{"a": 1}'
        os.write(ours, b": 2}\nleft\n")
        assert await anext(lines) == '{"b": 2}'
        os.close(ours)
        await asyncio.wait_for(ended.wait(), 20)
        assert await anext(lines) == "left"
        with pytest.raises(StopAsyncIteration):
            await anext(lines)
        with pytest.raises(StopAsyncIteration):
            await anext(lines)
        os.close(theirs)

    asyncio.run(body())


def test_a_descriptor_that_cannot_be_read_is_at_its_end() -> None:
    theirs, ours = os.pipe()
    assert lines_of(ours) == ([], 1)
    os.close(theirs)
    os.close(ours)
