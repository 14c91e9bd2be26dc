"""``lok cache show|clear``: what is kept of answers, and its end."""

from __future__ import annotations

from collections import Counter

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand, options
from pytest_lok.cli.terminal import columns
from pytest_lok.errors import LokError


def _show() -> int:
    from pytest_lok.reports.console import duration
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    cache = call.project().cache
    entries = cache.entries()
    young = [entry for entry in entries if entry.age < cache.ttl]
    counts = Counter(entry.backend for entry in young)
    facts = {
        "folder": str(cache.folder),
        "ttl_hours": cache.ttl / 3600,
        "answers": len(young),
        "expired": len(entries) - len(young),
        "bytes": sum(entry.size for entry in entries),
        "oldest_seconds": max((entry.age for entry in young), default=None),
        "backends": dict(sorted(counts.items())),
    }
    if call.json:
        call.deliver(dumps(facts))
        return 0
    oldest = max((entry.age for entry in young), default=0.0)
    rows = [
        ("folder", str(cache.folder)),
        ("answers", f"{len(young)}, the oldest {duration(oldest)} old" if young else "none"),
        *((f"  {name}", str(count)) for name, count in sorted(counts.items())),
        ("expired", str(len(entries) - len(young))),
        ("size", f"{sum(entry.size for entry in entries):,} bytes"),
        ("kept for", duration(cache.ttl)),
    ]
    call.deliver(columns(rows))
    return 0


def _clear() -> int:
    call = Invocation.of(click.get_current_context())
    cache = call.project().cache
    try:
        removed = cache.clear()
    except OSError as failure:
        raise LokError(f"cannot empty {cache.folder}: {failure.strerror}") from failure
    if call.json:
        call.deliver_document({"folder": str(cache.folder), "removed": removed})
        return 0
    call.terminal.note(f"removed {removed} answer{'' if removed == 1 else 's'} from {cache.folder}")
    return 0


command = click.Group(
    "cache",
    params=options("json", "output", *COMMON_OPTIONS),
    help="""Show or empty the cache of answers.

    It is what `lok ask` gives again, and workflows where --cache says so. It lies outside every
    project, for this user alone, and holds answers and digests, no questions.
    """,
    commands=[
        OptionsCommand(
            "show",
            callback=_show,
            accepts=("json", "output", *COMMON_OPTIONS),
            help="Show where it is, how many answers it has and how old they are.",
        ),
        OptionsCommand(
            "clear",
            callback=_clear,
            accepts=("json", "output", *COMMON_OPTIONS),
            help="Remove every answer.",
        ),
    ],
)
