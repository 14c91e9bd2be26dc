"""What the backends of one review have reported, each with its own findings, before anything is merged."""

from __future__ import annotations

from pytest_lok.core.findings.gate import GateInputs
from pytest_lok.core.results import Finding
from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedReview:
    """All that a gate decides about one review: of a step, of an item of it, or of one of its answers.

    ``item`` is the index of the ``for_each`` item, None outside; ``sample`` numbers the answers of a
    ``repeat``. ``findings`` are located, and each has its votes; that of a command has no backend.
    """

    step: str
    item: int | None = None
    sample: int = 0
    inputs: GateInputs = GateInputs()
    findings: tuple[Finding, ...] = ()
