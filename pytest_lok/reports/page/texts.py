"""Texts of a run -> blocks of a page: plain, folded, or a diff with its lines in colour."""

from __future__ import annotations

from markupsafe import Markup

from pytest_lok.reports.drawing.markup import element, joined
from pytest_lok.reports.page.space import PageSpace

_FOLDED = 12
"""Lines of a text that stands open by itself."""


def block(space: PageSpace, text: str, *, red: bool = False) -> Markup:
    """A text as it is, each line for itself."""
    return element("pre", space.shown(text, red=red), dir="auto", tabindex="0")


def fold(title: str, *body: str, is_open: bool = False, class_: str = "", id_: str = "") -> Markup:
    """A title, and what is shown when it is clicked; a link leads to it by its name ``id_``."""
    kinds = f"fold {class_}".strip()
    return element("details", element("summary", title), *body, id=id_, class_=kinds, open=is_open)


def text_fold(
    space: PageSpace, title: str, text: str, *, red: bool = False, is_open: bool | None = None
) -> Markup:
    """A text under its title; a short one of a step that is not passed stands open."""
    lines = text.count("\n") + 1
    short = red and lines <= _FOLDED and len(text) < _FOLDED * 120
    size = f"{lines:,} lines" if lines > 1 else f"{len(text):,} characters" if len(text) > 120 else ""
    label = joined(title, element("span", size, class_="size") if size else "")
    return fold(label, block(space, text, red=red), is_open=short if is_open is None else is_open)


def diff(space: PageSpace, text: str) -> Markup:
    """A diff, its lines in the colours of added and removed ones."""
    lines = str(space.shown(text, red=True)).split("\n")
    # the text is escaped as a whole, and no line of it is longer than what is shown
    return element("pre", joined(*(_diff_line(Markup(line)) for line in lines)), class_="diff", tabindex="0")  # noqa: S704


def _diff_line(line: Markup) -> Markup:
    start = str(line)[:4]
    if start.startswith(("+++", "---")):
        kind = "file"
    elif start.startswith("@@"):
        kind = "hunk"
    else:
        kind = {"+": "added", "-": "removed"}.get(start[:1], "same")
    return element("span", line or Markup(" "), class_=kind)


def facts_list(facts: dict[str, str]) -> Markup:
    """Facts by their names, those left out that are empty."""
    pairs = (element("div", element("dt", name), element("dd", said)) for name, said in facts.items() if said)
    return element("dl", *pairs, class_="facts")
