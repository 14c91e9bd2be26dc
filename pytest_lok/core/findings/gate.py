"""Findings -> pass, fail, or inconclusive: computed, never what a model says.

Each rule of the gate answers yes, no or *not known* about a finding. One that every rule says yes
to blocks; one that some rule says no to does not; any other might. The gate fails where a finding
blocks, and passes only where nothing that is not known could have made it fail: so adding a
finding, raising a severity or losing a backend never turns red into green.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_lok.core.findings.reading import merge_backends, severity_rank
from pytest_lok.core.results import Finding, Severity, Standing
from pytest_lok.core.text.path_spellings import base_name
from pytest_lok.core.workflow.model import Gate, Strategy, needed_replies
from pytest_lok.dataclass import dataclass

MAX_HEADLINES = 10
"""Findings a reason names."""

_MAX_PLACES = 3
"""Places that one line of ``set_aside`` names."""


class GateVerdict(enum.Enum):
    """What a gate says of a review's findings."""

    PASS = enum.auto()
    FAIL = enum.auto()
    INCONCLUSIVE = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInputs:
    """What a gate has to know beside the findings and what was found out about each.

    ``asked`` are the backends whose word counts, ``answered`` those that gave a valid answer; a
    command asks nobody. ``unknowns`` says what could not be had at all.
    """

    asked: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    unknowns: tuple[str, ...] = ()

    @property
    def missing_backends(self) -> tuple[str, ...]:
        """Who was asked and gave no valid answer."""
        return tuple(name for name in self.asked if name not in self.answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """The gate's verdict and its reason, and the findings: each with its standing, once, the worst first."""

    verdict: GateVerdict
    findings: tuple[Finding, ...]
    reason: str = ""


def decide_gate(gate: Gate, findings: Sequence[Finding], inputs: GateInputs) -> GateDecision:
    """What the gate says of the findings. Each of them must have its votes (``count_votes``)."""
    every = [_with_standing(gate, finding, inputs) for finding in findings]
    judged = merge_backends(every)
    blocking = [finding for finding in judged if finding.blocking]
    if blocking:
        verb = "findings block" if len(blocking) > 1 else "finding blocks"
        reason = f'{len(blocking)} {verb} (fail_on = "{gate.fail_on}"):\n{headlines(blocking)}'
        return GateDecision(verdict=GateVerdict.FAIL, findings=judged, reason=reason)
    undecided = [finding for finding in judged if finding.standing == "undecided"]
    open_questions = [*inputs.unknowns, *_unknown_votes(gate, every, inputs)]
    if undecided:
        several = len(undecided) > 1
        might = f"{len(undecided)} finding{'s' * several} might block"
        about = f"something about {'each' if several else 'it'} is not known"
        open_questions.append(f"{might}, and {about}:\n{headlines(undecided, why=True)}")
    if open_questions:
        reason = f"inconclusive: {'; '.join(open_questions)}"
        return GateDecision(verdict=GateVerdict.INCONCLUSIVE, findings=judged, reason=reason)
    return GateDecision(verdict=GateVerdict.PASS, findings=judged)


def headlines(findings: Sequence[Finding], *, why: bool = False) -> str:
    """One line for each of the worst, and whether an acceptance has ended; ``why``: with its doubt."""
    worst = sorted(findings, key=lambda finding: -severity_rank(finding.severity))
    lines = []
    for it in worst[:MAX_HEADLINES]:
        more = filter(None, [it.doubt if why else "", "" if it.known else it.acceptance])
        lines.append(" ".join([it.headline, *(f"({text})" for text in more)]))
    return "\n".join(
        [*lines, f"and {len(worst) - MAX_HEADLINES} more"] if len(worst) > MAX_HEADLINES else lines
    )


def most_blocking(gate: Gate | None, candidates: Sequence[Finding], line: int) -> Finding:
    """Of a finding at each place of its quote the one that may block; of several the nearest to ``line``."""

    def weight(finding: Finding) -> tuple[object, ...]:
        said = [rule(gate, finding, GateInputs()) for rule in (_scope, _baseline)] if gate else []
        harmless = 2 if False in said else 1 if None in said else 0
        return harmless, abs(finding.line - line), finding.removed, finding.line

    return min(candidates, key=weight)


def set_aside(gate: Gate | None, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What did not count though it is severe enough, in one line for each reason, the worst first."""
    groups: dict[tuple[Severity, Standing], list[Finding]] = {}
    for finding in sorted(findings, key=lambda it: -severity_rank(it.severity)):
        if gate and finding.standing in _SET_ASIDE_TEXTS and _severity(gate, finding, GateInputs()):
            groups.setdefault((finding.severity, finding.standing), []).append(finding)
    return tuple(_set_aside_line(severity, standing, group) for (severity, standing), group in groups.items())


_SET_ASIDE_TEXTS: Mapping[Standing, tuple[str, str]] = {
    "withdrawn": ("its backend withdrew it", "their backend withdrew them"),
    "unverified": ("its quote is not in {}", "their quotes are not in {}"),
    "outside": ("it is not in the change", "they are not in the change"),
    "known": ("it is in the baseline", "they are in the baseline"),
    "unsure": ("its confidence is too low", "their confidence is too low"),
    "outvoted": ("too few report it", "too few report them"),
}
"""Why a severe finding does not count, of one and of several."""


def _set_aside_line(severity: Severity, standing: Standing, group: Sequence[Finding]) -> str:
    several, reason = len(group) > 1, _SET_ASIDE_TEXTS[standing][len(group) > 1]
    places = dict.fromkeys(it.path if "{}" in reason else f"{it.path}:{it.line}" for it in group)
    named = ", ".join(list(places)[:_MAX_PLACES]) + (
        f" and {len(places) - _MAX_PLACES} more" if len(places) > _MAX_PLACES else ""
    )
    notes = dict.fromkeys(it.acceptance for it in group if it.known and it.acceptance)
    more = f", {next(iter(notes))}" if len(notes) == 1 else ""
    why = reason.format(named) if "{}" in reason else f"{reason} ({named}){more}"
    text = f"{len(group)} {severity} finding{'s were' if several else ' was'} set aside: {why}"
    return " ".join(text.split())


def _with_standing(gate: Gate, finding: Finding, inputs: GateInputs) -> Finding:
    # every rule is asked, for a no of a later one outweighs what an earlier one does not know
    said = {standing: rule(gate, finding, inputs) for standing, rule in _RULES.items()}
    refused: Standing | None = next((standing for standing, yes in said.items() if yes is False), None)
    undecided = None in said.values()
    return replace(finding, standing=refused or ("undecided" if undecided else "blocks"))


def _unknown_votes(gate: Gate, findings: Sequence[Finding], inputs: GateInputs) -> Iterator[str]:
    """What too few answers, or one that is missing, leave open; a command asks nobody."""
    if not inputs.asked:
        return
    if len(inputs.answered) < gate.min_backends:
        valid = len(inputs.answered)
        yield f"{valid} backends gave a valid answer, {gate.min_backends} needed (min_backends)"
    missing_backends, quorum = inputs.missing_backends, _quorum_size(gate, inputs)
    if quorum > len(inputs.asked):
        yield f"{quorum} backends must report a finding (quorum), and {len(inputs.asked)} were asked"
    # by the last part of the path: backends may name one file from different roots
    together: dict[str, set[str]] = {}
    for finding in findings:
        together.setdefault(base_name(finding.path), set()).add(finding.backend)
    most = max(map(len, together.values()), default=0)
    # whatever a lost backend would have said, others may have said of the same file
    if missing_backends and most + len(missing_backends) >= quorum and gate.fail_on != "never":
        yield f"{', '.join(missing_backends)} gave no valid answer, which could have decided"


def _quorum_size(gate: Gate, inputs: GateInputs) -> int:
    return needed_replies(gate.quorum, Strategy.FIRST, len(inputs.asked))


# --- the rules, in the order in which they are asked


def _withdrawn(gate: Gate, finding: Finding, inputs: GateInputs) -> bool:  # noqa: ARG001 - rules are called alike
    return not finding.withdrawn


def _evidence(gate: Gate, finding: Finding, inputs: GateInputs) -> bool | None:  # noqa: ARG001
    """That a quote is nowhere says nothing of what it was about, unless the workflow wants it so."""
    if gate.evidence == "report":
        return finding.evidence_found
    return gate.evidence == "warn" or finding.evidence_found or None


def _scope(gate: Gate, finding: Finding, inputs: GateInputs) -> bool | None:  # noqa: ARG001
    return True if gate.scope == "all" else finding.in_diff if gate.scope == "diff" else finding.file_changed


def _baseline(gate: Gate, finding: Finding, inputs: GateInputs) -> bool | None:  # noqa: ARG001
    return True if gate.baseline == "all" else None if finding.known is None else not finding.known


def _confidence(gate: Gate, finding: Finding, inputs: GateInputs) -> bool:  # noqa: ARG001
    return finding.confidence >= gate.min_confidence


def _quorum(gate: Gate, finding: Finding, inputs: GateInputs) -> bool | None:
    """Whether enough of those that were asked report it; a lost one might have, or do in other words."""
    if not inputs.asked:
        return True
    # a backend without an answer, or with an unclear one, might have voted for the finding: then nobody knows
    reporters, quorum = len(finding.reporters), _quorum_size(gate, inputs)
    unclear = list(finding.votes.values()).count("unclear")
    return reporters >= quorum or (
        None if reporters + unclear + len(inputs.missing_backends) >= quorum else False
    )


def _severity(gate: Gate, finding: Finding, inputs: GateInputs) -> bool:  # noqa: ARG001
    return gate.fail_on != "never" and severity_rank(finding.severity) >= severity_rank(gate.fail_on)


_RULES: Mapping[Standing, Callable[[Gate, Finding, GateInputs], bool | None]] = {
    "withdrawn": _withdrawn,
    "unverified": _evidence,
    "outside": _scope,
    "known": _baseline,
    "unsure": _confidence,
    "outvoted": _quorum,
    "minor": _severity,
}
"""What a finding that a rule says no to is called, and the rule."""
