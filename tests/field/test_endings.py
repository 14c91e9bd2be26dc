"""An answer counts only with an ending that is known to mean that it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.cli.projects import Done, Project
from tests.field.servers import answering, stream

HALF: Mapping[str, Any] = {
    "choices": [{"index": 0, "delta": {"content": "No bugs fou"}, "finish_reason": None}]
}


def ending(why: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": why}]}


def asked(project: Project, body: str, *, dialect: str = "openai", more: str = "", **server: Any) -> Done:
    """What `lok ask` makes of a server's answer."""
    with answering(body, **server) as (url, _):
        project.write(
            "lok.toml",
            f'[backends.g]\ntype = "{dialect}"\nmodel = "m"\nbase_url = "{url}"\napi_key_env = "K"\n{more}',
        )
        project.environ["K"] = "k12345678"
        return project.lok("ask", "-b", "g", "--no-cache", "hi")


def plain(project: Project, document: Any, dialect: str = "openai", **more: Any) -> Done:
    return asked(project, json.dumps(document), dialect=dialect, kind="application/json", **more)


def says_no(done: Done, *words: str) -> None:
    assert done.code == 3, done
    for word in words:
        assert word in done.out + done.err


def answers(done: Done, text: str) -> None:
    assert done.code == 0, done
    assert text in done.out.splitlines()


# --- 2.1


@pytest.mark.parametrize(
    "why",
    [
        "insufficient_system_resource", "abort", "network_error", "sensitive", "max_tokens", "SAFETY", "refusal",
        "model_context_window_exceeded", "guardrail_intervened", "length", "content_filter", "error",
        "a_word_of_tomorrow", "stop!", "stopped",
    ],
)  # fmt: skip
def test_an_answer_that_ended_for_another_reason_is_none_and_the_reason_is_named(
    project: Project, why: str
) -> None:
    says_no(asked(project, stream(HALF, ending(why), "[DONE]")), why)


@pytest.mark.parametrize("why", ["stop", "eos", "end_turn", "STOP"])
def test_the_known_words_for_a_whole_answer_pass(project: Project, why: str) -> None:
    done = asked(project, stream(HALF, ending(why), "[DONE]"))
    answers(done, "No bugs fou")


def test_no_findings_in_a_cut_answer_is_not_nothing_found(project: Project) -> None:
    project.workflow(
        "w",
        '[gate]\nfail_on = "high"\n[[steps]]\nname = "s"\nprompt = "x"\nbackend = "g"\noutput_format = "findings"\n',
    )
    body = stream({"choices": [{"delta": {"content": "[]"}}]}, ending("abort"), "[DONE]")
    with answering(body) as (url, _):
        project.write("lok.toml", f'[backends.g]\ntype = "openai"\nmodel = "m"\nbase_url = "{url}"\n')
        done = project.lok("run", "w")
    assert done.code == 3
    assert "abort" in done.out + done.err


# --- 2.2


@pytest.mark.parametrize(
    "trouble",
    [
        {"finish_reason": "error", "error": {"code": 502, "message": "Upstream idle timeout"}},
        {"finish_reason": "stop", "error": {"code": 502, "message": "Upstream idle timeout"}},
        {"finish_reason": "stop", "message": {"content": "No bugs fou", "error": "Upstream idle timeout"}},
    ],
)
def test_an_error_inside_of_a_choice_is_an_error_in_its_words(
    project: Project, trouble: dict[str, Any]
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "No bugs fou"}, **trouble}
    says_no(plain(project, {"choices": [choice]}), "Upstream idle timeout")


@pytest.mark.parametrize(
    "trouble",
    [
        'event: error\ndata: {"reason": "upstream died"}\n\n',
        'error: {"code": 500, "message": "upstream died"}\n\n',
        'data: {"object": "error", "message": "upstream died"}\n\n',
        'data: {"detail": "upstream died"}\n\n',
        'data: {"message": "upstream died", "code": 500}\n\n',
        'data: {"choices": [], "x_groq": {"error": "upstream died"}}\n\n',
        'data: {"base_resp": {"status_code": 1004, "status_msg": "upstream died"}}\n\n',
        'data: {"success": false, "errors": [{"message": "upstream died"}]}\n\n',
        "upstream died before the headers\n\n",
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_an_error_of_any_shape_beside_a_good_ending_is_an_error(
    project: Project, trouble: str, after: bool
) -> None:
    good = stream(ending("stop"))
    body = stream(HALF) + (good + trouble if after else trouble + good) + stream("[DONE]")
    says_no(asked(project, body), "upstream died")


# --- 2.3

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS: Mapping[str, Any] = {
    "gemini-api": {
        "candidates": [
            {
                "content": {"parts": [{"text": "let me look"}, {"functionCall": {"name": "f", "args": {}}}]},
                "finishReason": "STOP",
            }
        ]
    },
    "openai": {
        "choices": [{"message": {"content": "let me look", "tool_calls": [CALL]}, "finish_reason": "stop"}]
    },
    "anthropic": {
        "type": "message",
        "content": [{"type": "text", "text": "let me look"}, {"type": "tool_use", "name": "f", "input": {}}],
        "stop_reason": "end_turn",
    },
    "ollama": {
        "message": {"content": "let me look", "tool_calls": [{"function": {"name": "f"}}]},
        "done": True,
        "done_reason": "stop",
    },
}


@pytest.mark.parametrize("dialect", CALLS)
def test_a_turn_that_ended_in_a_tool_call_is_no_answer(project: Project, dialect: str) -> None:
    says_no(plain(project, CALLS[dialect], dialect), "stopped for a tool it was not given")


# --- 2.4


def test_done_without_a_reason_is_no_end(project: Project) -> None:
    says_no(asked(project, stream(HALF, "[DONE]")), "did not say how its answer ended")


# --- 2.5


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", stream(HALF, ending("stop"))),
        ("openai", stream(HALF, ending("stop")) + ": keep-alive\n\n" * 3),
        ("gemini-api", stream({"candidates": [{"content": {"parts": [{"text": "No bugs fou"}]}, "finishReason": "STOP"}]})),
    ],
)  # fmt: skip
def test_an_ended_answer_does_not_wait_for_its_connection_to_close(
    project: Project, dialect: str, body: str
) -> None:
    done = asked(project, body, dialect=dialect, more="idle_timeout = 1\n", held=10.0)
    answers(done, "No bugs fou")


def test_silence_before_the_end_is_still_an_error(project: Project) -> None:
    says_no(asked(project, stream(HALF), more="idle_timeout = 0.3\n", held=10.0), "said nothing")


# --- 2.14 and prompts that were cut


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"code": "insufficient_quota", "message": "You exceeded your current quota"}),
        (402, {"message": "Payment required"}),
        (400, {"message": "Your credit balance is too low to access the API"}),
    ],
)
def test_a_used_up_quota_is_not_waited_for(project: Project, status: int, error: Any) -> None:
    project.workflow(
        "w", '[[steps]]\nname = "s"\nprompt = "x"\nbackend = "g"\nretries = 3\nretry_delay = 1\n'
    )
    with answering(json.dumps({"error": error}), kind="application/json", status=status) as (url, said):
        project.write("lok.toml", f'[backends.g]\ntype = "openai"\nmodel = "m"\nbase_url = "{url}"\n')
        done = project.lok("run", "w")
    assert (done.code, len(said)) == (3, 1), done
    assert error["message"] in done.out + done.err
    assert "waiting does not help" in done.out + done.err


def test_a_rate_limit_is_waited_for(project: Project) -> None:
    """Also one that is called a quota, and says for how long."""
    project.workflow(
        "w", '[[steps]]\nname = "s"\nprompt = "x"\nbackend = "g"\nretries = 1\nretry_delay = 1\n'
    )
    error = {"message": "You exceeded your current quota, check your plan and billing. Please retry in 1ms."}
    with answering(json.dumps({"error": error}), kind="application/json", status=429) as (url, said):
        project.write("lok.toml", f'[backends.g]\ntype = "openai"\nmodel = "m"\nbase_url = "{url}"\n')
        done = project.lok("run", "w")
    assert (done.code, len(said)) == (3, 2), done


@pytest.mark.parametrize(
    ("dialect", "document"),
    [
        ("openai", {"choices": [{"message": {"content": "No bugs fou"}, "finish_reason": "stop"}], "truncated": True}),
        ("ollama", {"message": {"content": "No bugs fou"}, "done": True, "done_reason": "stop", "prompt_eval_count": 4096}),
        (
            'openai"\napi = "responses',
            {"object": "response", "status": "completed", "truncation": "auto",
             "output": [{"type": "message", "content": [{"type": "output_text", "text": "No bugs fou"}]}]},
        ),
    ],
)  # fmt: skip
def test_an_answer_to_a_prompt_that_was_cut_is_none(project: Project, dialect: str, document: Any) -> None:
    says_no(plain(project, document, dialect), "cut")


def test_what_says_that_nothing_was_cut_passes(project: Project) -> None:
    choice = {"message": {"content": "fine"}, "finish_reason": "stop", "error": None}
    done = plain(project, {"choices": [choice], "truncated": False, "error": {"code": 0, "message": ""}})
    answers(done, "fine")


# --- what stays


def test_comments_empty_chunks_and_usage_after_the_end_are_passed_over(project: Project) -> None:
    body = (
        ": keep-alive\n\nevent: ping\ndata:\n\n"
        + stream(
            {"choices": [], "prompt_filter_results": [{"content_filter_results": {"error": {"code": 1}}}]}
        )
        + stream(HALF, ending("stop"), {"choices": [], "usage": {"prompt_tokens": 3}}, "[DONE]")
    )
    done = asked(project, body.replace("\n", "\r\n"))
    answers(done, "No bugs fou")


@pytest.mark.parametrize(
    ("key", "message"), [("k", "Name or service not known"), ("ok", "a broken ok, okay")]
)
def test_a_short_key_masks_no_letters_of_messages(project: Project, key: str, message: str) -> None:
    with answering(json.dumps({"error": {"message": message}}), kind="application/json", status=400) as (
        url,
        _,
    ):
        project.write(
            "lok.toml", f'[backends.x]\ntype = "openai"\nmodel = "m"\nbase_url = "{url}"\napi_key_env = "K"\n'
        )
        project.environ["K"] = key
        done = project.lok("ask", "-b", "x", "hi")
    assert message.replace(" ok,", " ***,") in done.out + done.err


# --- what is told beside a good ending


def _choice(content: Any, **more: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop", **more}


TEXT: Mapping[str, Any] = {"type": "text", "text": "No bugs found."}
PHASED: Mapping[str, Any] = {
    "object": "response", "status": "completed",
    "output": [{"type": "message", "phase": "final_answer", "content": [{"type": "output_text", "text": "fine"}]}],
}  # fmt: skip
HIDDEN: Mapping[str, Any] = {"hate": {"filtered": False}, "violence": {"filtered": True, "severity": "high"}}


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (_choice([TEXT, {"type": "refusal", "refusal": "I cannot look at the rest."}]), "I cannot look at the rest."),
        (_choice([TEXT, {"type": "tool_use", "id": "t", "name": "f", "input": {}}]), "stopped for a tool"),
        (_choice([TEXT, {"type": "a_part_of_tomorrow", "text": "x"}]), "a part that is no text"),
        (_choice([TEXT, 3]), "a part that is no text"),
        (_choice({"type": "tool_use"}), "stopped for a tool"),
        (_choice("No bugs found.", stop_reason="max_tokens"), "max_tokens"),
        (_choice("No bugs found.", stop_reason="length"), "length"),
        (_choice("No bugs found.", stop_reason="a_word_of_tomorrow"), "a_word_of_tomorrow"),
        (_choice("No bugs found.", finish_details={"type": "max_tokens"}), "max_tokens"),
        (_choice("No bugs found.", incomplete_details={"reason": "max_output_tokens"}), "max_output_tokens"),
        (_choice("No bugs found.", content_filter_results=HIDDEN), "content filter: violence"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("streamed", [False, True])
def test_a_good_reason_is_none_beside_what_says_otherwise(
    project: Project, choice: dict[str, Any], words: str, streamed: bool
) -> None:
    if streamed:
        choice = dict(choice)
        done = asked(project, stream({"choices": [{"delta": choice.pop("message"), **choice}]}, "[DONE]"))
    else:
        done = plain(project, {"choices": [choice]})
    says_no(done, words)


@pytest.mark.parametrize(
    "choice",
    [
        _choice([TEXT]),
        _choice([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, TEXT]),
        _choice([{"text": "No bugs found."}, {"type": "reference", "reference_ids": [1]}]),
        _choice("No bugs found.", stop_reason=None, native_finish_reason="STOP"),
        _choice("No bugs found.", stop_reason=128009),
        _choice("No bugs found.", stop_reason="end_turn"),
        _choice("No bugs found.", content_filter_results={"hate": {"filtered": False, "severity": "safe"}}),
        _choice("No bugs found.", content_filter_results={"error": {"code": "x", "message": "timeout"}}),
    ],
)
def test_what_says_the_same_as_a_good_reason_passes(project: Project, choice: dict[str, Any]) -> None:
    answers(plain(project, {"choices": [choice]}), "No bugs found.")


@pytest.mark.parametrize(
    ("dialect", "document"),
    [
        ("openai", {"choices": [_choice("No bugs"), _choice(" but one.")]}),
        ("openai", {"choices": ["One bug.", _choice("No bugs")]}),
        ("openai", {"choices": [_choice("No bugs", delta={"content": " but one."})]}),
        ('openai"\napi = "responses', {**PHASED, "output": [*PHASED["output"], *PHASED["output"]]}),
        (
            "gemini-api",
            {"candidates": [{"index": 0, "content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
                            for text in ("No bugs", " but one.")]},
        ),
    ],
)  # fmt: skip
def test_two_answers_of_one_number_are_not_glued_together(
    project: Project, dialect: str, document: Any
) -> None:
    says_no(plain(project, document, dialect), "several answers at once")


@pytest.mark.parametrize(("blocked", "good"), [(True, False), (False, True)])
def test_a_blocked_candidate_is_no_answer(project: Project, blocked: bool, good: bool) -> None:
    rating = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": blocked}
    candidate = {"content": {"parts": [{"text": "fine"}]}, "finishReason": "STOP", "safetyRatings": [rating]}
    done = plain(project, {"candidates": [candidate]}, "gemini-api")
    if good:
        answers(done, "fine")
    else:
        says_no(done, "content filter")


ENDED: Mapping[str, tuple[str, str]] = {
    "openai": (stream(HALF, ending("stop"), "[DONE]"), 'data: {"error": {"message": "upstream died"}}\n\n'),
    "anthropic": (
        stream(
            {"type": "message_start", "message": {"type": "message", "content": []}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "No bugs fou"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        ),
        'event: error\ndata: {"type": "error", "error": {"message": "upstream died"}}\n\n',
    ),
    "ollama": (
        '{"message": {"content": "No bugs fou"}, "done": true, "done_reason": "stop"}\n',
        '{"error": "upstream died"}\n',
    ),
}


@pytest.mark.parametrize("dialect", ENDED)
def test_an_error_after_the_last_event_is_an_error(project: Project, dialect: str) -> None:
    body, error = ENDED[dialect]
    says_no(asked(project, body + error, dialect=dialect), "upstream died")


@pytest.mark.parametrize("dialect", ENDED)
def test_text_after_the_last_event_is_not_left_out(project: Project, dialect: str) -> None:
    body, _ = ENDED[dialect]
    says_no(asked(project, body + body.replace("No bugs fou", "nd: one"), dialect=dialect), "went on after")


@pytest.mark.parametrize("dialect", ENDED)
def test_an_ended_body_passes_with_what_says_nothing_after_it(project: Project, dialect: str) -> None:
    body, _ = ENDED[dialect]
    more = "\n" if dialect == "ollama" else ": bye\n\nevent: ping\ndata:\n\n"
    answers(asked(project, body + more, dialect=dialect), "No bugs fou")


@pytest.mark.parametrize(
    ("dialect", "document"),
    [
        ("ollama", {"message": {"content": "fine", "refusal": "no"}, "done": True, "done_reason": "stop"}),
        ("ollama", {"message": {"content": "fine"}, "done": True, "done_reason": "stop", "stop_reason": "length"}),
        ("ollama", {"message": {"content": [{"type": "x", "text": "fine"}]}, "done": True, "done_reason": "stop"}),
        ("anthropic", {"type": "message", "content": [TEXT], "stop_reason": "end_turn", "stop_details": {"type": "refusal"}}),
    ],
)  # fmt: skip
def test_other_dialects_hide_nothing_either(project: Project, dialect: str, document: Any) -> None:
    says_no(plain(project, document, dialect))


@pytest.mark.parametrize(
    ("dialect", "document"),
    [
        ("anthropic", {"type": "message", "content": [TEXT], "stop_reason": "stop_sequence"}),
        ("openai", {"choices": [_choice("No bugs found.", finish_reason="stop_sequence")]}),
    ],
)
def test_a_stop_at_a_sequence_that_was_not_asked_for_is_no_whole_answer(
    project: Project, dialect: str, document: Any
) -> None:
    says_no(plain(project, document, dialect), "stop_sequence")


def _phased(*phases: tuple[str | None, str]) -> dict[str, Any]:
    output = [
        {"type": "message", "content": [{"type": "output_text", "text": text}], "phase": phase}
        for phase, text in phases
    ]
    return {"object": "response", "status": "completed", "output": output}


RESPONSES = 'openai"\napi = "responses'
PHASES = _phased(("commentary", "No bugs so far."), ("final_answer", "One bug."))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("told", [True, False])
def test_the_final_answer_alone_counts(project: Project, streamed: bool, told: bool) -> None:
    if not streamed:
        done = plain(project, PHASES, RESPONSES)
    else:
        said: list[Any] = []
        for item in PHASES["output"]:
            text = item["content"][0]["text"]
            said += [
                {"type": "response.output_item.added", "item": {**item, "content": []}},
                {"type": "response.output_text.delta", "delta": text},
                {"type": "response.output_item.done", "item": item},
            ]
        last = PHASES if told else {**PHASES, "output": []}
        done = asked(
            project, stream(*said, {"type": "response.completed", "response": last}), dialect=RESPONSES
        )
    answers(done, "One bug.")
    assert "so far" not in done.out


@pytest.mark.parametrize(
    "phases",
    [[("commentary", "No bugs so far.")], [("a_phase_of_tomorrow", "x")], [("a_phase_of_tomorrow", "x"), (None, "y")]],
)  # fmt: skip
def test_a_response_without_a_final_answer_is_none(project: Project, phases: Any) -> None:
    says_no(plain(project, _phased(*phases), RESPONSES))


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", 'data: {"choices": [{"delta": {"content": "fine"}, "finish_reason": "length", "finish_reason": "stop"}]}\n\n'),
        ("ollama", '{"message": {"content": "BLOCK", "content": "fine"}, "done": true, "done_reason": "stop"}\n'),
    ],
)  # fmt: skip
def test_an_event_that_says_a_thing_twice_is_no_answer(project: Project, dialect: str, body: str) -> None:
    says_no(asked(project, body, dialect=dialect), "a key twice")
