"""One question to one backend: who that is, whether it can answer, and its reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TypeVar, cast

from pytest_lok.core.asking.pricing import priced
from pytest_lok.core.events import BackendAsked, BackendRefused, BackendReplied
from pytest_lok.core.results import Refusal, Reply, Usage
from pytest_lok.core.text.thinking import answer_of
from pytest_lok.core.workflow.model import AUTO
from pytest_lok.engine.asking.retry import attempts
from pytest_lok.engine.asking.route import route
from pytest_lok.engine.context import time_limit
from pytest_lok.engine.execution import StepExecution
from pytest_lok.engine.ports import Backend, Prompt, RemembersAnswers
from pytest_lok.errors import BackendError, BackendFault, LokError, OutputError

T = TypeVar("T")

ONE_CALL = Usage(calls=1)


def chosen(record: StepExecution, asked: tuple[str, ...], task: str) -> tuple[str, ...]:
    """The names to ask, the settings' default where none is named; ``auto`` is the best for the task."""
    names = asked or record.context.world.default_backends
    if AUTO not in names:
        return names
    best = route(task, record.context.world)
    record.note("backend", f"auto: {best.backend}, {best.why}")
    return (best.backend,)


def available(record: StepExecution, name: str) -> Backend:
    """The backend of that name; BackendError with the remedy if it is not there or cannot answer."""
    backend = record.context.world.backends.get(name)
    if backend is None:
        known = ", ".join(record.context.world.backends) or "none"
        raise BackendError(
            f"no backend is called {name!r} (configured: {known})",
            kind=BackendFault.NOT_CONFIGURED,
            backend=name,
            hint=f"add [backends.{name}] to lok.toml",
        )
    try:
        problem = backend.unavailable()
    except Exception as bug:
        raise _crashed(name, bug) from bug
    if problem is not None:
        raise problem
    return backend


async def answered(
    record: StepExecution, backend: Backend, prompt: Prompt, read: Callable[[Reply], Awaitable[T]]
) -> T:
    """What ``read`` makes of the answer without its thoughts; asked again once where it cannot.

    An answer that stays unusable is kept as evidence: it is no reply, and whoever wrote the prompt has
    to see it.
    """
    reply = await call(record, backend, prompt)
    try:
        return await _read(reply, read)
    except OutputError as wrong:
        why = f"{wrong.message} ({wrong.hint})" if wrong.hint else wrong.message
        again = (
            f"{prompt.text}\n\nYour previous answer could not be used: {why}\n\n"
            f"It was:\n\n{reply.text}\n\nAnswer again, in the form the task asks for."
        )
        reply = await call(record, backend, replace(prompt, text=again))
    try:
        return await _read(reply, read)
    except OutputError:
        record.note(f"{backend.name} answered", reply.text)
        raise


async def _read(reply: Reply, read: Callable[[Reply], Awaitable[T]]) -> T:
    return await read(replace(reply, text=answer_of(reply.text)))


async def call(record: StepExecution, backend: Backend, prompt: Prompt) -> Reply:
    """One whole reply, transient failures retried as the step allows."""
    step, context, name = record.step, record.context, backend.name
    prompt = replace(
        prompt, timeout=context.limit(step, name), workflow=context.plan.workflow.stem, step=step.name
    )

    async def once(number: int) -> Reply:
        record.attempts = max(record.attempts, number)
        reply = await _recalled(record, backend, prompt) or await _placed(record, backend, prompt)
        usage = reply.usage
        if not reply.cached:
            usage = usage if usage.calls == 1 else replace(usage, calls=1)
            usage = priced(usage, reply.model, context.world.prices)
            reply = reply if usage is reply.usage else replace(reply, usage=usage)
        record.usage += usage
        if context.purse is not None:
            context.purse.pay(prompt, reply)
        if not reply.text.strip():
            raise BackendError(f"{name} gave an empty answer", kind=BackendFault.EMPTY, backend=name)
        return reply

    reply = await attempts(step, context, once, _transient, item=record.item)
    context.heard(reply)
    context.tell(BackendReplied(step=step.name, reply=reply, item=record.item))
    return reply


async def _recalled(record: StepExecution, backend: Backend, prompt: Prompt) -> Reply | None:
    """The answer the backend knows already, if it is one that may; it waits for nobody."""
    if getattr(backend, "recall", None) is None:  # asking for the protocol would take longer than the rest
        return None
    reply = await _answer(backend.name, prompt, cast(RemembersAnswers, backend).recall)
    if reply is not None:
        _tell_asked(record, backend, prompt)
    return reply


async def _placed(record: StepExecution, backend: Backend, prompt: Prompt) -> Reply:
    """The answer of a backend that is asked, when it has a place for the question."""
    slots, purse = record.context.world.slots.get(backend.name), record.context.purse
    async with slots.place() if slots else nullcontext():
        with purse.call(prompt) if purse else nullcontext():
            _tell_asked(record, backend, prompt)
            try:
                reply = await _answer(backend.name, prompt, backend.ask)
            except BaseException:
                record.usage += ONE_CALL  # it was begun, and may have been paid
                raise
    if not isinstance(reply, Reply):
        raise _crashed(backend.name, TypeError(f"ask() gave {type(reply).__name__}, not a Reply"))
    return reply


def _tell_asked(record: StepExecution, backend: Backend, prompt: Prompt) -> None:
    record.context.tell(
        BackendAsked(
            step=record.step.name,
            backend=backend.name,
            prompt=prompt.text,
            model=prompt.model,
            item=record.item,
        )
    )


async def _answer(name: str, prompt: Prompt, ask: Callable[[Prompt], Awaitable[T]]) -> T:
    """What the backend says within the prompt's time; whatever else comes of it is a BackendError."""
    limit = prompt.timeout
    try:
        with time_limit(limit):
            return await ask(prompt)
    except TimeoutError:
        raise BackendError(
            f"{name} gave no answer within {limit:g} s",
            kind=BackendFault.TIMEOUT,
            backend=name,
            hint="raise `timeout` of the step or of the backend",
        ) from None
    except (LokError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as bug:  # anybody's code may even exit, or cancel itself
        task = asyncio.current_task()
        if isinstance(bug, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise _crashed(name, bug) from bug


def _crashed(name: str, bug: BaseException) -> BackendError:
    """A backend may be anybody's code; one that breaks is an error of its step."""
    what = ": ".join(filter(None, [type(bug).__name__, str(bug)]))
    return BackendError(f"{name} crashed: {what}", kind=BackendFault.CRASHED, backend=name)


def refuse(record: StepExecution, name: str, failure: LokError) -> None:
    """Keep and tell who gave no valid answer, and why."""
    kind = failure.kind if isinstance(failure, BackendError) else BackendFault.BAD_OUTPUT
    refusal = Refusal(backend=name, kind=kind.value, reason=failure.message, hint=failure.hint)
    record.refusals.append(refusal)
    record.context.tell(BackendRefused(step=record.step.name, refusal=refusal, item=record.item))


def _transient(failure: LokError) -> bool:
    return isinstance(failure, BackendError) and failure.transient
