"""What all worlds of one project share; nothing of it is started before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakSet

if TYPE_CHECKING:
    from pytest_lok.backends.http.ollama_server import OllamaServer
    from pytest_lok.core.resume.inputs import BackendIdentity
    from pytest_lok.engine.asking.concurrency import ConcurrencyLimiter
    from pytest_lok.engine.ports import Backend
    from pytest_lok.fleet.shell import Fleet
    from pytest_lok.workspace.processes.runner import LocalProcesses
    from pytest_lok.workspace.processes.watchdog import Watchdog

MadeBackend: TypeAlias = "tuple[Backend, Callable[[], BackendIdentity | None]]"


class SharedResources:
    """``limiters`` are how many questions a backend gets at once, by its name and limits.

    ``servers`` are those of Ollama by their URL, so that each is looked at once. ``fleets`` are those that
    commands run at, by their settings. ``made`` are the backends that the settings have made, by ``id``, each
    with what its answers depend on. ``watchdog`` ends the processes if this program dies.
    """

    def __init__(self) -> None:
        self.limiters: dict[tuple[str, int, int], ConcurrencyLimiter] = {}
        self.servers: dict[str, OllamaServer] = {}
        self.fleets: dict[str, Fleet] = {}
        self.made: dict[int, MadeBackend] = {}
        self._processes: WeakSet[LocalProcesses] = WeakSet()

    @cached_property
    def watchdog(self) -> Watchdog:
        """What outlives this program for a moment."""
        from pytest_lok.workspace.processes.watchdog import Watchdog

        return Watchdog()

    def launcher(self, root: Path, env: Mapping[str, str]) -> LocalProcesses:
        """What runs processes at ``root`` with this environment."""
        from pytest_lok.workspace.processes.runner import LocalProcesses

        made = LocalProcesses(root, env, watchdog=self.watchdog)
        self._processes.add(made)
        return made

    def identity(self, backend: Backend | None) -> BackendIdentity | None:
        """What the answers of a backend depend on; None where the settings have not made it."""
        known = self.made.get(id(backend))
        return None if known is None else known[1]()

    def kill(self) -> None:
        """Kill every process: worlds share backends, and so the processes that those run in."""
        for processes in tuple(self._processes):
            processes.kill()
