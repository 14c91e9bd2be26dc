"""Backends by name, each made when it is first looked up: most runs ask few of those that are configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lok.engine.ports import Backend


class BackendsOnDemand(Mapping[str, "Backend"]):
    """The backends that ``makers`` make, in their order."""

    def __init__(self, makers: Mapping[str, Callable[[], Backend]]) -> None:
        self._makers = makers
        self.made: dict[str, Backend] = {}

    def __getitem__(self, name: str) -> Backend:
        if name not in self.made:
            self.made[name] = self._makers[name]()
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __or__(self, others: Mapping[str, Backend]) -> BackendsOnDemand:
        """These and the others, which win, as of dictionaries; none is made by it."""
        return BackendsOnDemand({
            name: partial(source.__getitem__, name) for source in (self, others) for name in source
        })  # fmt: skip


def made_backends(backends: Mapping[str, Backend]) -> Iterable[Backend]:
    """Those of the backends that exist by now, and so may have something to close."""
    return (backends.made if isinstance(backends, BackendsOnDemand) else backends).values()
