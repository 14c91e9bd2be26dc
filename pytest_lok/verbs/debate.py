"""Debaters and a number of rounds -> the workflow of a debate, and its result as a transcript.

In round 1 everybody states a position. In each later round everybody sees the last position of each other one
and their own, and answers with a position and with ``agrees``: true or false, by a schema, so that no word of
an answer is taken for agreement. The rounds end when all agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_lok.core.results import RunResult
from pytest_lok.verbs.document import last_passed, no_work_step, step_name, workflow_text

_POSITION = {
    "type": "object",
    "properties": {"position": {"type": "string", "minLength": 1}},
    "required": ["position"],
}
_ANSWER = {
    "type": "object",
    "properties": {
        "position": {"type": "string", "minLength": 1},
        "agrees": {"type": "boolean"},
        "open": {"type": "string"},
    },
    "required": ["position", "agrees", "open"],
}
_OPENING = """{name} takes part in a debate with {others}. You are {name}. The question is:

{{{{ arg.topic }}}}

State your position and your best reasons for it, in at most 300 words, as "position"."""
_REPLY = """{name} takes part in a debate with {others}. You are {name}. The question is:

{{{{ arg.topic }}}}

Your last position was:
{own}

{positions}

Answer the others: say where they are right and where they are wrong. Change your position if they have
convinced you. "position" is your position now, in at most 300 words. "agrees" is true only if nothing of
weight is left between you and every other position, and counts only if "open" is empty. "open" names what is
left, or is the empty text."""
_CONCLUSION = """{names} have debated this question:

{{{{ arg.topic }}}}

{agreement}

{positions}

Write the conclusion for somebody who has to decide: the answer, what all of them agree on, what stays open
and who holds what there. Add no position of your own."""
CONCLUSION = "conclusion"
_HELD = "enough-debaters"


def debate_text(debaters: Sequence[str], rounds: int) -> str:
    """The workflow file of a debate; its argument is ``topic``. At least two debaters and one round."""
    steps = [_opening(name, debaters) for name in debaters]
    for number in range(2, rounds + 1):
        steps += [_reply(name, debaters, number) for name in debaters]
    return workflow_text(
        name="debate",
        description=f"A debate of {', '.join(debaters)} in at most {rounds} round{'s' * (rounds != 1)}",
        arguments=["topic"],
        steps=[*steps, _not_held(debaters, rounds), _conclusion(debaters, rounds)],
    )


def transcript(result: RunResult, topic: str, debaters: Sequence[str], rounds: int) -> str:
    """The debate as Markdown: each round's positions, who was missing and why, and the conclusion."""
    parts = [f"# {' '.join(topic.split())}", _agreement_line(result, debaters, rounds)]
    for number in range(1, rounds + 1):
        spoken = [part for name in debaters if (part := _contribution(result, name, number))]
        if spoken:
            parts += [f"## Round {number}", *spoken]
    conclusion = result.steps.get(CONCLUSION)
    if conclusion is not None:
        alone = sum(_passed(result, name, 1) for name in debaters) < 2
        why = "fewer than two positions" if alone else conclusion.reason
        said = conclusion.output if conclusion.passed else f"There is none: {why}"
        parts += ["## Conclusion", said]
    return "\n\n".join(parts)


def agreed_in(result: RunResult, debaters: Sequence[str], rounds: int) -> int | None:
    """The round in which all that were still there agreed; None if they never did, or if one was alone."""
    for number in range(2, rounds + 1):
        answers = [
            step.data
            for name in debaters
            if (step := result.steps.get(step_name(name, number))) is not None and step.passed
        ]
        if len(answers) > 1 and all(map(_is_agreement, answers)):
            return number
    return None


def _is_agreement(answer: object) -> bool:
    """Whether somebody agrees and leaves nothing open; _AGREEMENT says the same in a condition."""
    return (
        isinstance(answer, Mapping)
        and answer.get("agrees") is True
        and not str(answer.get("open", "")).strip()
    )


_AGREEMENT = "(steps.{name}.output.agrees and (steps.{name}.output.open | trim) == '')"


def _opening(name: str, debaters: Sequence[str]) -> dict[str, Any]:
    prompt = _OPENING.format(name=name, others=_others(name, debaters))
    return _turn(name, 1, prompt, _POSITION)


def _reply(name: str, debaters: Sequence[str], number: int) -> dict[str, Any]:
    past = range(1, number)
    others = [other for other in debaters if other != name]
    prompt = _REPLY.format(
        name=name,
        others=_others(name, debaters),
        own=last_passed([step_name(name, at) for at in past], "position"),
        positions=_positions(others, number - 1),
    )
    before = [step_name(other, number - 1) for other in debaters]
    going_on = f"steps.{step_name(name, number - 1)}.passed and {_several_passed(before)}"
    if number > 2:
        going_on += f" and not {_agreed(before)}"
    return {**_turn(name, number, prompt, _ANSWER), "when": going_on}


def _turn(name: str, number: int, prompt: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": step_name(name, number),
        "backend": name,
        # who drops out is said, and does not end the debate of the others
        "continue_on_error": True,
        "output_schema": schema,
        "prompt": prompt,
    }


def _rounds_agreed(debaters: Sequence[str], rounds: int) -> list[str]:
    """For each round from the second: a condition that all have agreed in it."""
    return [_agreed([step_name(name, at) for name in debaters]) for at in range(2, rounds + 1)]


def _not_held(debaters: Sequence[str], rounds: int) -> dict[str, Any]:
    """A step that is an error unless they agreed, or at least two of them were there to the end."""
    to_the_end = _several_passed([step_name(name, rounds) for name in debaters])
    return no_work_step(
        _HELD,
        when=f"not ({' or '.join([*_rounds_agreed(debaters, rounds), to_the_end])})",
        why="fewer than two debaters gave a valid answer in the last round",
    )


def _conclusion(debaters: Sequence[str], rounds: int) -> dict[str, Any]:
    at_once = _rounds_agreed(debaters, rounds)
    agreement = "They do not agree on everything."
    if at_once:
        agreement = (
            f"{{% if {' or '.join(at_once)} %}}They say that they agree.{{% else %}}{agreement}{{% endif %}}"
        )
    return {
        "name": CONCLUSION,
        "backends": list(debaters),
        "consensus": "fallback",
        # one alone is no debate
        "depends_on": [_HELD],
        "prompt": _CONCLUSION.format(
            names=", ".join(debaters), agreement=agreement, positions=_positions(debaters, rounds)
        ),
    }


def _positions(names: Sequence[str], until: int) -> str:
    """A template: the last position of each up to that round, under its name."""
    return "\n\n".join(
        f"{{% if steps.{step_name(name, 1)}.passed %}}The position of {name}:\n"
        f"{last_passed([step_name(name, at) for at in range(1, until + 1)], 'position')}{{% endif %}}"
        for name in names
    )


def _several_passed(steps: Sequence[str]) -> str:
    return f"([{', '.join(f'steps.{name}.passed' for name in steps)}] | select | list | length) >= 2"


def _agreed(steps: Sequence[str]) -> str:
    each = " and ".join(f"(not steps.{name}.passed or {_AGREEMENT.format(name=name)})" for name in steps)
    return f"({_several_passed(steps)} and {each})"


def _others(name: str, debaters: Sequence[str]) -> str:
    return " and ".join(other for other in debaters if other != name)


def _agreement_line(result: RunResult, debaters: Sequence[str], rounds: int) -> str:
    if number := agreed_in(result, debaters, rounds):
        return f"**Agreement in round {number}.**"
    there = [sum(_passed(result, name, number) for name in debaters) for number in range(1, rounds + 1)]
    if there[0] < 2:
        return "**No debate: fewer than two stated a position.**"
    broken = next((number for number, count in enumerate(there, 1) if count < 2), None)
    if broken is not None:
        return f"**The debate broke off in round {broken}: fewer than two answered.**"
    return f"**No agreement in {rounds} round{'s' if rounds > 1 else ''}.**"


def _passed(result: RunResult, name: str, number: int) -> bool:
    step = result.steps.get(step_name(name, number))
    return step is not None and step.passed


def _contribution(result: RunResult, name: str, number: int) -> str:
    step = result.steps.get(step_name(name, number))
    if step is None or not step.ran:
        return ""
    if not step.passed or not isinstance(step.data, Mapping):
        return f"### {name}\n\nMissing: {step.reason}"
    # in the first round nobody has seen what there is to agree with
    stance = f"\n\n{_stance(step.data)}" if number > 1 else ""
    return f"### {name}\n\n{str(step.data['position']).strip()}{stance}"


def _stance(answer: Mapping[str, object]) -> str:
    left = str(answer["open"]).strip()
    if _is_agreement(answer):
        return "Agrees."
    says = "Says that they agree, and leaves open" if answer["agrees"] else "Does not agree"
    return f"{says}: {left}" if left else f"{says}."
