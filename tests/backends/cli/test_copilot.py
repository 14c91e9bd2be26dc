"""What copilot was seen to print, and what of it is an answer."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.backends.cli.copilot import read_copilot
from pytest_lok.backends.cli.transcripts import read_genai_log
from pytest_lok.errors import BackendFault
from tests.backends.cli.test_tools import answer, failure, lines, printed

END = {"type": "result", "exitCode": 0}
CALL = {"toolCallId": "c1", "name": "view", "arguments": {"path": "/etc/hosts"}}
ASKS = {"type": "assistant.message", "data": {"content": "I look.", "toolRequests": [CALL]}}


def says(text: str) -> dict[str, Any]:
    return {"type": "assistant.message", "data": {"content": text, "toolRequests": [], "model": "m1"}}


def looked(**data: Any) -> dict[str, Any]:
    return {"type": "tool.execution_complete", "data": {"toolCallId": "c1", **data}}


NO_TOOL = looked(success=False, error={"code": "failure", "message": "Tool 'create' does not exist."})
DENIED = looked(success=False, error={"code": "denied", "message": "Permission denied because …"})


def test_an_answer() -> None:
    heard = answer(read_copilot(printed("copilot-json")))
    assert (heard.text, heard.model, heard.usage.calls) == ("pong from fake", "m1", 1)


@pytest.mark.parametrize("success", [True, False], ids=["found", "not found"])
def test_an_answer_after_a_look(success: bool) -> None:
    """A file that is not there is an answer of the tool, and no refusal."""
    after = looked(success=success, error=None if success else {"message": "Path does not exist"})
    assert answer(read_copilot(lines(ASKS, after, says("The end\u2028."), END))).text == "The end\u2028."


def test_a_retry_that_went_well_is_no_error() -> None:
    retry = {"type": "model.call_failure", "data": {"statusCode": 500, "errorMessage": "x"}}
    final = {"type": "model.call_final_result", "data": {"result": "success"}}
    assert answer(read_copilot(lines(retry, says("whole"), final, END))).text == "whole"


@pytest.mark.parametrize(
    ("events", "kind", "words"),
    [
        ([ASKS, DENIED, says("a guess"), END], BackendFault.BAD_OUTPUT, "1 use of a tool was denied: view"),
        ([ASKS, NO_TOOL, says("a guess"), END], BackendFault.BAD_OUTPUT, "1 use of a tool was denied: view"),
        ([says("a half"), says("the rest"), END], BackendFault.TRUNCATED, "2 messages"),
        ([ASKS, says("before it looked"), END], BackendFault.BAD_OUTPUT, "a tool"),
        ([says("an answer")], BackendFault.BAD_OUTPUT, "no result"),
        ([says("an answer"), END, END], BackendFault.BAD_OUTPUT, "no result"),
        ([END], BackendFault.BAD_OUTPUT, "no message"),
        ([says("x"), {"type": "result", "exitCode": 1}], BackendFault.CRASHED, "stopped"),
        ([says("x"), {"type": "result"}], BackendFault.CRASHED, "stopped"),
        ([says("x"), {"type": "result", "exitCode": False}], BackendFault.CRASHED, "stopped"),
        (
            [says("x"), {"type": "model.call_final_result", "data": {"result": "http_500"}}, END],
            BackendFault.BAD_OUTPUT,
            "http_500",
        ),
        (
            [{"type": "session.error", "data": {"message": "no such model", "statusCode": 400}}, END],
            BackendFault.BAD_REQUEST,
            "no such model",
        ),
        (
            [{"type": "session.error", "data": {"message": "x", "statusCode": 401}}, says("x"), END],
            BackendFault.AUTH,
            "x",
        ),
        ([says("x"), {"type": "abort", "data": {"reason": "user"}}, END], BackendFault.CRASHED, "user"),
    ],
)
def test_what_is_no_answer(events: list[dict[str, Any]], kind: BackendFault, words: str) -> None:
    error = failure(read_copilot(lines(*events)))
    assert error.kind is kind
    assert words in error.message


def test_an_exit_code_counts_more_than_its_words() -> None:
    assert failure(read_copilot(lines(says("x"), END, exit_code=1))).kind is BackendFault.CRASHED


def test_its_log_tells_how_the_answer_ended() -> None:
    """In the output an answer that a filter has stopped looks like any other."""
    log = '{"gen_ai.response.finish_reasons":["tool_calls"]}\n{"gen_ai.response.finish_reasons":["%s"]}\n'
    assert read_genai_log(log % "stop") is None
    assert read_genai_log("") is None
    stopped = read_genai_log(log % "content_filter")
    assert stopped is not None
    assert stopped.kind is BackendFault.REFUSED
    cut = read_genai_log(log % "length")
    assert cut is not None
    assert cut.kind is BackendFault.TRUNCATED
