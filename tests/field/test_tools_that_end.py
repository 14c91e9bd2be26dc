"""What command line tools print is an answer only if it ended well and nothing in it tells of trouble."""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.projects import Done, Project
from tests.field.test_endings import answers, says_no


def tool(project: Project, name: str, *events: Any, then: str = "", reads: str = "cat > /dev/null") -> None:
    """A stand-in for a command line tool, first on PATH, that prints these events or texts."""
    said = "\n".join(it if isinstance(it, str) else json.dumps(it) for it in events)
    file = project.write(f"bin/{name}", f"#!/bin/sh\n{reads}\nprintf '%s\\n' {shlex.quote(said)}\n{then}\n")
    file.chmod(0o755)
    project.environ["PATH"] = f"{project.root / 'bin'}:{project.environ['PATH']}"


def asked(project: Project, name: str, *events: Any, **more: str) -> Done:
    tool(project, name, *events, **more)
    return project.lok("ask", "-b", name, "--no-cache", "hi")


def result(**more: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": "fine", **more}


def assistant(text: str, **more: Any) -> dict[str, Any]:
    model = more.pop("model", "m")
    return {
        "type": "assistant",
        "message": {"model": model, "content": [{"type": "text", "text": text}]},
        **more,
    }


LIMITED = {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected"}}


# --- claude


@pytest.mark.parametrize(
    "events",
    [
        [LIMITED, result(result="usage limit reached|1755772800", usage={"output_tokens": 0})],
        [result(result="usage limit reached|1755772800", usage={"input_tokens": 10, "output_tokens": 0})],
        [LIMITED, result(result="usage limit reached|1755772800")],
    ],
)
def test_a_rate_limits_banner_is_no_answer(project: Project, events: list[Any]) -> None:
    says_no(asked(project, "claude", *events), "usage limit reached|1755772800", "ask again later")


@pytest.mark.parametrize("status", ["allowed", "allowed_warning"])
def test_a_limit_that_still_allows_passes(project: Project, status: str) -> None:
    event = {"type": "rate_limit_event", "rate_limit_info": {"status": status}}
    answers(asked(project, "claude", event, assistant("fine"), result(usage={"output_tokens": 1})), "fine")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (result(subtype="error_max_turns", result="so far"), "ran out of turns"),
        ({"type": "result", "subtype": "error_max_turns", "result": "so far"}, "ran out of turns"),
        (result(subtype="error_of_tomorrow"), "error_of_tomorrow"),
        (result(subtype="error_max_budget_usd", result=None), "the budget of the tool is used up"),
        (result(terminal_reason="max_turns"), "ran out of turns"),
        (result(terminal_reason="api_error"), "api_error"),
        (result(terminal_reason="aborted_tools"), "aborted_tools"),
        (result(terminal_reason="a_new_one"), "a_new_one"),
        (result(stop_reason="pause_turn"), "pause_turn"),
        (result(stop_reason="a_new_one"), "a_new_one"),
        (
            result(
                subtype="error_during_execution", is_error=True, errors=["No conversation found with that id"]
            ),
            "claude: No conversation found with that id",
        ),
        (result(is_error=True, result="", num_turns=1), "claude reported an error and gave no reason"),
        (result(is_error="yes"), "fine"),
        ({"type": "result", "result": "fine"}, "does not know"),
        (result(queued_turn_count=1), "another turn"),
    ],
)
def test_a_result_that_is_no_success_is_an_error_in_its_words(
    project: Project, said: dict[str, Any], words: str
) -> None:
    says_no(asked(project, "claude", said), words)


@pytest.mark.parametrize(
    "event",
    [
        assistant("API Error: Connection error.", model="<synthetic>", is_api_error_message=True),
        assistant("API Error: Connection error.", isApiErrorMessage=True),
        assistant("API Error: Connection error.", model="<synthetic>"),
        assistant("API Error: Connection error.", error="server_error"),
        {"type": "error", "error": {"message": "API Error: Connection error."}},
    ],
)
def test_the_failure_of_the_api_is_no_answer_although_the_result_repeats_it(
    project: Project, event: dict[str, Any]
) -> None:
    project.workflow(
        "w",
        '[[steps]]\nname = "s"\nbackend = "claude"\nprompt = "x"\nassert = ["not contains(output, \'BLOCK\')"]\n',
    )
    tool(project, "claude", event, result(result="API Error: Connection error.", stop_reason="end_turn"))
    says_no(project.lok("run", "w"), "API Error: Connection error.")


def test_a_denied_tool_is_an_error_that_names_it(project: Project) -> None:
    denial = {"tool_name": "Read", "tool_use_id": "t", "tool_input": {"file_path": "a.py"}}
    done = asked(project, "claude", result(result="No bugs found.", permission_denials=[denial]))
    says_no(done, "1 use of a tool was denied: Read a.py")


@pytest.mark.parametrize(
    "events",
    [
        [result(result="first"), result(result="second")],
        [result(), assistant("and another thing")],
        [{"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t1"}]}}, result()],
    ],
)
def test_what_is_not_over_is_no_answer(project: Project, events: list[Any]) -> None:
    says_no(asked(project, "claude", *events))


def test_hooks_retries_banners_and_answered_tools_are_passed_over(project: Project) -> None:
    use = {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t1", "name": "Read"}]}}
    got = {
        "type": "user",
        "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True}]},
    }
    retry = {
        "type": "system",
        "subtype": "api_retry",
        "attempt": 1,
        "error_status": 529,
        "error": "overloaded",
    }
    hook = {"type": "system", "subtype": "hook_response", "stderr": "error: nothing"}
    last = result(
        stop_reason="end_turn",
        terminal_reason="completed",
        permission_denials=[],
        errors=[],
        queued_turn_count=0,
    )
    answers(
        asked(project, "claude", "Welcome!", retry, use, got, assistant("fine"), last, hook, "Bye"), "fine"
    )


# --- 2.11


def test_a_finished_result_is_taken_although_its_process_stays(project: Project) -> None:
    tool(project, "claude", result(), then="exec sleep 300")
    began = time.monotonic()
    answers(project.lok("ask", "--timeout", "20", "-b", "claude", "hi"), "fine")
    assert time.monotonic() - began < 15


def test_an_error_that_stays_is_taken_too(project: Project) -> None:
    done = asked(project, "claude", result(is_error=True, result="broken"), then="exec sleep 300")
    says_no(done, "broken")


def test_a_turn_that_goes_on_is_waited_for(project: Project) -> None:
    again = shlex.quote(json.dumps(assistant("more")))
    tool(project, "claude", result(result="first"), then=f"echo {again}\nexec sleep 300")
    says_no(project.lok("ask", "--timeout", "3", "-b", "claude", "hi"), "within 3 s")


# --- codex, gemini

TURN = {"type": "turn.started"}
DONE = {"type": "turn.completed", "usage": {"output_tokens": 1}}


def message(text: str) -> dict[str, Any]:
    return {"type": "item.completed", "item": {"type": "agent_message", "text": text}}


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([TURN, message("half"), DONE, TURN, message("more")], "completed turn"),
        ([TURN, message("half"), DONE, TURN], "completed turn"),
        ([TURN, DONE, message("late")], "completed turn"),
        ([TURN, message("half"), {"type": "error", "message": "stream error"}, DONE], "stream error"),
        ([TURN, message("half"), {"type": "turn.aborted"}, DONE], "turn.aborted"),
        ([TURN, message("half"), {"type": "thread.failed", "error": {"message": "gone"}}, DONE], "gone"),
        (
            [TURN, {"type": "item.completed", "item": {"type": "command_execution", "command": "rm x", "status": "declined"}},
             message("No bugs."), DONE],
            "1 use of a tool was declined: command_execution rm x",
        ),
        (
            [TURN, {"type": "turn.failed", "error": {"message": "stream disconnected before completion: "
             "Incomplete response returned, reason: content_filter"}}],
            "reword the prompt",
        ),
    ],
)  # fmt: skip
def test_codexs_turn_has_to_be_completed_after_its_last_message(
    project: Project, events: list[Any], words: str
) -> None:
    says_no(asked(project, "codex", *events), words)


def test_codexs_retries_before_a_good_answer_are_passed_over(project: Project) -> None:
    notice = {"type": "error", "message": "Reconnecting... 1/5 (high demand)"}
    item = {"type": "item.completed", "item": {"type": "error", "message": "Model metadata not found"}}
    answers(asked(project, "codex", item, TURN, notice, message("fine"), DONE), "fine")


SAID = {"type": "message", "role": "assistant", "content": "fine", "delta": True}
GOOD = {"type": "result", "status": "success", "stats": {"output_tokens": 1}}


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([SAID, {"type": "error", "severity": "warning", "message": "Agent execution blocked: no"}, GOOD], "blocked"),
        ([SAID, {**GOOD, "status": "cancelled"}], "cancelled"),
        ([SAID, GOOD, SAID], "result"),
        ([SAID, GOOD, GOOD], "result"),
        ([{"type": "tool_use", "tool_id": "t", "tool_name": "glob"}, SAID, GOOD], "tool"),
        (
            [{"type": "tool_use", "tool_id": "t", "tool_name": "read_file", "parameters": {"file_path": "/etc/x"}},
             {"type": "tool_result", "tool_id": "t", "status": "error",
              "error": {"type": "invalid_tool_params", "message": "Path not in workspace: /etc/x"}}, SAID, GOOD],
            "1 use of a tool was denied: read_file /etc/x",
        ),
    ],
)  # fmt: skip
def test_geminis_success_is_none_where_something_else_is_told(
    project: Project, events: list[Any], words: str
) -> None:
    says_no(asked(project, "gemini", *events), words)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ('"length"', "cut at its longest length"), ('"content_filter"', "content filter"),
        ('"stop"', ""), ('"error"', "the server broke off"), ('"tomorrow"', "tomorrow"),
    ],
)  # fmt: skip
def test_what_geminis_log_tells_of_an_answer_counts(project: Project, reasons: str, words: str) -> None:
    """It prints "success" for an answer that was cut or filtered."""
    logged = '{"attributes": {"finish_reasons": [' + reasons + '], "role": "main"}}'
    helper = '{"attributes": {"finish_reasons": ["length"], "role": "utility_router"}}'
    write = f"printf '%s\\n' {shlex.quote(helper)} {shlex.quote(logged)} > .gemini/telemetry.log"
    done = asked(project, "gemini", SAID, GOOD, then=write)
    if words:
        says_no(done, words)
    else:
        answers(done, "fine")


def test_the_line_that_says_what_is_missing_is_told(project: Project) -> None:
    why = "When using Gemini API, you must specify the GEMINI_API_KEY environment variable."
    says_no(
        asked(
            project,
            "gemini",
            then=f"echo '{why}' >&2; echo 'Update your environment and try again' >&2; exit 41",
        ),
        why,
        "sign in",
    )


# --- any command


def command(project: Project, script: str, more: str = "") -> Done:
    project.write(
        "lok.toml",
        f"[backends.q]\ntype = \"command\"\ncommand = \"sh\"\nargs = ['-c', '''{script}''']\n{more}\n",
    )
    return project.lok("ask", "-b", "q", "--no-cache", "hi")


def test_an_empty_answer_tells_what_is_on_stderr(project: Project) -> None:
    says_no(
        command(project, "cat > /dev/null; echo quota exhausted >&2"),
        "gave an empty answer",
        "quota exhausted",
    )


@pytest.mark.parametrize("reads", ["", "head -c 5 > /dev/null;", "read line;"])
def test_a_command_that_did_not_read_its_prompt_has_not_answered(project: Project, reads: str) -> None:
    project.write(
        "lok.toml",
        f"[backends.q]\ntype = \"command\"\ncommand = \"sh\"\nargs = ['-c', '{reads} echo fine']\n",
    )
    prompt = project.write("prompt", "a\n" * 750_000)
    project.workflow("w", '[[steps]]\nname = "p"\nargv = ["cat", "prompt"]\n[[steps]]\nname = "s"\nbackend = "q"\n'
                     'depends_on = ["p"]\nprompt = "{{ steps.p.output }}"\n')  # fmt: skip
    assert prompt.stat().st_size == 1_500_000
    says_no(project.lok("run", "w"), " bytes of its prompt")


@pytest.mark.parametrize(
    "args", ["['-c', 'cat > /dev/null; echo fine']", "['-c', 'cat /dev/stdin > /dev/null; echo fine']", "['-c', 'echo fine', '{prompt}']"]
)  # fmt: skip
def test_a_prompt_that_is_read_or_goes_elsewhere_passes(project: Project, args: str) -> None:
    project.write("lok.toml", f'[backends.q]\ntype = "command"\ncommand = "sh"\nargs = {args}\n')
    answers(project.lok("ask", "-b", "q", "x" * 100_000), "fine")


AIDER = "Aider v0.86.2\nModel: m\n\nThe answer.\n\nTokens: 12 sent, 3 received.\n"
PATTERNS = "fail_on = '(?m)^litellm\\.\\w*Error'\nanswer = '(?s)Model: [^\\n]*\\n(.*?)\\nTokens:'\n"


def test_a_tool_that_exits_with_0_when_it_failed_is_known_by_fail_on(project: Project) -> None:
    says = 'cat > /dev/null; echo "Aider v0.86.2"; echo "litellm.APIConnectionError: Connection refused" >&2'
    says_no(command(project, says, PATTERNS), "q: litellm.APIConnectionError: Connection refused")


def test_the_answer_is_cut_out_of_a_banner(project: Project) -> None:
    answers(
        command(project, f'cat > /dev/null; printf "{AIDER}"'.replace("\n", "\\n"), PATTERNS), "The answer."
    )


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("nothing of the kind", "matches nothing"),
        (AIDER + AIDER.replace("The", "Another"), "2 different texts"),
    ],
)
def test_output_without_the_one_answer_is_an_error(project: Project, printed: str, words: str) -> None:
    says_no(command(project, f'cat > /dev/null; printf "{printed}"'.replace("\n", "\\n"), PATTERNS), words)


@pytest.mark.parametrize("pattern", ["fail_on = '^(a|a)*$'", "answer = '^((?:a|a)*)$'"])
def test_a_pattern_that_takes_for_ever_is_an_error(project: Project, pattern: str) -> None:
    says_no(command(project, "cat > /dev/null; echo " + "a" * 60 + "!", pattern), "took more than")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("fail_on = '('", "`backends.q.fail_on` is no regular expression"),
        ("answer = 'x'", "`backends.q.answer` needs one group"),
        ("answer = '(x)(y)'", "`backends.q.answer` needs one group"),
    ],
)
def test_a_wrong_pattern_is_a_mistake_of_the_settings(project: Project, more: str, words: str) -> None:
    done = command(project, "cat", more)
    assert done.code == 2
    assert words in done.err
    assert "lok.toml:5" in done.err


def test_colours_are_no_part_of_an_answer_or_a_reason(project: Project) -> None:
    answers(command(project, 'cat > /dev/null; printf "\\033[91m\\033[1mfine\\033[0m"'), "fine")
    done = command(project, 'cat > /dev/null; printf "\\033[91m\\033[1mError: \\033[0mno" >&2; exit 1')
    says_no(done, "exit code 1: Error: no")


# --- what only an event on the way tells


def stopped(word: str | None, **more: Any) -> dict[str, Any]:
    event = assistant("fine", **more)
    event["message"]["stop_reason"] = word
    return event


USE = {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t1", "name": "Read"}], "stop_reason": "tool_use"}}  # fmt: skip
GOT = {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t1"}]}}


@pytest.mark.parametrize("last", [result(), result(stop_reason=None), result(stop_reason="end_turn")])
@pytest.mark.parametrize(
    "events",
    [
        [stopped("max_tokens")],
        [stopped("refusal")],
        [stopped("model_context_window_exceeded")],
        [stopped("a_word_of_tomorrow")],
        [stopped("tool_use")],
        [stopped("pause_turn")],
        [assistant("fine", stop_reason="max_tokens")],
        [stopped("max_tokens"), stopped("end_turn")],
        [stopped("max_tokens"), stopped(None)],
        [stopped("max_tokens", parent_tool_use_id="t0"), stopped("end_turn")],
        [{"type": "stream_event", "event": {"type": "message_delta", "delta": {"stop_reason": "refusal"}}}, stopped(None)],
    ],
)  # fmt: skip
def test_an_ending_that_only_claudes_message_tells_counts(
    project: Project, events: list[Any], last: dict[str, Any]
) -> None:
    says_no(asked(project, "claude", *events, last))


@pytest.mark.parametrize(
    "events",
    [
        [stopped(None), result()],
        [stopped("end_turn"), result(stop_reason=None)],
        [USE, GOT, stopped("end_turn"), result(stop_reason="end_turn")],
        [USE, GOT, result()],
        [stopped("pause_turn"), stopped("end_turn"), result()],
        [{"type": "stream_event", "event": {"delta": {"stop_reason": "end_turn"}}}, stopped(None), result()],
    ],
)
def test_claudes_messages_that_ended_well_pass(project: Project, events: list[Any]) -> None:
    answers(asked(project, "claude", *events), "fine")


def item(kind: str, what: str, **more: Any) -> dict[str, Any]:
    return {"type": f"item.{kind}", "item": {"id": "item_1", "type": what, **more}}


@pytest.mark.parametrize(
    "events",
    [
        [item("started", what, command="make test", status="in_progress")]
        for what in ("command_execution", "mcp_tool_call", "file_change", "web_search", "a_tool_of_tomorrow")
    ]
    + [
        [item("started", "command_execution"), item("updated", "command_execution")],
        [item("started", "command_execution"), item("completed", "command_execution", status="in_progress")],
        [item("started", "command_execution"), item("completed", "web_search")],
        [item("started", "agent_message", text="No, there is")],
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_codexs_call_that_waits_for_its_result_is_no_end(
    project: Project, events: list[Any], before: bool
) -> None:
    said = [*events, message("fine")] if before else [message("fine"), *events]
    says_no(asked(project, "codex", TURN, *said, DONE), "a call still waits for its result")


def test_codexs_ended_calls_plans_and_thoughts_pass(project: Project) -> None:
    events = [
        item("started", "todo_list"),
        item("started", "command_execution", status="in_progress"),
        item("updated", "command_execution", status="in_progress"),
        item("completed", "command_execution", status="failed", exit_code=1),
        item("started", "reasoning"),
    ]
    answers(asked(project, "codex", TURN, *events, message("fine"), DONE), "fine")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("claude", ['{"type": "result", "subtype": "success", "is_error": true, "is_error": false, "result": "fine"}']),
        ("codex", [TURN, message("fine"), '{"type": "turn.failed", "type": "turn.completed", "usage": {}}']),
        ("gemini", ['{"type": "message", "role": "assistant", "content": "BLOCK", "content": "fine"}',
                    {"type": "result", "status": "success", "stats": {"output_tokens": 1}}]),
    ],
)  # fmt: skip
def test_an_event_of_a_tool_that_says_a_thing_twice_is_no_answer(
    project: Project, name: str, lines: list[Any]
) -> None:
    says_no(asked(project, name, *lines), "a key twice")


@pytest.mark.parametrize(
    "printed",
    [
        r"\rError: quota\r\nfine", r"\357\273\277Error: quota\nfine", r"..\rError: quota", r"\033[2K\rError: quota\nfine",
        r"fine\r\nError: quota\r\n", r"\033]0;title\007Error: quota", r"\342\200\213Error: quota", r"\010\010Error: quota",
    ],
)  # fmt: skip
@pytest.mark.parametrize("to", ["", " >&2; echo fine"])
def test_a_line_begins_where_a_terminal_begins_it(project: Project, printed: str, to: str) -> None:
    more = "fail_on = '(?m)^Error: '"
    script = 'cat > /dev/null; printf "' + printed + '"' + to
    says_no(command(project, script, more), "quota")


@pytest.mark.parametrize("printed", [r"The line\r\nNo Error: here\r\n", r"\rworking\rfine", "fine"])
def test_lines_that_begin_otherwise_pass(project: Project, printed: str) -> None:
    done = command(project, f'cat > /dev/null; printf "{printed}"', "fail_on = '(?m)^Error: '")
    assert done.code == 0, done


def test_a_pattern_for_the_output_as_it_was_printed_matches_too(project: Project) -> None:
    says_no(command(project, r'cat > /dev/null; printf "fine\r\n"', "fail_on = 'fine\\r\\n'"))


# --- 10.6


def test_a_call_that_timed_out_was_one(project: Project) -> None:
    project.write("lok.toml", '[backends.m]\ntype = "command"\ncommand = "sleep"\nargs = ["20"]\n')
    project.workflow("w", '[[steps]]\nname = "s"\nprompt = "x"\nbackend = "m"\ntimeout = "0.3s"\n')
    assert project.lok("run", "w", "--json").document["usage"]["calls"] == 1


# --- the blocks of the manual

PAGE = (Path(__file__).parents[2] / "docs" / "backends.md").read_text()
BLOCKS = next(it for it in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[backends.aider]" in it)
SEEN = "Aider v0.86.2\nModel: m with ask edit format\nGit repo: none\nRepo-map: disabled\n"
NEWS = "\n\nhttps://aider.chat/HISTORY.html#release-notes\n"


@pytest.mark.parametrize(
    ("name", "out", "err", "says"),
    [
        ("llm", "The answer.", "", True),
        ("opencode", "The answer.", "", True),
        ("opencode", "", "\033[91m\033[1mError: \033[0mno such model", False),
        ("aider", f"{SEEN}\nThe answer.\n\nTokens: 71 sent, 4 received.", "", True),
        ("aider", f"{SEEN}{NEWS}\nThe answer.\n\nTokens: 71 sent, 4 received.", "", True),
        ("aider", f"{SEEN}\nlitellm.InternalServerError: no\nThe API provider's servers are down", "", False),
        ("aider", f"{SEEN}\nThe answ", "", False),
    ],
)
def test_the_blocks_of_the_manual_read_what_these_tools_print(
    project: Project, name: str, out: str, err: str, says: bool
) -> None:
    project.write("lok.toml", BLOCKS)
    tool(project, name, out, then=f"printf '%b' {shlex.quote(err)} >&2")
    done = project.lok("ask", "-b", name, "--no-cache", "hi", "--trust")
    if says:
        answers(done, "The answer.")
    else:
        says_no(done)
