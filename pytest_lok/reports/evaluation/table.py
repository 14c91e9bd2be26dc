"""Evaluation -> its table for the terminal, the cases that are not right, and what is to be known of both."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lok.core.evaluation.evaluated import Evaluation, JudgedCases
from pytest_lok.core.evaluation.scores import MarkedCase, MarkedRuling, Rate
from pytest_lok.core.results import Finding, Usage
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import many
from pytest_lok.reports.widths import aligned, fit

_NAME = 12  # columns of a judge
_FINDINGS = 3  # findings that one line names

HEADS = ("", "recall", "precision", "false", "false", "incon-", "", "")
_SECOND = ("", "95 %", "95 %", "greens", "reds", "clusive", "flips", "cost")


def table(evaluation: Evaluation, *, width: int = 80, every: bool = False) -> str:
    """The whole text; ``every`` case with its mark instead of those alone that are not right."""
    rows = [list(HEADS), list(_SECOND)]
    more = "> " if is_partly_priced(evaluation) else ""
    rows += [_row(row, more if row.judge.kind == "workflow" else "") for row in evaluation.rows]
    columns = [n for n in range(len(HEADS)) if n not in _unused(evaluation)]
    lines = [headline(evaluation), ""]
    lines += aligned([[row[n] for n in columns] for row in rows], width=width)
    lines += ["", *notes(evaluation)]
    told = [line for case in evaluation.own.cases for line in case_lines(case, every=every)]
    if told:
        lines += ["", *(f"  {fit(line, width - 2)}" for line in told)]
    return "\n".join(lines) + "\n"


def headline(evaluation: Evaluation) -> str:
    """What was asked, about what, how often."""
    cases = evaluation.cases
    problems = sum(bool(it.expected.must_block) for it in cases)
    facts = [f"{evaluation.workflow} on {many(len(cases), 'case')}"]
    facts.append(f"{problems} with a problem, {len(cases) - problems} clean")
    if repeats := max((it.wanted for it in cases), default=1) - 1:
        facts.append(f"each {repeats + 1} times")
    return ": ".join([facts[0], ", ".join(facts[1:])])


def share(rate: Rate) -> str:
    """``90% 70-97``: the share and its interval in percent; "–" where nothing is known."""
    if rate.share is None:
        return "–"  # noqa: RUF001 - a dash is meant
    return f"{rate.share:.0%} {100 * rate.low:.0f}-{100 * rate.high:.0f}"


def count(rate: Rate) -> str:
    """``1/20``: how many of the cases, each with the share of its repeats."""
    return f"{rate.successes:.1f}/{rate.cases}".replace(".0/", "/") if rate.cases else "–"  # noqa: RUF001 - a dash is meant


def price(usage: Usage) -> str:
    """What the answers cost, else how many tokens they took; "" where neither is known."""
    if usage.cost_usd is not None:
        return (
            f"${usage.cost_usd:.2f}"
            if usage.cost_usd >= 1 or not usage.cost_usd
            else f"${usage.cost_usd:.4f}"
        )
    return "" if usage.tokens is None else f"{usage.tokens:,} t"


def is_partly_priced(evaluation: Evaluation) -> bool:
    """Whether the whole costs more than is known: a backend that answered does not say what that took."""
    backends = [row.usage for row in evaluation.rows if row.judge.kind == "backend"]
    known = evaluation.usage.cost_usd is not None
    return known and any(it.calls and it.cost_usd is None for it in backends)


def _row(row: JudgedCases, more: str) -> list[str]:
    scores = row.scores
    counts = [scores.false_greens, scores.false_reds, scores.inconclusive, scores.flips]
    cells = [share(scores.recall), share(scores.precision), *map(count, counts)]
    return [
        fit(str(row.judge), _NAME),
        *cells,
        f"{more}{price(row.usage)}" if row.judge.kind != "quorum" else "",
    ]


def _unused(evaluation: Evaluation) -> set[int]:
    """Columns that say nothing: flips without repeats, cost where nothing is known of it."""
    unused = set()
    if not any(row.scores.flips.cases for row in evaluation.rows):
        unused.add(len(HEADS) - 2)
    if not any(price(row.usage) for row in evaluation.rows):
        unused.add(len(HEADS) - 1)
    return unused


def notes(evaluation: Evaluation) -> Iterator[str]:
    """What is to be known of the numbers."""
    facts = [f"{evaluation.done} of {many(evaluation.wanted, 'run')}", duration(evaluation.seconds)]
    facts += filter(None, [cost(evaluation.usage)])
    yield " · ".join(facts)
    rows = [it.judge for it in evaluation.rows if it.judge.kind == "quorum"]
    words = [f"{it.name} = {it}" for it in rows if it.name and isinstance(it.quorum, int)]
    if words:
        yield "; ".join(words)
    yield "backends and quorums: by the same answers, without other steps"
    if evaluation.cut:
        yield f"not all cases were evaluated: {evaluation.cut}"


def case_lines(case: MarkedCase, *, every: bool = False) -> Iterator[str]:
    """What came of a case by the workflow as it is; nothing if it is right in every repeat."""
    for number, it in enumerate(case.rulings, 1):
        right = it.mark in ("caught", "clear") and not it.is_false_red
        if right and not every:
            continue
        repeat = f" ({number})" if len(case.rulings) > 1 else ""
        yield f"{mark_of(it)}: {case.name}{repeat}{_about(case, it)}"
    if every and not case.rulings:
        yield f"not run: {case.name}"


def mark_of(it: MarkedRuling) -> str:
    """The mark in a word: what blocked wrongly weighs more than what was found besides."""
    return "false red" if it.is_false_red else str(it.mark)


def _about(case: MarkedCase, it: MarkedRuling) -> str:
    if it.is_false_red:
        return f": {_findings(it.wrong)}" if it.wrong else ": blocked without a finding"
    if it.mark == "inconclusive":
        return f": {' '.join(it.ruling.why.split())}"
    if it.mark in ("missed", "partly"):
        lost = [one.headline for one, met in zip(case.expected.must_block, it.met, strict=True) if not met]
        return f": {'; '.join(lost[:_FINDINGS])}"
    return ""


def _findings(findings: tuple[Finding, ...]) -> str:
    return "; ".join(it.headline for it in findings[:_FINDINGS])
