"""Runs -> Markdown for a comment on a pull request: what did not run, the verdict, findings, votes, cost."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from pytest_lok.core.results import RunResult, StepResult
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import answered_of, attempts_before, many, outcomes, vote
from pytest_lok.reports.formats.reported_run import (
    ReportedFinding,
    ReportedRun,
    Trouble,
    bounded,
    bounded_line,
)

LONGEST = 60_000
"""Characters of a comment; GitHub takes 65,536 at most."""

_TEXT, _LINE = 2_000, 200
_ATTEMPTS = 5  # of a step that was asked again
_KINDS = {"failed": "failed", "soft": "let go, for it is soft", "skipped": "skipped"}


def render(runs: Sequence[ReportedRun]) -> str:
    """The comment. The first line of each run is a marker by which its comment is found again."""
    return rendered(runs, LONGEST)


def rendered(runs: Sequence[ReportedRun], longest: int) -> str:
    """The comment in at most so many characters; what does not fit is counted.

    Of the repositories of a list each has a row, and those that are no plain yes are told of.
    """
    if any(run.repository for run in runs):
        head = "\n".join(_repositories(runs, longest // 2))
        told = [run for run in runs if run.verdict != "passed"]
        return f"{head}\n{_several(told, longest - len(head) - 1)}"
    return _several(runs, longest)


def _repositories(runs: Sequence[ReportedRun], longest: int) -> Iterator[str]:
    """A table of the repositories, as many as fit; those that passed are left out first."""
    counts = Counter(run.verdict for run in runs)
    said = ", ".join(f"{number:,} {verdict}" for verdict, number in counts.most_common())
    yield f"### lok {code(runs[0].name)} in {len(runs):,} repositories: {said}\n"
    yield "| repository | verdict | time | run |"
    yield "|---|---|---|---|"
    left = Counter[str]()
    for run in sorted(runs, key=lambda run: run.verdict == "passed"):
        result = run.result
        cells = code(run.repository), run.verdict, duration(result.seconds), code(result.run_id)
        row = f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        if (longest := longest - len(row) - 1) < 0 or left:
            left[run.verdict] += 1
        else:
            yield row
    if left:
        yield f"\nand {sum(left.values()):,} more: " + ", ".join(f"{n:,} {it}" for it, n in left.items())
    yield ""


def _several(runs: Sequence[ReportedRun], longest: int) -> str:
    # whatever is left out later, each run's verdict stands
    share = max(longest // max(len(runs), 1), 1_200)
    texts = ["\n".join(_within(run, share)) for run in runs]
    kept = texts[: longest // share]
    if len(kept) < len(texts):
        left = [run.verdict for run in runs[len(kept) - 1 :]]
        counts = ", ".join(f"{number} {verdict}" for verdict, number in Counter(left).items())
        what = "run" if runs[0].repository else "workflow"
        kept[-1:] = [f"and {many(len(left), what)} more: {counts}\n"]
    return "\n".join(kept)


def _within(run: ReportedRun, longest: int) -> Iterator[str]:
    """The lines of a run: its head always, of the lists as many entries as fit, and a count of the others."""
    head = [*_head(run)]
    yield from head
    room = longest - sum(len(line) + 1 for line in head) - 300
    lists: Sequence[tuple[str, str, Sequence[object], Callable[[ReportedRun, object], str]]] = (
        ("#### Not green", "reason", run.troubles, _trouble),
        ("#### Findings", "finding", run.findings, _finding),
        ("#### Asked again", "step", [s for s in run.result.steps.values() if attempts_before(s)], _again),
        ("#### Votes", "vote", [s for s in run.result.steps.values() if vote(s.verdict)], _vote),
    )
    for title, what, entries, line_of in lists:
        if not entries:
            continue
        yield f"{title}\n"
        for at, entry in enumerate(entries):
            text = line_of(run, entry)
            if (room := room - len(text) - 1) < 0:
                yield f"and {many(len(entries) - at, what)} more\n"
                break
            yield text
        yield ""


def _head(run: ReportedRun) -> Iterator[str]:
    result = run.result
    yield f"<!-- lok:{run.name} -->"
    yield f"### lok {code(run.title)}: {run.verdict}\n"
    broken = [it for it in run.troubles if it.kind in ("interrupted", "error", "not-run", "blocked")]
    if broken:
        names = [code(it.step) for it in broken if it.step]
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        who = f": {', '.join(names[:10])}{more}" if names else ""
        yield f"**Not everything was judged{who}.**\n"
    yield f"{code(run.headline)}\n"
    yield f"{_coverage(run)}\n"
    facts = [duration(result.seconds), cost(result.usage), f"exit code {run.exit_code}"]
    yield f"{' · '.join(filter(None, facts))}\n"
    yield from (f"{code(it.name)}: {code(it.reviewed)}\n" for it in _told_how_much(result))


def _told_how_much(result: RunResult) -> list[StepResult]:
    """The steps that know of an earlier review; a comment has room for some of them."""
    return [step for step in result.steps.values() if step.reviewed][:5]


def _coverage(run: ReportedRun) -> str:
    """How many steps came to what, how many items were judged, how many of those that were asked answered."""
    steps = run.result.steps.values()
    counts = Counter(step.outcome for step in steps)
    said = f"{many(len(run.result.selected) or len(counts), 'step')}: {outcomes(counts) or 'none ran'}"
    items = [it for step in steps if (it := answered_of(step).get("item"))]
    if items:
        judged, each = (sum(counts) for counts in zip(*items, strict=True))
        said += f"; {judged} of {many(each, 'item')} judged"
    valid = sum(len(step.replies) for step in steps)
    lost = sum(len(step.refusals) for step in steps)
    return f"{said}; {valid} of {many(valid + lost, 'answer')} valid" if valid + lost else said


def _trouble(_: ReportedRun, entry: object) -> str:
    assert isinstance(entry, Trouble)  # noqa: S101 - of the list of troubles
    title = f"{_KINDS.get(entry.kind, entry.kind)}: {code(entry.text.partition(chr(10))[0])}"
    return f"{title}\n" if "\n" not in entry.text else _folded(title, entry.text)


def _finding(_: ReportedRun, entry: object) -> str:
    assert isinstance(entry, ReportedFinding)  # noqa: S101 - of the list of findings
    finding = entry.finding
    votes = ", ".join(f"{name}: {said}" for name, said in finding.votes.items())
    facts = [
        finding.message,
        f"\n{finding.evidence}" if finding.evidence else "",
        f"\nvotes: {votes}" if votes else "",
        f"set aside: {entry.aside}" if entry.aside else "",
    ]
    state = "blocks" if entry.blocks else "set aside" if entry.aside else "does not block"
    return _folded(f"{state}: {code(finding.headline)}", "\n".join(filter(None, facts)))


def _again(_: ReportedRun, step: object) -> str:
    assert isinstance(step, StepResult)  # noqa: S101 - of the list of steps
    attempts = attempts_before(step)
    shown = attempts[-_ATTEMPTS:]
    left = [f"{many(len(attempts) - len(shown), 'attempt')} before"] if len(attempts) > len(shown) else []
    texts = [f"{it.title}: {bounded(it.text, _TEXT // len(shown))}" for it in shown]
    return _folded(f"{many(len(attempts), 'time')}: {code(step.name)}", "\n".join([*left, *texts]))


def _vote(_: ReportedRun, step: object) -> str:
    assert isinstance(step, StepResult)  # noqa: S101 - of the list of steps
    return f"{code(step.name)}: {code(vote(step.verdict))}\n"


def _folded(title: str, text: str) -> str:
    """A title with a text that is shown when the title is clicked, both free of markup of their own."""
    shown = html.escape(bounded(text, _TEXT))
    # a blank line ends a block of HTML, but not one that begins with <pre>
    return f"<details><summary>{_as_html(title)}</summary>\n\n<pre>{shown}</pre>\n</details>\n"


def code(text: str) -> str:
    """A text of others on one line as code, in which nobody is mentioned and nothing is a link."""
    line = bounded_line(text, _LINE) or " "
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    space = " " if line[0] in "` " or line[-1] in "` " else ""
    return f"{fence}{space}{line}{space}{fence}"


def _as_html(title: str) -> str:
    """Markdown of ours, with one span of code in it, as HTML: inside of <summary> Markdown is not read."""
    before, fence, rest = re.match(r"([^`]*)(`+)(.*)", title, re.DOTALL).groups()  # type: ignore[union-attr]  # by _folded
    return f"{html.escape(before)}<code>{html.escape(rest.removesuffix(fence).strip())}</code>"
