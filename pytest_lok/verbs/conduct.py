"""A task and backends -> the workflow in which one of them asks the others, round by round, and then answers.

In each round the conductor gives either its answer or questions for the other backends, each of which is a
tool of its step. After the last round a conclusion is written from all that was answered, so that nothing
paid for is thrown away; where no answer comes of it, what was asked and answered is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_lok.core.asking.tools import MOST_CALLS
from pytest_lok.core.results import Outcome, RunResult
from pytest_lok.verbs.document import no_work_step, some_item_passed, step_name, workflow_text

CONCLUSION = "conclusion"
_ROUND = """You conduct other language models to do this task:

{{{{ arg.task }}}}

{history}This is round {number} of at most {rounds}. Either ask, or answer:
- To ask, call {tools}, with one question each time and at most {most} times each. Each question must stand
  alone: who gets it sees neither this text nor the other questions.
- To answer, give the whole answer, and call nothing."""
_CONCLUSION = """You have conducted other language models to do this task:

{{{{ arg.task }}}}

{history}No round is left. Write the best answer that all of this supports, and say what stays open."""


def conduct_text(conductor: str, others: Sequence[str], rounds: int, budget: Mapping[str, float]) -> str:
    """The workflow file; its argument is ``task``. ``budget``: limits of the run (``calls``, ``usd``)."""
    steps: list[dict[str, Any]] = []
    for number in range(1, rounds + 1):
        steps += [_conductor(conductor, others, number, rounds), *_questions(others, number)]
    most = f"{rounds} round{'s' * (rounds != 1)}"
    return workflow_text(
        name="conduct",
        description=f"{conductor} asks {', '.join(others)} in at most {most}, and answers",
        arguments=["task"],
        budget=budget,
        steps=[*steps, _conclusion(conductor, others, rounds), _unanswered(others, rounds)],
    )


def conduct_report(result: RunResult, others: Sequence[str], rounds: int) -> str:
    """The questions and answers of each round, and the answer to the task."""
    found = _found(result, others, rounds)
    return "\n\n".join([*found, f"## Answer\n\n{final_answer(result, rounds)}"])


def _found(result: RunResult, others: Sequence[str], rounds: int) -> Iterator[str]:
    """Each question of each round with what came of it."""
    for number in range(1, rounds + 1):
        for name in others:
            step = result.steps.get(step_name(name, number))
            for item in step.items if step is not None else ():
                said = f"Failed: {item.reason}" if item.outcome.red else item.output
                yield f"### Round {number}, to {name}: {item.item}\n\n{said}"


def conduct_answer(result: RunResult, others: Sequence[str], rounds: int) -> str:
    """The answer to the task, and who did not answer the conductor, each reason once."""
    missing = dict.fromkeys(_missing(result, others, rounds))
    parts = [final_answer(result, rounds), *(["\n".join(missing)] if missing else [])]
    if not _answered(result, rounds):
        parts += _found(result, others, rounds)
    return "\n\n".join(parts)


def _missing(result: RunResult, others: Sequence[str], rounds: int) -> Iterator[str]:
    for number in range(1, rounds + 1):
        for name in others:
            step = result.steps.get(step_name(name, number))
            for part in (step.items or (step,)) if step is not None else ():
                if part.outcome not in (Outcome.PASSED, Outcome.SKIPPED):
                    yield f"{name} did not answer: {part.reason}"


def final_answer(result: RunResult, rounds: int) -> str:
    """The answer to the task, or a sentence that says why there is none."""
    if answer := _answered(result, rounds):
        return answer
    red = [step for step in result.steps.values() if step.outcome.red]
    return f"There is none: {red[0].name}: {red[0].reason}" if red else "There is none."


def _answered(result: RunResult, rounds: int) -> str:
    """The answer to the task, "" if there is none."""
    ending = result.steps.get(CONCLUSION)
    if ending is not None and ending.passed:
        return ending.output
    for number in range(rounds, 0, -1):
        step = result.steps.get(step_name("conductor", number))
        if step is not None and step.passed and isinstance(step.data, Mapping) and step.data["answer"]:
            return str(step.data["answer"])
    return ""


def _conductor(conductor: str, others: Sequence[str], number: int, rounds: int) -> dict[str, Any]:
    fields = [_field(name) for name in others]
    step: dict[str, Any] = {
        "name": step_name("conductor", number),
        "backend": conductor,
        "tools": {field: f"Asks {name}." for field, name in zip(fields, others, strict=True)},
        "fix_retries": 1,
        "prompt": _ROUND.format(
            history=_history(others, number - 1),
            number=number,
            rounds=rounds,
            tools=" or ".join(fields),
            most=MOST_CALLS,
        ),
    }
    if number > 1:
        step["when"] = _undecided(number - 1)
    return step


def _questions(others: Sequence[str], number: int) -> list[dict[str, Any]]:
    return [
        {
            "name": step_name(name, number),
            "backend": name,
            "for_each": f"steps.{step_name('conductor', number)}.{_field(name)}",
            # whoever cannot answer is told to the conductor, who decides what that means
            "continue_on_error": True,
            "when": _undecided(number),
            "prompt": "{{ item }}",
        }
        for name in others
    ]


def _conclusion(conductor: str, others: Sequence[str], rounds: int) -> dict[str, Any]:
    return {
        "name": CONCLUSION,
        "backend": conductor,
        "when": _undecided(rounds),
        "prompt": _CONCLUSION.format(history=_history(others, rounds)),
    }


def _unanswered(others: Sequence[str], rounds: int) -> dict[str, Any]:
    """A step that is an error if questions were asked and none was answered."""
    names = [step_name(name, number) for number in range(1, rounds + 1) for name in others]
    asked = " or ".join(f"not steps.{name}.skipped" for name in names)
    answered = " or ".join(f"({some_item_passed(name)})" for name in names)
    why = "not one question to the others was answered"
    return no_work_step("some-answers", when=f"({asked}) and not ({answered})", why=why)


def _undecided(number: int) -> str:
    name = step_name("conductor", number)
    return f"steps.{name}.passed and steps.{name}.output.answer == ''"


def _history(others: Sequence[str], until: int) -> str:
    """A template: what was asked and answered up to that round, as JSON."""
    if until < 1:
        return ""
    rounds = "\n".join(
        f"Round {at}, {name}: {{{{ steps.{step_name(name, at)}.output }}}}"
        for at in range(1, until + 1)
        for name in others
    )
    return f"This was asked and answered until now, as JSON (empty = nothing was asked):\n{rounds}\n\n"


def _field(name: str) -> str:
    return f"ask_{step_name(name).replace('-', '_')}"
