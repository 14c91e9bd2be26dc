"""A backend and a remedy -> the same backend, which tells of the remedy where it lacks its key."""

from __future__ import annotations

from pytest_lok.backends.delegating import DelegatingBackend
from pytest_lok.core.results import Reply
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendError, BackendFault

_LACKS = (BackendFault.NOT_CONFIGURED, BackendFault.AUTH, BackendFault.NOT_INSTALLED)


class KeylessBackend(DelegatingBackend):
    """Says ``remedy`` instead of its own hint where it cannot be asked for want of a key or a sign-in."""

    def __init__(self, backend: Backend, remedy: str) -> None:
        super().__init__(backend)
        self._remedy = remedy

    def unavailable(self) -> BackendError | None:
        return self._told(super().unavailable())

    async def ask(self, prompt: Prompt) -> Reply:
        try:
            return await super().ask(prompt)
        except BackendError as failure:
            self._told(failure)
            raise

    def _told(self, failure: BackendError | None) -> BackendError | None:
        if failure is not None and failure.kind in _LACKS:
            failure.hint = self._remedy
        return failure
