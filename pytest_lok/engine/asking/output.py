"""A step's text -> its value in the declared format, and how that violates the declared schema."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.answers.output_format import parse_output
from pytest_lok.core.templates.scope import QUICK_CHARACTERS
from pytest_lok.core.text.json_in_prose import only_quotes_prompt
from pytest_lok.engine.evaluation import TimeLeft, evaluate_in_thread

if TYPE_CHECKING:
    from pytest_lok.core.results import Json
    from pytest_lok.core.workflow.model import Format
    from pytest_lok.engine.execution import StepExecution

LIGHT_SEARCH = 5_000_000
"""Characters of an answer times those of its prompt; up to here comparing the two takes milliseconds."""


async def read_output(
    execution: StepExecution, text: str, form: Format, *, alone: bool = False
) -> tuple[Json, list[str]]:
    """The value in a text, and how it violates the step's schema; OutputError where there is no such value.

    ``alone``: the value has to be the whole text; else it may stand in prose. Long texts and the patterns of
    schemas may take long, so they are read on a thread of their own, within the step's time limit.
    """
    schema = execution.step.output_schema
    if schema is None and _is_light(execution, text):
        return parse_output(text, form, material=execution.material), []

    def work(left: TimeLeft) -> tuple[Json, list[str]]:
        from pytest_lok.core.workflow.json_schema import (
            # brings a library that most runs do not need
            violations,
        )

        value = parse_output(text, form, alone=alone, material=execution.material)
        return value, [] if schema is None else violations(schema, value, time_left=left)

    what = "reading the output" if schema is None else "the check by output_schema"
    return await evaluate_in_thread(execution, work, what)


async def is_quoting(execution: StepExecution, text: str) -> bool:
    """Whether all JSON in an answer is only quoted from its prompt."""
    if _is_light(execution, text):
        return only_quotes_prompt(text, execution.material)
    work = partial(_quotes, text, execution.material)
    return await evaluate_in_thread(execution, work, "reading the output")


def _quotes(text: str, material: str, left: TimeLeft) -> bool:  # noqa: ARG001 - it ends by itself
    return only_quotes_prompt(text, material)


def _is_light(execution: StepExecution, text: str) -> bool:
    """Whether reading the text on the event loop's own thread delays nobody."""
    return len(text) <= QUICK_CHARACTERS and len(text) * len(execution.material) <= LIGHT_SEARCH
