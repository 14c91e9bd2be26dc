"""``lok fleet up|status``: a cluster to try a fleet with, and what the places of a fleet have and run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand, options
from pytest_lok.cli.terminal import columns
from pytest_lok.errors import LokError, UsageError

if TYPE_CHECKING:
    from pytest_lok.fleet.port import FleetPlace
    from pytest_lok.settings.tables import FleetSettings

_PORT = 8786  # Dask's own
_MOST = 64


def _up(workers: int, cores: int | None, port: int) -> int:
    import asyncio
    from dataclasses import replace
    from importlib.util import find_spec

    from pytest_lok.cli.execute import stopping_on_signals
    from pytest_lok.fleet.dask_cluster import LocalCluster
    from pytest_lok.fleet.local import share_of_machine

    call = Invocation.of(click.get_current_context())
    if find_spec("distributed") is None:
        raise UsageError(
            "`lok fleet up` needs Dask, which is not installed here", hint="pip install 'pytest-lok[fleet]'"
        )
    places = [
        replace(place, name=f"w{number}", cores=cores or place.cores)
        for number, place in enumerate(share_of_machine(workers), 1)
    ]
    cluster = LocalCluster(places, port, call.environ, call.terminal.note)

    async def serve() -> None:
        async with cluster.running() as address:
            _tell(call, address, places)
            await asyncio.Event().wait()

    async def body() -> int:
        serving = asyncio.create_task(serve())

        def stop(_: str) -> None:
            serving.cancel()

        with stopping_on_signals(stop, cluster.kill) as stopped:
            await asyncio.wait([serving])
        if stopped:
            return 128 + stopped[0]
        await serving
        return 0

    return asyncio.run(body())


def _tell(call: Invocation, address: str, places: Sequence[FleetPlace]) -> None:
    """Deliver the address, and what to write where."""
    if call.json:
        call.deliver_document({"scheduler": address, "places": [_facts(place) for place in places]})
        return
    one = places[0]
    count = f"{len(places)} places" if len(places) > 1 else "1 place"
    call.terminal.note(
        f"A cluster of {count} with {_cores(one.cores)} each is up on this machine, at {address}.\n"
        "These two lines in lok.toml send steps with `on` or `needs` there. Ctrl-C ends it.\n"
    )
    call.deliver(f'[fleet]\nscheduler = "{address}"')


def _status() -> int:
    import asyncio

    from pytest_lok.cli.trust import require_trust

    call = Invocation.of(click.get_current_context())
    # an address that nobody trusts is not spoken to
    settings = require_trust(call, call.project()).settings.fleet
    if not settings.scheduler:
        raise UsageError(
            "no fleet is set: [fleet] of lok.toml names no scheduler",
            hint='`lok fleet up` starts one to try; or scheduler = "local"',
        )
    places = asyncio.run(_places(settings))
    if call.json:
        facts = [_facts(place) for place in places]
        call.deliver_document({"scheduler": settings.scheduler, "places": facts})
        return 0
    rows = [("PLACE", "CORES", "MEMORY", "LABELS", "RUNS")]
    for place in places:
        size = f"{place.memory / 1e9:.1f} GB" if place.memory else "-"
        rows.append((place.name, f"{place.cores:g}", size, " ".join(place.labels), _runs(place)))
    call.deliver(columns(rows, width=call.screen_width, whole=True))
    if settings.scheduler == "local":
        call.terminal.note('scheduler = "local": each run starts these places for itself')
    return 0


async def _places(settings: FleetSettings) -> Sequence[FleetPlace]:
    """The places of a fleet; LokError where there is none, or nobody answers."""
    from pytest_lok.fleet.address import fleet_engine
    from pytest_lok.fleet.local import share_of_machine

    if settings.scheduler == "local":
        return share_of_machine(settings.workers)
    engine = fleet_engine(settings, {})
    try:
        places = await engine.places()
    finally:
        await engine.aclose()
    if not places:
        raise LokError(
            f"the scheduler at {settings.scheduler} answers, and it has no worker that does",
            hint="start workers with the address of that scheduler",
        )
    return places


def _runs(place: FleetPlace) -> str:
    from pytest_lok.version import __version__

    if place.version != __version__:
        return f"nothing of this lok: it has pytest-lok {place.version}, and here is {__version__}"
    return ", ".join(place.names) or "-"


def _facts(place: FleetPlace) -> dict[str, object]:
    return {
        "name": place.name,
        "cores": place.cores,
        "memory": place.memory,
        "labels": list(place.labels),
        "version": place.version,
        "running": list(place.names),
    }


def _cores(count: float) -> str:
    return f"{count:g} core{'' if count == 1 else 's'}"


command = click.Group(
    "fleet",
    params=options("json", "output", *COMMON_OPTIONS),
    help="""Start a fleet on this machine to try it, or show what a fleet has and runs.

    A fleet is where the commands of steps with `on` or `needs` run. [fleet] of lok.toml says where it is.
    """,
    commands=[
        OptionsCommand(
            "up",
            callback=_up,
            params=[
                click.Option(
                    ["--workers"], type=click.IntRange(1, _MOST), default=2, show_default=True,
                    metavar="N", help="How many places.",
                ),
                click.Option(
                    ["--cores"], type=click.IntRange(1), metavar="N",
                    help="Cores of each place.  [default: an equal share of this machine's]",
                ),
                click.Option(
                    ["--port"], type=click.IntRange(0, 65535), default=_PORT, show_default=True,
                    metavar="N", help="Port of the scheduler on 127.0.0.1; 0 = a free one.",
                ),
            ],
            accepts=("json", "output", *COMMON_OPTIONS),
            short_help="Start a cluster on this machine to try it.",
            help="""Start a Dask cluster on this machine and keep it until Ctrl-C: a scheduler that listens on
            127.0.0.1 alone, and workers. A worker that ends is started again. It needs the extra
            pytest-lok[fleet]. For more than one machine, start Dask there by its own tools: docs/fleet.md.

            \b
            Exit codes:  2    the port is not free, or Dask is not installed
                         3    the cluster did not come up
                         130  ended by Ctrl-C
            """,
        ),
        OptionsCommand(
            "status",
            callback=_status,
            accepts=("json", "output", "trust", *COMMON_OPTIONS),
            short_help="Show the places of the fleet, and what runs there.",
            help="""Show the places of the fleet that [fleet] of lok.toml names: their cores, memory and
            labels, and what runs there now.

            \b
            Exit codes:  0  places answer
                         2  no fleet is set
                         3  nobody answers
            """,
        ),
    ],
)  # fmt: skip
