"""Qwen Code: how it is called, and what its ``stream-json`` output and its telemetry say."""

from __future__ import annotations

from dataclasses import replace

from pytest_lok.backends import endings
from pytest_lok.backends.cli.claude import escape_slash, read_claude
from pytest_lok.backends.cli.dialect import CliDialect, CliError, CliOption, CliResult, flag
from pytest_lok.backends.cli.transcripts import (
    PLAIN_TERMINAL,
    ending_error,
    error_text,
    json_objects,
    last_event_is,
    read_genai_log,
    reader,
    text_or_empty,
    tool_error,
)
from pytest_lok.backends.json_fields import sum_counters, table
from pytest_lok.core.results import Usage
from pytest_lok.engine.ports import Completed

_LOG = "telemetry.log"


@reader
def read_qwen(done: Completed) -> CliResult:
    """Read the events, which are those of claude, and three things that claude does otherwise.

    An error is a table of its own. After an answer that was cut or broke off the tool asks for the rest and
    puts both together; it says so by a retry that keeps the text. Input tokens count cached ones too.
    """
    events = json_objects(done.stdout)
    results = [event for event in events if event.get("type") == "result"]
    if said := next(filter(None, (error_text(result.get("error")) for result in results)), ""):
        return tool_error(said, done)
    retries = [table(event, "data") for event in events if event.get("subtype") == "retry"]
    if any(retry.get("preserveText") is not False for retry in retries):
        return ending_error(endings.CUT, "it asked its model for the rest")
    result = read_claude(done)
    if isinstance(result, CliError):
        return result
    usage = table(results[-1], "usage")
    models = [text_or_empty(table(event, "message").get("model")) for event in events]
    return replace(
        result,
        model=next(filter(None, reversed(models)), ""),
        usage=Usage(
            calls=1,
            input_tokens=sum_counters(usage, "input_tokens"),
            output_tokens=sum_counters(usage, "output_tokens"),
        ),
    )


QWEN = CliDialect(
    program="qwen",
    install="npm install -g @qwen-code/qwen-code",
    sign_in="run `qwen` once and sign in with /auth",
    version=("--version",),
    options=(
        CliOption(names=("-o", "--output-format"), value="stream-json", fixed=True),
        # Without the user's and the project's hooks, servers, skills, extensions and QWEN.md.
        CliOption(names=("--safe-mode",)),
        # The usual mode lets a model decide which commands run.
        CliOption(names=("--approval-mode",), value="default", fixed=True),
        # Nothing else says that an answer was stopped by a filter.
        CliOption(names=("--telemetry",), fixed=True),
        CliOption(names=("--telemetry-target",), value="local", fixed=True),
        CliOption(names=("--telemetry-outfile",), value=_LOG, fixed=True),
    ),
    access={
        "read": (
            CliOption(names=("--include-directories", "--add-dir"), value="{workspace}", key="{workspace}"),
        ),
        # It has no way to offer no tool; the first call ends it.
        "none": (CliOption(names=("--max-tool-calls",), value="0", fixed=True),),
    },
    model=CliOption(names=("-m", "--model")),
    system=CliOption(names=("--system-prompt",), fixed=True),
    takes={"max_turns": flag("--max-session-turns")},
    env=PLAIN_TERMINAL,
    keys=("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
    private={"read": {}, "none": {}},
    escape_prompt=escape_slash,
    read=read_qwen,
    is_finished=last_event_is("result"),
    log=_LOG,
    read_log=read_genai_log,
)
