"""What droid was seen to print, and what of it is an answer."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.backends.cli.droid import read_droid
from pytest_lok.errors import BackendFault
from tests.backends.cli.test_tools import answer, failure, lines, printed

CALL = {"type": "tool_call", "id": "c1", "toolName": "Create", "parameters": {"file_path": "b.py"}}
LOOKED = {"type": "tool_result", "id": "c1", "isError": False, "value": "x"}
NOT_FOUND = {"type": "tool_result", "id": "c1", "isError": True, "error": {"message": "File not found"}}
REFUSED = {
    "type": "tool_result",
    "id": "c1",
    "isError": True,
    "error": {"type": "tool_error", "message": "Error: Tool Create is not permitted in this exec session."},
}


def says(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "text": text}


def end(text: str) -> dict[str, Any]:
    return {"type": "completion", "finalText": text}


def test_an_answer() -> None:
    heard = answer(read_droid(printed("droid-stream-json")))
    assert (heard.text, heard.model) == ("pong from fake", "m1-0")
    assert (heard.usage.input_tokens, heard.usage.output_tokens) == (111, 7)


@pytest.mark.parametrize("after", [LOOKED, NOT_FOUND], ids=["found", "not found"])
def test_an_answer_after_a_look(after: dict[str, Any]) -> None:
    heard = read_droid(lines(says("I look."), CALL, after, says("The end."), end("The end.")))
    assert answer(heard).text == "The end."


@pytest.mark.parametrize(
    ("events", "kind", "words"),
    [
        ([CALL, REFUSED, says("a guess"), end("a guess")], BackendFault.BAD_OUTPUT, "refused: Create b.py"),
        ([says("a half"), says("the rest"), end("the rest")], BackendFault.TRUNCATED, "2 messages"),
        ([says("one"), end("another")], BackendFault.BAD_OUTPUT, "differs"),
        ([CALL, end("x")], BackendFault.BAD_OUTPUT, "a tool"),
        ([says("x")], BackendFault.BAD_OUTPUT, "no completion"),
        ([says("x"), end("x"), end("x")], BackendFault.BAD_OUTPUT, "no completion"),
        ([says("x"), end("x"), says("more")], BackendFault.BAD_OUTPUT, "no completion"),
        ([{"type": "error", "message": "401 401 invalid api key"}], BackendFault.AUTH, "invalid api key"),
        (
            [{"type": "error", "message": "triggering the content moderation policy"}],
            BackendFault.REFUSED,
            "policy",
        ),
        ([says("x"), {"type": "error"}, end("x")], BackendFault.CRASHED, "an error without words"),
    ],
)
def test_what_is_no_answer(events: list[dict[str, Any]], kind: BackendFault, words: str) -> None:
    error = failure(read_droid(lines(*events)))
    assert error.kind is kind
    assert words in error.message


def test_an_exit_code_counts_more_than_its_words() -> None:
    assert failure(read_droid(lines(says("x"), end("x"), exit_code=1))).kind is BackendFault.CRASHED
