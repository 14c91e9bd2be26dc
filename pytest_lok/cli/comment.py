"""``lok comment [RUN] --pr N``: what a recorded run came to, as comments on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.forge import FORGE_OPTIONS, known_answers
from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.recorded import run_argument
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, UsageError

if TYPE_CHECKING:
    from pytest_lok.core.findings.threads import ThreadPlan
    from pytest_lok.core.results import RunResult
    from pytest_lok.reports.formats.reported_run import ReportedRun
    from pytest_lok.workspace.forges.review import LineComment, ReviewForge

_USUAL_LIMIT = 20  # as in core/findings/threads.py, which a page of help need not import
_UNABLE = 3
_LONGEST_STATE = 40_000  # characters
_FORBIDDEN = ("HTTP 403", "not accessible by integration")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posting:
    """What to write about one run; nothing is written yet. ``unplaced``: why no line is commented on."""

    run: ReportedRun
    marker: str
    text: str
    plan: ThreadPlan
    state: str
    lines: tuple[LineComment, ...]
    unplaced: str = ""


def _comment(run: str, pr: str, repo: str, forge: str, commit: str, limit: int, dry_run: bool) -> int:
    from pytest_lok.cli.forge import review_at
    from pytest_lok.core.findings.bases import is_id
    from pytest_lok.store.runs import not_believed
    from pytest_lok.wiring.run_records import reported_runs

    call = Invocation.of(click.get_current_context())
    if commit and not is_id(commit):
        raise UsageError(f"--commit {commit!r} is no whole id of a commit")
    project = call.project()
    store = project.all_runs
    if run in ("", "last"):  # the newest of this project: one of another repository is not meant
        found = store.believed(lambda name, why: call.terminal.note(not_believed(name, why)))
        run = next((it.run_id for it in found if not it.beginning.repository), run)
    record = store.find(run, note=call.terminal.note)
    if where := record.beginning.repository:
        hint = "name a run of this project (`lok runs`)"
        raise UsageError(f"the run {record.run_id} is that of {where}, by --each, not of this", hint=hint)
    recorded = reported_runs(record)
    if not recorded:
        raise UsageError(f"the record {run or 'of the newest run'} holds no run")
    state = _state(call, len(recorded))
    there = review_at(project.root, call.environ, pr, repo, forge)
    diff, head = there.diff(), there.head()
    documents, problems = [], list[str]()
    for one in recorded:
        posting = _prepared(one, there, diff, limit, commit, state)
        url, failed = ("", []) if dry_run else _post(there, posting)
        problems += failed
        documents.append({**_document(posting), "url": url, "problems": failed})
        if not call.json:
            call.terminal.result("\n".join(_preview(posting) if dry_run else _told(posting, url)))
    if call.json:
        about = {"pull_request": head.url, "dry_run": dry_run}
        call.deliver_document({**about, "workflows": documents})
    for problem in problems:
        forbidden = any(words in problem for words in _FORBIDDEN)
        hint = "the token may not write there: the job needs `pull-requests: write`" if forbidden else ""
        call.terminal.error(LokError(problem, hint=hint))
    return _UNABLE if problems else 0


def _prepared(
    run: ReportedRun, there: ReviewForge, diff: str, limit: int, commit: str, state: str
) -> _Posting:
    from pytest_lok.core.findings.threads import ThreadPlan, changed_lines_of, plan_threads, run_marker
    from pytest_lok.reports.formats.inline import inline_comment, run_comment
    from pytest_lok.workspace.forges.review import LineComment

    unplaced = _unplaced(run.result, there, commit)
    plan = ThreadPlan()
    if not unplaced:
        findings = [entry.finding for entry in run.findings]
        threads = there.threads(run.name)
        plan = plan_threads(findings, threads, changed_lines_of(diff), limit=limit, complete=run.complete)
    entries = {entry.finding.fingerprint: entry for entry in reversed(run.findings)}
    lines = tuple(
        LineComment(
            fingerprint=it.finding.fingerprint,
            path=it.finding.path,
            line=it.line,
            removed=it.removed,
            text=inline_comment(run, entries[it.finding.fingerprint]),
        )
        for it in plan.write
    )
    text = run_comment(run, plan, unplaced, state=state)
    return _Posting(
        run=run,
        marker=run_marker(run.name),
        text=text,
        plan=plan,
        state=state,
        lines=lines,
        unplaced=unplaced,
    )


def _state(call: Invocation, runs: int) -> str:
    """The sealed state in the file of --reviewed; whether its seal is good the next review finds out."""
    from pytest_lok.core.findings.reviewed import sealed_text

    file = call.options.reviewed
    if file is None:
        return ""
    if runs > 1:
        raise UsageError(f"the run has {runs} workflows, and a state is of one", hint="leave out --reviewed")
    try:
        found = sealed_text(file.read_text("ascii", "replace"))
    except OSError:
        found = ""
    if not found or len(found) > _LONGEST_STATE:
        why = "is too long for a comment" if found else "holds no state of a review"
        call.terminal.note(f"{file} {why}: the comment has none")
        return ""
    return found


def _unplaced(result: RunResult, there: ReviewForge, commit: str) -> str:
    """Why nobody knows which lines are meant, "" if that is known; LokError where others were judged."""
    from pytest_lok.core.findings.bases import is_id

    head, judged = there.head(), result.head or commit
    if commit and judged != commit:
        raise UsageError(
            f"the run has judged {judged[:12]}, and not {commit[:12]}", hint="leave out --commit"
        )
    if not is_id(judged):
        return "it is not known which commit was judged"
    # a job of CI may judge the commit by which the forge tries the merge
    if head.commit == judged or there.parents(judged)[1:] == [head.commit]:
        return ""
    # the run of the newest commit may have written its comment by now
    raise LokError(
        f"{result.workflow} has judged {judged[:12]}, and the pull request is at {head.commit[:12]} now",
        hint="nothing was written; run it again",
    )


def _post(there: ReviewForge, posting: _Posting) -> tuple[str, list[str]]:
    """Write it; the address of the comment, and what could not be done."""
    from pytest_lok.reports.formats.inline import run_comment
    from pytest_lok.workspace.forges.review import comment_once, write_once

    plan, name = posting.plan, posting.run.name
    problems: list[str] = []
    lost: Sequence[LineComment] = posting.lines
    try:
        lost = write_once(there, name, posting.lines)
    except LokError as failure:
        problems.append(f"no comments on lines: {failure.message}")
    for thread, resolved in [*((it, True) for it in plan.resolve), *((it, False) for it in plan.reopen)]:
        try:
            there.settle(thread, resolved=resolved)
        except LokError as failure:
            verb = "resolved" if resolved else "opened again"
            problems.append(f"the comment on finding {thread.fingerprint} is not {verb}: {failure.message}")
    text = posting.text
    if lost:
        text = run_comment(posting.run, plan, posting.unplaced, lost=len(lost), state=posting.state)
    try:
        return comment_once(there, posting.marker, text), problems
    except LokError as failure:
        return "", [f"no comment: {failure.message}", *problems]


def _document(posting: _Posting) -> dict[str, object]:
    plan = posting.plan
    return {
        "workflow": posting.run.result.workflow,
        "verdict": posting.run.verdict,
        "comment": posting.text,
        "lines": [
            {"path": it.path, "line": it.line, "removed": it.removed, "fingerprint": it.fingerprint}
            for it in posting.lines
        ],
        "resolved": [it.fingerprint for it in plan.resolve],
        "reopened": [it.fingerprint for it in plan.reopen],
        "answered": plan.answered,
        "unplaced": plan.unplaced,
        "crowded": plan.crowded,
    }


def _told(posting: _Posting, url: str) -> Iterator[str]:
    from pytest_lok.reports.formats.inline import thread_counts

    yield f"{posting.run.result.workflow}: {url or 'not written'}"
    if said := posting.unplaced or thread_counts(posting.plan):
        yield f"  {said}"


def _preview(posting: _Posting) -> Iterator[str]:
    """What would be written, in full."""
    yield f"== {posting.run.result.workflow}: the comment, in the place of the last one"
    yield posting.text
    for it in posting.lines:
        yield f"== {it.path}:{it.line}{' of the base' if it.removed else ''}"
        yield it.text
    for thread in posting.plan.resolve:
        yield f"== resolved: the comment on finding {thread.fingerprint}"
    for thread in posting.plan.reopen:
        yield f"== opened again: the comment on finding {thread.fingerprint}"


command = OptionsCommand(
    "comment",
    callback=known_answers(_comment),
    params=[
        run_argument(),
        click.Option(
            ["--pr"], required=True, metavar="N|URL", help="The pull request (merge request) to comment on."
        ),
        *FORGE_OPTIONS,
        click.Option(
            ["--commit"],
            default="",
            metavar="SHA",
            help="The commit that the run has judged.  [default: the one that is recorded]",
        ),
        click.Option(
            ["--limit"],
            type=click.IntRange(min=0),
            default=_USUAL_LIMIT,
            show_default=True,
            metavar="N",
            help="Open comments on lines that the pull request has at most.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Print what would be written, and write nothing."),
    ],
    accepts=("reviewed", "json", "output", *COMMON_OPTIONS),
    helps={"reviewed": "The file with the state of the review, which `lok run --reviewed-from` reads there."},
    help="""Write what a recorded run came to on a pull request: one comment per workflow, which the next run
    updates, and a comment on the line of each finding that blocks or may block.

    GitHub is asked by `gh`, GitLab by `glab`; nobody asks a model. RUN is an id (`lok runs`), the beginning
    of one, `last` (the default), or the path of a record. Only comments that are our own by their author are
    updated. A finding that is gone has its comment resolved, one that somebody has answered is not repeated.
    If the pull request has another commit now than the run has judged, nothing is written.

    \b
    Exit codes:  0  all is written, or --dry-run has shown it
                 2  a usage error; nothing was written
                 3  something could not be written, or the pull request not be
                    read
    """,
)
