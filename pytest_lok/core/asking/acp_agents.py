"""The agents that speak the Agent Client Protocol (ACP), as rows: how each is started and set up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import NamedTuple


class AcpAgent(NamedTuple):
    """One agent. ``args`` make ``program`` speak ACP on stdin and stdout.

    ``env`` makes it ask before it changes or runs anything; lok refuses that. ``keys`` are passed on where
    they are set. ``install`` and ``sign_in`` are remedies. ``has_notices``: what goes wrong stands in its
    text, as "Error: …", and nothing else tells but that no token is counted.
    """

    program: str
    args: tuple[str, ...]
    install: str
    sign_in: str
    env: Mapping[str, str] = {}
    keys: tuple[str, ...] = ()
    has_notices: bool = False


ACP_AGENTS: Mapping[str, AcpAgent] = {
    "opencode": AcpAgent(
        program="opencode",
        args=("acp",),
        install="npm install -g opencode-ai",
        sign_in="run `opencode auth login`",
        env={
            "OPENCODE_PERMISSION": '{"edit":"ask","bash":"ask","webfetch":"ask","external_directory":"ask"}',
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_PROJECT_DISCOVERY": "1",
        },
    ),
    "copilot": AcpAgent(
        program="copilot",
        args=("--acp", "--stdio"),
        install="npm install -g @github/copilot",
        sign_in="run `copilot` once and sign in with /login, or set COPILOT_GITHUB_TOKEN",
        keys=(
            "COPILOT_GITHUB_TOKEN",
            "COPILOT_HOME",
            "COPILOT_MODEL",
            "COPILOT_OFFLINE",
            "COPILOT_PROVIDER_API_KEY",
            "COPILOT_PROVIDER_BASE_URL",
        ),
        has_notices=True,
    ),
    "cursor": AcpAgent(
        program="cursor-agent",
        args=("acp",),
        install="install it as cursor.com/cli says",
        sign_in="run `cursor-agent login`, or set CURSOR_API_KEY",
        keys=("CURSOR_API_KEY",),
    ),
    "qwen": AcpAgent(
        program="qwen",
        args=("--acp", "--approval-mode", "default"),
        install="npm install -g @qwen-code/qwen-code",
        sign_in="run `qwen` once and sign in with /auth",
    ),
    "goose": AcpAgent(
        program="goose",
        args=("acp",),
        install="install it as the documentation of goose says",
        sign_in="run `goose configure`",
        env={"GOOSE_MODE": "approve"},
    ),
    "droid": AcpAgent(
        program="droid",
        args=("exec", "--output-format", "acp"),
        install="npm install -g droid",
        sign_in="run `droid` once and sign in, or set FACTORY_API_KEY",
        keys=("FACTORY_API_KEY",),
    ),
    "kimi": AcpAgent(
        program="kimi",
        args=("acp",),
        install="npm install -g @moonshot-ai/kimi-code",
        sign_in="run `kimi` once and sign in with /login",
    ),
    "grok": AcpAgent(
        program="grok",
        args=("agent", "stdio"),
        install="npm install -g @xai-official/grok",
        sign_in="run `grok` once and sign in, or set XAI_API_KEY",
        keys=("XAI_API_KEY",),
    ),
    "vibe": AcpAgent(
        program="vibe-acp",
        args=(),
        install="pip install mistral-vibe",
        sign_in="run `vibe --setup`, or set MISTRAL_API_KEY",
        # By itself it writes into the project unasked.
        env={"VIBE_DEFAULT_AGENT": "ask"},
        keys=("MISTRAL_API_KEY",),
    ),
}
"""By the name of the backend that needs no more than ``type = "acp"``."""


def acp_agent(name: str, command: str) -> AcpAgent | None:
    """The agent that a backend is: by its program if that is one of these, else by its name."""
    program = PurePath(command).name
    known = (agent for agent in ACP_AGENTS.values() if agent.program == program)
    return next(known, ACP_AGENTS.get(name))
