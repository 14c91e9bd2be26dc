"""A backend of another package -> the same, with what each of ours checks of a question and an answer."""

from __future__ import annotations

from dataclasses import replace

from pytest_lok.backends.attempt import attempt
from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendError


class CheckedBackend:
    """Calls it as the settings do, bounds its time, and lets no empty answer pass."""

    def __init__(self, name: str, backend: Backend) -> None:
        self._name = name
        self._backend = backend

    @property
    def name(self) -> str:
        """What workflows call it."""
        return self._name

    def unavailable(self) -> BackendError | None:
        """What it says of itself."""
        return self._backend.unavailable()

    async def ask(self, prompt: Prompt) -> Reply:
        """One answer, or BackendError."""
        return await attempt(self._name, prompt, self._answer)

    async def aclose(self) -> None:
        """Release what it holds."""
        await self._backend.aclose()

    async def _answer(self, prompt: Prompt) -> Reply:
        reply = await self._backend.ask(prompt)
        usage = reply.usage if reply.usage.calls else replace(reply.usage, calls=1)
        return replace(reply, backend=self._name, usage=usage)
