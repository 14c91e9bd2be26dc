"""Dask's client without its way back: whoever calls has to know that a connection was lost."""

from __future__ import annotations

from distributed import Client


class OneConnection(Client):  # type: ignore[misc]  # of a package without types of its own
    """A client whose end is the end of its connection to the scheduler.

    Dask would connect again by itself, for as long as it takes, without the subscriptions to events.
    """

    async def _reconnect(self) -> None:
        await self._close(fast=True)
