"""pytest's options and ini keys -> values of ours; UsageError for a value that means nothing."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias, get_args

import pytest

from pytest_lok.core.asking.cassette import Mode
from pytest_lok.errors import UsageError
from pytest_lok.settings import in_ci

FailOn: TypeAlias = Literal["critical", "high", "medium", "low", "info", "never"]
STRICTER: tuple[FailOn, ...] = ("never", "critical", "high", "medium", "low", "info")
"""Every value of ``fail_on``; each fails on all that the ones before it fail on, and on more."""


def fail_on(config: pytest.Config) -> FailOn | None:
    """The ini key ``lok_fail_on``; None where nobody has set it."""
    written = config.getini("lok_fail_on")
    known: tuple[FailOn, ...] = get_args(FailOn)
    if written and written not in known:
        raise UsageError(f"lok_fail_on = {written!r} is no severity", hint=f"one of: {', '.join(known)}")
    return next((value for value in known if value == written), None)


def setting_overrides(config: pytest.Config) -> dict[str, object]:
    """The settings that ini keys give, by dotted name: they win over lok.toml."""
    try:
        parallel = config.getini("lok_max_parallel")
    except (TypeError, ValueError, pytest.UsageError):  # which of them depends on pytest's version
        raise UsageError("the ini key lok_max_parallel is no number") from None
    if parallel is None:
        return {}
    if parallel < 1:
        raise UsageError(f"lok_max_parallel = {parallel}: at least 1 step must be able to run")
    return {"defaults.max_parallel": parallel}


def record_mode(config: pytest.Config) -> str:
    """Which answers come from cassettes, "" for none; the ini key has no say in CI."""
    given: str = config.getoption("lok_record")
    usual: str = config.getini("lok_record")
    for mode in (given, usual):
        if mode not in ("", *Mode):
            raise UsageError(f"the ini key lok_record is {mode!r}", hint=f"one of: {', '.join(Mode)}")
    return given or ("" if in_ci(os.environ) else usual)
