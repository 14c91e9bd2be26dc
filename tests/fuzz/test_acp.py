"""Turns of an agent in any order, with any trouble in them: an answer is whole, or there is none.

The oracle knows how the turn was made: what was put into it, and how it ended.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.backends.acp.conversation import AcpConversation
from pytest_lok.backends.cli.dialect import AgentQuestion, CliReply
from pytest_lok.engine.ports import Completed
from tests.fuzz import examples

Message = dict[str, Any]


def line(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def told(session: str = "s", **update: Any) -> bytes:
    return line(method="session/update", params={"sessionId": session, "update": update})


def said(text: str, session: str = "s") -> bytes:
    return told(session, sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})


def asked(number: int, method: str) -> bytes:
    return line(id=f"a{number}", method=method, params={"toolCall": {"title": "Edit"}, "options": []})


@dataclass(frozen=True)
class Piece:
    """Bytes of a turn. ``text`` belongs to the answer, ``asks`` is refused, ``breaks`` ends it with an error."""

    data: bytes
    text: str = ""
    asks: bool = False
    breaks: bool = False


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
GOOD = st.one_of(
    TEXTS.map(lambda text: Piece(said(text), text=text)),
    st.sampled_from(
        [
            Piece(told(sessionUpdate="agent_thought_chunk", content={"type": "text", "text": "VERDICT: ok"})),
            Piece(told(sessionUpdate="tool_call", toolCallId="t", title="Read", kind="read")),
            Piece(told(sessionUpdate="tool_call_update", toolCallId="t", status="failed")),
            Piece(told(sessionUpdate="of another day", content={"type": "text", "text": "ok"})),
            Piece(line(method="of/another/day", params={"stopReason": "end_turn"})),
            Piece(asked(0, "of/another/day")),
            Piece(b"\n"),
            Piece(b" \r\n"),
        ]
    ),
)
ASKS = st.builds(
    lambda number, method: Piece(asked(number, method), asks=True),
    st.integers(0, 9),
    st.sampled_from(["session/request_permission", "fs/read_text_file", "terminal/create", "session/y"]),
)
BREAKS = st.one_of(
    st.integers(-2, 9).filter(lambda it: it != 3).map(lambda it: line(id=it, result={"stopReason": "end_turn"})),
    st.text("{[}]\"':,0e.x ", min_size=1, max_size=12).filter(lambda it: bool(it.strip())).map(lambda it: it.encode() + b"\n"),
    st.sampled_from(
        [
            b"\xff\n",
            said("of another session", "s2"),
            told(sessionUpdate="agent_message_chunk", content={"type": "image", "data": "x"}),
            told(sessionUpdate="agent_message_chunk", content={"type": "text"}),
            told(sessionUpdate="tool_call", toolCallId="t", title="Edit", kind="edit", status="completed"),
            line(id=None, error={"code": -32700, "message": "Parse error"}),
            line(id=3, error={"code": -32603, "message": "oops"}),
            line(id=3, result=None),
            line(id=3, result=["end_turn"]),
            line(id="3", result={"stopReason": "end_turn"}),
            line(id=3, result={"stopReason": "max_tokens"}),
            line(id=3, result={}),
            b'{"jsonrpc": "2.0", "id": 3, "result": {"stopReason": "refusal", "stopReason": "end_turn"}}\n',
            b'{"id": 3, "result": {"stopReason": "end_turn"}}\n',
        ]
    ),
).map(lambda data: Piece(data, breaks=True))  # fmt: skip
ENDINGS = st.sampled_from(
    [*["end_turn"] * 4, "max_tokens", "refusal", "cancelled", "max_turn_requests", "stop", "", None, 1]
)
OPENING = line(id=1, result={"protocolVersion": 1}) + line(id=2, result={"sessionId": "s"})


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(marks)]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.one_of(GOOD, GOOD, GOOD, ASKS, BREAKS), max_size=8),
    ENDINGS,
    st.booleans(),
    st.integers(0, 40),
    st.sampled_from([b"", b"", b"Terminated\n", said("more")]),
    st.lists(st.integers(0, 5_000), max_size=6),
)
def test_an_answer_is_whole_or_there_is_none(
    pieces: list[Piece], ending: object, allowed: bool, lost: int, after: bytes, places: list[int]
) -> None:
    end = line(id=3, result={"stopReason": ending})
    turn = OPENING + b"".join(piece.data for piece in pieces) + end
    # the process may die before it has written all
    written = turn[: len(turn) - max(0, lost - 30)] + (after if lost <= 30 else b"")
    talk = AcpConversation(AgentQuestion(text="?", model="", directory="/x", allow_refusals=allowed))
    answers = [talk.receive(data) for data in cut(written, places)]
    result = talk.result(Completed(exit_code=0, stdout="", stderr="", seconds=1))

    refused = any(piece.asks for piece in pieces) and not allowed
    broken = any(piece.breaks for piece in pieces) or lost > 30
    went_on = lost <= 30 and after == said("more")
    whole = ending == "end_turn" and not refused and not broken and not went_on
    assert isinstance(result, CliReply) == whole, (result, written)
    if isinstance(result, CliReply):
        text = "".join(piece.text for piece in pieces)
        # paragraphs begin at tools and thoughts, and nothing else is added or lost
        assert result.text.replace("\n\n", "") == text.replace("\n\n", "")
        said_back = b"".join(filter(None, answers)).count(b'"a')
        # what is said with the end itself is answered by it
        assert said_back <= sum(b'"id": "a' in piece.data for piece in pieces)
