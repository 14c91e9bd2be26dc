"""Rulings on cases with a known answer -> how often each judge is right, with intervals over the cases.

The unit of every interval is the case. A case that was repeated counts once, with the share of its repeats:
repeating makes no interval narrower. A ruling that is missing is never counted as a right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from math import fsum
from typing import Literal, TypeAlias

from pytest_lok.core.evaluation.intervals import wilson
from pytest_lok.core.evaluation.judges import Ruling
from pytest_lok.core.evaluation.places import ExpectedFindings
from pytest_lok.core.findings.gate import GateVerdict
from pytest_lok.core.results import Finding
from pytest_lok.dataclass import dataclass

Mark: TypeAlias = Literal["caught", "partly", "missed", "clear", "false red", "inconclusive"]
"""What one ruling on one case came to. ``missed`` is a false green; ``partly``: blocked, and not by all that
must block."""

RIGHT: frozenset[Mark] = frozenset({"caught", "clear"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedRuling:
    """A ruling with its mark. ``met`` has for each ``must_block`` whether a finding of it blocks.

    ``wrong`` are the blocking findings that must not block, ``unexpected`` those that nothing is said of.
    """

    ruling: Ruling
    mark: Mark
    met: tuple[bool, ...]
    wrong: tuple[Finding, ...] = ()
    unexpected: tuple[Finding, ...] = ()

    @property
    def is_false_red(self) -> bool:
        """Whether something blocked that must not."""
        return self.mark == "false red" or bool(self.wrong)


def marked(expected: ExpectedFindings, ruling: Ruling) -> MarkedRuling:
    """What the ruling came to on a case that expects these findings."""
    blocking = ruling.blocking
    met = tuple(it is not None for it in expected.met(blocking))
    wrong = tuple(it for it in blocking if expected.is_wrong(it))
    unexpected = tuple(it for it in blocking if it not in wrong and not expected.is_expected(it))
    mark = _mark(ruling.verdict, met)
    return MarkedRuling(ruling=ruling, mark=mark, met=met, wrong=wrong, unexpected=unexpected)


def _mark(verdict: GateVerdict, met: Sequence[bool]) -> Mark:
    match verdict:
        case GateVerdict.INCONCLUSIVE:
            return "inconclusive"
        case GateVerdict.PASS:
            return "missed" if met else "clear"
        case GateVerdict.FAIL:
            return ("caught" if all(met) else "partly") if met else "false red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of cases with its Wilson interval of 95 %; ``successes`` is a sum of shares of repeats.

    ``share`` is None without cases: nothing is known, which is neither 0 nor 1.
    """

    successes: float
    cases: int
    low: float
    high: float

    @classmethod
    def of(cls, shares: Iterable[float]) -> Rate:
        """The rate of these cases, each of which was so in that share of its repeats."""
        listed = list(shares)
        low, high = wilson(fsum(listed), len(listed))
        return cls(successes=fsum(listed), cases=len(listed), low=low, high=high)

    @property
    def share(self) -> float | None:
        """The share, between 0 and 1."""
        return self.successes / self.cases if self.cases else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedCase:
    """One case with the rulings of one judge, one for each repeat that was evaluated."""

    name: str
    expected: ExpectedFindings
    rulings: tuple[MarkedRuling, ...]

    @property
    def has_problem(self) -> bool:
        """Whether something must block."""
        return bool(self.expected.must_block)

    @property
    def may_be_false_red(self) -> bool:
        """Whether the case says of anything that it must not block."""
        return not self.has_problem or bool(self.expected.must_not_block)

    @property
    def is_right(self) -> bool:
        """Whether more than half of the repeats say what they have to, and block nothing that is harmless."""
        good = sum(it.mark in RIGHT and not it.is_false_red for it in self.rulings)
        return 2 * good > len(self.rulings)

    @property
    def has_flipped(self) -> bool:
        """Whether the verdict was not the same in every repeat."""
        return len({it.ruling.verdict for it in self.rulings}) > 1

    def share(self, *marks: Mark) -> float:
        """The share of its repeats that have one of these marks."""
        return sum(it.mark in marks for it in self.rulings) / len(self.rulings)

    @property
    def false_red_share(self) -> float:
        """The share of its repeats in which something blocked that must not."""
        return sum(it.is_false_red for it in self.rulings) / len(self.rulings)

    @property
    def precise_share(self) -> float | None:
        """Of the repeats that blocked the share that blocked for something planted; None if none blocked."""
        blocked = [it for it in self.rulings if it.ruling.verdict is GateVerdict.FAIL]
        return sum(any(it.met) for it in blocked) / len(blocked) if blocked else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How often a judge is right.

    ``recall``: cases with a problem in which all that must block did. ``precision``: blocked cases that were
    blocked for a problem that is there. ``false_greens``: cases with a problem that passed. ``false_reds``:
    cases in which something blocked that must not. ``flips`` are over cases with several repeats.
    """

    recall: Rate
    precision: Rate
    false_greens: Rate
    false_reds: Rate
    inconclusive: Rate
    flips: Rate

    @classmethod
    def of(cls, cases: Sequence[MarkedCase]) -> Scores:
        """The scores over these cases; those without a ruling of the judge are left out."""
        ruled = [case for case in cases if case.rulings]
        problems = [case for case in ruled if case.has_problem]
        precise = [share for case in ruled if (share := case.precise_share) is not None]
        return cls(
            recall=Rate.of(case.share("caught") for case in problems),
            precision=Rate.of(precise),
            false_greens=Rate.of(case.share("missed") for case in problems),
            false_reds=Rate.of(case.false_red_share for case in ruled if case.may_be_false_red),
            inconclusive=Rate.of(case.share("inconclusive") for case in ruled),
            flips=Rate.of(float(case.has_flipped) for case in ruled if len(case.rulings) > 1),
        )

    def by_name(self) -> Mapping[str, Rate]:
        """Each rate under its name, in the order in which they are shown."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
