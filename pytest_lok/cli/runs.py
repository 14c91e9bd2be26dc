"""``lok runs``: what is recorded here, the newest first, each with what came of it."""

from __future__ import annotations

import time

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.terminal import columns


def _runs(limit: int | None) -> int:
    from pytest_lok.cli.recorded import said_records
    from pytest_lok.reports.recorded.run_list import rows
    from pytest_lok.wiring.run_records import run_entries

    call = Invocation.of(click.get_current_context())
    store = call.project().all_runs
    records, aside = said_records(call, store)
    entries = [entry for record in records for entry in run_entries(record)][:limit]
    if call.json:
        call.deliver_document(
            {
                "folder": str(store.folder),
                "runs": [entry.document() for entry in entries],
                "set_aside": [{"run": name, "reason": why} for name, why in aside.items()],
            }
        )
        return 0
    if not entries:
        link = ", which is a link and is not followed" if store.is_linked else ""
        call.terminal.note(f"no run is recorded in {store.folder}{link}")
        return 0
    call.deliver(columns(rows(entries, time.time()), width=call.screen_width))
    return 0


command = OptionsCommand(
    "runs",
    callback=_runs,
    params=[
        click.Option(["-l", "--limit"], type=click.IntRange(min=1), metavar="N", help="Show so many at most.")
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""List the runs of this project, the newest first: `lok run`, `lok ask`, other verbs that ask, and
    sessions of pytest, of which each workflow has a line.

    OUTCOME is the verdict of the run. `running` is one whose process is alive. `killed` is one whose
    process is gone without a last word, and which is no yes whatever its steps came to. A record that was
    changed, or that lok has not written here, is said and left as it is.

    The last 20 runs of the last 14 days are kept: [runs] `keep` and `keep_days` in lok.toml.
    """,
)
