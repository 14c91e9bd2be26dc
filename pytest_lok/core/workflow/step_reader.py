"""One step of a document -> Step: every text compiled, every rule about its keys checked."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from pytest_lok.core.results import Json
from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.fields import keys
from pytest_lok.core.workflow.ask_reader import AskReader
from pytest_lok.core.workflow.command_reader import ShellReader
from pytest_lok.core.workflow.document import NAME, AskStep, ShellStep
from pytest_lok.core.workflow.model import MOST_ITEMS, Action, ForEach, Format, Step
from pytest_lok.core.workflow.step_keys import StepKeys, list_choices
from pytest_lok.errors import Fault

_ASK_KEYS = keys(AskStep)
_SHELL_KEYS = keys(ShellStep)


class StepReader:
    """Reads one step of a file, and reports what is wrong with it; ``keys`` knows what its texts refer to."""

    def __init__(self, keys: StepKeys) -> None:
        self.keys = keys

    def step(self) -> Step | None:
        """The step; None if a problem of it has been reported."""
        before = len(self.keys.file.problems)
        document = self.keys.document
        self._check_name()
        self._check_dependencies()
        when, for_each = self._when(), self._for_each()
        action = self._action()
        schema, asserts = self._schema(), self._asserts()
        if action is None or len(self.keys.file.problems) > before:
            return None
        return Step(
            name=self.keys.name,
            action=action,
            depends_on=tuple(dict.fromkeys(document.depends_on or ())),
            needs=tuple(self.keys.needs),
            when=when,
            timeout=document.timeout,
            retries=document.retries,
            retry_delay=document.retry_delay / 1000,
            continue_on_error=(
                self.keys.context.continue_on_error
                if document.continue_on_error is None
                else document.continue_on_error
            ),
            min_deps_success=document.min_deps_success,
            for_each=for_each,
            max_parallel=document.max_parallel,
            output_format=self.keys.format(),
            output_schema=schema,
            asserts=asserts,
            path=self.keys.file.source.path,
            line=self.keys.file.step_lines[self.keys.index],
        )

    def _check_name(self) -> None:
        if self.keys.written.get("name", "") == "":
            self.keys.report("this step has no name", 'for example: name = "review"')
        elif self.keys.name and not re.fullmatch(NAME, self.keys.name):
            fine = re.sub(r"[^A-Za-z0-9_]+", "-", self.keys.name).strip("-") or "review"
            self.keys.report(
                f"a step's name holds only letters, digits, _ and -, not {self.keys.name!r}",
                f"for example: {fine}",
                "name",
            )

    def _check_dependencies(self) -> None:
        least, names = self.keys.document.min_deps_success, self.keys.document.depends_on or ()
        for at, name in enumerate(names):
            if name == self.keys.name:
                self.keys.report(f"step `{name}` depends on itself", "remove it", "depends_on", at)
            elif name not in self.keys.outer_names.steps:
                hint = did_you_mean(name, self.keys.outer_names.steps) or list_choices(
                    self.keys.outer_names.steps
                )
                self.keys.report(f"there is no step `{name}`", hint, "depends_on", at)
            else:
                self.keys.needs.setdefault(name, self.keys.at("depends_on", at))
        if least is not None and least > len(set(names)) and not self.keys.had_type_error("depends_on"):
            self.keys.report(
                f"`min_deps_success` is {least}, but `depends_on` names {len(set(names))}",
                "it counts what `depends_on` declares",
                "min_deps_success",
            )

    def _for_each(self) -> ForEach | None:
        value = self.keys.document.for_each
        if value is None:
            if self.keys.document.max_parallel is not None and not self.keys.had_type_error("for_each"):
                self.keys.report(
                    "`max_parallel` of a step counts items of `for_each`, and it has none",
                    "above the first [[steps]] it limits the steps running at once",
                    "max_parallel",
                )
            return None
        if isinstance(value, list):
            return self._inline_items(value)
        if not value.lstrip().startswith("["):
            expression = self.keys.text(Condition.parse_value, value, self.keys.outer_names, "for_each")
            return None if expression is None else ForEach(expression=expression)
        try:
            return self._inline_items(json.loads(value))
        except (ValueError, RecursionError) as error:
            said, at = (error.msg, error.pos) if isinstance(error, json.JSONDecodeError) else (error, 0)
            hint = "or name what holds one: steps.X.output, steps.X.field"
            fault = Fault(message=f"this is not a JSON array: {said}", start=at, end=at + 1, hint=hint)
            self.keys.file.report_inside(self.keys.at("for_each"), fault)
            return None

    def _inline_items(self, items: list[Json]) -> ForEach:
        if len(items) > MOST_ITEMS:
            message = f"`for_each` has {len(items):,} items; at most {MOST_ITEMS:,} are run"
            self.keys.report(message, "make several steps of them", "for_each", key=True)
        return ForEach(inline=tuple(items))

    def _when(self) -> Condition | None:
        written = "if" if "if" in self.keys.written else "when"
        if "if" in self.keys.written and "when" in self.keys.written:
            self.keys.report(
                "`when` and `if` mean the same", "keep one; `a and b` joins two conditions", "if"
            )
        source = self.keys.document.if_ if written == "if" else self.keys.document.when
        return self.keys.text(Condition.parse, source, self.keys.outer_names, written)

    def _asserts(self) -> tuple[Condition, ...]:
        if self.keys.document.assert_ is None:
            return ()
        names = replace(self.keys.inner_names, own=True)
        asserts = [
            self.keys.text(Condition.parse, source, names, "assert", at)
            for at, source in enumerate(self.keys.document.assert_)
        ]
        return tuple(condition for condition in asserts if condition is not None)

    def _schema(self) -> dict[str, Json] | None:
        schema = self.keys.document.output_schema
        if schema is None:
            return None
        if self.keys.reports_findings:
            self.keys.report(
                "`output_schema` is for JSON of your own, and findings have a schema already",
                'leave it out, or set output_format = "json"',
                "output_schema",
                key=True,
            )
        if self.keys.format() in (Format.TEXT, Format.LINES):
            self.keys.report(
                f"`output_schema` describes JSON, but `output_format` is {self.keys.format()}",
                'output_format = "json", or leave it out',
                "output_schema",
                key=True,
            )
        if isinstance(schema, str):
            schema = self._read_schema_file(schema)
        if schema is not None:
            self._check_schema(schema)
        return schema

    def _check_schema(self, schema: dict[str, Json]) -> None:
        from pytest_lok.core.workflow.schema_keywords import schema_problem

        wrong = schema_problem(schema)
        if wrong is None:
            return
        message, path, key = wrong.message, wrong.path, wrong.key
        if isinstance(self.keys.document.output_schema, str):
            message, path, key = f"{message} (at {'/'.join(map(str, path)) or 'its top'})", (), False
        self.keys.report(f"this is not JSON Schema: {message}", wrong.hint, "output_schema", *path, key=key)

    def _read_schema_file(self, path: str) -> dict[str, Json] | None:
        """The JSON object in a file beside the workflow's."""
        try:
            if self.keys.context.read is None:
                raise OSError("this workflow has no directory to read files from")
            schema = json.loads(self.keys.context.read(path, self.keys.file.source))
        except (OSError, ValueError, RecursionError) as error:
            hint = "the path starts at the workflow file's directory"
            self.keys.report(f"cannot read the schema {path!r}: {error}", hint, "output_schema")
            return None
        if not isinstance(schema, dict):
            self.keys.report(f"the schema {path!r} is no JSON object", "", "output_schema")
            return None
        return schema

    def _action(self) -> Action | None:
        match [key for key in ("prompt", "shell", "argv") if not self.keys.is_blank(key)]:
            case ["prompt"]:
                self._reject_foreign_keys(_SHELL_KEYS, "is for steps that run a command, and this one asks")
                return AskReader(self.keys).ask()
            case ["shell"] | ["argv"]:
                self._reject_foreign_keys(_ASK_KEYS, "is for steps that ask, and this one runs a command")
                return ShellReader(self.keys).shell()
            case []:
                self.keys.report(
                    "this step does nothing",
                    "give it `prompt` to ask, or `shell` or `argv` to run a command",
                )
            case ["shell", "argv"]:
                self.keys.report("a step has `shell` or `argv`, not both", "keep one", "argv", key=True)
            case ["prompt", *others]:
                self.keys.report(
                    f"a step asks (`prompt`) or runs a command (`{others[0]}`), not both",
                    f"make two steps; the other reads {{{{ steps.{self.keys.name}.output }}}}",
                    others[0],
                    key=True,
                )
        return None

    def _reject_foreign_keys(self, keys: frozenset[str], message: str) -> None:
        for key in filter(keys.__contains__, self.keys.written):
            if not self.keys.is_blank(key):
                self.keys.report(
                    f"`{key}` {message}", "remove it, or make it a step of its own", key, key=True
                )
