"""What was typed, in a session whose ini file and ``addopts`` are part of the change that is judged."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Mapping

import pytest

from pytest_lok.plugin._pytest_internals import options_in

_RUN_NOTHING = {
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
"""pytest's own options that run no test, by the attributes in which pytest keeps their values."""


def typed_options(config: pytest.Config, environ: Mapping[str, str]) -> argparse.Namespace:
    """The options as they would be if the ini file and its ``addopts`` did not exist."""
    return options_in(typed_words(config, environ), config)


def option_that_runs_nothing(options: argparse.Namespace) -> str:
    """The option by which a session runs no test, "" if there is none."""
    return next((name for key, name in _RUN_NOTHING.items() if getattr(options, key, None)), "")


def discard_untyped(config: pytest.Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Reset the options that decide whose answers count, unless they were typed; their names are returned.

    This is for CI: there the change under review may bring its own ini file.
    """
    words, discarded = typed_words(config, environ), []
    if not _has_option(words, "--lok-record"):
        mode = typed_ini_value(config, environ, "lok_record")
        if mode is None and (config.getoption("lok_record") or config.getini("lok_record")):
            discarded.append("lok_record")
        config.option.lok_record = mode or ""
    if config.getoption("lok_cache") and not _has_option(words, "--lok-cache"):
        discarded.append("--lok-cache")
        config.option.lok_cache = False
    if config.getoption("lok_resume") and not _has_option(words, "--lok-resume"):
        discarded.append("--lok-resume")
        config.option.lok_resume = False
    if given_arguments(config) != typed_arguments(config, environ):
        discarded.append("lok_args" if config.getini("lok_args") else "--lok-arg")
    return tuple(discarded)


def given_arguments(config: pytest.Config) -> list[str]:
    """The KEY=VALUE pairs for workflows, of the ini file and of the command line."""
    return [*config.getini("lok_args"), *config.getoption("lok_arg")]


def typed_arguments(config: pytest.Config, environ: Mapping[str, str]) -> list[str]:
    """The KEY=VALUE pairs for workflows that were typed, by ``-o`` or by ``--lok-arg``."""
    ini = typed_ini_value(config, environ, "lok_args") or ""
    return [*filter(None, map(str.strip, ini.split("\n"))), *typed_options(config, environ).lok_arg]


def typed_ini_value(config: pytest.Config, environ: Mapping[str, str], name: str) -> str | None:
    """The value of the last ``-o NAME=VALUE``; None where nobody typed one."""
    # NUL cannot stand in a word, so the pattern sees where words begin and end
    words = "\0".join(["", *typed_words(config, environ), ""])
    found = re.findall(rf"(?<=\0)(?:-o\0?|--override-ini[=\0]){name}=([^\0]*)", words)
    return found[-1].strip() if found else None


def typed_words(config: pytest.Config, environ: Mapping[str, str]) -> list[str]:
    """The words of PYTEST_ADDOPTS and of the command line, which xdist's workers are given too."""
    return [
        *shlex.split(environ.get("PYTEST_ADDOPTS", "")),
        *map(os.fspath, config.invocation_params.args),
    ]


def _has_option(words: list[str], option: str) -> bool:
    return any(word == option or word.startswith(f"{option}=") for word in words)
