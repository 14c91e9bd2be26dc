"""A backend that is configured and cannot answer: switched off, not supported, not on this machine."""

from __future__ import annotations

from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault


class UnavailableBackend:
    """Says why, and what to do, to whoever asks it."""

    def __init__(self, name: str, kind: BackendFault, why: str, remedy: str) -> None:
        self._name = name
        self._kind = kind
        self._why = why
        self._remedy = remedy

    @property
    def name(self) -> str:
        return self._name

    def unavailable(self) -> BackendError:
        return BackendError(
            f"{self._name} {self._why}", kind=self._kind, backend=self._name, hint=self._remedy
        )

    async def ask(self, prompt: Prompt) -> Reply:  # noqa: ARG002 - nobody reads it
        raise self.unavailable()

    async def aclose(self) -> None:
        pass  # nothing is held
