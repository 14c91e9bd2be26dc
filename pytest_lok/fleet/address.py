"""The address of a fleet -> the engine that reaches it: one line for each kind of fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_lok.backends.cli.environment import allowed_part
from pytest_lok.fleet.port import LEASE
from pytest_lok.fleet.shell import Fleet, RemoteShell

if TYPE_CHECKING:
    from pytest_lok.engine.ports import CommandRunner, Workspace
    from pytest_lok.fleet.port import FleetEngine
    from pytest_lok.settings.tables import FleetSettings

_LOCAL_LEASE = 10.0
"""A place of this machine notices by a pipe that its driver has died; this is for one that hangs."""


def remote_shell(
    settings: FleetSettings,
    local: CommandRunner,
    workspace: Workspace,
    env: Mapping[str, str],
    fleets: dict[str, Fleet],
) -> RemoteShell:
    """The shell of a world with a fleet; nothing is connected before a command travels.

    ``env`` is the environment of this machine's commands. Places here get the part of it that every program
    needs, and places elsewhere none of it. ``fleets`` are those that worlds share.
    """
    engine, lease = fleet_engine(settings, env), lease_of(settings)
    fleet = fleets.setdefault(repr(settings), Fleet(engine, lease=lease))
    return RemoteShell(local, engine, snapshot=workspace.snapshot, lease=lease).sharing(fleet)


def lease_of(settings: FleetSettings) -> float:
    """Seconds after which a place ends the commands of a driver that says nothing."""
    return _LOCAL_LEASE if settings.scheduler == "local" else LEASE


def fleet_engine(settings: FleetSettings, env: Mapping[str, str]) -> FleetEngine:
    """What reaches the places of the fleet; ``env`` is as for ``remote_shell``."""
    lease = lease_of(settings)
    kind, _, _ = settings.scheduler.partition("://")
    match kind:
        case "local":
            from pytest_lok.fleet.local import LocalFleet, share_of_machine

            return LocalFleet(share_of_machine(settings.workers), allowed_part(env), lease=lease)
        case "tcp" | "tls":
            from pytest_lok.fleet.dask import DaskFleet

            files = {"ca": settings.ca, "cert": settings.cert, "key": settings.key}
            return DaskFleet(settings.scheduler, files if kind == "tls" else None, lease=lease)
    raise ValueError(f"the settings let no address of the kind {kind!r} through")
