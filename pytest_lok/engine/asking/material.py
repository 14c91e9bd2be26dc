"""The texts of other steps in a prompt -> a section, or an error, where they are empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.core.workflow.model import Format
from pytest_lok.engine.evaluation import evaluate
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.templates.template import Template
    from pytest_lok.engine.execution import StepExecution


async def check_material(execution: StepExecution, text: Template | None) -> None:
    """Note which steps put an empty text into this one; StepUnableError where a review has nothing to review.

    An empty diff may be true, or a command before may have failed unseen. An author who expects it says so,
    with ``when`` on the step or with ``default(…)`` in the text.
    """
    step, scope = execution.step, execution.context.scope(execution.loop)
    blanks = await evaluate(execution, scope, [text], text.empty_steps) if text is not None else []
    if text is None or not blanks:
        return
    names = " and ".join(f"steps.{name}" for name in blanks)
    said = f"what the text puts in of {names} was empty"
    if step.output_format is Format.FINDINGS:
        known = step.when.steps if step.when is not None else frozenset()
        passed = [name for name in blanks if name not in known and scope.steps[name].passed]
        alone = execution.loop is None and set(blanks) == text.steps and not known.intersection(blanks)
        if passed or alone:
            first = (passed or blanks)[0]
            raise StepUnableError(
                f"there was nothing to review: {said}",
                hint=f"when = \"steps.{first}.output != ''\", or words for it: "
                f"{{{{ steps.{first}.output | default('none', true) }}}}",
            )
    execution.add_section("empty", said)
