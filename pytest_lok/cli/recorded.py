"""The name of a record, or nothing -> the results of the runs that stand in it, the newest first."""

from __future__ import annotations

from pathlib import Path

from pytest_lok.core.results import RunResult
from pytest_lok.errors import UsageError


def recorded_results(root: Path, name: str = "") -> list[RunResult]:
    """The runs of a directory below ``.lok/runs``, or at the path ``name``; of all of them without a name.

    A record that cannot be read is left out. UsageError where there is no such directory.
    """
    from pytest_lok.store.runs import RunDirectory

    runs = root / ".lok" / "runs"
    if name:
        folders = [folder for folder in (runs / name, Path(name)) if folder.is_dir()][:1]
        if not folders:
            raise UsageError(f"there is no recorded run {name}", hint=f"look into {runs}")
    else:
        folders = [it for it in runs.glob("*") if it.is_dir()]
    found: list[RunResult] = []
    for folder in folders:
        try:
            records = RunDirectory(folder).records()
        except (OSError, ValueError):
            continue
        found += [record.result for record in records]
    return sorted(found, key=lambda result: -result.started)
