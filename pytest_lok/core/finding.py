"""One problem that a review reports: what was said of it, what was found out, what a gate makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from pytest_lok.core.json_values import Json, jsonable
from pytest_lok.dataclass import dataclass

Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info"]
Vote: TypeAlias = Severity | Literal["absent", "unclear"]
Standing: TypeAlias = Literal[
    "", "blocks", "undecided", "withdrawn", "unverified", "outside", "known", "unsure", "outvoted", "minor"
]
"""What a gate says of a finding: it blocks, it might (something is not known), or the first rule that
says it does not: its backend withdrew it, its quote is not there, it is out of scope, in the baseline,
below the confidence, reported by too few, not severe enough. "" = there is no gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem that was reported, and what was found out about it.

    ``line`` and ``end_line`` count from 1, and both belong to the finding. They are the lines of the quote if
    ``evidence_found`` (in the base's version of the file if the change ``removed`` them), else the lines that
    the reporter gave. ``copies`` counts how often the quoted lines stand in the file. ``called`` is the
    reporter's name of the rule if the workflow has no rule of that name. ``backend`` is who reported the
    finding, "" = a command. ``votes`` has every backend that gave a valid answer: the severity that it gives
    this finding, "absent", or "unclear" if it reports something that may be the same. ``known``: the baseline
    has the finding, with this ``acceptance``. None = not known: ``evidence_found`` if a file cannot be looked
    into; ``in_diff``, ``file_changed``, ``known`` also if no gate asks for it. ``doubt`` says why it is so.
    ``carried`` is the commit at which it was reported if nobody was asked about its file since; "" = now.
    """

    rule_id: str
    title: str
    message: str
    severity: Severity
    confidence: float
    path: str
    line: int
    end_line: int
    evidence: str
    edits: tuple[Mapping[str, str], ...] = ()
    cwe: tuple[int, ...] = ()
    called: str = ""
    backend: str = ""
    fingerprint: str = ""
    evidence_found: bool | None = None
    removed: bool = False
    copies: int = 1
    withdrawn: bool = False
    in_diff: bool | None = None
    file_changed: bool | None = None
    known: bool | None = None
    acceptance: str = ""
    carried: str = ""
    doubt: str = ""
    votes: Mapping[str, Vote] = field(default_factory=dict)
    standing: Standing = ""

    @property
    def blocking(self) -> bool:
        """Whether this finding makes the gate say no."""
        return self.standing == "blocks"

    @property
    def reporters(self) -> tuple[str, ...]:
        """The backends that report it."""
        return tuple(name for name, vote in self.votes.items() if vote not in ("absent", "unclear"))

    @property
    def headline(self) -> str:
        """``[high] rule path:line – title``, in one line."""
        text = f"[{self.severity}] {self.rule_id} {self.path}:{self.line} – {self.title}"  # noqa: RUF001 - a dash is meant
        return " ".join(text.split())

    def document(self) -> dict[str, Json]:
        """Every field under its name, as texts and programs read it."""
        more: dict[str, Json] = {"blocking": self.blocking, "reporters": list(self.reporters)}
        return {**jsonable(self), **more}
