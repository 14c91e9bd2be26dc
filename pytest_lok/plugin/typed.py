"""What was typed, in a session whose ini file and ``addopts`` are part of the change that is judged."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping

import pytest


def keep_typed(config: pytest.Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Take back options that decide whose answers count, unless they were typed; what was taken back.

    For where nobody but the command line may decide that.
    """
    typed, taken = _words(config, environ), []
    if not _has(typed, "--lok-record"):
        mode = ini_typed(config, environ, "lok_record")
        if mode is None and (config.getoption("lok_record") or config.getini("lok_record")):
            taken.append("lok_record")
        config.option.lok_record = mode or ""
    if config.getoption("lok_cache") and not _has(typed, "--lok-cache"):
        taken.append("--lok-cache")
        config.option.lok_cache = False
    return tuple(taken)


def ini_typed(config: pytest.Config, environ: Mapping[str, str], name: str) -> str | None:
    """What ``-o NAME=VALUE`` says, the last of them; None where it was not typed."""
    words = "\0".join(["", *_words(config, environ), ""])
    found = re.findall(rf"(?<=\0)(?:-o\0?|--override-ini[=\0]){name}=([^\0]*)", words)
    return found[-1].strip() if found else None


def _words(config: pytest.Config, environ: Mapping[str, str]) -> list[str]:
    """Those of the command line, which xdist's workers have too, and of the variable that stands for some."""
    return [
        *shlex.split(environ.get("PYTEST_ADDOPTS", "")),
        *map(os.fspath, config.invocation_params.args),
    ]


def _has(words: list[str], option: str) -> bool:
    return any(word == option or word.startswith(f"{option}=") for word in words)
