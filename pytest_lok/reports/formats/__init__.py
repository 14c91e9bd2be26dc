"""Runs -> the text of a report file of one kind, for CI servers, review bots and people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lok.reports.formats.reported_run import ReportedRun

KINDS = ("sarif", "junit", "html", "markdown", "gitlab", "jsonl", "github")
"""The kinds of reports; each has a module of its name."""


def report_text(kind: str, runs: Sequence[ReportedRun]) -> str:
    """The report of that kind on these runs: a whole file, in text that nobody's terminal or CI obeys."""
    render: Callable[[Sequence[ReportedRun]], str] = import_module(f"{__name__}.{kind}").render
    return render(runs)
