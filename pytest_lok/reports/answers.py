"""RunResult -> what its steps said, for people: each answer under a heading that says whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_lok.core.findings.reading import STANDING_TEXTS, list_findings
from pytest_lok.core.results import Finding, Reply, RunResult, StepResult
from pytest_lok.core.workflow.model import Strategy
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import item_label, vote

_SHOWN_WHOLE = 10  # so many steps at most; of more, each is shown by its end
_LINES = 5


def answers(result: RunResult, *, every: bool = False, complete: bool = False) -> str:
    """What the last steps said that passed, or with ``every`` all that passed, each under its name.

    Of a step that asked several backends each answer is shown, of a ``for_each`` each item, and of findings
    a list, with ``every`` one that says all of them. Where there are many, each is shown by its end.
    ``complete`` cuts nothing, and adds what steps said that did not pass.
    """
    names = result.steps if every else result.leaves
    steps = [result.steps[name] for name in names if name in result.steps]
    shown = [step for step in steps if step.passed or (complete and step.ran and step.output != step.reason)]
    blocks = [list(_blocks(step, every=every)) for step in shown if step.output]
    whole = every or complete or len(blocks) <= _SHOWN_WHOLE
    texts = [text for block in blocks for text in block]
    return "\n\n".join(texts) if whole else "\n".join(map(_end, texts))


def findings_list(findings: Sequence[Finding]) -> str:
    """Each finding in one line, and below it why it blocks or why not; that there is none."""
    return "\n".join(map(_short, findings)) if findings else "no findings"


def _short(finding: Finding) -> str:
    said = [STANDING_TEXTS[finding.standing], finding.doubt, finding.acceptance]
    if len(finding.votes) > 1:
        said.append(", ".join(f"{name}: {vote}" for name, vote in finding.votes.items()))
    about = "; ".join(filter(None, said))
    return f"{finding.headline}\n  {about}" if about else finding.headline


def _blocks(step: StepResult, *, every: bool) -> Iterator[str]:
    if step.findings is not None:  # which say of each backend whether it reports them
        text = list_findings(step.findings) if every and step.findings else findings_list(step.findings)
        yield _under(step.name, text, step.backend)
        return
    if step.items:
        yield from (_under(f"{step.name} {item_label(item)}", item.output) for item in step.items)
        return
    keeps_all = step.verdict is not None and step.verdict.strategy == Strategy.ALL.value
    if len(step.replies) < 2 and not keeps_all:
        yield _under(step.name, step.output, step.backend)
        return
    ballots = vote(step.verdict)
    if ballots and all("\n" not in reply.text.strip() for reply in step.replies):
        yield _under(step.name, "\n".join(_lines(step.replies)), ballots)
        return
    for reply in step.replies:
        yield _under(f"{step.name} · {reply.backend}", reply.text, reply.model, *_price(reply))
    if keeps_all:
        return
    if ballots or step.output not in {reply.text for reply in step.replies}:
        yield _under(step.name, step.output, ballots or (step.verdict.note if step.verdict else ""))


def _lines(replies: Iterable[Reply]) -> Iterator[str]:
    width = max(len(reply.backend) for reply in replies)
    return (f"{reply.backend:<{width}}  {reply.text.strip()}" for reply in replies)


def _price(reply: Reply) -> Iterator[str]:
    yield duration(reply.seconds)
    yield cost(reply.usage)


def _under(name: str, text: str, *facts: str) -> str:
    return f"== {name} == {' · '.join(filter(None, facts))}".rstrip() + f"\n{text.strip()}"


def _end(text: str) -> str:
    heading, *lines = text.split("\n")
    if len(lines) == 1:
        return f"{heading}  {lines[0]}"
    if len(lines) <= _LINES:
        return text
    return "\n".join([heading, f"[{len(lines) - _LINES} lines before; -v shows them]", *lines[-_LINES:]])
