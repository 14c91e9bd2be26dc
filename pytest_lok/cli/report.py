"""``lok report [RUN]``: a report of a recorded run, as its process would have written it, or of several."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.recorded import run_argument
from pytest_lok.errors import UsageError
from pytest_lok.late_regex import late_regex
from pytest_lok.reports.formats import KINDS

if TYPE_CHECKING:
    from pytest_lok.reports.recorded.run_list import RunEntry
    from pytest_lok.wiring import Project

_AGE = late_regex(r"(\d{1,6})([mhdw])")
_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_REQUEST = late_regex(r"(?:.*[#!/])?0*(\d{1,10})/?")


def _report(run: str, format_: str | None, since: str | None, request: str | None, limit: int | None) -> int:
    call = Invocation.of(click.get_current_context())
    if call.options.json and format_ not in (None, "json"):
        raise UsageError(f"--json asks for another form than --format {format_}", hint="leave one out")
    # the report of GitLab is a file .json too
    wanted = format_ or ("json" if call.json else "markdown")
    if since is None and request is None:
        if limit is not None:
            raise UsageError("--limit needs --since or --pr", hint="`lok runs --limit N` lists runs")
        return _report_one(call, run, wanted)
    if run:
        raise UsageError("--since and --pr choose the runs themselves", hint="leave RUN out")
    if wanted not in ("markdown", "json"):
        raise UsageError("several runs are summed up as markdown or json", hint="give RUN for other formats")
    return _report_several(call, since, request, limit, wanted)


def _report_one(call: Invocation, run: str, wanted: str) -> int:
    from pytest_lok.cli.recorded import record_document
    from pytest_lok.reports.formats import report_text
    from pytest_lok.wiring.run_records import reported_runs

    record = call.project().all_runs.find(run, note=call.terminal.note)
    if wanted == "json":
        call.deliver_document(record_document(record))
        return 0
    if not record.runs:
        raise UsageError(f"the run {record.run_id} was {record.state} before it had a workflow")
    call.deliver(report_text(wanted, reported_runs(record)))
    return 0


def _report_several(
    call: Invocation, since: str | None, request: str | None, limit: int | None, wanted: str
) -> int:
    from pytest_lok.cli.recorded import utc
    from pytest_lok.reports.recorded.several import several_document, several_markdown

    number = _number(request) if request is not None else ""
    start = _start(since, time.time()) if since is not None else 0.0
    entries = _chosen(call, call.project(), start, number)[:limit]
    if wanted == "json":
        call.deliver_document(several_document(entries))
        return 0
    title = "Runs of lok" + (f" for pull request {number}" if number else "")
    title += f" since {utc(start)}" if since is not None else ""
    call.deliver(several_markdown(entries, title, {entry.run_id: utc(entry.began) for entry in entries}))
    return 0


def _chosen(call: Invocation, project: Project, start: float, number: str) -> Sequence[RunEntry]:
    from pytest_lok.cli.recorded import said_records
    from pytest_lok.wiring.run_records import run_entries

    records, _ = said_records(call, project.all_runs)
    entries = [entry for record in records for entry in run_entries(record) if entry.began >= start]
    return [entry for entry in entries if not number or number in _requests(entry)]


def _requests(entry: RunEntry) -> set[str]:
    """The pull requests that a run is of: by CI, or by its argument ``pr``."""
    found = _REQUEST.fullmatch(entry.arguments.get("pr", ""))
    return {entry.request, found[1] if found else ""} - {""}


def _number(said: str) -> str:
    found = _REQUEST.fullmatch(said)
    if found is None:
        raise UsageError(f"--pr {said!r} is no pull request", hint="give its number or its URL")
    return found[1]


def _start(said: str, now: float) -> float:
    """The moment from which on runs are told, in seconds since the epoch; UsageError if it is none."""
    if found := _AGE.fullmatch(said):
        return now - int(found[1]) * _UNITS[found[2]]
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        hint = "an age as 90m, 12h, 7d or 2w, or a date as 2026-11-29"
        raise UsageError(f"--since {said!r} is no time", hint=hint) from None
    # the ids of runs are in UTC too
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


command = OptionsCommand(
    "report",
    callback=_report,
    params=[
        run_argument(),
        click.Option(
            ["-f", "--format", "format_"],
            type=click.Choice(["json", *KINDS]),
            help="What to write.  [default: markdown]",
        ),
        click.Option(
            ["--since"], metavar="TIME", help="Sum up the runs since then: 12h, 7d, 2w, 2026-11-29 (UTC)."
        ),
        click.Option(["--pr", "request"], metavar="N", help="Sum up the runs for this pull request."),
        click.Option(
            ["-l", "--limit"], type=click.IntRange(min=1), metavar="N", help="Sum up so many at most."
        ),
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Write the report of RUN that its own process would have written: an id (`lok runs`), the beginning
    of one, `last` (the default), or the path of a record. With --since or --pr, sum up several runs as
    Markdown or JSON: how many came to what, what they cost, and what blocked.

    A run is for a pull request if CI said so when it ran, or if its argument `pr` names it.

    Nothing is run. The exit code says whether there is such a run, and not what it came to.

    \b
    Exit codes:  0  written
                 2  there is no such run
                 3  the record was changed, or lok has not written it here
    """,
)
