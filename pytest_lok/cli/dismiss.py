"""``lok dismiss FINGERPRINT``: accept one finding of a recorded run, with a reason and perhaps a last day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.cli.recorded import RunType
from pytest_lok.errors import PlanError, SettingsError, UsageError, WorkflowError

if TYPE_CHECKING:
    from pytest_lok.core.results import Finding, RunResult
    from pytest_lok.wiring import Project

_DIGITS = frozenset("0123456789abcdef")


def _dismiss(fingerprint: str, run: str) -> int:
    from pytest_lok.cli.acceptance import accept, acceptance_of
    from pytest_lok.core.edits.protected_names import BASELINE
    from pytest_lok.engine.ports import utc_date

    call = Invocation.of(click.get_current_context())
    prefix = fingerprint.strip().lower()
    if not prefix or not _DIGITS.issuperset(prefix):
        raise UsageError(
            f"{fingerprint!r} is no fingerprint",
            hint="it is a row of digits and letters from a to f, and every report shows it",
        )
    if not call.options.reason.strip():
        raise UsageError("--reason is missing: who reviews the file has to know why")
    project, today = call.project(), utc_date()
    acceptance = acceptance_of(call, project.root, today)
    if not acceptance.author:
        raise UsageError("nobody knows who you are", hint="use --author NAME, or git config user.name NAME")
    found, of = _finding(project, prefix, run)
    _require_effect(project, of)
    accept([found], project.root, today, acceptance, anew=True)
    if call.json:
        entry = {"fingerprint": found.fingerprint, "rule_id": found.rule_id, "path": found.path}
        about = {**entry, "title": found.title, **acceptance.keys, "run": of.run_id, "file": BASELINE}
        call.deliver_document({"until": None, **about})
        return 0
    last = f" until {acceptance.until}" if acceptance.until else ""
    call.terminal.note(f"dismissed{last}: {found.headline}\n{BASELINE} says so. It counts once it is merged.")
    return 0


def _finding(project: Project, prefix: str, run: str) -> tuple[Finding, RunResult]:
    """The one finding whose fingerprint begins so, of the newest run that has one; UsageError without it."""
    from pytest_lok.cli.recorded import recorded_results

    looked = 0
    for result in recorded_results(project.runs, run):
        findings = [it for step in result.steps.values() for it in step.findings or ()]
        looked += bool(findings)
        found = {it.fingerprint: it for it in findings if it.fingerprint.startswith(prefix)}
        if len(found) > 1:
            several = "\n".join(f"  {digest}  {it.headline}" for digest, it in found.items())
            raise UsageError(
                f"{prefix} begins {len(found)} fingerprints:\n{several}", hint="write more of it"
            )
        for finding in found.values():
            if not finding.evidence_found:
                raise UsageError(
                    f"the quote of this finding is in no file, so nothing is known by it: {finding.headline}"
                )
            return finding, result
    where = run or "a recorded run of this project"
    hint = "run the workflow, or name the run with --run" if not looked else "every report shows fingerprints"
    raise UsageError(f"no finding of {where} has a fingerprint that begins with {prefix}", hint=hint)


def _require_effect(project: Project, of: RunResult) -> None:
    """PlanError where the gate that judged the finding would not read the file."""
    from pytest_lok.cli.acceptance import require_baseline

    try:
        workflow = project.load(of.workflow)
    except (WorkflowError, SettingsError, PlanError):
        raise
    except UsageError:  # a run of another checkout may have a workflow that is not here
        return
    require_baseline(workflow)


command = OptionsCommand(
    "dismiss",
    callback=_dismiss,
    params=[
        click.Argument(["fingerprint"]),
        click.Option(
            ["--run"],
            default="",
            type=RunType(),
            metavar="RUN",
            help="Look in this run.  [default: the newest that has it]",
        ),
    ],
    accepts=("reason", "until", "author", "json", "output", *COMMON_OPTIONS),
    help="""Accept one finding: write it to .lok/baseline.json with a reason, who you are and the day.

    FINGERPRINT is the start of a finding's fingerprint, as long as only one finding has it. Reports and
    `lok run -v` show fingerprints. RUN is the name of a directory below .lok/runs, or its path.

    With `baseline = "new"` below [gate], the finding no longer blocks once the file is merged: it is read
    from the branch that a change goes to, never from the change. After the day of --until it blocks again.

    \b
    Exit codes:  0  the finding stands in the file
                 2  a usage error, such as a start that no finding or several
                    have; nothing was written
                 3  the file cannot be written
    """,
)
