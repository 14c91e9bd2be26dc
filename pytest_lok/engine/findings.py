"""What a step's backends or its command reported -> findings that are looked into, and what the gate says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from pytest_lok.core.baseline import PATH, fingerprints
from pytest_lok.core.diffs import LineChanges, changed_lines
from pytest_lok.core.evidence import Quoted, anchored, candidates, unreadable
from pytest_lok.core.findings import findings_of, folded, listing, voted
from pytest_lok.core.gate import Facts, Ruling, judge
from pytest_lok.core.model import Format, Gate
from pytest_lok.core.results import Finding
from pytest_lok.engine.context import timed_out, within
from pytest_lok.engine.ports import Comparison, Workspace
from pytest_lok.engine.record import Record
from pytest_lok.errors import StepFailedError, StepUnableError


class InconclusiveError(StepUnableError):
    """The gate has no ruling; ``soft`` where the workflow only wants to be warned of that."""

    def __init__(self, message: str, *, hint: str, soft: bool) -> None:
        super().__init__(message, hint=hint)
        self.soft = soft


async def examine(record: Record) -> InconclusiveError | None:
    """Put the step's findings into its record; nothing to do where they are not its format.

    StepFailedError where the gate says no. Where it cannot say anything the error is returned, for
    whoever has other checks that may say no.
    """
    if record.step.output_format is not Format.FINDINGS:
        return None
    workflow = record.context.plan.workflow
    files = _Files(record.context.world.workspace)
    findings = voted(
        {
            backend: [files.anchored(finding) for finding in findings_of(entries, backend, workflow.rules)]
            for backend, entries in record.reported.items()
        }
    )
    if workflow.gate is None:
        _keep(record, folded(findings))
        return None
    facts, hint = await _facts(record, workflow.gate, findings)
    judgement = judge(workflow.gate, findings, facts)
    _keep(record, judgement.findings)
    match judgement.ruling:
        case Ruling.PASS:
            return None
        case Ruling.FAIL:
            raise StepFailedError(judgement.reason)
        case Ruling.INCONCLUSIVE:
            soft = workflow.gate.on_inconclusive == "warn"
            return InconclusiveError(judgement.reason, hint=hint, soft=soft)


def _keep(record: Record, findings: tuple[Finding, ...]) -> None:
    record.findings = findings
    record.data, record.has_data = [finding.document() for finding in findings], True
    record.output = json.dumps(record.data, ensure_ascii=False, indent=2)
    record.note("findings", listing(findings))


async def _facts(record: Record, gate: Gate, findings: Sequence[Finding]) -> tuple[Facts, str]:
    """What the gate has to know beside the findings, and what to do about what could not be found out."""
    comparison, baseline, gaps = None, None, list[StepUnableError]()
    if gate.scope != "all":
        try:
            comparison = await _comparison(record, findings)
        except StepUnableError as gap:
            gaps.append(gap)
    if gate.baseline == "new":
        try:
            baseline = await _baseline(record)
        except StepUnableError as gap:
            gaps.append(gap)
    hints = [gap.hint for gap in gaps] + [refusal.hint for refusal in record.refusals]
    same = comparison is not None and comparison.same
    if same:
        hints.append("set LOK_BASE to the commit before the change")
    facts = Facts(
        asked=record.asked,
        answered=tuple(name for name in record.asked if name in record.reported),
        changes=None if comparison is None else _changes(comparison),
        same=same,
        baseline=baseline,
        gaps=tuple(dict.fromkeys(gap.message for gap in gaps)),
    )
    return facts, next(filter(None, hints), "")


async def _comparison(record: Record, findings: Sequence[Finding]) -> Comparison:
    """The files of the findings, on both sides of the change."""
    paths = sorted({finding.path for finding in findings if finding.evidence_found is not False})
    limit = record.context.limit(record.step)
    try:
        async with within(limit):
            comparison = await record.context.world.workspace.comparison(paths)
    except TimeoutError:
        raise timed_out("the diff", limit) from None
    record.note("scope", f"what changed since {comparison.base}")
    return comparison


def _changes(comparison: Comparison) -> dict[str, LineChanges | None]:
    return {
        path: None
        if file.unknown
        else replace(changed_lines(file.before, file.after), mode=file.mode_changed)
        for path, file in comparison.files.items()
    }


async def _baseline(record: Record) -> frozenset[str]:
    """The fingerprints that were accepted before the change; none where there is no such file."""
    limit = record.context.limit(record.step)
    try:
        async with within(limit):
            text = await record.context.world.workspace.at_base(PATH)
        return frozenset() if text is None else fingerprints(text)
    except TimeoutError:
        raise timed_out("the baseline", limit) from None
    except ValueError as broken:
        hint = "correct it on the base"
        raise StepUnableError(f"the baseline cannot be used: {broken}", hint=hint) from None


class _Files:
    """The files that findings quote, each read once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._read: dict[str, Quoted | None] = {}

    def anchored(self, finding: Finding) -> Finding:
        """The finding at the place of its quote, with its path as the workspace has it."""
        names = candidates(finding.path, self._workspace.root)
        try:
            name = next((name for name in names if self._file(name) is not None), None)
        except ValueError:
            return unreadable(replace(finding, path=names[0]))
        if name is None:
            return anchored(replace(finding, path=names[0] if names else finding.path), None)
        return anchored(replace(finding, path=name), self._file(name))

    def _file(self, path: str) -> Quoted | None:
        """The file, None if there is none; ValueError where it may not be read."""
        if path not in self._read:
            content = self._workspace.read(path)
            self._read[path] = None if content is None else Quoted(content)
        return self._read[path]
