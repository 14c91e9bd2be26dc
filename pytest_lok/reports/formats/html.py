"""Runs -> one page of HTML that needs nothing else: no server, no network, and no script to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from pytest_lok.core.results import Outcome, RunResult, StepResult
from pytest_lok.core.workflow.model import Step
from pytest_lok.reports.console import duration
from pytest_lok.reports.drawing import graph_svg as graphs
from pytest_lok.reports.drawing import timeline as timelines
from pytest_lok.reports.drawing.markup import element, joined, void
from pytest_lok.reports.drawing.steps import needs_of, what_it_does
from pytest_lok.reports.facts import many
from pytest_lok.reports.formats.reported_run import ReportedRun, bounded_line
from pytest_lok.reports.page.anchors import Anchors
from pytest_lok.reports.page.cases import case_sections
from pytest_lok.reports.page.findings import finding_names, findings
from pytest_lok.reports.page.frame import framed
from pytest_lok.reports.page.header import banner, contents, reasons
from pytest_lok.reports.page.space import PageSpace
from pytest_lok.reports.page.steps import StepPage
from pytest_lok.reports.page.words import outcome_words

LONGEST = 5_000_000
"""Bytes of a page, at most."""
_TEXTS = 2_600_000
"""Bytes of a page for texts and rows; the rest is for its frame and the drawings."""
MOST_STEPS = 1_000
"""Steps of a page; of more, those that are not passed come first, and the others are counted."""
_MOST_RUNS = 200


def render(runs: Sequence[ReportedRun]) -> str:
    """The page, of at most LONGEST bytes."""
    anchors = Anchors()
    if len(runs) > _MOST_RUNS:  # what is left out is what there is least to say of
        runs = sorted(runs, key=lambda run: run.verdict == "passed")
    shown = {anchors.new(run.name): run for run in runs[:_MOST_RUNS]}
    space = PageSpace(_TEXTS, sum(map(_count_texts, shown.values())))
    room = MOST_STEPS
    parts: list[Markup] = []
    for anchor, run in shown.items():
        steps = _chosen(run.result, room)
        room -= len(steps)
        parts.append(_run(space, anchors, anchor, run, steps))
    if len(runs) > len(shown):
        verdicts = sorted({run.verdict for run in runs[_MOST_RUNS:]})
        what = "run" if runs[0].repository else "workflow"
        said = f"and {many(len(runs) - len(shown), what)} more: {', '.join(verdicts)}"
        parts.append(element("p", said, class_="more"))
    title = ", ".join(f"{run.title}: {run.verdict}" for run in [*shown.values()][:3]) or "no run"
    style = f"{graphs.STYLE}{timelines.STYLE}"
    return framed(
        f"{title} · lok", joined(contents(shown, len(runs)), *parts), style=style, controls=_controls()
    )


def _run(space: PageSpace, anchors: Anchors, anchor: str, run: ReportedRun, steps: Sequence[str]) -> Markup:
    links = {step: f"#{name}" for step, name in anchors.of_steps(anchor, steps).items()}
    named = finding_names(anchors, anchor, run)
    # the cards come first: the steps lead to those that there was place for
    cards = [*findings(space, run, named, links)]
    found = {
        it.finding.fingerprint: name for it, name in zip(run.findings, named[: len(cards)], strict=False)
    }
    pages = StepPage(space, run, links, found)
    results = run.result.steps
    # what is not passed gets its place on a full page first
    ordered = sorted(steps, key=lambda name: _mildness(results[name]))
    made = {name: pages.step(results[name]) for name in ordered}
    return element(
        "article",
        banner(run, anchor),
        *reasons(run, named, links),
        *case_sections(space, run.result, links),
        *_graph(run, links),
        *_timeline(run, links),
        _section("Findings", cards, len(run.findings), "finding"),
        _section("Steps", [made[name] for name in steps], len(results), "step"),
        class_="run",
    )


def _section(title: str, parts: Sequence[Markup], number: int, what: str) -> Markup | str:
    """What there is of one kind, and how many this page has no place for."""
    left = number - len(parts)
    more = element("p", f"and {many(left, what)} more, for which there is no place", class_="more")
    return element("section", element("h2", title), *parts, more if left else "") if number else ""


def _chosen(result: RunResult, most: int) -> list[str]:
    """The steps that are shown, in their order."""
    names = [*result.steps]
    if len(names) <= most:
        return names
    worst = sorted(names, key=lambda name: _mildness(result.steps[name]))[: max(most, 0)]
    chosen = {*worst}
    return [name for name in names if name in chosen]


def _mildness(step: StepResult) -> tuple[bool, bool]:
    """Sorts what is red first, and what passed last."""
    return not step.outcome.red, step.passed


def _graph(run: ReportedRun, links: Mapping[str, str]) -> Iterator[Markup]:
    """What depends on what, in the colours of the outcomes; only where the workflow is known."""
    steps = {name: run.steps[name] for name in run.result.steps if name in run.steps}
    steps |= {name: run.steps[name] for name in run.result.selected if name in run.steps}
    if len(steps) < 2:
        return
    if len(steps) > MOST_STEPS:
        yield element("p", f"The graph of {len(steps):,} steps is not drawn: it is too large.", class_="more")
        return
    # of a step with cases the worst stands for all
    shown: dict[str, str] = {}
    for name, step in steps.items():
        other = shown.setdefault(step.written_name, name)
        if _is_worse(run.result.steps.get(name), run.result.steps.get(other)):
            shown[step.written_name] = name
    nodes = {written: _node(run, written, steps[name], links) for written, name in shown.items()}
    path = timelines.critical_path({name: step.needs for name, step in steps.items()}, _bars(run))
    critical = [*dict.fromkeys(steps[name].written_name for name in path if name in steps)]
    drawing = graphs.graph_svg(nodes, needs_of(steps.values()), critical=critical)
    yield element(
        "section",
        element("h2", "What depends on what"),
        element("div", drawing, class_="drawing", tabindex="0"),
    )


def _is_worse(result: StepResult | None, other: StepResult | None) -> bool:
    return result is not None and other is not None and _mildness(result) < _mildness(other)


def _node(run: ReportedRun, written: str, step: Step, links: Mapping[str, str]) -> graphs.Node:
    """A step of the file as its result, or one of its cases', says."""
    result = run.result.steps.get(step.name)
    said = outcome_words(result) if result else "no result"
    ran = f" · {duration(result.seconds)}" if result and result.ran and not step.case else ""
    return graphs.Node(
        name=written,
        note=f"{said}{ran}",
        kind=str(result.outcome) if result else "missing",
        tip=bounded_line(f"{step.name}: {said}. {what_it_does(step)}", 200),
        link=links.get(step.name, ""),
    )


def _bars(run: ReportedRun) -> list[timelines.Bar]:
    needs = {name: step.needs for name, step in run.steps.items()}
    worked = {name: result.seconds for name, result in run.result.steps.items() if result.ran}
    history = {name: known for name, known in run.result.history.items() if name in worked}
    return timelines.bars_of(needs, history, worked)


def _timeline(run: ReportedRun, links: Mapping[str, str]) -> Iterator[Markup]:
    bars = _bars(run)
    if not bars:
        return
    needs = {name: step.needs for name, step in run.steps.items()}
    path = timelines.critical_path(needs, bars)
    on_path = [bar for bar in bars if bar.name in {*path}]
    worked = sum(bar.ended - bar.began for bar in on_path)
    waited = sum(bar.waited for bar in on_path)
    steps = " → ".join(bounded_line(name, 60) for name in path[:12]) + (" → …" if len(path) > 12 else "")
    said = f"The run waited for {steps}: {duration(worked)} of work"
    said += f", {duration(waited)} of waiting for a place." if waited >= 0.05 else "."
    kinds = {name: str(result.outcome) for name, result in run.result.steps.items()}
    yield element(
        "section",
        element("h2", "When"),
        element("p", said, class_="path"),
        element(
            "div",
            timelines.timeline(bars[:MOST_STEPS], kinds, links, {*path}),
            class_="drawing",
            tabindex="0",
        ),
        element(
            "p",
            "Pale: a step waited for a place to run or to ask. The line below a bar: the critical path.",
            class_="faint",
        ),
    )


def _controls() -> Markup:
    """What a script makes use of; without one nobody sees it."""
    chips = (
        element("button", str(outcome), type="button", data_filter=str(outcome), aria_pressed="false")
        for outcome in Outcome
    )
    return element(
        "div",
        void("input", type="search", placeholder="search steps", aria_label="search steps"),
        *chips,
        element("button", "open all", type="button", data_all="open"),
        element("button", "close all", type="button", data_all="close"),
        element("output", aria_live="polite"),
        element(
            "p",
            "keys: / search · j next · k previous · o open or close · e open all · c close all · "
            "f not passed · Esc all",
            class_="keys",
        ),
        class_="controls",
        hidden=True,
    )


def _count_texts(run: ReportedRun) -> int:
    """About how many texts a run has to show."""
    steps = run.result.steps.values()
    found = len(run.result.steps) + 2 * len(run.findings)
    for step in steps:
        # of what has thousands of items few are shown
        found += 2 + min(
            2 * len(step.replies) + len(step.refusals) + len(step.sections) + len(step.items), 500
        )
    return found
