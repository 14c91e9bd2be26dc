"""The keys of a step that runs a workflow -> Nested: the workflow, and a value for each of its arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.text.words import words
from pytest_lok.core.workflow.argument import Argument
from pytest_lok.core.workflow.model import Approve, Nested, Workflow
from pytest_lok.core.workflow.reading.argument_reader import argument_text
from pytest_lok.core.workflow.reading.file_checks import ARGUMENT, NAME_HINT
from pytest_lok.core.workflow.reading.step_keys import StepKeys
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.core.templates.condition import Condition
    from pytest_lok.core.templates.scope import VisibleNames
    from pytest_lok.core.workflow.reading.source import WorkflowFile

MOST_NESTED = 1_000
"""Steps of a workflow with those of all workflows that it runs: more are a mistake."""
ALL_OUTPUTS = "output"
"""What all outputs of a round are called together."""
NOT_NESTED = words("retries retry_delay output_format output_schema")
"""Keys of every step that mean nothing where it runs a workflow: the steps of that have their own."""


def read_nested(keys: StepKeys) -> Nested | None:
    """The workflow that the step runs, with its arguments; None if a problem has been reported."""
    document, workflow = keys.document, _workflow(keys)
    if workflow is None:
        # what is said of the rounds cannot be judged without it
        if document.until is None:
            _arguments(keys, keys.inner_names)
        return None
    names = keys.inner_names
    if document.until is not None:
        names = replace(names, last=frozenset({*workflow.outputs, ALL_OUTPUTS}))
    arguments = _arguments(keys, names)
    until = keys.condition(document.until, replace(names, has_ended=True), "until")
    _check_arguments(keys, workflow, arguments)
    _check_rounds(keys, until)
    if waiting := next((it.name for it in workflow.in_all() if isinstance(it.action, Approve)), ""):
        keys.report(
            f"the step `{waiting}` of `{workflow.stem}` waits for a person, and a step is run as a whole",
            "put the question (`approve`) into this file, before the step",
            "workflow",
        )
    if workflow.gate is not None and workflow.gate.since == "reviewed":
        keys.report(
            f'`{workflow.stem}` only reviews what is new since a review (since = "reviewed")',
            "that is told of a run of its own: run it by itself",
            "workflow",
        )
    elif (
        keys.context.gate
        and keys.context.gate.since == "reviewed"
        and any(it.reviews for it in workflow.steps)
    ):
        keys.report(
            f'`{workflow.stem}` reports findings, and `since = "reviewed"` only knows of steps of this file',
            "remove `since`, or make the review a step of this workflow",
            "workflow",
        )
    return Nested(
        workflow=workflow,
        arguments=arguments,
        until=until,
        max_rounds=document.max_rounds or 1,
        stalled=document.stalled or 0,
    )


def read_outputs(files: Sequence[WorkflowFile], names: VisibleNames) -> dict[str, Template | Condition]:
    """`[outputs]` of a workflow and of what it extends: each value by its name."""
    found: dict[str, Template | Condition] = {}
    for file in reversed(files):
        for name, source in file.document.outputs.items():
            path = ("outputs", name)
            if not ARGUMENT.fullmatch(name):
                file.report(path, f"{name!r} cannot name an output", NAME_HINT, key=True)
            elif name == ALL_OUTPUTS:
                file.report(path, "`output` is what all of them are together", "another name", key=True)
            text = file.compile(path, partial(_read_output, source, names))
            if text is not None:
                found[name] = text
    return found


def names_of_last(files: Sequence[WorkflowFile]) -> frozenset[str]:
    """What the texts of a workflow read of the round before: its outputs; nothing if it names none."""
    named = {name for file in files for name in file.document.outputs}
    return frozenset({*named, ALL_OUTPUTS}) if named else frozenset()


def _read_output(source: str, names: VisibleNames) -> Template | Condition:
    """A value of `[outputs]`; nothing but one placeholder is an expression, which keeps its value's kind."""
    if re.fullmatch(r"\s*\{\{.*\}\}\s*", source, re.DOTALL) and source.count("{{") == 1:
        from pytest_lok.core.templates.condition import Condition

        return Condition.parse_value(source, names)
    return Template.parse(source, names)


def _workflow(keys: StepKeys) -> Workflow | None:
    name = keys.document.workflow or ""
    try:
        if keys.context.inner is None:
            raise UsageError("a workflow of no file can run no other one")
        workflow = keys.context.inner(name, keys.file.source)
        if workflow is None:
            return None
    except UsageError as wrong:
        keys.report(wrong.message, wrong.hint, "workflow")
        return None
    number = sum(1 for _ in workflow.in_all())
    if number > MOST_NESTED:
        said = f"`{name}` has {number:,} steps with those of the workflows that it runs"
        keys.report(said, f"at most {MOST_NESTED:,} are run", "workflow")
        return None
    return workflow


def _check_rounds(keys: StepKeys, until: Condition | None) -> None:
    document = keys.document
    if document.until is None:
        for key in ("max_rounds", "stalled"):
            if getattr(document, key) is not None:
                keys.report(
                    f"`{key}` is about rounds, and there is one", "`until` makes a loop", key, key=True
                )
        return
    if document.max_rounds is None and not keys.had_type_error("max_rounds"):
        keys.report("a loop needs `max_rounds`", "max_rounds = 5", "until", key=True)
    if until is not None and "last" not in until.names:
        message = "`until` reads nothing of the round, so it says the same after each"
        keys.report(message, "`last.NAME` is an output of the round, `last.output` all it said", "until")
    if document.stalled == 1:
        keys.report("one round is not compared with another", "stalled = 2, or 0 for no limit", "stalled")
    elif document.stalled and document.max_rounds and document.stalled >= document.max_rounds:
        message = f"`stalled` is {document.stalled}, and there are at most {document.max_rounds} rounds"
        keys.report(message, "a smaller number, or more rounds", "stalled")


def _arguments(keys: StepKeys, names: VisibleNames) -> dict[str, Template]:
    """The values of `with` as texts; a text is a template."""
    found: dict[str, Template] = {}
    for name, value in (keys.document.with_ or {}).items():
        if not isinstance(value, str):
            found[name] = Template.literal(argument_text(value))
        elif (parsed := keys.text(Template.parse, value, names, "with", name)) is not None:
            found[name] = parsed
    return found


def _check_arguments(keys: StepKeys, workflow: Workflow, arguments: Mapping[str, Template]) -> None:
    given = keys.document.with_ or {}
    for name, value in given.items():
        declared = workflow.args.get(name)
        if declared is None:
            there = f"it has: {', '.join(workflow.args)}" if workflow.args else "it declares none"
            hint = did_you_mean(name, workflow.args) or there
            keys.report(f"`{workflow.stem}` has no argument `{name}`", hint, "with", name, key=True)
        elif isinstance(value, list) and declared.type != "list":
            said = f"`{name}` of `{workflow.stem}` is no list"
            keys.report(said, f'type = "list" in [args.{name}] makes it one', "with", name)
        elif name in arguments and not arguments[name].has_tags:
            _check_value(keys, workflow, declared, arguments[name].source)
    missing = [name for name, it in workflow.args.items() if it.must_be_given and name not in given]
    if missing and not keys.had_type_error("with"):
        hint = f"with = {{ {', '.join(f'{name} = …' for name in missing)} }}".replace("…", '"…"')
        said = f"`{workflow.stem}` needs the argument `{missing[0]}`"
        keys.report(said, hint, "workflow")


def _check_value(keys: StepKeys, workflow: Workflow, argument: Argument, text: str) -> None:
    """Report a value that is none of the argument's; one that is known only in the run is checked there."""
    try:
        argument.values.read(text)
    except ValueError as error:
        hint = f"one of: {', '.join(argument.choices)}" if argument.choices else ""
        keys.report(f"`{argument.name}` of `{workflow.stem}` {error}", hint, "with", argument.name)
