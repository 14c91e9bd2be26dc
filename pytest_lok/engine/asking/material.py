"""What a review is to look at: texts, files, items -> a section, or an error, where it is empty."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pytest_lok.core.workflow.model import Format
from pytest_lok.engine.evaluation import evaluate
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.templates.condition import Condition
    from pytest_lok.core.templates.template import Template
    from pytest_lok.engine.execution import StepExecution


async def check_material(execution: StepExecution, text: Template | None) -> None:
    """Note which steps put an empty text into this one; StepUnableError where a review has nothing to review.

    An empty diff may be true, or a command before may have failed unseen. An author who expects it says so,
    with ``when`` on the step or with ``default(…)`` in the text.
    """
    scope = execution.scope()
    blanks = await evaluate(execution, scope, [text], text.empty_steps) if text is not None else []
    if text is None or not blanks:
        return
    names = " and ".join(f"steps.{name}" for name in blanks)
    said = f"what the text puts in of {names} was empty"
    known = _known(execution)
    passed = [name for name in blanks if name not in known and scope.steps[name].passed]
    alone = execution.loop is None and set(blanks) == text.steps and not known.intersection(blanks)
    first = (passed or blanks)[0]
    hint = (
        f"when = \"steps.{first}.output != ''\", or words for it: "
        f"{{{{ steps.{first}.output | default('none', true) }}}}"
    )
    _report(execution, said, hint, is_expected=not passed and not alone)


def check_files(execution: StepExecution, files: Mapping[str, str], steps: Collection[str]) -> None:
    """The same for the attached files, by path with their text; ``steps`` are those that name them."""
    if any(text.strip() for text in files.values()):
        return
    said = f"every attached file is empty: {', '.join(files)}" if files else "`attach` lists no file"
    hint = (
        f"`when` on the step, about steps.{min(steps)}, skips it"
        if steps
        else "leave out of the list before what has nothing to show"
    )
    _report(execution, said, hint, is_expected=bool(_known(execution).intersection(steps)))


def check_items(execution: StepExecution, items: Condition | None) -> None:
    """The same for a ``for_each`` without items; ``items`` is its expression, None = an array of the file."""
    hint = "give it items"
    if items is not None:
        hint = f'when = "{items.source.strip()} != []" skips the step instead'
    steps = items.steps if items is not None else frozenset()
    _report(execution, "for_each has no items", hint, is_expected=bool(_known(execution).intersection(steps)))


def _known(execution: StepExecution) -> frozenset[str]:
    """The steps that the step's ``when`` is about: what they have not given is no surprise."""
    when = execution.step.when
    return when.steps if when is not None else frozenset()


def _report(execution: StepExecution, said: str, hint: str, *, is_expected: bool) -> None:
    if execution.step.output_format is Format.FINDINGS and not is_expected:
        raise StepUnableError(f"there was nothing to review: {said}", hint=hint)
    execution.add_section("empty", said)
