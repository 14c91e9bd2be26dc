"""RunResult -> what its steps said, for people: each answer under a heading that says whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_lok.core.findings.reading import list_findings
from pytest_lok.core.results import Reply, RunResult, StepResult
from pytest_lok.core.workflow.model import Strategy
from pytest_lok.reports.console import cost, duration
from pytest_lok.reports.facts import item_label, vote

_SHOWN_WHOLE = 10  # so many steps at most; of more, each is shown by its end
_LINES = 5


def answers(result: RunResult, *, every: bool = False, complete: bool = False) -> str:
    """What the last steps said that passed, or with ``every`` all that passed, each under its name.

    Of a step that asked several backends each answer is shown, of a ``for_each`` each item. Where there are
    many, each is shown by its end. ``complete`` cuts nothing, and adds what steps said that did not pass.
    """
    names = result.steps if every else result.leaves
    steps = [result.steps[name] for name in names if name in result.steps]
    shown = [step for step in steps if step.passed or (complete and step.ran and step.output != step.reason)]
    blocks = [list(_blocks(step)) for step in shown if step.output]
    whole = every or complete or len(blocks) <= _SHOWN_WHOLE
    texts = [text for block in blocks for text in block]
    return "\n\n".join(texts) if whole else "\n".join(map(_end, texts))


def _blocks(step: StepResult) -> Iterator[str]:
    if step.items:
        yield from (_under(f"{step.name} {item_label(item)}", item.output) for item in step.items)
        return
    keeps_all = step.verdict is not None and step.verdict.strategy == Strategy.ALL.value
    # a finding says of each backend whether it reports it
    if (len(step.replies) < 2 and not keeps_all) or step.findings is not None:
        yield _under(step.name, _text(step), step.backend)
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
        yield _under(step.name, _text(step), ballots or (step.verdict.note if step.verdict else ""))


def _text(step: StepResult) -> str:
    """The output; findings as people read them."""
    return list_findings(step.findings) if step.findings else step.output


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
