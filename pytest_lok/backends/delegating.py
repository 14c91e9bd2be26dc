"""A backend in front of another one: wrappers inherit what they hand on, and override the rest."""

from __future__ import annotations

from pytest_lok.core.asking.images import TakesImages
from pytest_lok.core.asking.tools import CallsTools
from pytest_lok.core.results import Reply
from pytest_lok.engine.asking.checked_call import checked_call
from pytest_lok.engine.ports import Backend, HasServer, Prompt
from pytest_lok.errors import BackendError


class DelegatingBackend:
    """Hands every call on to ``backend``. ``name`` is what workflows call it, "" = the backend's own name.

    The inner backend is called through the guard, so that no wrapper keeps an answer that is none.
    """

    def __init__(self, backend: Backend, name: str = "") -> None:
        self._backend = backend
        self._name = name or backend.name

    @property
    def name(self) -> str:
        return self._name

    @property
    def calls_tools(self) -> bool:
        return isinstance(self._backend, CallsTools) and self._backend.calls_tools

    @property
    def takes_images(self) -> bool:
        return isinstance(self._backend, TakesImages) and self._backend.takes_images

    def unavailable(self) -> BackendError | None:
        return self._backend.unavailable()

    def unreachable(self) -> BackendError | None:
        return self._backend.unreachable() if isinstance(self._backend, HasServer) else None

    def usual_model(self) -> str:
        return self._backend.usual_model() if isinstance(self._backend, HasServer) else ""

    async def ask(self, prompt: Prompt) -> Reply:
        return await checked_call(self._backend, prompt, name=self.name)

    async def aclose(self) -> None:
        await self._backend.aclose()
