"""One call of a backend: what each of them checks before, during and after it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pytest_lok.core.results import Reply
from pytest_lok.core.text.invisible import seen
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault


async def attempt(backend: str, prompt: Prompt, answer: Callable[[Prompt], Awaitable[Reply]]) -> Reply:
    """``answer(prompt)`` within the prompt's time, timed, and never empty; else BackendError."""
    _check_text(backend, prompt)
    now = asyncio.get_running_loop().time
    began = now()
    try:
        async with asyncio.timeout(None if math.isinf(prompt.timeout) else prompt.timeout):
            reply = await answer(prompt)
    except TimeoutError:
        raise BackendError(
            f"{backend} did not answer within {prompt.timeout:g} s",
            kind=BackendFault.TIMEOUT,
            backend=backend,
            hint=f"raise `timeout` of the step or of [backends.{backend}]",
        ) from None
    if not seen(reply.text):
        raise BackendError(
            f"{backend} gave an empty answer",
            kind=BackendFault.EMPTY,
            backend=backend,
            hint="try again, or word the prompt so that it asks for something",
        )
    return replace(reply, seconds=now() - began)


def _check_text(backend: str, prompt: Prompt) -> None:
    """Some servers and every argument list cut a text at NUL; half a surrogate pair has no UTF-8."""
    for what, text in (("prompt", prompt.text), ("system prompt", prompt.system)):
        if "\0" in text:
            problem = "holds a NUL character"
        elif not _encodable(text):
            problem = "holds half of a surrogate pair, which is not text"
        else:
            continue
        raise BackendError(
            f"the {what} for {backend} {problem}",
            kind=BackendFault.BAD_REQUEST,
            backend=backend,
            hint="binary output of an earlier step may have come in; remove it there (`tr -d '\\000'`)",
        )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
