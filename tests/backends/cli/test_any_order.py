"""Whatever events copilot and droid print in whatever order: an answer has one end, one text and nothing open."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.backends.cli.copilot import read_copilot
from pytest_lok.backends.cli.dialect import CliReply
from pytest_lok.backends.cli.droid import read_droid
from tests.backends.cli.test_tools import lines

# by the word for it: what copilot and what droid print
_EVENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "says": (
        {"type": "assistant.message", "data": {"content": "x", "toolRequests": []}},
        {"type": "message", "role": "assistant", "text": "x"},
    ),
    "asks": (
        {"type": "assistant.message", "data": {"toolRequests": [{"toolCallId": "1", "name": "t"}]}},
        {"type": "tool_call", "id": "1", "toolName": "t"},
    ),
    "sees": (
        {"type": "tool.execution_complete", "data": {"toolCallId": "1", "success": True}},
        {"type": "tool_result", "id": "1", "isError": False},
    ),
    "denied": (
        {"type": "tool.execution_complete", "data": {"toolCallId": "1", "error": {"code": "denied"}}},
        {"type": "tool_result", "id": "1", "isError": True, "error": {"message": "not permitted"}},
    ),
    "fails": (
        {"type": "session.error", "data": {"message": "boom"}},
        {"type": "error", "message": "boom"},
    ),
    "ends": ({"type": "result", "exitCode": 0}, {"type": "completion", "finalText": "x"}),
    "chatter": ({"type": "session.info", "data": {}}, {"type": "message", "role": "user", "text": "q"}),
}
_WORDS = st.lists(st.sampled_from(list(_EVENTS)), max_size=7)
_GOOD = st.permutations(["chatter"]).map(lambda it: [*it, "asks", "sees", "says", "ends"])


def is_open(words: list[str]) -> bool:
    """Whether the last call has no result."""
    calls = [word for word in words if word in ("asks", "sees", "denied")]
    return bool(calls) and calls[-1] == "asks"


@given(_WORDS | _GOOD, st.sampled_from([0, 0, 1]))
def test_an_answer_of_copilot(words: list[str], code: int) -> None:
    heard = read_copilot(lines(*(_EVENTS[word][0] for word in words), exit_code=code))
    good = (
        not code
        and words.count("ends") == 1
        and not {"says", "asks", "sees"} & set(words[words.index("ends") :])
        and words.count("says") == 1
        and not {"denied", "fails"} & set(words)
        and not is_open(words)
    )
    assert isinstance(heard, CliReply) is good


@given(_WORDS | _GOOD, st.sampled_from([0, 0, 1]))
def test_an_answer_of_droid(words: list[str], code: int) -> None:
    heard = read_droid(lines(*(_EVENTS[word][1] for word in words), exit_code=code))
    after = words
    for tool in ("asks", "sees", "denied"):
        after = after[len(after) - after[::-1].index(tool) :] if tool in after else after
    good = (
        not code
        and words.count("ends") == 1
        and words[-1] == "ends"
        and after.count("says") <= 1
        and not {"denied", "fails"} & set(words)
        and not is_open(words)
    )
    assert isinstance(heard, CliReply) is good
