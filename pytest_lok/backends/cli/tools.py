"""The rows: claude, codex and gemini, as they behave today.

Each is called so that it answers one prompt, reads at most, keeps nothing, reports nothing home and
does not wait for a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pytest_lok.backends.cli.dialect import CliDialect, CliOption
from pytest_lok.backends.cli.transcripts import (
    ends_with,
    read_claude,
    read_codex,
    read_gemini,
    read_gemini_log,
)

_TERMINAL = {"NO_COLOR": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}


# --- claude


def _guard_claude(prompt: str) -> str:
    """A first "/" would make it a command of the tool's own, answered without any model."""
    return "\n" + prompt if prompt.lstrip().startswith("/") else prompt


CLAUDE = CliDialect(
    program="claude",
    install="npm install -g @anthropic-ai/claude-code",
    sign_in="run `claude` once and sign in, or set ANTHROPIC_API_KEY",
    version=("--version",),
    options=(
        CliOption(names=("-p", "--print"), fixed=True),
        CliOption(names=("--output-format",), value="stream-json", fixed=True),
        CliOption(names=("--verbose",)),
        CliOption(names=("--strict-mcp-config",)),
        # In -p it runs the hooks and helpers of any directory's .claude/settings.json unasked.
        CliOption(names=("--setting-sources",), value="user"),
        CliOption(names=("--no-session-persistence",)),
    ),
    access={
        "read": (CliOption(names=("--tools",), value="Read,Grep,Glob"),),
        "none": (CliOption(names=("--tools",), value="", fixed=True),),
    },
    model=CliOption(names=("--model",)),
    system=CliOption(names=("--system-prompt",), fixed=True),
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
    is_finished=ends_with("result"),
)


# --- codex


def _setting(key: str, value: str) -> CliOption:
    return CliOption(names=("-c", "--config"), value=f"{key}={value}", key=f"{key}=")


def _disabled(feature: str) -> CliOption:
    """As a setting, since an unknown one is only ignored, where ``--disable`` of one is an error."""
    return _setting(f"features.{feature}", "false")


CODEX = CliDialect(
    program="codex",
    install="npm install -g @openai/codex",
    sign_in="run `codex login`, or set CODEX_API_KEY",
    version=("--version",),
    lead="exec",
    options=(
        CliOption(names=("--json", "--experimental-json"), fixed=True),
        CliOption(names=("--skip-git-repo-check",)),
        CliOption(names=("--ephemeral",)),
        _disabled("plugins"),
        _disabled("unbounded_connection_retries"),
        _setting("project_doc_max_bytes", "0"),
        _setting("web_search", '"disabled"'),
        _setting("check_for_update_on_startup", "false"),
        _setting("analytics.enabled", "false"),
    ),
    access={
        "read": (CliOption(names=("-s", "--sandbox"), value="read-only"),),
        "none": (
            CliOption(names=("-s", "--sandbox"), value="read-only", fixed=True),
            _disabled("shell_tool"),
            _disabled("view_image"),
            _disabled("multi_agent"),
        ),
    },
    tail=("-",),
    model=CliOption(names=("-m", "--model")),
    env=_TERMINAL,
    keys=("CODEX_API_KEY", "OPENAI_API_KEY", "CODEX_HOME"),
    limit=1_048_576,
    size=len,
    read=read_codex,
    is_finished=ends_with("turn.completed", "turn.failed"),
)


# --- gemini

_GEMINI_LOG = ".gemini/telemetry.log"


def _gemini_files(tools: list[str]) -> Mapping[str, str]:
    settings = {
        # A retry would append its text to what had come before.
        "general": {"maxAttempts": 1, "enableAutoUpdate": False},
        "model": {"disableLoopDetection": True},
        "context": {"includeDirectoryTree": False},
        "privacy": {"usageStatisticsEnabled": False},
        "tools": {"core": tools},
        # It tells nobody that an answer was cut or filtered; what it would measure does.
        "telemetry": {"enabled": True, "target": "local", "outfile": _GEMINI_LOG, "logPrompts": False},
    }
    return {".gemini/settings.json": json.dumps(settings)}


GEMINI = CliDialect(
    program="gemini",
    install="npm install -g @google/gemini-cli",
    sign_in="run `gemini` once and sign in, or set GEMINI_API_KEY",
    version=("--version",),
    options=(CliOption(names=("-o", "--output-format"), value="stream-json", fixed=True),),
    access={
        "read": (CliOption(names=("--include-directories",), value="{workspace}", key="{workspace}"),),
        "none": (),
    },
    model=CliOption(names=("-m", "--model")),
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
    is_finished=ends_with("result"),
    log=_GEMINI_LOG,
    read_log=read_gemini_log,
)

DIALECTS: Mapping[str, CliDialect] = {"claude": CLAUDE, "codex": CODEX, "gemini": GEMINI}
