"""A run -> the top of its page: the verdict, why, the coverage, and how to run it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from pytest_lok.core.results import Finding, Outcome
from pytest_lok.reports.console import cost, duration, resumed
from pytest_lok.reports.drawing.markup import element, joined
from pytest_lok.reports.facts import many, outcomes
from pytest_lok.reports.formats.reported_run import ReportedRun, Trouble, bounded, bounded_line
from pytest_lok.reports.page.steps import run_again
from pytest_lok.reports.page.words import MARKS, badge, kind_of, mark

_REASONS, _FINDINGS = 30, 10
_TEXT = 1_200


def banner(run: ReportedRun, anchor: str) -> Markup:
    """The verdict in a word and in a sentence, with what stands behind it in numbers."""
    result = run.result
    verdict = run.verdict
    headline = run.headline.removeprefix(f"{verdict}: ")
    return element(
        "header",
        element(
            "h1",
            element("span", MARKS[verdict], class_="mark", aria_hidden="true"),
            element("span", verdict, class_="verdict"),
            element("span", run.title, class_="workflow"),
        ),
        element("p", headline[:1].upper() + headline[1:] + ".", class_="headline"),
        _coverage(run),
        element("ul", *(element("li", fact) for fact in _facts(run)), class_="numbers"),
        run_again(run.command) if run.command else "",
        class_=f"banner {kind_of(verdict)}",
        id=anchor,
        data_run=bounded_line(result.run_id, 100),
    )


def reasons(run: ReportedRun, findings: Sequence[str], links: Mapping[str, str]) -> Iterator[Markup]:
    """Why the run is not green: findings that block, then the rest, with links; nothing for a green run.

    ``findings`` are the names of the findings on the page.
    """
    blocking = [(entry, name) for entry, name in zip(run.findings, findings, strict=False) if entry.blocks]
    number = sum(entry.blocks for entry in run.findings)
    rows = [_blocks(entry.finding, name) for entry, name in blocking[:_FINDINGS]]
    if left := number - len(rows):
        rows.append(
            element("li", f"and {many(left, 'finding')} more that {'blocks' if left == 1 else 'block'}")
        )
    troubles = run.without_findings
    rows += [_reason(trouble, links) for trouble in troubles[:_REASONS]]
    if left := len(troubles) - min(len(troubles), _REASONS):
        rows.append(element("li", f"and {many(left, 'reason')} more"))
    if rows:
        title = "What was let go" if all(it.let_go for it in troubles) and not number else "Why"
        yield element("section", element("h2", title), element("ul", *rows, class_="reasons"))


def _blocks(finding: Finding, name: str) -> Markup:
    return element(
        "li",
        badge("failed", "blocks"),
        " ",
        badge(f"severity {finding.severity}", finding.severity),
        " ",
        element("a", bounded_line(finding.title, 200) or "no title", href=f"#{name}"),
        " ",
        element("code", bounded_line(f"{finding.path}:{finding.line}", 200), class_="place"),
    )


def contents(runs: Mapping[str, ReportedRun], of: int) -> Markup | str:
    """The runs of a page that has several, each with its verdict; it has so many ``of`` all."""
    if len(runs) < 2:
        return ""
    counts = Counter(run.verdict for run in runs.values())
    rows = (
        element("li", mark(run.verdict), element("a", run.title, href=f"#{anchor}"), " ", badge(run.verdict))
        for anchor, run in runs.items()
    )
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    number = f"{len(runs)} of {of}" if of > len(runs) else str(len(runs))
    what = "repositories" if any(run.repository for run in runs.values()) else "workflows"
    return element("nav", element("h2", f"{number} {what}: {said}"), element("ul", *rows), class_="runs")


def _reason(trouble: Trouble, links: Mapping[str, str]) -> Markup:
    text = bounded(trouble.text, _TEXT)
    first, _, rest = text.partition("\n")
    link = links.get(trouble.step)
    title: list[str] = [badge(_BADGES.get(trouble.kind, trouble.kind), trouble.kind), " "]
    title.append(element("a", first, href=link) if link else first)
    body = [element("pre", rest)] if rest else []
    return element("li", *title, *body)


_BADGES: Mapping[str, str] = {
    "interrupted": "error",
    "not-run": "error",
    "blocked": "skipped",
}


def _facts(run: ReportedRun) -> Iterator[str]:
    result = run.result
    if result.started:
        # UTC, so that the page says the same to whoever made and whoever reads it
        yield _moment(result.started)
    yield duration(result.seconds)
    yield cost(result.usage) or "no cost reported"
    yield f"exit code {run.exit_code}"
    yield f"run {bounded_line(result.run_id, 60)}" if result.run_id else "no run id"
    yield run.path
    if result.sha256:
        yield f"sha256 {bounded_line(result.sha256, 12)}"


def _coverage(run: ReportedRun) -> Markup:
    """How many steps came to what, as a bar and in words, and how many answers were valid."""
    steps = run.result.steps.values()
    counts = Counter(step.outcome for step in steps)
    missing = [name for name in run.result.selected if name not in run.result.steps]
    total = (len(steps) + len(missing)) or 1
    shares = [(str(outcome), counts[outcome]) for outcome in Outcome if counts[outcome]]
    shares += [("missing", len(missing))] if missing else []
    at = 0.0
    parts = []
    for kind, number in shares:
        size = 100 * number / total
        parts.append(element("rect", x=f"{at:.2f}%", width=f"{size:.2f}%", height=10, class_=kind))
        at += size
    said = f"{many(total if steps or missing else 0, 'step')}: {outcomes(counts) or 'none ran'}"
    said += f", {len(missing)} without a result" if missing else ""
    said += f" · {resumed(steps)}" if resumed(steps) else ""
    valid = sum(len(step.replies) for step in steps)
    asked = valid + sum(len(step.refusals) for step in steps)
    said += f" · {valid:,} of {many(asked, 'answer')} valid" if asked else ""
    bar = element("svg", *parts, class_="share", width="100%", height=10, role="img", aria_label=said)
    return joined(bar, element("p", said, class_="coverage"))


def _moment(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # a record may say anything
        return "at a time that nobody knows"
