"""Step -> how many questions it pays for: where every answer is good at once, and at most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_lok.core.asking.estimate import ANSWER, CHARACTERS, Estimate, PlannedQuestion
from pytest_lok.core.asking.pricing import Price
from pytest_lok.core.workflow.model import Ask, Budget, Format, Step, Strategy, needed_replies
from pytest_lok.dataclass import dataclass

# an answer that cannot be used is asked for once more, and so are quotes that are nowhere
_TIMES, _TIMES_OF_FINDINGS = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionCount:
    """How many questions are paid for: ``usual`` where every answer is good at once, else ``most``.

    Those that are tried again after trouble (``retries``) come on top: most of them cost nothing.
    """

    usual: int = 0
    most: int = 0

    def __add__(self, other: QuestionCount) -> QuestionCount:
        return QuestionCount(usual=self.usual + other.usual, most=self.most + other.most)

    def times(self, number: int, most: int | None = None) -> QuestionCount:
        """The count of so many steps or items of this kind, and of ``most`` of them at most."""
        return QuestionCount(usual=self.usual * number, most=self.most * (number if most is None else most))

    def __str__(self) -> str:
        text = f"{self.usual} question{'' if self.usual == 1 else 's'}"
        return text if self.usual == self.most else f"{text}, at most {self.most}"


def questions_of(step: Step, backends: int) -> QuestionCount:
    """The questions of a step, or of one item of it, that asks so many backends."""
    rubrics = len({rubric for condition in step.asserts for rubric in condition.rubrics})
    judges = QuestionCount(usual=rubrics, most=rubrics * _TIMES)
    if not isinstance(step.action, Ask):
        return judges
    answers, attempts = _answers(step, step.action, backends), 1 + step.action.fix_retries
    # a ruling that a judge rejects is final, so the judge is asked about no other
    most = answers.most * attempts + judges.most * (1 if step.is_ruling else attempts)
    count = QuestionCount(usual=answers.usual + judges.usual, most=most)
    return count.times(step.action.repeat)


def synthesises(step: Step, backends: int) -> bool:
    """Whether one backend makes one answer of all: what reviews find is put together without one."""
    ask = step.action
    merged = step.output_format is Format.FINDINGS
    return isinstance(ask, Ask) and ask.consensus is Strategy.SYNTHESIS and backends > 1 and not merged


def _answers(step: Step, ask: Ask, backends: int) -> QuestionCount:
    usual = backends
    if ask.consensus is Strategy.FALLBACK:
        usual = min(backends, needed_replies(ask.quorum, ask.consensus, backends))
    times = _TIMES_OF_FINDINGS if step.output_format is Format.FINDINGS else _TIMES
    answers = QuestionCount(usual=usual, most=backends * times)
    return answers + QuestionCount(usual=1, most=_TIMES) if synthesises(step, backends) else answers


def questions_to(
    step: Step, prices: Sequence[tuple[str, Price | None]], characters: int
) -> Iterator[PlannedQuestion]:
    """The questions of a step, or of one item of it, whose prompt has so many characters.

    ``prices`` are the backends that it asks, each with its price. Who judges or puts answers together is
    counted as the first of them: it reads their answers.
    """
    ask = step.action
    usual = questions_of(step, len(prices)).usual
    if not isinstance(ask, Ask) or not prices:
        if usual:
            yield PlannedQuestion(backend="the judges", characters=ANSWER * CHARACTERS, number=usual)
        return
    answering = list(prices)
    if ask.consensus is Strategy.FALLBACK:
        answering = answering[: needed_replies(ask.quorum, ask.consensus, len(prices))]
    for name, price in answering:
        yield PlannedQuestion(backend=name, characters=characters, number=ask.repeat, price=price)
    name, price = prices[0]
    others = usual - len(answering) * ask.repeat
    answers = ANSWER * CHARACTERS * len(answering)
    yield PlannedQuestion(backend=name, characters=answers, number=others, price=price)


def allowed(
    budget: Budget, count: QuestionCount, estimate: Estimate, *, is_open: bool = False
) -> Iterator[str]:
    """What each limit of a budget allows, in a line; ``is_open``: there may be more questions."""
    if budget.calls is not None:
        if is_open:
            yield f"calls: at most {budget.calls:,} questions, and nobody knows yet how many there are"
        elif count.usual > budget.calls:
            yield f"calls: {budget.calls:,} of {count.usual:,} questions, then the run ends"
        elif count.most > budget.calls:
            more = budget.calls - count.usual
            again = f"{more or 'none'} that ask{'s' if more == 1 else ''} again"
            yield f"calls: all {count.usual:,} questions, and {again}"
        else:
            yield "calls: all questions"
    if budget.tokens is not None:
        fits = "within" if estimate.tokens <= budget.tokens else "more than"
        yield f"tokens: the estimate is {fits} the limit"
    if budget.usd is not None and estimate.unpriced:
        names = " or ".join(estimate.unpriced)
        yield f"usd: nobody knows; the run ends if {names} does not say what an answer costs"
    elif budget.usd is not None:
        fits = "within" if estimate.cost_usd <= budget.usd else "more than"
        yield f"usd: the estimate is {fits} the limit"
