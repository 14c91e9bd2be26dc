"""When steps began and ended -> which of them the run's end waited for, and a drawing of all in SVG."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from markupsafe import Markup

from pytest_lok.core.history import StepHistory
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.console import duration
from pytest_lok.reports.drawing.layering import Needs
from pytest_lok.reports.drawing.markup import element
from pytest_lok.reports.untrusted import escape_untrusted
from pytest_lok.reports.widths import fit

STYLE = """
.timeline { width: 100%; overflow: visible }
.timeline text { font: 12px system-ui, sans-serif; fill: var(--text) }
.timeline .tick { fill: var(--faint); font-size: 11px }
.timeline line { stroke: var(--line) }
.timeline .works { fill: var(--kind) }
.timeline .waits { fill: var(--kind); opacity: .3 }
.timeline .critical { fill: var(--accent) }
.timeline .row { --kind: var(--skipped) }
.timeline .passed { --kind: var(--passed) } .timeline .failed { --kind: var(--failed) }
.timeline .error { --kind: var(--error) } .timeline .soft { --kind: var(--soft) }
.timeline a:hover text { text-decoration: underline }
"""
_ROW, _TOP = 30, 22
_NAME = 44  # columns of a name
_RIGHT = 55.0  # percent: a name whose bar begins further right ends with the bar
_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step in time, in seconds since the run began.

    From ``ready`` on nothing that it needs was missing, at ``began`` it asked its first question or started
    its command, at ``ended`` it was over.
    """

    name: str
    ready: float
    began: float
    ended: float

    @property
    def waited(self) -> float:
        """How long the step waited for a place."""
        return self.began - self.ready


def bars_of(needs: Needs, history: Mapping[str, StepHistory], worked: Mapping[str, float]) -> list[Bar]:
    """The steps that have ended, the earliest first; ``worked`` are their seconds without waiting."""
    ends = {name: known.ended for name, known in history.items() if known.ended is not None}
    bars = []
    for name, known in history.items():
        if known.started is None or known.ended is None:
            continue
        before = [ends[need] for need in needs.get(name, ()) if need in ends]
        ready = min(max(before, default=0.0 if not needs.get(name) else known.started), known.started)
        # what is no work of the step between its start and its end was waiting for a place
        began = min(max(known.started, known.ended - worked.get(name, math.inf)), known.ended)
        bars.append(Bar(name=name, ready=ready, began=began, ended=known.ended))
    return sorted(bars, key=lambda bar: (bar.began, bar.ended))


def critical_path(needs: Needs, bars: Sequence[Bar]) -> list[str]:
    """The steps without which the run would have ended earlier: each waited for the one before it."""
    ends = {bar.name: bar.ended for bar in bars}
    path: list[str] = []
    at = max(ends, key=ends.__getitem__, default=None)
    while at is not None:
        path.append(at)
        at = max((need for need in needs.get(at, ()) if need in ends), key=ends.__getitem__, default=None)
    return path[::-1]


def timeline(
    bars: Sequence[Bar], kinds: Mapping[str, str], links: Mapping[str, str], critical: Collection[str] = ()
) -> Markup:
    """The drawing, as wide as the page: a line for each step, its waiting pale, its work in its colour."""
    total = max((bar.ended for bar in bars), default=0.0) or 1e-9
    height = _TOP + _ROW * len(bars) + 4
    rows = (
        _row(bar, at, total, kinds.get(bar.name, ""), links.get(bar.name, ""), critical=bar.name in critical)
        for at, bar in enumerate(bars)
    )
    return element(
        "svg",
        *_scale(total, height),
        *rows,
        class_="timeline",
        height=height,
        width="100%",
        role="group",
        aria_label="when each step ran",
    )


def _scale(total: float, height: float) -> Iterator[Markup]:
    step = 10.0 ** math.floor(math.log10(total / _TICKS))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if total / (step * factor) <= _TICKS)
    for number in range(int(total / step) + 1):
        at = number * step
        x = f"{100 * at / total:.2f}%"
        anchor = "start" if number == 0 else "end" if at > 0.97 * total else "middle"
        yield element("line", x1=x, x2=x, y1=_TOP - 6, y2=height)
        yield element("text", _tick(at, step), x=x, y=11, text_anchor=anchor, class_="tick")


def _tick(at: float, step: float) -> str:
    if at and step < 1:
        digits = max(0, -math.floor(math.log10(step)))
        return f"{at:.{digits}f} s"
    return duration(at) if at >= 60 else f"{at:.0f} s"


def _row(bar: Bar, number: int, total: float, kind: str, link: str, *, critical: bool) -> Markup:
    y = _TOP + number * _ROW
    ready, began, ended = (100 * at / total for at in (bar.ready, bar.began, bar.ended))
    name = fit(escape_untrusted(bar.name[:1_000]), _NAME)
    worked = bar.ended - bar.began
    said = f"{name}  {duration(worked)}" + (
        f" + {duration(bar.waited)} waiting" if bar.waited >= 0.05 else ""
    )
    right = ready > _RIGHT
    parts = [
        element("title", said),
        element(
            "text", said, x=_percent(ended if right else ready), y=y + 11, text_anchor="end" if right else ""
        ),
        element("rect", x=_percent(ready), width=_percent(began - ready), y=y + 16, height=8, class_="waits"),
        element(
            "rect",
            x=_percent(began),
            width=_percent(max(ended - began, 0.25)),
            y=y + 16,
            height=8,
            rx=2,
            class_="works",
        ),
        element(
            "rect",
            x=_percent(ready),
            width=_percent(max(ended - ready, 0.25)),
            y=y + 25,
            height=2,
            class_="critical",
        )
        if critical
        else "",
    ]
    group = element("g", *parts, class_=f"row {kind}")
    return element("a", group, href=link) if link else group


def _percent(value: float) -> str:
    return f"{value:.2f}%"
