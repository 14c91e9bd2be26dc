"""A backend that is configured but cannot answer: disabled, not trusted, not on this machine."""

from __future__ import annotations

from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault


class UnavailableBackend:
    """A backend whose every method says why it cannot answer, and what to do."""

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
        # nothing is held
        pass
