"""One question to one backend: which backend that is, whether it can answer, and its reply."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pytest_lok.core.asking.pricing import add_cost
from pytest_lok.core.events import BackendAnswering, BackendAsked, BackendBusy, BackendRefused, BackendReplied
from pytest_lok.core.results import Refusal, Reply, Usage
from pytest_lok.core.text.thinking import without_thoughts
from pytest_lok.engine.asking.checked_call import checked_call, checked_recall, crashed
from pytest_lok.engine.asking.hints import hint_here
from pytest_lok.engine.asking.retry import with_retries
from pytest_lok.engine.asking.route import names_of
from pytest_lok.errors import (
    BackendError,
    BackendFault,
    BudgetError,
    LokError,
    OutputError,
    StepUnableError,
)

if TYPE_CHECKING:
    from pytest_lok.engine.execution import StepExecution
    from pytest_lok.engine.ports import Backend, Prompt

T = TypeVar("T")

ONE_CALL = Usage(calls=1)
BUDGET = "budget"
"""The kind of the refusal of a backend that was not asked, since the budget did not allow it."""
_FIRST_CHARACTERS = 200
_TEXT_INTERVAL = 0.2
"""Seconds between two events about one answer that is coming in."""


def resolve_backends(
    execution: StepExecution, asked: tuple[str, ...], task: str, *, keeps_all: bool = False
) -> tuple[str, ...]:
    """The names of the backends to ask: ``asked``, else the settings' default.

    ``auto`` = the best for ``task``, ``all`` = everybody; so is nobody named for a step that ``keeps_all``.
    """
    names, best = names_of(asked, task, execution.context.world, keeps_all=keeps_all)
    if best is not None:
        execution.add_section("backend", f"auto: {best.backend}, {best.why}")
    return names


def require_backend(execution: StepExecution, name: str) -> Backend:
    """The backend of that name; BackendError with a remedy if there is none, or if it cannot answer."""
    backend = execution.context.world.backends.get(name)
    if backend is None:
        known = ", ".join(execution.context.world.backends) or "none"
        raise BackendError(
            f"no backend is called {name!r} (configured: {known})",
            kind=BackendFault.NOT_CONFIGURED,
            backend=name,
            hint=f"add [backends.{name}] to lok.toml",
        )
    try:
        problem = backend.unavailable()
    except Exception as bug:
        raise crashed(name, bug) from bug
    if problem is not None:
        raise problem
    return backend


async def ask_and_read(
    execution: StepExecution, backend: Backend, prompt: Prompt, read: Callable[[Reply], Awaitable[T]]
) -> T:
    """What ``read`` makes of the answer without its thoughts; after an OutputError, of a second answer.

    The second prompt holds the first answer and what is wrong with it. A second answer that is unusable too
    becomes a section of the step, for whoever wrote the prompt has to see it.
    """
    reply = await call(execution, backend, prompt)
    try:
        return await _read(reply, read)
    except OutputError as wrong:
        why = f"{wrong.message} ({wrong.hint})" if wrong.hint else wrong.message
        again = (
            f"{prompt.text}\n\nYour previous answer could not be used: {why}\n\n"
            f"It was:\n\n{reply.text}\n\nAnswer again, in the form the task asks for."
        )
        try:
            reply = await call(execution, backend, replace(prompt, text=again))
        except StepUnableError:
            # it was paid for, and nobody would see it otherwise
            execution.add_section(f"{backend.name} answered", reply.text)
            raise
    try:
        return await _read(reply, read)
    except OutputError:
        execution.add_section(f"{backend.name} answered", reply.text)
        raise


async def _read(reply: Reply, read: Callable[[Reply], Awaitable[T]]) -> T:
    return await read(replace(reply, text=without_thoughts(reply.text)))


async def call(execution: StepExecution, backend: Backend, prompt: Prompt) -> Reply:
    """One whole reply; transient failures are retried as often as the step allows."""
    step, context, name = execution.step, execution.context, backend.name
    prompt = replace(
        prompt,
        timeout=context.timeout_of(step, name),
        workflow=context.plan.workflow.stem,
        step=step.name,
        on_text=_IncomingText(execution, name).add,
    )

    memory = context.memory
    question = memory.question(step.name, name, prompt, execution.item)

    async def once(number: int) -> Reply:
        execution.attempts = max(execution.attempts, number)
        if (had := memory.answer(step.name, question)) is not None:
            # it was paid for in the run before, whose spending this run goes on from
            _emit_asked(execution, backend, prompt)
            execution.usage += had.usage
            return had
        reply = await _recall(execution, backend, prompt) or await _ask_in_slot(execution, backend, prompt)
        if not reply.cached:
            usage = add_cost(reply.usage, reply.model, context.world.prices)
            reply = reply if usage is reply.usage else replace(reply, usage=usage)
        execution.usage += reply.usage
        if context.budget is not None:
            context.budget.charge(prompt, reply)
        return reply

    try:
        reply = await with_retries(step, context, once, _transient, item=execution.item)
    except BackendError as failure:
        failure.hint = hint_here(failure, step, context.plan.workflow, context.world.limits.raised_by)
        raise
    context.note_backend(reply)
    execution.answered.append(reply)
    question = await memory.question_answered(step.name, name, question)
    context.emit(BackendReplied(step=step.name, reply=reply, item=execution.item, question=question))
    return reply


async def _recall(execution: StepExecution, backend: Backend, prompt: Prompt) -> Reply | None:
    """The answer that the backend knows without asking, which waits for no slot; None if there is none."""
    reply = await checked_recall(backend, prompt)
    if reply is not None:
        _emit_asked(execution, backend, prompt)
    return reply


async def _ask_in_slot(execution: StepExecution, backend: Backend, prompt: Prompt) -> Reply:
    """The answer of the backend, asked as soon as it has a slot for the question and the budget allows it."""
    limiter, budget = execution.context.world.limiters.get(backend.name), execution.context.budget
    if limiter is not None and limiter.is_busy:
        step, item = execution.step.name, execution.item
        execution.context.emit(BackendBusy(step=step, backend=backend.name, item=item))
    async with limiter.slot() if limiter else nullcontext():
        with budget.reserve(prompt) if budget else nullcontext():
            _emit_asked(execution, backend, prompt)
            try:
                if budget is not None:
                    left = min(prompt.timeout, budget.time_left)
                    prompt = replace(prompt, timeout=left, usd_left=budget.usd_left)
                return await checked_call(backend, prompt)
            except BaseException as failure:
                # the call had begun, so the provider may charge it
                cost = failure.cost_usd if isinstance(failure, BackendError) else None
                execution.usage += replace(ONE_CALL, cost_usd=cost)
                if cost is not None and budget is not None:
                    budget.charge_failure(cost)
                raise


def _emit_asked(execution: StepExecution, backend: Backend, prompt: Prompt) -> None:
    execution.begin()
    execution.context.emit(
        BackendAsked(
            step=execution.step.name,
            backend=backend.name,
            prompt=prompt.text,
            model=prompt.model,
            item=execution.item,
            options={**execution.context.world.options.get(backend.name, {}), **prompt.options},
        )
    )


class _IncomingText:
    """The pieces of an answer -> events with its first words, at most a few in a second."""

    def __init__(self, execution: StepExecution, backend: str) -> None:
        self._execution = execution
        self._backend = backend
        self._start = ""
        self._characters = 0
        self._told = -math.inf

    def add(self, piece: str) -> None:
        """Take the next piece of the answer."""
        self._characters += len(piece)
        if len(self._start) < _FIRST_CHARACTERS:
            self._start = (self._start + piece)[:_FIRST_CHARACTERS]
        now = self._execution.context.now()
        if now - self._told < _TEXT_INTERVAL:
            return
        self._told = now
        # a word that may go on could be the beginning of a secret, which nothing would mask
        words = self._start.split()[:-1]
        self._execution.context.emit(
            BackendAnswering(
                step=self._execution.step.name,
                backend=self._backend,
                words=" ".join(words),
                characters=self._characters,
                item=self._execution.item,
            )
        )


def record_refusal(execution: StepExecution, name: str, failure: LokError) -> None:
    """Keep and emit which backend gave no valid answer, and why."""
    kind = failure.kind.value if isinstance(failure, BackendError) else BackendFault.BAD_OUTPUT.value
    kind = BUDGET if isinstance(failure, BudgetError) else kind
    refusal = Refusal(backend=name, kind=kind, reason=failure.message, hint=failure.hint)
    execution.refusals.append(refusal)
    execution.context.emit(BackendRefused(step=execution.step.name, refusal=refusal, item=execution.item))


def _transient(failure: LokError) -> bool:
    return isinstance(failure, BackendError) and failure.transient
