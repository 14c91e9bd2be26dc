"""`python -m benchmarks [ROOM ...] [--json FILE]`: measure, print the table, keep it as JSON if asked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.conditions import conditions, load
from benchmarks.measure import Row, table

# Imported when their turn comes, `items` first: a child's peak memory is never less than that of the
# process which started it.
ROOMS = (
    "items",
    "startup",
    "processes",
    "http",
    "makespan",
    "engine",
    "fleet",
    "reports",
    "journal",
    "resume",
)


def main() -> int:
    """The ratios of the chosen rooms; 1 if one misses its goal and ``--strict`` asks to say so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a goal is missed")
    options = parser.parse_args()
    unknown = sorted(set(options.rooms) - set(ROOMS))
    if unknown:
        parser.error(f"no such room: {', '.join(unknown)}; there are {', '.join(ROOMS)}")
    rows: list[Row] = []
    before = list(conditions())
    for room in (room for room in ROOMS if room in options.rooms or not options.rooms):
        measured: Iterator[Row] = import_module(f"benchmarks.{room}").rows()
        for row in measured:
            rows.append(row)
            print(f"measured: {row.group}: {row.what}", file=sys.stderr)
    print("\n".join(before), f"           {load()}, at the end", "", table(rows), sep="\n")
    if options.json:
        found = [{**asdict(row), "spread": row.spread} for row in rows]
        options.json.write_text(json.dumps({"conditions": before, "rows": found}, indent=2) + "\n")
    return 1 if options.strict and any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
