"""Expectations of a case and both versions of its files -> the lines that they mean, and who meets them.

A finding meets an expectation if the file is the same, the side of the change is the same, its lines are at
most ``margin`` away, it is not much longer than the place, and the rule is one of those that were given.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from pytest_lok.core.evaluation.case import EvalCase, Expectation
from pytest_lok.core.results import Finding
from pytest_lok.core.text.invisible import rule_key
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import CaseError, Problem

MOST_MORE_LINES = 20
"""Lines that a finding may have more than its place: a quote of half a file names no place."""

Contents: TypeAlias = Mapping[str, bytes]
"""The bytes of files by their paths; a file that is not there has no entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Lines of one side of a change, from 1, both included; ``before``: of the side before."""

    path: str
    line: int
    end_line: int
    before: bool = False

    def is_near(self, finding: Finding, margin: int) -> bool:
        """Whether the finding is about this place, its rule apart."""
        length, own = finding.end_line - finding.line, self.end_line - self.line
        return (
            posixpath.normpath(finding.path) == self.path
            and finding.removed == self.before
            and length <= own + MOST_MORE_LINES
            and finding.line - margin <= self.end_line
            and self.line <= finding.end_line + margin
        )

    def overlaps(self, other: Place) -> bool:
        """Whether both have a line in common."""
        same = (self.path, self.before) == (other.path, other.before)
        return same and self.line <= other.end_line and other.line <= self.end_line


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFinding:
    """An expectation with the places that it means: a finding of one of them meets it."""

    said: Expectation
    places: tuple[Place, ...]
    margin: int

    def is_met_by(self, finding: Finding, *, exactly: bool = False) -> bool:
        """Whether the finding says what is expected; ``exactly``: it has a line in common with a place."""
        named = {rule_key(rule) for rule in (finding.rule_id, finding.called) if rule}
        if self.said.rules and not named & {rule_key(rule) for rule in self.said.rules}:
            return False
        return any(place.is_near(finding, 0 if exactly else self.margin) for place in self.places)

    @property
    def headline(self) -> str:
        """Where it is, and what, in one line."""
        first = self.places[0]
        about = f" – {self.said.about}" if self.said.about else ""  # noqa: RUF001 - a dash is meant
        return f"{first.path}:{first.line}{' (before the change)' * first.before}{about}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFindings:
    """What a review of a case has to say, and must not say."""

    must_block: tuple[ExpectedFinding, ...]
    must_not_block: tuple[ExpectedFinding, ...]

    @classmethod
    def of(cls, case: EvalCase, before: Contents, after: Contents) -> ExpectedFindings:
        """The expectations of a case at their places; CaseError with each that is nowhere, or contradicts."""
        problems: list[Problem] = []

        def found(expectations: Sequence[Expectation]) -> tuple[ExpectedFinding, ...]:
            made = []
            for it in expectations:
                places, wrong = _places(case, it, before, after)
                problems.extend(wrong)
                made.append(ExpectedFinding(said=it, places=tuple(places), margin=case.margin))
            return tuple(made)

        both = cls(must_block=found(case.must_block), must_not_block=found(case.must_not_block))
        problems = problems or [*_contradictions(case, both)]
        if problems:
            raise CaseError(problems)
        return both

    def met(self, findings: Sequence[Finding]) -> list[int | None]:
        """Which finding meets each ``must_block``, None = none does; each finding meets one at most."""
        options = [
            [n for n, finding in enumerate(findings) if self._is_met(one, finding)] for one in self.must_block
        ]
        taken: dict[int, int] = {}
        for number in range(len(options)):
            _assign(number, options, taken, set())
        by_expectation = {expected: finding for finding, expected in taken.items()}
        return [by_expectation.get(number) for number in range(len(options))]

    def is_expected(self, finding: Finding) -> bool:
        """Whether the finding is about something that must block."""
        return any(self._is_met(one, finding) for one in self.must_block)

    def is_wrong(self, finding: Finding) -> bool:
        """Whether the finding must not block: in a clean change none may, nor what is said to be harmless."""
        if self.is_expected(finding):
            return False
        return not self.must_block or any(one.is_met_by(finding) for one in self.must_not_block)

    def _is_met(self, one: ExpectedFinding, finding: Finding) -> bool:
        # who points at what is harmless has not found the problem that stands a few lines away
        if any(other.is_met_by(finding, exactly=True) for other in self.must_not_block):
            return one.is_met_by(finding, exactly=True)
        return one.is_met_by(finding)


def _assign(number: int, options: Sequence[Sequence[int]], taken: dict[int, int], seen: set[int]) -> bool:
    """Give an expectation one of its findings, moving others to another one of theirs where that helps."""
    for finding in options[number]:
        if finding not in seen:
            seen.add(finding)
            if finding not in taken or _assign(taken[finding], options, taken, seen):
                taken[finding] = number
                return True
    return False


# --- where the places are


def _places(
    case: EvalCase, it: Expectation, before: Contents, after: Contents
) -> tuple[list[Place], list[Problem]]:
    places: list[Place] = []
    problems: list[Problem] = []
    given = [("lines", "after", it.lines), ("quote", "after", it.quote), ("removed", "before", it.removed)]
    for name, side, said in given:
        if not said:
            continue
        content = (after if side == "after" else before).get(it.path)
        if content is None:
            told, hint = (
                f"there is no file {it.path!r} {side} the change",
                "paths begin at the project's root",
            )
            problems.append(case.problem((*it.key, "path"), told, hint))
            continue
        lines = _lines_of(said, content) if isinstance(said, str) else _existing(said, content)
        if isinstance(lines, str):
            told = f"`{name}` {lines} {side} the change"
            problems.append(case.problem((*it.key, name), told, "read the file, and correct it"))
        else:
            places.append(Place(path=it.path, line=lines[0], end_line=lines[1], before=side == "before"))
    return places, problems


def _lines_of(quote: str, content: bytes) -> tuple[int, int] | str:
    """The lines that a quote stands in, or what is wrong with it."""
    text, wanted = _plain(content.decode("utf-8", "replace")), _plain(quote).strip("\n")
    number = text.count(wanted)
    if number != 1:
        return f"stands {number:,} times in the file" if number else "does not stand in the file"
    at = text.index(wanted)
    first = text.count("\n", 0, at) + 1
    return first, first + wanted.count("\n")


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")


def _existing(lines: tuple[int, int], content: bytes) -> tuple[int, int] | str:
    length = content.count(b"\n") + (not content.endswith(b"\n"))
    return lines if lines[1] <= length else f"end at line {lines[1]:,}, and the file has {length:,}"


def _contradictions(case: EvalCase, both: ExpectedFindings) -> Iterator[Problem]:
    """Places of which a finding must block and must not."""
    for harmless in both.must_not_block:
        for needed in both.must_block:
            rules = [{rule_key(rule) for rule in it.said.rules} for it in (harmless, needed)]
            if all(rules) and not rules[0] & rules[1]:
                continue
            if any(one.overlaps(other) for one in harmless.places for other in needed.places):
                hint = "give other lines, or a `rule` to both"
                told = f"a finding of {harmless.headline} must block and must not"
                yield case.problem(harmless.said.key, told, hint)
