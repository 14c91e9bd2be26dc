"""A backend and an offset -> the same backend, whose answers are other samples than without it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.backends.delegating import DelegatingBackend
from pytest_lok.engine.asking.checked_call import checked_recall

if TYPE_CHECKING:
    from pytest_lok.core.results import Reply
    from pytest_lok.engine.ports import Backend, Prompt


class ResampledBackend(DelegatingBackend):
    """Moves the number of each sample, so that no cache and no recording gives one answer to two repeats."""

    def __init__(self, backend: Backend, offset: int) -> None:
        super().__init__(backend)
        self._offset = offset

    async def ask(self, prompt: Prompt) -> Reply:
        return await super().ask(self._moved(prompt))

    async def recall(self, prompt: Prompt) -> Reply | None:
        return await checked_recall(self._backend, self._moved(prompt))

    def _moved(self, prompt: Prompt) -> Prompt:
        return replace(prompt, sample=prompt.sample + self._offset)
