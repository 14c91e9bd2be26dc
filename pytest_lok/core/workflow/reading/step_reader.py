"""One step of a document -> Step: every text compiled, every rule about its keys checked."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.asking.tools import Tool, answer_schema
from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml import fields
from pytest_lok.core.workflow.model import MOST_ITEMS, Action, Approve, ForEach, Format, Step
from pytest_lok.core.workflow.reading.ask_reader import read_ask
from pytest_lok.core.workflow.reading.command_reader import read_shell
from pytest_lok.core.workflow.reading.nested_reader import NOT_NESTED, read_nested
from pytest_lok.core.workflow.reading.step_keys import StepKeys, list_choices
from pytest_lok.core.workflow.step_document import NAME, AskStep, NestedStep, ShellStep
from pytest_lok.errors import Fault

if TYPE_CHECKING:
    from pytest_lok.core.results import Json
    from pytest_lok.core.templates.condition import Condition

_ASK_KEYS = fields.keys(AskStep)
_SHELL_KEYS = fields.keys(ShellStep)
_NESTED_KEYS = fields.keys(NestedStep)
_APPROVAL_KEYS = frozenset({"name", "approve", "depends_on", "when", "if", "min_deps_success"})


def read_step(keys: StepKeys) -> Step | None:
    """The step; None if a problem of it has been reported."""
    before = len(keys.file.problems)
    document = keys.document
    _check_name(keys)
    _check_dependencies(keys)
    when, for_each = _when(keys), _for_each(keys)
    action = _action(keys)
    # few steps say it, and the rules need not be imported for the others
    if keys.context.travels or keys.written.keys() & {"on", "needs", "artifacts", "workflow"}:
        from pytest_lok.core.workflow.reading.placement_reader import leaves_files, read_placement

        keys.placement = read_placement(keys, action)
        keys.leaves_files = leaves_files(action, keys.placement)
    schema, asserts = _schema(keys), _asserts(keys)
    # a step with a problem must not run in part
    if action is None or len(keys.file.problems) > before:
        return None
    return Step(
        name=keys.name,
        action=action,
        depends_on=tuple(dict.fromkeys(document.depends_on or ())),
        needs=tuple(keys.needs),
        when=when,
        timeout=document.timeout,
        retries=document.retries,
        retry_delay=document.retry_delay / 1000,
        # nothing may run because a person said no
        continue_on_error=not isinstance(action, Approve)
        and (
            keys.context.continue_on_error
            if document.continue_on_error is None
            else document.continue_on_error
        ),
        min_deps_success=document.min_deps_success,
        for_each=for_each,
        max_parallel=document.max_parallel,
        output_format=keys.format(),
        output_schema=schema,
        asserts=asserts,
        placement=keys.placement,
        path=keys.file.source.path,
        line=keys.file.step_lines[keys.index],
    )


def _check_name(keys: StepKeys) -> None:
    if keys.written.get("name", "") == "":
        keys.report("this step has no name", 'for example: name = "review"')
    elif keys.name and not re.fullmatch(NAME, keys.name):
        fine = re.sub(r"[^A-Za-z0-9_]+", "-", keys.name).strip("-") or "review"
        keys.report(
            f"a step's name holds only letters, digits, _ and -, not {keys.name!r}",
            f"for example: {fine}",
            "name",
        )


def _check_dependencies(keys: StepKeys) -> None:
    least, names = keys.document.min_deps_success, keys.document.depends_on or ()
    for at, name in enumerate(names):
        if name == keys.name:
            keys.report(f"step `{name}` depends on itself", "remove it", "depends_on", at)
        elif name not in keys.outer_names.steps:
            others = keys.outer_names.other_steps
            hint = did_you_mean(name, others) or list_choices(others)
            keys.report(f"there is no step `{name}`", hint, "depends_on", at)
        else:
            keys.needs.setdefault(name, keys.at("depends_on", at))
    if least is not None and least > len(set(names)) and not keys.had_type_error("depends_on"):
        keys.report(
            f"`min_deps_success` is {least}, but `depends_on` names {len(set(names))}",
            "it counts what `depends_on` declares",
            "min_deps_success",
        )


def _for_each(keys: StepKeys) -> ForEach | None:
    value = keys.document.for_each
    if value is None:
        if keys.document.max_parallel is not None and not keys.had_type_error("for_each"):
            keys.report(
                "`max_parallel` of a step counts items of `for_each`, and it has none",
                "above the first [[steps]] it limits the steps running at once",
                "max_parallel",
            )
        return None
    if isinstance(value, list):
        return _inline_items(keys, value)
    # what begins like an array is one, written in TOML's quotes
    if not value.lstrip().startswith("["):
        expression = keys.condition(value, keys.outer_names, "for_each", decides=False)
        return None if expression is None else ForEach(expression=expression)
    try:
        return _inline_items(keys, json.loads(value))
    except (ValueError, RecursionError) as error:
        said, at = (error.msg, error.pos) if isinstance(error, json.JSONDecodeError) else (error, 0)
        hint = "or name what holds one: steps.X.output, steps.X.field"
        fault = Fault(message=f"this is not a JSON array: {said}", start=at, end=at + 1, hint=hint)
        keys.file.report_inside(keys.at("for_each"), fault)
        return None


def _inline_items(keys: StepKeys, items: list[Json]) -> ForEach:
    if len(items) > MOST_ITEMS:
        message = f"`for_each` has {len(items):,} items; at most {MOST_ITEMS:,} are run"
        keys.report(message, "make several steps of them", "for_each", key=True)
    from pytest_lok.core.workflow.reading.cases.rows import value_problem

    found = ((number, why) for number, item in enumerate(items) if (why := value_problem(item)))
    for number, why in itertools.islice(found, 1):
        keys.report(f"the item {number} of `for_each` {why}", "items are values of JSON", "for_each")
    return ForEach(inline=tuple(items))


def _when(keys: StepKeys) -> Condition | None:
    written = "if" if "if" in keys.written else "when"
    if "if" in keys.written and "when" in keys.written:
        keys.report("`when` and `if` mean the same", "keep one; `a and b` joins two conditions", "if")
    source = keys.document.if_ if written == "if" else keys.document.when
    return keys.condition(source, keys.outer_names, written)


def _asserts(keys: StepKeys) -> tuple[Condition, ...]:
    if keys.document.assert_ is None:
        return ()
    names = replace(keys.inner_names, own=True)
    asserts = [keys.condition(source, names, "assert", at) for at, source in enumerate(keys.document.assert_)]
    return tuple(condition for condition in asserts if condition is not None)


def _schema(keys: StepKeys) -> dict[str, Json] | None:
    schema, tools = keys.document.output_schema, keys.document.tools
    if schema is None and tools:
        return answer_schema(Tool(name=name, description=said) for name, said in tools.items())
    if schema is None:
        return None
    if keys.reports_findings:
        keys.report(
            "`output_schema` is for JSON of your own, and findings have a schema already",
            'leave it out, or set output_format = "json"',
            "output_schema",
            key=True,
        )
    if keys.format() in (Format.TEXT, Format.LINES):
        keys.report(
            f"`output_schema` describes JSON, but `output_format` is {keys.format()}",
            'output_format = "json", or leave it out',
            "output_schema",
            key=True,
        )
    if isinstance(schema, str):
        schema = _read_schema_file(keys, schema)
    if schema is not None:
        _check_schema(keys, schema)
        _remark_on_clashes(keys, schema)
    return schema


def _remark_on_clashes(keys: StepKeys, schema: dict[str, Json]) -> None:
    """Say which fields of the answer have the name of a fact; `reason` is usual, and means the field."""
    fields_of_answer = schema.get("properties")
    if not isinstance(fields_of_answer, dict):
        return
    # brings Jinja, which a workflow without a schema does not need to be read
    from pytest_lok.core.templates.values import DESCRIBING, FACTS

    step = keys.document.name
    for name in sorted(FACTS.keys() & fields_of_answer.keys() - {"reason"}):
        read = f"`steps.{step}.{name}`"
        meant = (
            "the field of its answer"
            if name in DESCRIBING
            else "a fact about the step, and no field of its answer"
        )
        hint = f"`steps.{step}.output.{name}` is the field in any case"
        keys.file.remark(keys.at("output_schema"), f"{read} means {meant}", hint)


def _check_schema(keys: StepKeys, schema: dict[str, Json]) -> None:
    from pytest_lok.core.workflow.schema_keywords import schema_problem

    wrong = schema_problem(schema)
    if wrong is None:
        return
    message, path, key = wrong.message, wrong.path, wrong.key
    # the place is in another file, so that it is told in words
    if isinstance(keys.document.output_schema, str):
        message, path, key = f"{message} (at {'/'.join(map(str, path)) or 'its top'})", (), False
    keys.report(f"this is not JSON Schema: {message}", wrong.hint, "output_schema", *path, key=key)


def _read_schema_file(keys: StepKeys, path: str) -> dict[str, Json] | None:
    """The JSON object in a file beside the workflow's."""
    try:
        if keys.context.read is None:
            raise OSError("this workflow has no directory to read files from")
        schema = json.loads(keys.context.read(path, keys.file.source))
    except (OSError, ValueError, RecursionError) as error:
        hint = "the path starts at the workflow file's directory"
        keys.report(f"cannot read the schema {path!r}: {error}", hint, "output_schema")
        return None
    if not isinstance(schema, dict):
        keys.report(f"the schema {path!r} is no JSON object", "", "output_schema")
        return None
    return schema


def _approval(keys: StepKeys) -> Approve | None:
    """A question to a person, beside which only those keys mean something that say when it is asked."""
    for key in keys.written:
        if key not in _APPROVAL_KEYS and not keys.is_blank(key):
            keys.report(
                f"`{key}` has no meaning for a step that waits for a person (`approve`)",
                f"it may have: {', '.join(sorted(_APPROVAL_KEYS - {'approve', 'name'}))}",
                key,
                key=True,
            )
    question = keys.text(Template.parse, keys.document.approve, keys.outer_names, "approve")
    return None if question is None else Approve(question=question)


def _action(keys: StepKeys) -> Action | None:
    if not keys.is_blank("approve"):
        return _approval(keys)
    match [key for key in ("prompt", "prompt_file", "shell", "argv", "workflow") if not keys.is_blank(key)]:
        case ["prompt"] | ["prompt_file"] | ["prompt", "prompt_file"]:
            foreign = _SHELL_KEYS | _NESTED_KEYS
            _reject_foreign_keys(keys, foreign, "is for steps that {other}, and this one asks")
            return read_ask(keys)
        case ["shell"] | ["argv"]:
            foreign = _ASK_KEYS | _NESTED_KEYS
            _reject_foreign_keys(keys, foreign, "is for steps that {other}, and this one runs a command")
            return read_shell(keys)
        case ["workflow"]:
            foreign = _ASK_KEYS | _SHELL_KEYS | NOT_NESTED
            _reject_foreign_keys(keys, foreign, "is for steps that {other}, and this one runs a workflow")
            return read_nested(keys)
        case []:
            keys.report(
                "this step does nothing",
                "give it `prompt` or `prompt_file` to ask, `shell` or `argv` to run a command, "
                "`workflow` or `approve`",
            )
        case ["shell", "argv"]:
            keys.report("a step has `shell` or `argv`, not both", "keep one", "argv", key=True)
        case [first, *_, "workflow"]:
            keys.report(
                f"a step has `{first}` or `workflow`, not both",
                f"make two steps; the other reads {{{{ steps.{keys.name}.output }}}}",
                "workflow",
                key=True,
            )
        case [asks, *others]:
            runs = next(key for key in others if key in ("shell", "argv"))
            keys.report(
                f"a step asks (`{asks}`) or runs a command (`{runs}`), not both",
                f"make two steps; the other reads {{{{ steps.{keys.name}.output }}}}",
                runs,
                key=True,
            )
    return None


def _reject_foreign_keys(keys: StepKeys, foreign: frozenset[str], message: str) -> None:
    for key in filter(foreign.__contains__, keys.written):
        if not keys.is_blank(key):
            other = "ask" if key in _ASK_KEYS else "run a command" if key in _SHELL_KEYS else "run a workflow"
            if key in NOT_NESTED:
                other = "ask or run a command"
            said = f"`{key}` {message.format(other=other)}"
            keys.report(said, "remove it, or make it a step of its own", key, key=True)
