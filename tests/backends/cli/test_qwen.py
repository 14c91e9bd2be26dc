"""What qwen was seen to print, and what of it is an answer."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.backends.cli.qwen import read_qwen
from pytest_lok.backends.cli.transcripts import read_genai_log
from pytest_lok.errors import BackendFault
from tests.backends.cli.test_tools import answer, failure, lines, printed


def result(**more: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": "x", **more}


def retry(**data: Any) -> dict[str, Any]:
    return {"type": "system", "subtype": "retry", "data": {"reason": "retry", **data}}


def failed(message: str) -> dict[str, Any]:
    return {
        "type": "result", "subtype": "error_during_execution", "is_error": True, "error": {"message": message}
    }  # fmt: skip


def test_an_answer() -> None:
    heard = answer(read_qwen(printed("qwen-stream-json")))
    assert (heard.text, heard.model) == ("pong from fake", "m1")
    assert (heard.usage.input_tokens, heard.usage.output_tokens) == (111, 7)


def test_an_attempt_that_was_thrown_away_is_no_error() -> None:
    assert answer(read_qwen(lines(retry(preserveText=False), result()))).text == "x"


@pytest.mark.parametrize(
    ("events", "kind", "words"),
    [
        ([retry(preserveText=True), result()], BackendFault.TRUNCATED, "asked its model for the rest"),
        ([retry(), result()], BackendFault.TRUNCATED, "asked its model for the rest"),
        (
            [
                result(
                    permission_denials=[{"tool_name": "run_shell_command", "tool_input": {"command": "ls"}}]
                )
            ],
            BackendFault.BAD_OUTPUT,
            "1 use of a tool was denied: run_shell_command ls",
        ),
        ([failed("[API Error: 401 invalid api key]")], BackendFault.AUTH, "401"),
        (
            [failed("No auth type is selected. Please configure an auth type")],
            BackendFault.CRASHED,
            "auth type",
        ),
        ([failed("[API Error: 429 rate limit]")], BackendFault.RATE_LIMIT, "429"),
        ([result(is_error=True)], BackendFault.CRASHED, "x"),
        ([result(subtype="a new word")], BackendFault.BAD_OUTPUT, "a new word"),
        ([], BackendFault.BAD_OUTPUT, "no JSON result"),
    ],
)
def test_what_is_no_answer(events: list[dict[str, Any]], kind: BackendFault, words: str) -> None:
    error = failure(read_qwen(lines(*events)))
    assert error.kind is kind
    assert words in error.message


def test_a_call_where_it_may_make_none() -> None:
    said = "Run aborted: tool-call budget of 0 exceeded (--max-tool-calls); observed 1.\n"
    error = failure(read_qwen(lines(exit_code=55, stderr=said)))
    assert "tool-call budget of 0" in error.message


def test_its_log_tells_how_the_answer_ended() -> None:
    """In the output an answer that a filter has stopped looks like any other."""
    log = '"gen_ai.response.finish_reasons": [\n      "%s"\n    ],\n'
    assert read_genai_log(log % "stop") is None
    stopped = read_genai_log(log % "content_filter")
    assert stopped is not None
    assert stopped.kind is BackendFault.REFUSED
    unknown = read_genai_log(log % "a new word")
    assert unknown is not None
    assert unknown.kind is BackendFault.BAD_OUTPUT
