"""The command line tools that lok knows, by the ``type`` of a backend.

Each is called so that it answers one prompt, reads at most, keeps nothing, reports nothing home and
does not wait for a person.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_lok.backends.cli.claude import CLAUDE
from pytest_lok.backends.cli.codex import CODEX
from pytest_lok.backends.cli.copilot import COPILOT
from pytest_lok.backends.cli.dialect import CliDialect
from pytest_lok.backends.cli.droid import DROID
from pytest_lok.backends.cli.gemini import GEMINI
from pytest_lok.backends.cli.qwen import QWEN

DIALECTS: Mapping[str, CliDialect] = {
    "claude": CLAUDE,
    "codex": CODEX,
    "gemini": GEMINI,
    "copilot": COPILOT,
    "qwen": QWEN,
    "droid": DROID,
}
