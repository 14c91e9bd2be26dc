"""``KIND=PATH`` -> a report file that is whole, or not there: the old one is removed, the new one written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass
from pytest_lok.discovery import folder_in_repository
from pytest_lok.errors import LokError, UsageError
from pytest_lok.files import is_device, write_output
from pytest_lok.reports.formats import KINDS, report_text

if TYPE_CHECKING:
    from pytest_lok.reports.formats.reported_run import ReportedRun

NONE = "none"
"""In the place of a report: none that nobody asked for."""
GITLAB_FILE = "gl-code-quality-report.json"
"""The name that GitLab's own jobs give their Code Quality report."""
_LONGEST_SUMMARY = 1_048_576  # bytes; GitHub shows nothing of a longer one
_SUMMARY_LENGTHS = (200_000, 50_000, 12_000, 3_000)  # characters that are tried, of up to four bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A report that is wanted: its kind, and the file to write, as an absolute path.

    ``automatic``: nobody asked for it, so that nothing fails if it cannot be written.
    """

    kind: str
    path: Path
    automatic: bool = False

    @classmethod
    def of(cls, text: str, directory: Path) -> ReportFile:
        """What ``KIND=PATH`` means, the path seen from the directory; UsageError if it cannot be written."""
        kind, _, path = text.partition("=")
        if kind not in KINDS:
            known = f"one of: {', '.join(KINDS)}; for example {KINDS[0]}=report.json; or {NONE}"
            raise UsageError(f"the report {text!r}: {kind!r} is no kind of report", hint=known)
        if not path:
            raise UsageError(f"the report {text!r} has no path", hint=f"write {kind}=FILE")
        file = directory / os.path.expanduser(path)  # noqa: PTH111 - Path's raises for an unknown user
        try:
            return cls(kind=kind, path=_writable(file, text))
        except OSError as refused:
            raise UsageError(
                f"the report {text!r} cannot be written: {refused.strerror or refused}",
                hint="name a file that can be made",
            ) from refused

    def remove_old(self) -> None:
        """Remove the file of an earlier run, which says nothing about this one; UsageError if that fails.

        So it does where no new file could be made: after the run it would be too late to say that.
        """
        if is_device(self.path):
            return
        try:
            self.path.unlink(missing_ok=True)
        except OSError as failure:
            raise UsageError(
                f"the {self.kind} report of an earlier run cannot be removed: {self.path}: "
                f"{failure.strerror or failure}"
            ) from failure
        try:
            # not the report's own name: a killed process would leave an empty report
            probe = self.path.with_name(f".{self.path.name[:100]}.{os.urandom(6).hex()}")
            probe.touch(exist_ok=False)
            probe.unlink()
        except OSError as failure:
            raise UsageError(
                f"the {self.kind} report cannot be written: {self.path}: {failure.strerror or failure}",
                hint="name a file that can be made",
            ) from failure

    def make_room(self, warn: Callable[[str], None]) -> bool:
        """Remove the file of an earlier run; whether this report can be written.

        UsageError if the old file stays. If nobody asked for the report ``warn`` is told so instead.
        """
        try:
            self.remove_old()
        except UsageError as failure:
            if not self.automatic:
                raise
            warn(f"lok: warning: {failure.message}")
            return False
        return True

    def write(self, runs: Sequence[ReportedRun]) -> None:
        """Write the report; LokError if that is not possible, and then there is none."""
        try:
            write_output(self.path, report_text(self.kind, runs))
        except LokError as failure:
            raise LokError(f"no {self.kind} report: {failure.message}") from failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwritten:
    """Why a report, or a part of one, was not written; ``fails``: somebody asked for it."""

    text: str
    fails: bool


def _writable(file: Path, text: str) -> Path:
    """The file where it really is; UsageError if it cannot be written, OSError if it cannot be at all."""
    if not is_device(file):
        file = Path(os.path.realpath(file))
    if file.is_dir():
        raise UsageError(f"the report {text!r} names a directory", hint="name a file in it")
    if not file.parent.is_dir():
        raise UsageError(f"the report {text!r}: there is no directory {file.parent}", hint="make it first")
    writable = file if is_device(file) else file.parent
    if not os.access(writable, os.W_OK):
        raise UsageError(f"the report {text!r} cannot be written: {writable} is not writable")
    return file


def report_files(
    given: Iterable[tuple[str, Path]], environ: Mapping[str, str], *, log: str
) -> tuple[ReportFile, ...]:
    """The reports that are wanted, each at a path of its own; UsageError where one cannot be written.

    ``given`` are pairs of ``KIND=PATH`` and the directory from which the path is seen. ``log`` is the stream
    that annotations go to where GitHub Actions runs this and nobody has asked for them.
    """
    pairs = list(given)
    files = tuple(ReportFile.of(text, directory) for text, directory in pairs if text != NONE)
    for at, file in enumerate(files):
        # a device or a pipe may be given more than one
        if file.path in [other.path for other in files[:at]] and not is_device(file.path):
            raise UsageError(f"two reports name one file: {file.path}", hint="give each a file of its own")
    if len(files) < len(pairs):
        return files
    asked = [file.kind for file in files]
    return (*files, *(it for it in _automatic(environ, log) if it.kind not in asked))


def _automatic(environ: Mapping[str, str], log: str) -> Iterator[ReportFile]:
    if environ.get("GITHUB_ACTIONS") == "true":
        yield ReportFile(kind="github", path=Path(log), automatic=True)
    if environ.get("GITLAB_CI"):
        path = Path(environ.get("CI_PROJECT_DIR") or Path.cwd()) / GITLAB_FILE
        yield ReportFile(kind="gitlab", path=path, automatic=True)


def write_reports(
    files: Iterable[ReportFile],
    runs: Iterable[ReportedRun],
    environ: Mapping[str, str],
    *,
    root: Path | None,
) -> Iterator[Unwritten]:
    """Write the reports, each whatever becomes of the others; yields what went wrong.

    Who reads them sees the repository, so paths begin there, and not at the project's ``root``; None = they
    begin where they begin.
    A job of GitHub Actions that gets annotations gets the Markdown report too, in its summary.
    """
    folder = "" if root is None else folder_in_repository(root)
    runs = [run.in_folder(folder) for run in runs]
    for file in files:
        try:
            file.write(runs)
            if file.kind == "github" and (summary := environ.get("GITHUB_STEP_SUMMARY")):
                _add_to_summary(Path(summary), runs)
        except LokError as failure:
            yield Unwritten(text=failure.message, fails=not file.automatic)


def said_of_automatic(
    files: Iterable[ReportFile], environ: Mapping[str, str], *, option: str
) -> Iterator[str]:
    """A line for each report that nobody asked for: where it went, and which ``option`` switches it off."""
    for file in files:
        if file.automatic and file.kind == "github":
            more = ", and the summary of the job" if environ.get("GITHUB_STEP_SUMMARY") else ""
            yield f"reports: annotations in this log{more} ({option} {NONE} switches this off)"
        elif file.automatic and file.path.is_file():
            yield (
                f"reports: {file.path.name}, which GitLab shows if the job names it under "
                f"artifacts:reports:codequality ({option} {NONE} switches this off)"
            )


def _add_to_summary(path: Path, runs: Sequence[ReportedRun]) -> None:
    """Add the Markdown report, as much of it as there is room for; LokError if there is none."""
    from pytest_lok.reports.formats.markdown import rendered

    try:
        # other commands of the step may have written before; what is too long as a whole is not shown at all
        before = path.stat().st_size if path.exists() else 0
        for longest in _SUMMARY_LENGTHS:
            data = rendered(runs, longest).encode("utf-8", "backslashreplace")
            if before + len(data) <= _LONGEST_SUMMARY:
                break
        else:
            raise LokError(f"no step summary: {path} would be longer than 1 MiB, which GitHub does not show")
        _append(path, data, before)
    except OSError as failure:
        raise LokError(f"no step summary: cannot write {path}: {failure.strerror or failure}") from failure


def _append(path: Path, data: bytes, before: int) -> None:
    """Add all of the data to the file, or none of it."""
    try:
        with path.open("ab") as stream:
            stream.write(data)
    except OSError:
        with suppress(OSError):
            os.truncate(path, before)
        raise
