"""Two workflows on the same cases -> what the newer one has mended and broken, and how likely by chance."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lok.core.evaluation.evaluated import Evaluation
from pytest_lok.core.evaluation.intervals import mcnemar
from pytest_lok.core.evaluation.judges import Judge
from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCases:
    """One judge on the cases on which both workflows have a ruling of it, each case by its name.

    ``mended`` are those that only the newer workflow judges rightly, ``broken`` those that only the older
    does. ``both`` counts those that both do, ``cases`` all. ``p`` is McNemar's exact two-sided one.
    """

    judge: Judge
    cases: int
    both: int
    mended: tuple[str, ...]
    broken: tuple[str, ...]
    p: float

    @property
    def old_right(self) -> int:
        """How many the older workflow judges rightly."""
        return self.both + len(self.broken)

    @property
    def new_right(self) -> int:
        """How many the newer workflow judges rightly."""
        return self.both + len(self.mended)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedWorkflows:
    """An older and a newer workflow on the same cases; ``rows`` are the judges that both have."""

    old: Evaluation
    new: Evaluation
    rows: tuple[PairedCases, ...]

    @classmethod
    def of(cls, old: Evaluation, new: Evaluation) -> ComparedWorkflows:
        """The comparison, paired by case. A case is right if more than half of its repeats are."""
        return cls(old=old, new=new, rows=tuple(_pairs(old, new)))


def _pairs(old: Evaluation, new: Evaluation) -> Iterator[PairedCases]:
    before = {_key(row.judge): row for row in old.rows}
    for row in new.rows:
        if _key(row.judge) not in before:
            continue
        pairs = [
            (case.name, was.is_right, case.is_right)
            for was, case in zip(before[_key(row.judge)].cases, row.cases, strict=True)
            if was.rulings and case.rulings
        ]
        mended = tuple(name for name, was, now in pairs if now and not was)
        broken = tuple(name for name, was, now in pairs if was and not now)
        yield PairedCases(
            judge=row.judge,
            cases=len(pairs),
            both=sum(was and now for _, was, now in pairs),
            mended=mended,
            broken=broken,
            p=mcnemar(len(mended), len(broken)),
        )


def _key(judge: Judge) -> tuple[str, object]:
    """What two judges have in common that mean the same: the word for a quorum depends on who is asked."""
    return judge.kind, judge.quorum if judge.kind == "quorum" else judge.name
