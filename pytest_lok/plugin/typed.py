"""What was typed, in a session whose ini file and ``addopts`` are part of the change that is judged."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Mapping

import pytest

from pytest_lok.plugin._pytest_internals import options_in

_LOOKING = {
    "collectonly": "--collect-only",
    "setuponly": "--setup-only",
    "setupplan": "--setup-plan",
    "help": "--help",
    "version": "--version",
    "markers": "--markers",
    "cacheshow": "--cache-show",
    "showfixtures": "--fixtures",
    "show_fixtures_per_test": "--fixtures-per-test",
}
"""pytest's own options that run no test, by where it keeps their values."""


def options_of(config: pytest.Config, environ: Mapping[str, str]) -> argparse.Namespace:
    """The options as they are without the configuration."""
    return options_in(typed_words(config, environ), config)


def looks(options: argparse.Namespace) -> str:
    """The option by which a session runs no test, "" if there is none."""
    return next((name for key, name in _LOOKING.items() if getattr(options, key, None)), "")


def keep_typed(config: pytest.Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Take back options that decide whose answers count, unless they were typed; what does not count.

    For where nobody but the command line may decide that.
    """
    typed, taken = typed_words(config, environ), []
    if not _has(typed, "--lok-record"):
        mode = ini_typed(config, environ, "lok_record")
        if mode is None and (config.getoption("lok_record") or config.getini("lok_record")):
            taken.append("lok_record")
        config.option.lok_record = mode or ""
    if config.getoption("lok_cache") and not _has(typed, "--lok-cache"):
        taken.append("--lok-cache")
        config.option.lok_cache = False
    if arguments_of(config) != typed_arguments(config, environ):
        taken.append("lok_args" if config.getini("lok_args") else "--lok-arg")
    return tuple(taken)


def arguments_of(config: pytest.Config) -> list[str]:
    """What workflows are given, whoever says it."""
    return [*config.getini("lok_args"), *config.getoption("lok_arg")]


def typed_arguments(config: pytest.Config, environ: Mapping[str, str]) -> list[str]:
    """The same, as far as it was typed."""
    ini = ini_typed(config, environ, "lok_args") or ""
    return [*filter(None, map(str.strip, ini.split("\n"))), *options_of(config, environ).lok_arg]


def ini_typed(config: pytest.Config, environ: Mapping[str, str], name: str) -> str | None:
    """What ``-o NAME=VALUE`` says, the last of them; None where it was not typed."""
    words = "\0".join(["", *typed_words(config, environ), ""])
    found = re.findall(rf"(?<=\0)(?:-o\0?|--override-ini[=\0]){name}=([^\0]*)", words)
    return found[-1].strip() if found else None


def typed_words(config: pytest.Config, environ: Mapping[str, str]) -> list[str]:
    """Those of the command line, which xdist's workers have too, and of the variable that stands for some."""
    return [
        *shlex.split(environ.get("PYTEST_ADDOPTS", "")),
        *map(os.fspath, config.invocation_params.args),
    ]


def _has(words: list[str], option: str) -> bool:
    return any(word == option or word.startswith(f"{option}=") for word in words)
