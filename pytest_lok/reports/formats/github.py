"""Runs -> annotations of GitHub Actions: lines on standard output that its runner obeys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from pytest_lok.core.results import Severity
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.console import summary
from pytest_lok.reports.formats.reported_run import ReportedRun, bounded, bounded_line, relative

Command: TypeAlias = Literal["error", "warning", "notice"]
_COMMANDS: Mapping[Severity, Command] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "notice",
    "info": "notice",
}
MOST = 10
"""Annotations of one kind in one step of a job; the runner drops the others without a word."""
_TEXT, _LINE = 2_000, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annotation:
    command: Command
    title: str
    text: str
    path: str = ""
    line: int = 0
    end_line: int = 0

    def __str__(self) -> str:
        place = {"file": self.path, "line": self.line, "endLine": self.end_line, "title": self.title}
        given = ",".join(f"{name}={_property(str(value))}" for name, value in place.items() if value)
        return f"::{self.command} {given}::{_data(bounded(self.text, _TEXT))}"


def render(runs: Sequence[ReportedRun]) -> str:
    """The annotations, at most ten of a kind, and a line with the verdict of each run."""
    found = [annotation for run in runs for annotation in _annotations(run)]
    lines = [line for command in _ORDER for line in _limited(command, found)]
    verdicts = [f"lok {run.name}: {run.headline} · {bounded_line(summary(run.result), 500)}" for run in runs]
    return "".join(f"{line}\n" for line in [*map(str, lines), *verdicts])


_ORDER: Sequence[Command] = ("error", "warning", "notice")


def _limited(command: Command, found: Sequence[_Annotation]) -> list[_Annotation]:
    own = [annotation for annotation in found if annotation.command == command]
    if len(own) <= MOST:
        return own
    left = len(own) - MOST + 1
    more = _Annotation(command=command, title="lok", text=f"and {left:,} more, which GitHub would not show")
    return [*own[: MOST - 1], more]


def _annotations(run: ReportedRun) -> Iterator[_Annotation]:
    for it in run.without_findings:
        command: Command = "warning" if it.let_go else "error"
        title = f"lok {run.name}: {it.kind}"
        yield _Annotation(command=command, title=title, text=it.text, path=it.path, line=it.line)
    for entry in run.findings:
        finding = entry.finding
        if entry.aside:
            continue
        yield _Annotation(
            command="error" if entry.blocks else _COMMANDS[finding.severity],
            title=bounded_line(finding.headline, _LINE),
            text="\n".join(filter(None, [finding.title, finding.message])) or "no text was given",
            path=relative(finding.path),
            line=max(finding.line, 1),
            end_line=max(finding.end_line, finding.line, 1),
        )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(bounded_line(text, 1_000)).replace(":", "%3A").replace(",", "%2C")
