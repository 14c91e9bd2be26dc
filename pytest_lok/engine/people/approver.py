"""The protocol of whoever asks a person who is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_lok.core.approval import Approval


class Approver(Protocol):
    """Asks a person who is there. Cancelling ``ask`` takes the question back."""

    async def ask(self, step: str, question: str) -> Approval | None:
        """The answer; None = nobody answers now, and the step waits."""
        ...
