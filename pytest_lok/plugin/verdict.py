"""StepResult -> what pytest is told: an exception in an item's setup or call, and how it is shown."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from _pytest._code.code import (  # the only repr whose short message survives xdist
    ExceptionChainRepr,
    ReprEntryNative,
    ReprFileLocation,
    ReprTraceback,
)

from pytest_lok.core.results import Outcome, StepResult


class NotPassedError(Exception):
    """A step that is red; how it is shown is explained elsewhere."""


def raise_in_setup(result: StepResult, *, selected: Collection[str]) -> None:
    """Whatever was not judged: an error (hard or soft), or a skip.

    A step that is blocked by one nobody selected passes through to its call, to fail there: were it
    skipped, nothing in the session would be red.
    """
    match result.outcome:
        case Outcome.ERROR:
            raise NotPassedError(result.reason)
        case Outcome.SOFT if result.underlying is Outcome.ERROR:
            # pytest.xfail() would count as passed under --runxfail; its exception does not
            raise pytest.xfail.Exception(result.reason)
        case Outcome.SKIPPED if not result.blocked or result.blocked_by in selected:
            raise pytest.skip.Exception(result.reason)
        case _:
            return


def raise_in_call(result: StepResult) -> None:
    """A judgement that is no (hard or soft), or a step that did not run because of one nobody selected."""
    match result.outcome:
        case Outcome.PASSED:
            return
        case Outcome.SOFT:
            raise pytest.xfail.Exception(result.reason)
        case _:
            raise NotPassedError(result.reason)


def is_verdict(error: BaseException) -> bool:
    """Whether an exception came from here with a result to explain."""
    return isinstance(error, NotPassedError | pytest.xfail.Exception)


def shown(text: str, *, path: str, line: int, reason: str) -> ExceptionChainRepr:
    """A text in the shape pytest shows, sends and writes, with a short reason and its place."""
    place = ReprFileLocation(path, line, reason)
    return ExceptionChainRepr([(ReprTraceback([ReprEntryNative([text, "\n"])], None, "native"), place, None)])
