"""The rows: claude, codex and gemini, as they behave today.

Each is called so that it answers one prompt, reads at most, keeps nothing, reports nothing home and
does not wait for a person; and read so that a cut, refused or failed answer is told from a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_lok.backends import faults
from pytest_lok.backends.dialect import Answer, CliDialect, Failure, Heard, Option, crashed
from pytest_lok.core.results import Usage
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault

_TERMINAL = {"NO_COLOR": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects among the lines; banners and warnings between them are passed over.

    Lines end at "\\n" alone: U+2028 stands unescaped inside strings.
    """
    found = []
    for line in text.split("\n"):
        if line.lstrip().startswith("{"):
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append(value)
    return found


def _count(stats: Mapping[str, Any], *names: str) -> int | None:
    """The sum of those of the counters that are reported."""
    values = [stats[name] for name in names if isinstance(stats.get(name), int)]
    return sum(values) if values else None


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}


def _most(models: Mapping[str, Any], counter: str) -> str:
    """The model that wrote the most: small ones may have helped."""
    return max(models, key=lambda name: _count(_part(models, name), counter) or 0, default="")


def _failed(message: str, done: Completed) -> Failure:
    if not message:
        return crashed(done)
    return Failure(kind=faults.of_text(message) or BackendFault.CRASHED, message=message)


def _unreadable(done: Completed, missing: str) -> Failure:
    if done.exit_code:
        return crashed(done)
    return Failure(kind=BackendFault.BAD_OUTPUT, message=f"its output holds no {missing}")


# --- claude


def read_claude(done: Completed) -> Heard:
    """Events by line; the last is the result, and an error is one too, marked by ``is_error``.

    Where an answer gets too long the tool asks for its rest, and the result is the rest alone.
    """
    events = _objects(done.stdout)
    results = [event for event in events if event.get("type") == "result"]
    if not results:
        return _unreadable(done, "JSON result")
    said = results[-1]
    text = str(said.get("result") or "")
    if said.get("is_error") or done.exit_code:
        return _claude_failed(said, text or str(said.get("subtype") or ""), done)
    if said.get("stop_reason") == "max_tokens" or any(map(_asks_for_rest, events)):
        return Failure(kind=BackendFault.TRUNCATED, message="the answer was cut at its longest length")
    if said.get("stop_reason") == "refusal":
        return Failure(kind=BackendFault.REFUSED, message=text or "the model refused")
    usage, cost = _part(said, "usage"), said.get("total_cost_usd")
    return Answer(
        text=text,
        model=_most(_part(said, "modelUsage"), "outputTokens"),
        usage=Usage(
            calls=1,
            input_tokens=_count(
                usage, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"
            ),
            output_tokens=_count(usage, "output_tokens"),
            cost_usd=float(cost) if isinstance(cost, int | float) else None,
        ),
    )


def _asks_for_rest(event: Mapping[str, Any]) -> bool:
    return bool(event.get("isSynthetic")) and "token limit" in json.dumps(event.get("message"))


def _claude_failed(said: Mapping[str, Any], text: str, done: Completed) -> Failure:
    status = said.get("api_error_status")
    if said.get("api_error") == "connection_failed":
        return Failure(kind=BackendFault.NETWORK, message=text)
    if isinstance(status, int) and status not in (400, 404):
        return Failure(kind=faults.of_status(status), message=text)
    if isinstance(status, int):
        return Failure(kind=faults.of_text(text) or BackendFault.BAD_REQUEST, message=text)
    return _failed(text, done)


def _guard_claude(prompt: str) -> str:
    """A first "/" would make it a command of the tool's own, answered without any model."""
    return "\n" + prompt if prompt.lstrip().startswith("/") else prompt


CLAUDE = CliDialect(
    program="claude",
    install="npm install -g @anthropic-ai/claude-code",
    sign_in="run `claude` once and sign in, or set ANTHROPIC_API_KEY",
    version=("--version",),
    options=(
        Option(names=("-p", "--print"), fixed=True),
        Option(names=("--output-format",), value="stream-json", fixed=True),
        Option(names=("--verbose",)),
        Option(names=("--strict-mcp-config",)),
        # In -p it runs the hooks and helpers of any directory's .claude/settings.json unasked.
        Option(names=("--setting-sources",), value="user"),
        Option(names=("--no-session-persistence",)),
    ),
    access={
        "read": (Option(names=("--tools",), value="Read,Grep,Glob"),),
        "none": (Option(names=("--tools",), value="", fixed=True),),
    },
    model=Option(names=("--model",)),
    system=Option(names=("--system-prompt",), fixed=True),
    env={
        **_TERMINAL,
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
        "CLAUDE_CODE_MAX_RETRIES": "2",
    },
    keys=(
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
    ),
    limit=10_000_000,
    guard=_guard_claude,
    read=read_claude,
)


# --- codex


def read_codex(done: Completed) -> Heard:
    """Events by line: the last message counts, and only if the turn was completed after it."""
    text: str | None = None
    failed, complaint, usage = "", "", None
    for event in _objects(done.stdout):
        match event.get("type"):
            case "item.completed" if _part(event, "item").get("type") == "agent_message":
                text = str(_part(event, "item").get("text") or "")
            case "turn.completed":
                usage = _part(event, "usage")
            case "turn.failed":
                failed = str(_part(event, "error").get("message") or "the turn failed")
            case "error":  # a retry's notice, unless nothing better follows
                complaint = str(event.get("message") or "")
    if failed or done.exit_code:
        return _failed(failed or complaint, done)
    if text is None or usage is None:
        return _unreadable(done, "completed turn")
    return Answer(
        text=text,
        usage=Usage(
            calls=1,
            input_tokens=_count(usage, "input_tokens"),
            output_tokens=_count(usage, "output_tokens"),
        ),
    )


def _setting(key: str, value: str) -> Option:
    return Option(names=("-c", "--config"), value=f"{key}={value}", key=f"{key}=")


def _disabled(feature: str) -> Option:
    """As a setting, since an unknown one is only ignored, where ``--disable`` of one is an error."""
    return _setting(f"features.{feature}", "false")


CODEX = CliDialect(
    program="codex",
    install="npm install -g @openai/codex",
    sign_in="run `codex login`, or set CODEX_API_KEY",
    version=("--version",),
    lead="exec",
    options=(
        Option(names=("--json", "--experimental-json"), fixed=True),
        Option(names=("--skip-git-repo-check",)),
        Option(names=("--ephemeral",)),
        _disabled("plugins"),
        _disabled("unbounded_connection_retries"),
        _setting("project_doc_max_bytes", "0"),
        _setting("web_search", '"disabled"'),
        _setting("check_for_update_on_startup", "false"),
        _setting("analytics.enabled", "false"),
    ),
    access={
        "read": (Option(names=("-s", "--sandbox"), value="read-only"),),
        "none": (
            Option(names=("-s", "--sandbox"), value="read-only", fixed=True),
            _disabled("shell_tool"),
            _disabled("view_image"),
            _disabled("multi_agent"),
        ),
    },
    tail=("-",),
    model=Option(names=("-m", "--model")),
    env=_TERMINAL,
    keys=("CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_HOME"),
    limit=1_048_576,
    size=len,
    read=read_codex,
)


# --- gemini


_GEMINI_LONGEST = (8192, 65_535, 65_536)  # tokens; an answer of exactly so many was cut
_GEMINI_EXITS = {41: BackendFault.AUTH, 42: BackendFault.BAD_REQUEST}


def read_gemini(done: Completed) -> Heard:
    """Events by line: what the assistant said after its last tool, if the result says success."""
    text, complaint = "", ""
    result: dict[str, Any] | None = None
    for event in _objects(done.stdout):
        match event.get("type"):
            case "message" if event.get("role") == "assistant":
                text += str(event.get("content") or "")
            case "tool_use" | "tool_result":
                text = ""
            case "error":
                complaint = str(event.get("message") or "")
            case "result":
                result = event
    if "oop detected" in complaint:  # it says success all the same
        return Failure(kind=BackendFault.TRUNCATED, message=complaint)
    if result is None:
        return _gemini_failed(complaint, done) if done.exit_code or complaint else _unreadable(done, "result")
    if result.get("status") != "success" or done.exit_code:
        return _gemini_failed(str(_part(result, "error").get("message") or complaint), done)
    stats = _part(result, "stats")
    if _count(stats, "output_tokens") in _GEMINI_LONGEST:  # nothing else tells
        return Failure(
            kind=BackendFault.TRUNCATED, message="the answer has as many tokens as the model can give"
        )
    return Answer(
        text=text,
        model=_most(_part(stats, "models"), "output_tokens"),
        usage=Usage(
            calls=1,
            input_tokens=_count(stats, "input_tokens"),
            output_tokens=_count(stats, "output_tokens"),
        ),
    )


def _gemini_failed(message: str, done: Completed) -> Failure:
    """Its exit code is its own, or the HTTP status modulo 256."""
    heard = _failed(message, done)
    kind = _GEMINI_EXITS.get(done.exit_code)
    if kind is None and heard.kind is BackendFault.CRASHED:
        status = next(
            (s for s in (400, 401, 403, 429, 500, 502, 503, 504, 529) if s % 256 == done.exit_code), 0
        )
        kind = faults.of_status(status) if status else None
    return heard if kind is None else Failure(kind=kind, message=heard.message)


def _gemini_files(tools: list[str]) -> Mapping[str, str]:
    settings = {
        # A retry would append its text to what had come before.
        "general": {"maxAttempts": 1, "enableAutoUpdate": False},
        "model": {"disableLoopDetection": True},
        "context": {"includeDirectoryTree": False},
        "privacy": {"usageStatisticsEnabled": False},
        "tools": {"core": tools},
    }
    return {".gemini/settings.json": json.dumps(settings)}


GEMINI = CliDialect(
    program="gemini",
    install="npm install -g @google/gemini-cli",
    sign_in="run `gemini` once and sign in, or set GEMINI_API_KEY",
    version=("--version",),
    options=(Option(names=("-o", "--output-format"), value="stream-json", fixed=True),),
    access={
        "read": (Option(names=("--include-directories",), value="{workspace}", key="{workspace}"),),
        "none": (),
    },
    model=Option(names=("-m", "--model")),
    # Without one it first asks another model which to take, and is patient with that one's failures.
    usual_model="flash",
    env={**_TERMINAL, "GEMINI_CLI_NO_RELAUNCH": "1", "GEMINI_CLI_TRUST_WORKSPACE": "true"},
    keys=(
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GEMINI_BASE_URL",
        "GEMINI_CLI_HOME",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_GENAI_USE_GCA",
    ),
    # Its settings count only in the directory it runs in, so that is never the workspace itself.
    private={
        "read": _gemini_files(["list_directory", "glob", "grep_search", "read_file", "read_many_files"]),
        "none": _gemini_files(["none"]),
    },
    limit=3_500_000,
    read=read_gemini,
)

DIALECTS: Mapping[str, CliDialect] = {"claude": CLAUDE, "codex": CODEX, "gemini": GEMINI}
