"""Step -> how many questions it pays for: where every answer is good at once, and at most."""

from __future__ import annotations

from pytest_lok.core.workflow.model import Ask, Format, Step, Strategy, needed_replies
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

    def times(self, number: int) -> QuestionCount:
        """The count of so many steps or items of this kind."""
        return QuestionCount(usual=self.usual * number, most=self.most * number)

    def __str__(self) -> str:
        text = f"{self.usual} question{'' if self.usual == 1 else 's'}"
        return text if self.usual == self.most else f"{text}, at most {self.most}"


def questions_of(step: Step, backends: int) -> QuestionCount:
    """The questions of a step, or of one item of it, that asks so many backends."""
    rubrics = len({rubric for condition in step.asserts for rubric in condition.rubrics})
    judges = QuestionCount(usual=rubrics, most=rubrics * _TIMES)
    if not isinstance(step.action, Ask):
        return judges
    asked = _answers(step, step.action, backends) + judges
    attempts = 1 + step.action.fix_retries
    return QuestionCount(usual=asked.usual, most=asked.most * attempts).times(step.action.repeat)


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
