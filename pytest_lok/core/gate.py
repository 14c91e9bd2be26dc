"""Findings -> pass, fail, or inconclusive: computed, never what a model says.

Each rule of the gate answers yes, no or *not known* about a finding. One that every rule says yes
to blocks; one that some rule says no to does not; any other might. The gate fails where a finding
blocks, and passes only where nothing that is not known could have made it fail: so adding a
finding, raising a severity or losing a backend never turns red into green.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_lok.core.consensus import needed
from pytest_lok.core.diffs import LineChanges
from pytest_lok.core.findings import folded, rank
from pytest_lok.core.model import Gate, Strategy
from pytest_lok.core.results import Finding, Standing

SHOWN = 10
"""Findings a reason names."""


class Ruling(enum.Enum):
    """What a gate says."""

    PASS = enum.auto()
    FAIL = enum.auto()
    INCONCLUSIVE = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a gate has to know beside the findings.

    ``asked`` are the backends whose word counts, ``answered`` those that gave a valid answer; a
    command asks nobody. ``changes`` (by file) and ``baseline`` (fingerprints) are None where they are not
    wanted or cannot be had; ``gaps`` says why they cannot. A file whose two sides cannot be compared
    has None. ``same``: what is judged was compared with itself, so nothing is outside of the change.
    """

    asked: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    changes: Mapping[str, LineChanges | None] | None = None
    same: bool = False
    baseline: frozenset[str] | None = None
    gaps: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        """Who was asked and gave no valid answer."""
        return tuple(name for name in self.asked if name not in self.answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A ruling, the findings with their standing, said once and the worst first, and why."""

    ruling: Ruling
    findings: tuple[Finding, ...]
    reason: str = ""


def judge(gate: Gate, findings: Sequence[Finding], facts: Facts) -> Judgement:
    """What the gate says of the findings, each of which has its votes."""
    every = [_standing(gate, _compared(finding, facts), facts) for finding in findings]
    judged = folded(every)
    blocking = [finding for finding in judged if finding.blocking]
    if blocking:
        verb = "findings block" if len(blocking) > 1 else "finding blocks"
        reason = f'{len(blocking)} {verb} (fail_on = "{gate.fail_on}"):\n{headlines(blocking)}'
        return Judgement(ruling=Ruling.FAIL, findings=judged, reason=reason)
    undecided = [finding for finding in judged if finding.standing == "undecided"]
    doubts = [*facts.gaps, *_absent(gate, every, facts)]
    if undecided:
        if facts.same:
            doubts.append("the base is what is judged, so nothing can be called outside of the change")
        doubts.append(f"what is not known decides about {len(undecided)}:\n{headlines(undecided)}")
    if doubts:
        reason = f"inconclusive: {'; '.join(doubts)}"
        return Judgement(ruling=Ruling.INCONCLUSIVE, findings=judged, reason=reason)
    return Judgement(ruling=Ruling.PASS, findings=judged)


def headlines(findings: Sequence[Finding]) -> str:
    """One line for each of the worst."""
    worst = sorted(findings, key=lambda finding: -rank(finding.severity))
    lines = [finding.headline for finding in worst[:SHOWN]]
    return "\n".join([*lines, f"and {len(worst) - SHOWN} more"] if len(worst) > SHOWN else lines)


def _compared(finding: Finding, facts: Facts) -> Finding:
    """The finding, held against the diff and the baseline."""
    lines, baseline = (facts.changes or {}).get(finding.path), facts.baseline
    touched = None if lines is None else lines.touches(finding.line, finding.end_line) or _unless(facts.same)
    known = None if baseline is None else finding.fingerprint in baseline
    return replace(finding, in_diff=touched, known=known)


def _unless(unknown: bool) -> bool | None:
    """No, unless that is not known."""
    return None if unknown else False


def _standing(gate: Gate, finding: Finding, facts: Facts) -> Finding:
    said = {standing: rule(gate, finding, facts) for standing, rule in _RULES.items()}
    refused: Standing | None = next((standing for standing, yes in said.items() if yes is False), None)
    undecided = None in said.values()
    return replace(finding, standing=refused or ("undecided" if undecided else "blocks"))


def _absent(gate: Gate, findings: Sequence[Finding], facts: Facts) -> Iterator[str]:
    """What too few answers, or one that is missing, leave open; a command asks nobody."""
    if not facts.asked:
        return
    if len(facts.answered) < gate.min_backends:
        yield f"{len(facts.answered)} backends gave a valid answer, {gate.min_backends} needed (min_backends)"
    lost, quorum = facts.lost, _needed(gate, facts)
    if quorum > len(facts.asked):
        yield f"{quorum} backends must report a finding (quorum), and {len(facts.asked)} were asked"
    together: dict[tuple[str, str, str], set[str]] = {}
    for finding in findings:
        group = together.setdefault((finding.rule_id, finding.called, finding.path), set())
        group.add(finding.backend)
    most = max(map(len, together.values()), default=0)
    # whatever a lost backend would have said, others may have said nearby
    if lost and most + len(lost) >= quorum and gate.fail_on != "never":
        yield f"{', '.join(lost)} gave no valid answer, which could have decided"


def _needed(gate: Gate, facts: Facts) -> int:
    return needed(gate.quorum, Strategy.FIRST, len(facts.asked))


# --- the rules, in the order in which they are asked


def _evidence(gate: Gate, finding: Finding, facts: Facts) -> bool | None:  # noqa: ARG001 - rules are called alike
    return gate.evidence == "warn" or finding.evidence_found


def _scope(gate: Gate, finding: Finding, facts: Facts) -> bool | None:
    if gate.scope == "all":
        return True
    if gate.scope == "diff":
        return finding.in_diff
    lines = (facts.changes or {}).get(finding.path)
    return None if lines is None else bool(lines) or _unless(facts.same)


def _baseline(gate: Gate, finding: Finding, facts: Facts) -> bool | None:  # noqa: ARG001
    return True if gate.baseline == "all" else None if finding.known is None else not finding.known


def _confidence(gate: Gate, finding: Finding, facts: Facts) -> bool:  # noqa: ARG001
    return finding.confidence >= gate.min_confidence


def _quorum(gate: Gate, finding: Finding, facts: Facts) -> bool | None:
    """Whether enough of the backends that were asked report it; a lost one might have."""
    if not facts.asked:
        return True
    reporters, quorum = len(finding.reporters), _needed(gate, facts)
    return reporters >= quorum or (None if reporters + len(facts.lost) >= quorum else False)


def _severity(gate: Gate, finding: Finding, facts: Facts) -> bool:  # noqa: ARG001
    return gate.fail_on != "never" and rank(finding.severity) >= rank(gate.fail_on)


_RULES: Mapping[Standing, Callable[[Gate, Finding, Facts], bool | None]] = {
    "unverified": _evidence,
    "outside": _scope,
    "known": _baseline,
    "unsure": _confidence,
    "outvoted": _quorum,
    "minor": _severity,
}
"""What a finding that a rule says no to is called, and the rule."""
