"""Replies of several backends -> one Verdict, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from unicodedata import category

from pytest_lok.core.results import Json, Reply, Verdict
from pytest_lok.core.text.strict_json import canonical, is_json
from pytest_lok.core.text.truncation import one_line
from pytest_lok.core.workflow.model import Quorum, Strategy, needed_replies
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import OutputError, StepFailedError

_OPENING = " \t\r\n*_`\"':;,"
# before a word a point and an exclamation mark mean something: .5, !safe
_CLOSING = f"{_OPENING}.!"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedReply:
    """A valid reply with its parsed JSON, where the step's format has one."""

    reply: Reply
    data: Json = None
    has_data: bool = False


def ballot(answer: ParsedReply, vote_on: str) -> str:
    """What an answer counts as: the ``vote_on`` field, its JSON, or its text, normalised.

    OutputError when it says nothing, or the field is not there: such an answer casts no vote.
    """
    value: Json = answer.data if answer.has_data else answer.reply.text
    if vote_on:
        if not isinstance(answer.data, dict) or vote_on not in answer.data:
            raise OutputError(
                f"{answer.reply.backend}'s answer has no field {vote_on!r} to vote on",
                hint="name the field in the prompt, or add an output_schema that requires it",
                output=answer.reply.text,
            )
        value = answer.data[vote_on]
    if not _says_something(value):
        raise OutputError(
            f"{answer.reply.backend}'s answer says nothing to vote on: {canonical(value)[:80]}",
            hint="say in the prompt which answers there are",
            output=answer.reply.text,
        )
    if not isinstance(value, str):
        return canonical(value)
    text = normalized_vote(value)
    # a text that looks like a number is another answer than the number
    return canonical(text) if answer.has_data and is_json(text) else text


def normalized_vote(text: str) -> str:
    """Text without case, runs of white space, and the quotes and full stops around it."""
    return re.sub(r"\s+", " ", text.lstrip(_OPENING).rstrip(_CLOSING)).casefold()


def _says_something(value: Json) -> bool:
    """Whether there is anything to agree on: a number, a truth, a word, a sign; an empty array is "none"."""
    match value:
        case None:
            return False
        case str():
            return any(map(_is_sign, value))
        case list():
            return not value or any(map(_says_something, value))
        case dict():
            return any(map(_says_something, value.values()))
    return True


def _is_sign(character: str) -> bool:
    """A letter, a digit, or a picture such as a check mark."""
    return character.isalnum() or ("\u2600" <= character != "\ufffd" and category(character) == "So")


def vote(
    ballots: Sequence[tuple[str, ParsedReply]],
    *,
    strategy: Strategy,
    quorum: Quorum | None,
    weights: Mapping[str, float],
) -> Verdict:
    """The ballot with the most weight behind it; StepFailedError when that is not agreement.

    ``weights`` has every *configured* backend, also those that gave no ballot: a backend that did
    not answer counts against agreement. A tie is not agreement.
    """
    tally: dict[str, float] = {}
    for value, answer in ballots:
        tally[value] = tally.get(value, 0.0) + weights[answer.reply.backend]
    ranked = sorted(tally, key=lambda value: -tally[value])
    top = ranked[0]
    agree = [a.reply for value, a in ballots if value == top]
    dissent = tuple(f"{a.reply.backend}: {one_line(value, 80)}" for value, a in ballots if value != top)
    # a tie would be decided by the order of the answers
    tied = len(ranked) > 1 and tally[ranked[1]] == tally[top]
    if tied or not _enough(tally[top], len(agree), strategy, quorum, weights):
        rule = "a tie is not agreement" if tied else f"{_needed(quorum, len(weights))} must agree"
        raise StepFailedError(_disagreement(ballots, f"{strategy.value}: {rule}"))
    return Verdict(
        strategy=strategy.value, text=agree[0].text, backend=agree[0].backend, tally=tally, dissent=dissent
    )


def _needed(quorum: Quorum | None, configured: int) -> str:
    match quorum:
        case "all":
            return f"all {configured}"
        case None | "majority":
            return f"a majority of {configured}"
        case number:
            return f"{number} of {configured}"


def _enough(
    weight: float, count: int, strategy: Strategy, quorum: Quorum | None, weights: Mapping[str, float]
) -> bool:
    # a quorum of "all" or of a number counts heads, whatever they weigh
    if strategy is Strategy.WEIGHTED_VOTE and quorum in (None, "majority"):
        return weight > sum(weights.values()) / 2
    return count >= needed_replies(quorum, strategy, len(weights))


def _disagreement(ballots: Sequence[tuple[str, ParsedReply]], rule: str) -> str:
    said = "; ".join(f"{answer.reply.backend}: {one_line(value, 80)}" for value, answer in ballots)
    return f"the backends do not agree ({rule}): {said}"


def synthesis_prompt(question: str, replies: Sequence[Reply]) -> str:
    """The question with every reply, for the backend that makes one answer of them."""
    parts = [
        "Several assistants answered the same task independently. Weigh their answers against each "
        "other, keep what is right, drop what is wrong, and give one final answer to the task, in "
        "the form the task asks for. Do not mention the assistants.",
        f"# The task\n\n{question}",
    ]
    parts += [f"# Answer {number}\n\n{reply.text}" for number, reply in enumerate(replies, 1)]
    return "\n\n".join(parts)
