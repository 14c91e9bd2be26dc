"""The one guard around a backend: the question is text, and the answer is whole, in time and not empty.

A backend may be anybody's code. It neither times nor checks an answer itself: it asks, and turns what goes
wrong into BackendError. The engine, the wrappers that keep answers and the contract tests all call it here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypeVar, cast

from pytest_lok.core.results import Reply
from pytest_lok.core.text.invisible import squeezed
from pytest_lok.engine.asking.hints import LateAnswerError
from pytest_lok.engine.context import time_limit
from pytest_lok.engine.ports import Backend, Prompt, RemembersAnswers, World
from pytest_lok.errors import BackendError, BackendFault, LokError

T = TypeVar("T")


async def checked_call(backend: Backend, prompt: Prompt, *, name: str = "") -> Reply:
    """One answer of the backend, under its name, with one call in its usage and its duration in seconds.

    ``name`` is what workflows call the backend, "" = the backend's own name. Only a backend that can recall
    answers may say that one is ``cached``: such an answer keeps its usage and its duration.

    Raises BackendError: BAD_REQUEST where the prompt is no text, TIMEOUT after ``prompt.timeout`` seconds,
    EMPTY, and CRASHED for every exception that is no LokError. Being cancelled from outside passes.
    """
    name, now = name or backend.name, asyncio.get_running_loop().time
    _check_prompt(name, prompt)
    began = now()
    reply = await _bounded(name, prompt, backend.ask)
    if not isinstance(reply, Reply):
        raise crashed(name, TypeError(f"ask() gave {type(reply).__name__}, not a Reply"))
    _check_reply(name, reply)
    if reply.cached and _recalls(backend):
        return replace(reply, backend=name)
    usage = reply.usage if reply.usage.calls == 1 else replace(reply.usage, calls=1)
    return replace(reply, backend=name, usage=usage, seconds=now() - began, cached=False)


async def checked_recall(backend: Backend, prompt: Prompt) -> Reply | None:
    """The answer that the backend knows without asking; None if it knows none, or is not such a backend."""
    if not _recalls(backend):
        return None
    reply = await _bounded(backend.name, prompt, cast(RemembersAnswers, backend).recall)
    if reply is not None:
        _check_reply(backend.name, reply)
        reply = replace(reply, backend=backend.name)
    return reply


def _recalls(backend: Backend) -> bool:
    # isinstance with a runtime-checkable protocol takes longer than all the rest of a call
    return getattr(backend, "recall", None) is not None


def crashed(name: str, bug: BaseException) -> BackendError:
    """The error of a step whose backend raised something that is no LokError."""
    what = ": ".join(filter(None, [type(bug).__name__, str(bug)]))
    return BackendError(f"{name} crashed: {what}", kind=BackendFault.CRASHED, backend=name)


async def close_all(backends: Iterable[Backend]) -> list[tuple[str, BaseException]]:
    """Close the backends; returns what happened, and what was raised: such a bug is no fault of the run."""
    bugs: list[tuple[str, BaseException]] = []
    for backend in backends:
        try:
            await backend.aclose()
        except BaseException as bug:
            bugs.append((f"backend {backend.name} could not be closed", bug))
    return bugs


async def close_world(world: World, backends: Iterable[Backend]) -> list[tuple[str, BaseException]]:
    """Let go of the fleet of a world, and close these backends of it, as ``close_all`` does."""
    bugs: list[tuple[str, BaseException]] = []
    if world.fleet is not None:
        try:
            await world.fleet.aclose()
        except BaseException as bug:
            bugs.append(("the fleet could not be let go", bug))
    return bugs + await close_all(backends)


async def _bounded(name: str, prompt: Prompt, call: Callable[[Prompt], Awaitable[T]]) -> T:
    limit, task = prompt.timeout, asyncio.current_task()
    try:
        with time_limit(limit):
            return await call(prompt)
    except TimeoutError:
        raise LateAnswerError(name, limit) from None
    except (LokError, KeyboardInterrupt):
        raise
    except BaseException as bug:  # anybody's code may even exit, cancel itself, or close its coroutine
        if isinstance(bug, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        # who closes this coroutine is not its own task
        if isinstance(bug, GeneratorExit) and asyncio.current_task() is not task:
            raise
        raise crashed(name, bug) from bug


def _check_reply(name: str, reply: Reply) -> None:
    if not squeezed(reply.text):
        raise BackendError(
            f"{name} gave an empty answer",
            kind=BackendFault.EMPTY,
            backend=name,
            hint="try again, or word the prompt so that it asks for something",
        )


def _check_prompt(name: str, prompt: Prompt) -> None:
    """Some servers and every argument list cut a text at NUL; half a surrogate pair has no UTF-8."""
    for what, text in (("prompt", prompt.text), ("system prompt", prompt.system)):
        if "\0" in text:
            problem = "holds a NUL character"
        elif not _is_encodable(text):
            problem = "holds half of a surrogate pair, which is not text"
        else:
            continue
        raise BackendError(
            f"the {what} for {name} {problem}",
            kind=BackendFault.BAD_REQUEST,
            backend=name,
            hint="binary output of an earlier step may have come in; remove it there (`tr -d '\\000'`)",
        )


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
