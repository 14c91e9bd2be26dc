"""The answer of a person to a step that asks for one: yes or no, who said so, when and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime

from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The answer to one question of one step.

    ``question`` is the text that was asked, ``time`` when it was answered, in UTC seconds since the epoch.
    ``inputs`` are digests of what the step had read; {} = not known. It answers nothing else, and where what
    was read is not known it answers no later step at all.
    """

    step: str
    question: str
    yes: bool
    who: str
    time: float
    reason: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """``yes: ann, 2026-11-29 10:12:33 UTC: tests are fine``."""
        when = datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        said = f"{'yes' if self.yes else 'no'}: {self.who}, {when}"
        return f"{said}: {self.reason}" if self.reason else said

    def answers(self, step: str, question: str, inputs: Mapping[str, str]) -> bool:
        """Whether it is the answer to this question of a step that has read what ``inputs`` say."""
        same = bool(self.inputs) and self.inputs == inputs
        return same and (self.step, self.question) == (step, question)


def answer_to(
    approvals: Iterable[Approval], step: str, question: str, inputs: Mapping[str, str]
) -> Approval | None:
    """The last of these answers to that question of the step; None = nobody has answered it."""
    found = [it for it in approvals if it.answers(step, question, inputs)]
    return found[-1] if found else None
