"""The reports that ``--report`` asks for: the old ones removed before the run, the new ones written after."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.core.events import BackendAsked, Event
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, UsageError
from pytest_lok.files import followed
from pytest_lok.reports.formats.reported_run import ReportedRun
from pytest_lok.wiring.report_files import (
    ReportFile,
    report_files,
    said_of_automatic,
    write_reports,
)

if TYPE_CHECKING:
    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.plan import Plan

_UNABLE = 3


def require_apart(files: Sequence[ReportFile], output: Path | None) -> None:
    """UsageError where ``--output`` and a report name one file, by whatever links."""
    if output is not None and any(file.path == followed(output) for file in files):
        raise UsageError(f"--output and --report name one file: {output}", hint="give each a file of its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReports:
    """The report files of one run, and the prompts that its steps have sent until now."""

    files: tuple[ReportFile, ...]
    _asked: dict[str, list[BackendAsked]] = field(default_factory=dict)

    @classmethod
    def of(cls, call: Invocation) -> RunReports:
        """The reports of this call; none of an earlier run is left. UsageError if one cannot be written."""
        files = report_files(
            ((text, _here()) for text in call.options.reports), call.environ, log="/dev/stderr"
        )
        require_apart(files, call.options.output)
        return cls(files=tuple(file for file in files if file.make_room(call.terminal.note)))

    def note(self, event: Event) -> None:
        """Keep what the reports say of prompts."""
        if isinstance(event, BackendAsked):
            self._asked.setdefault(event.step, []).append(event)

    def write(self, call: Invocation, root: Path, plan: Plan, result: RunResult, code: int) -> int:
        """Write the files of the project at ``root``; the exit code, not 0 if one could not be written."""
        asked = self._asked
        run = ReportedRun.of(
            result, plan.workflow, code, lambda step: asked.get(step, ()), arguments=plan.arguments
        )
        for unwritten in write_reports(self.files, [run], call.environ, root=root):
            if unwritten.fails:
                call.terminal.error(LokError(unwritten.text))
                code = code or _UNABLE
            else:
                call.terminal.note(f"lok: warning: {unwritten.text}")
        if not call.options.quiet:
            for said in said_of_automatic(self.files, call.environ, option="--report"):
                call.terminal.note(said)
        return code


def remove_old_reports(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Remove the reports of a command line which was refused before anybody read all of it."""
    for file in report_files((), environ, log="/dev/stderr"):
        with suppress(UsageError):
            file.remove_old()
    following = [*words[1:], ""]
    for word, after in zip(words, following, strict=True):
        name, _, value = word.partition("=")
        if name == "--report":
            given = value or after
            # where it leads to may be no report at all
            if os.path.islink(link := given.partition("=")[2]):  # noqa: PTH114 - Path's raises if it is too long
                with suppress(OSError):
                    Path(link).unlink()
                continue
            with suppress(UsageError):
                ReportFile.of(given, _here()).remove_old()


def _here() -> Path:
    """The current directory; where it is gone, one in which no file is and can be."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.devnull)
