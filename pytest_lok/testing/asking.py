"""Asking a backend from a test that is not async."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from pytest_lok.core.results import Reply
from pytest_lok.engine.asking.checked_call import checked_call
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendError

T = TypeVar("T")

HANG_TIMEOUT = 60.0
"""Seconds after which a test counts as hanging."""


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own; TimeoutError after HANG_TIMEOUT seconds."""

    async def bounded() -> T:
        async with asyncio.timeout(HANG_TIMEOUT):
            return await work

    return asyncio.run(bounded())


def ask(backend: Backend, text: str = "hello", **more: Any) -> Reply:
    """One answer, checked as it is in a run; the backend is closed afterwards."""

    async def once() -> Reply:
        try:
            return await checked_call(backend, Prompt(text=text, **more))
        finally:
            await backend.aclose()

    return run_async(once())


def expect_error(backend: Backend, text: str = "hello", **more: Any) -> BackendError:
    """The BackendError of one question, which has to name its backend and a remedy."""
    with pytest.raises(BackendError) as caught:
        ask(backend, text, **more)
    error = caught.value
    assert error.backend == backend.name
    assert backend.name in error.message
    assert error.hint
    return error
