"""RUN on the command line -> the record that is meant, or the newest; and all that can be believed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.results import RunResult
    from pytest_lok.store.records import Record
    from pytest_lok.store.runs import RunStore


class RunType(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click, not in 8.2
    """A run id, the beginning of one, or the path of a record; shells complete the ids of the project."""

    name = "run"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The ids of the runs that are recorded here."""
        from click.shell_completion import CompletionItem

        from pytest_lok.cli.invocation import Invocation

        names = Invocation.of(ctx).project().all_runs.names()
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def run_argument() -> click.Argument:
    """``[RUN]`` of a verb: ``run`` is the text for ``RunStore.find``, "" = the newest run."""
    return click.Argument(["run"], required=False, default="", metavar="[RUN]", type=RunType())


def said_records(call: Invocation, store: RunStore) -> tuple[list[Record], dict[str, str]]:
    """The records of a store that can be believed, the newest first, and why the others are not, by name.

    The latter are said on stderr.
    """
    from pytest_lok.store.runs import not_believed

    aside: dict[str, str] = {}
    found = [*store.believed(aside.__setitem__)]
    if not call.options.json:
        for name, reason in aside.items():
            call.terminal.note(not_believed(name, reason))
    return found, aside


def record_document(record: Record) -> dict[str, object]:
    """A record for programs: its call, its process, and each of its runs as ``lok run --json`` prints one."""
    from pytest_lok.reports.json_report import run_as_json

    return {
        "run_id": record.run_id,
        "state": record.state,
        "exit_code": record.exit_code,
        "command": record.beginning.command,
        "began": record.beginning.time,
        "root": record.beginning.root,
        "repository": record.beginning.repository,
        "version": record.beginning.version,
        "workflows": [
            {
                **run_as_json(run.result, run.exit_code),
                "arguments": run.workflow.arguments if run.workflow else {},
                "running": sorted(run.running),
            }
            for run in record.runs
        ],
    }


def utc(seconds: float) -> str:
    """A time as people read it: ``2026-11-29 01:23:15 UTC``."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def recorded_results(store: RunStore, run: str = "") -> list[RunResult]:
    """The results of one record, or of all that can be believed, the newest first; errors as of ``find``."""
    records = [store.find(run)] if run else store.believed()
    found = [run.result for record in records for run in record.runs]
    return sorted(found, key=lambda result: -result.started)
