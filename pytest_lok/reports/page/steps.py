"""Steps -> what a page tells of each: why, the prompts, the answers, items, sections, how to run it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from pytest_lok.core.history import StepHistory
from pytest_lok.core.results import BEFORE_FIX, Finding, ItemResult, Outcome, Section, StepResult
from pytest_lok.core.workflow.model import Shell, Step
from pytest_lok.late_regex import late_regex
from pytest_lok.reports.console import backends, cost, duration
from pytest_lok.reports.drawing.markup import element, joined
from pytest_lok.reports.drawing.steps import what_it_does
from pytest_lok.reports.facts import brief, done, fixed, item_label, many, score_text, some
from pytest_lok.reports.formats.reported_run import ReportedRun, bounded_line
from pytest_lok.reports.page.exchange import answers, prompts, votes
from pytest_lok.reports.page.space import PageSpace
from pytest_lok.reports.page.texts import diff, facts_list, fold, text_fold
from pytest_lok.reports.page.words import badge, mark, outcome_words

_ITEMS = 200
_SECTIONS = 60
_ATTEMPTS = 30
_LINES = 40
_ROW = 400  # bytes of a line that tells of an item, an attempt, a section
_NAME = late_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")  # what a shell reads as one word


class StepPage:
    """What the page tells of the steps of one run.

    ``links`` are where a click on a step leads, ``found`` the names of findings by their fingerprints.
    """

    def __init__(
        self, space: PageSpace, run: ReportedRun, links: Mapping[str, str], found: Mapping[str, str]
    ) -> None:
        self._space = space
        self._found = found
        self._run = run
        self._links = links

    def step(self, result: StepResult) -> Markup:
        """One step, open if it is red."""
        step = self._run.steps.get(result.name)
        is_red = result.outcome.red or result.blocked
        link = self._links[result.name]
        parts = [
            *self._reason(result),
            self._facts(result, step),
            *self._told(result),
            *self._findings(result),
            *self._attempts(self._run.result.history.get(result.name)),
            *self._nested(result),
            *(self._items(result) if result.items else self._exchange(result, step)),
            *self._sections(result),
            self._again(result),
        ]
        return element(
            "details",
            self._summary(result, link),
            element("div", *parts, class_="body"),
            id=link.removeprefix("#"),
            class_=f"step {result.outcome}",
            data_outcome=str(result.outcome),
            open=is_red and result.outcome is not Outcome.SKIPPED,
        )

    def _summary(self, result: StepResult, link: str) -> Markup:
        name = bounded_line(result.name, 100)
        facts = [*brief(result), some(backends([result]), 4), cost(result.usage), fixed(result)]
        facts += [f"{result.attempts} attempts"] if result.attempts > 1 and not result.items else []
        if not result.passed:
            facts.insert(0, result.reason)
        return element(
            "summary",
            mark(str(result.outcome)),
            element("span", outcome_words(result), class_="outcome"),
            element("b", name),
            element("span", bounded_line(" · ".join(filter(None, facts)), 200), class_="brief"),
            element("span", duration(result.seconds) if result.ran else "", class_="time"),
            element("a", "#", href=link, class_="anchor", aria_label=f"link to {name}"),
        )

    def _reason(self, result: StepResult) -> Iterator[Markup]:
        if result.passed or not result.reason:
            return
        yield element("pre", self._space.shown(result.reason, red=True), class_="reason", tabindex="0")
        if result.hint:
            yield element("p", element("b", "hint: "), self._space.shown(result.hint, red=True, most=2_000))
        root = self._links.get(result.blocked_by)
        if result.blocked and root and result.blocked_by != result.name:
            yield element("p", "blocked by ", element("a", result.blocked_by[:100], href=root))

    def _facts(self, result: StepResult, step: Step | None) -> Markup:
        facts = {
            "resumed": bounded_line(result.resumed.text, 300) if result.resumed else "",
            "underlying": str(result.underlying or ""),
            "exit code": "" if result.exit_code is None else str(result.exit_code),
            "attempts": str(result.attempts) if result.attempts > 1 else "",
            "cost": cost(result.usage),
            "scores": bounded_line("; ".join(f"{it.name}: {score_text(it)}" for it in result.scores), 600),
            "verified by": bounded_line(result.verified, 200),
        }
        if step is not None:
            path, line = self._run.place(result.name)
            facts |= {
                "does": bounded_line(what_it_does(step), 200) if not isinstance(step.action, Shell) else "",
                "after": bounded_line(some(step.needs, 8), 300),
                "when": bounded_line(step.when.source, 200) if step.when else "",
                "written in": f"{path}:{line}",
            }
        return facts_list(facts)

    def _told(self, result: StepResult) -> Iterator[Markup]:
        lines = [*done(result, whole=True)]
        if lines:
            shown = [
                element("li", bounded_line(line, 400)) for line in lines[:_LINES] if self._space.take(_ROW)
            ]
            left = len(lines) - len(shown)
            yield element("ul", *shown, element("li", f"and {left:,} more") if left else "", class_="told")

    def _findings(self, result: StepResult) -> Iterator[Markup]:
        if not result.findings:
            return
        rows = [
            element("li", badge(f"severity {it.severity}", it.severity), " ", self._finding(it))
            for it in result.findings[:_LINES]
            if self._space.take(_ROW)
        ]
        left = len(result.findings) - len(rows)
        yield element("ul", *rows, element("li", f"and {left:,} more") if left else "", class_="found")

    def _finding(self, finding: Finding) -> Markup:
        title = bounded_line(finding.title, 160) or "no title"
        name = self._found.get(finding.fingerprint)
        return element("a", title, href=f"#{name}") if name else element("span", title)

    def _attempts(self, history: StepHistory | None) -> Iterator[Markup]:
        failed = history.retried if history else ()
        if not failed:
            return
        rows = [
            element(
                "li",
                f"attempt {it.number}{'' if it.item is None else f' at item {it.item}'}: ",
                bounded_line(it.reason, 400),
                f", and again after {duration(it.delay)}",
            )
            for it in failed[:_ATTEMPTS]
            if self._space.take(_ROW)
        ]
        left = len(failed) - len(rows)
        yield fold(
            f"{many(len(failed), 'attempt')} before the last",
            element("ol", *rows, element("li", f"and {left:,} more") if left else "", class_="attempts"),
            is_open=True,
        )

    def _exchange(
        self, result: StepResult, step: Step | None, item: ItemResult | None = None
    ) -> Iterator[Markup]:
        """What was asked and answered, in the step or in one item of it."""
        index = item.index if item else None
        outcome, verdict = (item or result).outcome, (item or result).verdict
        output, is_cut = (item or result).output, (item or result).cut
        if item is None and step is not None and isinstance(step.action, Shell):
            text = (
                step.action.shell.source
                if step.action.shell
                else " ".join(p.source for p in step.action.argv)
            )
            yield text_fold(self._space, "command", text, is_open=True)
        asked = [event for event in self._run.asked(result.name) if event.item == index]
        yield from prompts(self._space, asked, red=outcome.red)
        replies = [reply for reply in result.replies if reply.item == index]
        refusals = [refusal for refusal in result.refusals if refusal.item == index]
        if said := answers(self._space, replies, refusals, verdict, red=outcome.red):
            yield joined(said)
        if counted := votes(verdict):
            yield joined(counted)
        told = {(item or result).reason, *(reply.text for reply in replies)}
        if output.strip() and output not in told and result.findings is None:
            title = "output, cut in the middle" if is_cut else "output"
            yield text_fold(self._space, title, output, red=outcome.red)

    def _nested(self, result: StepResult) -> Iterator[Markup]:
        """The steps of the workflow that a step ran, each with those that it ran itself."""
        for run in result.nested:
            for step in run.steps[:_ITEMS]:
                if not self._space.take(_ROW):
                    return
                name = f"{run.label}: {step.name}" if run.label else step.name
                title = joined(
                    mark(str(step.outcome)),
                    element("span", str(step.outcome), class_="outcome"),
                    element("b", bounded_line(name, 100)),
                    element("span", bounded_line(step.reason, 160), class_="brief"),
                    element("span", duration(step.seconds), class_="time"),
                )
                body = [*self._nested(step)]
                if step.output.strip():
                    body.append(text_fold(self._space, "output", step.output, red=step.outcome.red))
                yield element(
                    "details",
                    element("summary", title),
                    element("div", *self._reason(step), *body, class_="body"),
                    class_=f"item {step.outcome}",
                )

    def _items(self, result: StepResult) -> Iterator[Markup]:
        """The items, the red ones first."""
        ordered = sorted(result.items, key=lambda item: not item.outcome.red)
        shown = [item for item in ordered[:_ITEMS] if self._space.take(_ROW)]
        for item in shown:
            title = joined(
                mark(str(item.outcome)),
                element("span", str(item.outcome), class_="outcome"),
                element("b", bounded_line(item_label(item), 100)),
                element("span", bounded_line(item.reason, 160), class_="brief"),
                element("span", duration(item.seconds), class_="time"),
            )
            body = [*self._exchange(result, None, item)]
            if item.reason:
                body.insert(
                    0, element("pre", self._space.shown(item.reason, red=True), class_="reason", tabindex="0")
                )
            yield element(
                "details",
                element("summary", title),
                element("div", *body, class_="body"),
                class_=f"item {item.outcome}",
            )
        if left := len(result.items) - len(shown):
            yield element("p", f"and {many(left, 'item')} more", class_="more")

    def _sections(self, result: StepResult) -> Iterator[Markup]:
        # the findings of a review have cards of their own
        shown = [it for it in result.sections if it.text.strip() and _own_title(it) != "findings"]
        for at, section in enumerate(shown[:_SECTIONS]):
            if not self._space.take(_ROW):
                break
            title = bounded_line(section.title, 120)
            if _own_title(section) == "edits":
                stay = bool(result.edits) and not _is_corrected(section, shown[at + 1 :])
                said = title if stay else f"{title}, which did not stay"
                yield fold(said, diff(self._space, section.text), is_open=stay)
            elif "\n" not in section.text.strip() and len(section.text) < _ROW:
                line = bounded_line(section.text, _ROW)
                yield element("p", element("b", f"{title}: "), line, class_="section")
            else:
                yield text_fold(self._space, title, section.text, red=result.outcome.red)
        if len(shown) > _SECTIONS:
            yield element("p", f"and {many(len(shown) - _SECTIONS, 'section')} more", class_="more")

    def _again(self, result: StepResult) -> Markup | str:
        command = self._run.command
        if not command or not result.ran or not _NAME.fullmatch(result.name):
            return ""
        before, _, rest = command.partition(" run ")
        return run_again(f"{before} run --step {result.name} {rest}")


def _own_title(section: Section) -> str:
    """The title without the item in front of it."""
    return section.title.rpartition("] ")[2]


def _is_corrected(section: Section, later: Sequence[Section]) -> bool:
    """Whether another attempt of the same item followed."""
    item = section.title.removesuffix(_own_title(section))
    return any(it.title.startswith(f"{item}{BEFORE_FIX}") for it in later)


def run_again(command: str) -> Markup:
    """A command that a click copies; without a script the text can be selected."""
    return element(
        "p",
        element("code", command, class_="command"),
        element("button", "copy", type="button", class_="copy", hidden=True),
        class_="again",
    )
