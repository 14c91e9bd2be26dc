"""Several recorded runs -> a report that sums them up, for people as Markdown, for programs as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from pytest_lok.core.results import NO_USAGE, Json, Usage
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import many
from pytest_lok.reports.formats.markdown import code
from pytest_lok.reports.recorded.run_list import RunEntry, price

_MOST = 200  # runs that have a line of their own
_FINDINGS = 50
_ID = 12  # digits of a commit that are shown


def total(entries: Sequence[RunEntry]) -> Usage:
    """What these runs used together."""
    return reduce(Usage.__add__, (entry.run.result.usage for entry in entries), NO_USAGE)


def several_document(entries: Sequence[RunEntry]) -> dict[str, Json]:
    """The runs for programs: how many came to what, what they cost together, and each in short."""
    usage = total(entries)
    return {
        "verdicts": dict(Counter(entry.verdict for entry in entries)),
        "cost_usd": usage.cost_usd,
        "tokens": usage.tokens,
        "runs": [entry.document() for entry in entries],
    }


def several_markdown(entries: Sequence[RunEntry], title: str, when: Mapping[str, str]) -> str:
    """The runs for people, the newest first: how many came to what, a table, and what blocks.

    ``when`` has the time of each run as it is shown, by its id.
    """
    return "\n".join(_lines(entries, title, when)) + "\n"


def _lines(entries: Sequence[RunEntry], title: str, when: Mapping[str, str]) -> Iterator[str]:
    yield f"# {title}\n"
    if not entries:
        yield "No run is recorded."
        return
    counts = Counter(entry.verdict for entry in entries)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    facts = [f"{many(len(entries), 'run')}: {said}", cost(total(entries))]
    yield f"{' · '.join(filter(None, facts))}\n"
    yield "| run | workflow | verdict | began | time | cost | findings | head |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from (_table_row(entry, when) for entry in entries[:_MOST])
    if len(entries) > _MOST:
        yield f"\nand {len(entries) - _MOST:,} more"
    blocking = _blocking(entries)
    if blocking:
        yield "\n## What blocked\n"
        yield from blocking[:_FINDINGS]
        if len(blocking) > _FINDINGS:
            yield f"- and {len(blocking) - _FINDINGS:,} more"


def _table_row(entry: RunEntry, when: Mapping[str, str]) -> str:
    result = entry.run.result
    found = entry.run.findings
    blocking = sum(one.blocks for one in found)
    findings = f"{len(found)}, {blocking} blocking" if blocking else str(len(found) or "")
    cells = [
        code(entry.run_id),
        _cell(code(entry.run.title if entry.run.repository else result.workflow)),
        entry.verdict,
        when.get(entry.run_id, ""),
        duration(result.seconds) if entry.state == "ended" else "",
        price(result.usage),
        findings,
        code(result.head[:_ID]) if result.head else "",
    ]
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """A text in a table: a bar would begin another cell, in code as well."""
    return text.replace("|", "\\|")


def _blocking(entries: Sequence[RunEntry]) -> list[str]:
    """Each finding that blocked once, with the newest run that has it."""
    first: dict[str, str] = {}
    for entry in entries:
        for one in entry.run.findings:
            if one.blocks:
                line = f"- {code(one.finding.headline)} (run {code(entry.run_id)})"
                first.setdefault(one.fingerprint, line)
    return list(first.values())
