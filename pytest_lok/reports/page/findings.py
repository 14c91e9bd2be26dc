"""Findings -> cards: where, what code, who says so, and why it blocks or does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from pytest_lok.reports.drawing.markup import element, joined
from pytest_lok.reports.formats.reported_run import ReportedFinding, ReportedRun, bounded_line
from pytest_lok.reports.page.anchors import Anchors
from pytest_lok.reports.page.space import PageSpace
from pytest_lok.reports.page.texts import block, diff, facts_list, fold
from pytest_lok.reports.page.words import badge, why

_OPEN = 20
"""So many findings stand open, those that block first."""
_CARD = 1_500  # bytes of a card without its texts
_MOST = 1_000


def finding_names(anchors: Anchors, anchor: str, run: ReportedRun) -> Sequence[str]:
    """The names by which links lead to the findings that are shown, in their order."""
    return [anchors.new(anchor, "finding", it.fingerprint[:16]) for it in run.findings[:_MOST]]


def findings(
    space: PageSpace, run: ReportedRun, names: Sequence[str], links: Mapping[str, str]
) -> Iterator[Markup]:
    """The cards as far as there is place for them, the findings that block first."""
    for at, (entry, name) in enumerate(zip(run.findings, names, strict=False)):
        if not space.take(_CARD):
            return
        yield _card(space, run, entry, name, links, is_open=entry.blocks and at < _OPEN)


def _card(
    space: PageSpace,
    run: ReportedRun,
    entry: ReportedFinding,
    name: str,
    links: Mapping[str, str],
    *,
    is_open: bool,
) -> Markup:
    finding = entry.finding
    step = links.get(entry.step, "")
    who = bounded_line(finding.backend, 60) or "a command"
    body = [
        element("p", why(run, entry), class_="why"),
        element("p", space.shown(finding.message, red=entry.blocks, most=4_000), class_="message"),
        block(space, finding.evidence, red=entry.blocks) if finding.evidence.strip() else "",
        _votes(finding.votes),
        *_edits(space, finding.edits),
        facts_list(_facts(run, entry)),
        element(
            "p",
            f"reported by {who} in ",
            element("a", entry.step[:100], href=step) if step else entry.step[:100],
        ),
    ]
    kinds = "finding blocks" if entry.blocks else "finding"
    body_part = element("div", *body, class_="body")
    return fold(_title(entry), body_part, is_open=is_open, class_=kinds, id_=name)


def _title(entry: ReportedFinding) -> Markup:
    """The line of a card that is always seen."""
    finding = entry.finding
    state = "blocks" if entry.blocks else "set aside" if entry.aside else "does not block"
    return joined(
        badge("failed" if entry.blocks else "skipped", state),
        badge(f"severity {finding.severity}", finding.severity),
        element("b", bounded_line(finding.title, 200) or "no title"),
        element("code", bounded_line(f"{finding.path}:{finding.line}", 200), class_="place"),
    )


def _facts(run: ReportedRun, entry: ReportedFinding) -> dict[str, str]:
    """What is known of a finding, by name; "" = nothing to show."""
    finding = entry.finding
    rule = run.rules.get(finding.rule_id)
    forbids = bounded_line(rule.description, 300) if rule else ""
    return {
        "rule": ": ".join(filter(None, [bounded_line(finding.rule_id, 80), forbids])),
        "called": bounded_line(finding.called, 80),
        "lines": f"{finding.line} to {finding.end_line}" if finding.end_line > finding.line else "",
        "confidence": f"{finding.confidence:g}",
        "weakness": ", ".join(f"CWE-{number}" for number in finding.cwe[:20]),
        "doubt": bounded_line(finding.doubt, 300),
        "fingerprint": bounded_line(entry.fingerprint, 80),
    }


def _votes(votes: Mapping[str, str]) -> Markup | str:
    if len(votes) < 2:
        return ""
    said = [
        element("li", element("b", bounded_line(name, 60)), " ", badge(f"severity {vote}", vote))
        for name, vote in [*votes.items()][:20]
    ]
    return element("ul", *said, class_="voters")


def _edits(space: PageSpace, edits: Sequence[Mapping[str, str]]) -> Iterator[Markup]:
    """The edits that the reporter proposes, as a diff."""
    for edit in edits[:5]:
        old, new = edit.get("old", ""), edit.get("new", "")
        lines = [f"--- {edit.get('file', '')}", *(f"-{line}" for line in old.splitlines())]
        lines += [f"+{line}" for line in new.splitlines()]
        yield fold("proposed edit", diff(space, "\n".join(lines)))
