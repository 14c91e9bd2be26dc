"""The options of a call, and who calls -> entries of the baseline that say who accepts a finding, and why."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from pytest_lok.errors import LokError, PlanError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.finding import Finding
    from pytest_lok.core.findings.baseline import Acceptance
    from pytest_lok.core.workflow.model import Workflow


def acceptance_of(call: Invocation, root: Path, today: date) -> Acceptance:
    """Who accepts, why and until when, by the options and git; UsageError where a step of a run calls."""
    from pytest_lok.core.findings.baseline import Acceptance
    from pytest_lok.workspace.processes.descendants import MARK

    if call.environ.get(MARK):
        raise UsageError(
            "findings are accepted by people, and this is a step of a workflow or a model's tool",
            hint="call it from a terminal",
        )
    options = call.options
    author = " ".join((options.author or _git_user(call, root)).split())
    return Acceptance(
        reason=" ".join(options.reason.split()),
        author=author,
        day=today,
        until=_last_day(options.until, today),
    )


def accept(
    findings: Iterable[Finding], root: Path, today: date, acceptance: Acceptance, *, anew: bool = False
) -> tuple[int, int]:
    """Write findings into the baseline of the project at ``root``: how many were new, how many are accepted.

    ``anew``: also those that are accepted already. LokError where the file cannot be read or written.
    """
    from pytest_lok.core.edits.protected_names import BASELINE
    from pytest_lok.core.findings.baseline import extended_baseline, fingerprints
    from pytest_lok.files import write_output

    file = root / BASELINE
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else None
        text, new = extended_baseline(findings, before, today, acceptance, anew=anew)
        file.parent.mkdir(exist_ok=True)
    except (OSError, ValueError) as problem:
        raise LokError(f"the baseline cannot be changed: {problem}", hint=f"correct {file}") from problem
    write_output(file, text)
    return new, len(fingerprints(text, today))


def not_yet_merged(findings: Iterable[Finding], root: Path, today: date) -> str:
    """That findings which block are accepted in the file of ``root``, and not in the base's; "" = none is."""
    from pytest_lok.core.edits.protected_names import BASELINE
    from pytest_lok.core.findings.baseline import fingerprints
    from pytest_lok.reports.facts import many

    blocking = [it for it in findings if it.blocking and it.known is False]
    try:
        text = (root / BASELINE).read_text(encoding="utf-8") if blocking else ""
        accepted = fingerprints(text, today) if text else {}
    except (OSError, ValueError):  # the gate reads another one, the base's
        return ""
    count = sum(it.fingerprint in accepted for it in blocking)
    stand = "that block stand" if count > 1 else "that blocks stands"
    said = f"{many(count, 'finding')} {stand} in {BASELINE} of this directory"
    return f"{said}, which counts once it is merged: the base's is read" if count else ""


def require_baseline(workflow: Workflow) -> None:
    """PlanError where the workflow's gate does not read the baseline: nothing accepted would count."""
    if not any(it.gate and it.gate.baseline == "new" for it in (workflow, *workflow.inner())):
        raise PlanError(
            f"the gate of {workflow.stem!r} does not read the baseline",
            hint='baseline = "new" under [gate] makes it do so; until then nothing accepted would count',
        )


def _last_day(text: str, today: date) -> date | None:
    from pytest_lok.core.findings.baseline import day_of

    if not text:
        return None
    try:
        day = day_of(text)
    except ValueError:
        raise UsageError(f"--until {text!r} is no day", hint="write it as 2026-12-31") from None
    if day < today:
        raise UsageError(f"--until {text} is over: today is {today} (UTC)")
    return day


def _git_user(call: Invocation, root: Path) -> str:
    """The name that git gives to who commits here; "" if it knows none."""
    if name := call.environ.get("GIT_AUTHOR_NAME"):
        return name
    try:
        words = ["git", "-C", str(root), "config", "user.name"]
        done = subprocess.run(words, env=call.environ, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
