"""The hooks of other packages: they may add types of backends.

A package names a module in the entry point group ``pytest_lok``; pluggy finds the hooks there::

    [project.entry-points.pytest_lok]
    parrot = "lok_parrot"
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import pluggy

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.core.results import Json
    from pytest_lok.engine.ports import Backend

GROUP = "pytest_lok"
"""The group of entry points, and the name of the project for pluggy."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSetup:
    """``[backends.NAME]`` of lok.toml, for the package that adds its ``type``.

    ``key`` is the value of the variable that ``api_key_env`` names, "" where there is none. ``options`` is
    ``[backends.NAME.options]`` as it is written. ``root`` is the workspace. ``environ`` is the environment:
    a backend reads its variables from there, never from that of the process.
    """

    name: str
    model: str = ""
    base_url: str = ""
    key: str = field(default="", repr=False)
    max_tokens: int | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    root: Path = Path()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


BackendFactory: TypeAlias = "Callable[[BackendSetup], Backend]"


class MakeBackend(Protocol):
    """Makes a backend that answers ``text`` to everything; one that ``hangs`` never answers."""

    def __call__(self, text: str = ..., *, hangs: bool = False) -> Backend:
        """A new backend, which is closed by its caller."""
        ...


class ContractCase(Protocol):
    """Starts in a directory what is needed to make such backends: a fake server, or a fake tool."""

    def __call__(self, directory: Path, /) -> AbstractContextManager[MakeBackend]:
        """Start it; leaving the context ends what was started."""
        ...


@hookspec
def lok_backends() -> Mapping[str, BackendFactory]:
    """Types of backends: the value of ``type = "…"``, and the factory that makes one.

    A factory may raise UsageError where the settings are wrong. It neither connects nor starts anything.
    """
    raise NotImplementedError


@hookspec
def lok_contract_cases() -> Mapping[str, ContractCase]:
    """The cases that ``pytest --pyargs pytest_lok.testing.contract`` tests, by their names."""
    raise NotImplementedError


def backend_types(taken: Collection[str] = ()) -> dict[str, BackendFactory]:
    """The types of all installed packages; UsageError where two, or one and one ``taken``, have one name."""
    found: dict[str, BackendFactory] = {}
    for types in _installed().hook.lok_backends():
        for name, factory in types.items():
            # which of the two would win depends on the order of installation
            if name in found or name in taken:
                raise UsageError(
                    f'there are two backends of type "{name}" installed',
                    hint=f"look at the entry points in the group {GROUP}, and uninstall one package",
                )
            found[name] = factory
    return found


def contract_cases() -> dict[str, ContractCase]:
    """The contract cases of all installed packages."""
    return {name: case for cases in _installed().hook.lok_contract_cases() for name, case in cases.items()}


def _installed() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(sys.modules[__name__])
    try:
        manager.load_setuptools_entrypoints(GROUP)
        manager.check_pending()
    except Exception as error:  # whatever another package does while it is imported
        raise UsageError(
            f"a package with backends cannot be loaded: {type(error).__name__}: {error}",
            hint=f"repair or uninstall the package with that entry point in the group {GROUP}",
        ) from error
    return manager
