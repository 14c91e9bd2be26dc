"""What was asked and answered -> the prompts, the replies side by side, the vote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.results import Refusal, Reply, Verdict
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.drawing.markup import element, joined
from pytest_lok.reports.facts import dissents, some
from pytest_lok.reports.formats.reported_run import bounded_line
from pytest_lok.reports.page.space import PageSpace
from pytest_lok.reports.page.texts import block, text_fold
from pytest_lok.reports.page.words import badge

_PROMPTS = 12  # different prompts of one step or item
_CARDS = 40
_BALLOTS = 12
_CARD = 500  # bytes of a card without its text


def prompts(space: PageSpace, asked: Sequence[BackendAsked], *, red: bool) -> Iterator[Markup]:
    """The prompts in the order in which they were sent, one that several backends got once."""
    by_text: dict[str, dict[str, None]] = {}
    for event in asked:
        who = f"{event.backend} ({event.model})" if event.model else event.backend
        by_text.setdefault(event.prompt, {})[bounded_line(who, 60)] = None
    for number, (text, recipients) in enumerate(by_text.items()):
        if number == _PROMPTS:
            yield element("p", f"and {len(by_text) - _PROMPTS} more prompts", class_="more")
            return
        names = some([*recipients], 8)
        title = f"prompt to {names}" if number == 0 else f"then to {names}"
        yield text_fold(space, title, text, red=red, is_open=False)


def answers(
    space: PageSpace,
    replies: Sequence[Reply],
    refusals: Sequence[Refusal],
    verdict: Verdict | None,
    *,
    red: bool,
) -> Markup | str:
    """The replies side by side, and who gave none."""
    cards = [_reply(space, reply, verdict, red=red) for reply in replies[:_CARDS] if space.take(_CARD)]
    cards += [_refusal(space, refusal) for refusal in refusals[:_CARDS] if space.take(_CARD)]
    left = len(replies) + len(refusals) - len(cards)
    more = element("p", f"and {left:,} more", class_="more") if left else ""
    return joined(element("div", *cards, class_="replies"), more) if cards or left else ""


def votes(verdict: Verdict | None) -> Markup | str:
    """The ballots with their weights, the chosen one first; a note on how it came about."""
    if verdict is None:
        return ""
    total = sum(verdict.tally.values()) or 1.0
    ballots = sorted(verdict.tally.items(), key=lambda entry: -entry[1])
    rows = [
        element(
            "li",
            element("span", bounded_line(said, 80), class_="ballot"),
            element("meter", value=f"{weight:g}", max=f"{total:g}", aria_label="weight"),
            f" {weight:g}",
        )
        for said, weight in ballots[:_BALLOTS]
    ]
    rows += [element("li", f"and {len(ballots) - _BALLOTS} more")] if len(ballots) > _BALLOTS else []
    dissent = [element("li", bounded_line(said, 200)) for said in verdict.dissent[:_BALLOTS]]
    how = ["decided by ", element("b", bounded_line(verdict.strategy, 40))]
    how += [", the answer of ", element("b", bounded_line(verdict.backend, 60))] if verdict.backend else []
    return element(
        "section",
        element("p", *how, f": {bounded_line(verdict.note, 300)}" if verdict.note else ""),
        element("ul", *rows, class_="tally") if rows else "",
        joined(element("p", "who dissents:"), element("ul", *dissent, class_="dissent")) if dissent else "",
        class_="vote",
    )


def _reply(space: PageSpace, reply: Reply, verdict: Verdict | None, *, red: bool) -> Markup:
    facts = [reply.model, duration(reply.seconds), cost(reply.usage)]
    marks = []
    if dissents(verdict, reply.backend):
        marks.append(badge("failed", "dissents"))
    elif verdict is not None and verdict.backend == reply.backend:
        marks.append(badge("passed", "chosen"))
    if reply.cached:
        marks.append(badge("skipped", "was known"))
    return element(
        "article",
        element("header", element("b", bounded_line(reply.backend, 60)), *marks),
        element("p", bounded_line(" · ".join(filter(None, facts)), 160), class_="faint"),
        block(space, reply.text, red=red),
        class_="reply",
    )


def _refusal(space: PageSpace, refusal: Refusal) -> Markup:
    return element(
        "article",
        element("header", element("b", bounded_line(refusal.backend, 60)), badge("error", "no answer")),
        element("p", bounded_line(refusal.kind, 60), class_="faint"),
        block(space, refusal.reason, red=True),
        element("p", f"hint: {bounded_line(refusal.hint, 300)}") if refusal.hint else "",
        class_="reply refusal",
    )
