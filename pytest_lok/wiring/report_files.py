"""``KIND=PATH`` -> a report file that is whole, or not there: the old one is removed, the new one written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, UsageError
from pytest_lok.files import is_device, write_output
from pytest_lok.reports.formats import KINDS, report_text

if TYPE_CHECKING:
    from pytest_lok.reports.formats.reported_run import ReportedRun

_LONGEST_SUMMARY = 1_048_576  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A report that was asked for: its kind, and the file to write, as an absolute path."""

    kind: str
    path: Path

    @classmethod
    def of(cls, text: str, directory: Path) -> ReportFile:
        """What ``KIND=PATH`` means, the path seen from the directory; UsageError if it cannot be written."""
        kind, _, path = text.partition("=")
        if kind not in KINDS:
            known = f"one of: {', '.join(KINDS)}; for example {KINDS[0]}=report.json"
            raise UsageError(f"the report {text!r}: {kind!r} is no kind of report", hint=known)
        if not path:
            raise UsageError(f"the report {text!r} has no path", hint=f"write {kind}=FILE")
        file = directory / os.path.expanduser(path)  # noqa: PTH111 - Path's raises for an unknown user
        if not is_device(file):
            file = Path(os.path.realpath(file))
        if file.is_dir():
            raise UsageError(f"the report {text!r} names a directory", hint="name a file in it")
        if not file.parent.is_dir():
            raise UsageError(
                f"the report {text!r}: there is no directory {file.parent}", hint="make it first"
            )
        writable = file if is_device(file) else file.parent
        if not os.access(writable, os.W_OK):
            raise UsageError(f"the report {text!r} cannot be written: {writable} is not writable")
        return cls(kind=kind, path=file)

    def remove_old(self) -> None:
        """Remove the file of an earlier run, which says nothing about this one; UsageError if that fails."""
        if self.path.exists() and not is_device(self.path):
            try:
                self.path.unlink()
            except OSError as failure:
                raise UsageError(
                    f"the {self.kind} report of an earlier run cannot be removed: {self.path}: "
                    f"{failure.strerror or failure}"
                ) from failure

    def write(self, runs: Sequence[ReportedRun]) -> None:
        """Write the report; LokError if that is not possible, and then there is none."""
        try:
            write_output(self.path, report_text(self.kind, runs))
        except LokError as failure:
            raise LokError(f"no {self.kind} report: {failure.message}") from failure


def report_files(given: Iterable[tuple[str, Path]]) -> tuple[ReportFile, ...]:
    """The reports that were asked for, each at a path of its own; UsageError where one cannot be written.

    ``given`` are pairs of ``KIND=PATH`` and the directory from which the path is seen.
    """
    files = tuple(ReportFile.of(text, directory) for text, directory in given)
    for at, file in enumerate(files):
        # a device or a pipe may be given more than one
        if file.path in [other.path for other in files[:at]] and not is_device(file.path):
            raise UsageError(f"two reports name one file: {file.path}", hint="give each a file of its own")
    return files


def write_reports(
    files: Iterable[ReportFile], runs: Sequence[ReportedRun], environ: Mapping[str, str]
) -> Iterator[str]:
    """Write the reports, each whatever becomes of the others; yields what went wrong, one text for each.

    A job of GitHub Actions that asks for annotations gets the Markdown report too, in its summary.
    """
    for file in files:
        try:
            file.write(runs)
            if file.kind == "github" and (summary := environ.get("GITHUB_STEP_SUMMARY")):
                _add_to_summary(Path(summary), runs)
        except LokError as failure:
            yield failure.message


def _add_to_summary(path: Path, runs: Sequence[ReportedRun]) -> None:
    data = report_text("markdown", runs).encode("utf-8", "backslashreplace")
    try:
        # other commands of the step may have written before; what is too long as a whole is not shown at all
        if path.exists() and path.stat().st_size + len(data) > _LONGEST_SUMMARY:
            raise LokError(f"no step summary: {path} would be longer than 1 MiB, which GitHub does not show")
        with path.open("ab") as stream:
            stream.write(data)
    except OSError as failure:
        raise LokError(f"no step summary: cannot write {path}: {failure.strerror or failure}") from failure
