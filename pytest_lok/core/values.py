"""Scope -> the values behind the names of a template: views whose fields are data and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import SupportsIndex

from jinja2 import StrictUndefined

from pytest_lok.core.jsontext import find_json, kind_of
from pytest_lok.core.results import Json, Outcome, StepResult
from pytest_lok.core.scope import Scope
from pytest_lok.errors import OutputError, TemplateError

OPTIONAL = 'write `| default("")` after it if it may be missing'


class Missing(StrictUndefined):
    """A value that is not there: whatever uses it fails and says why; ``default`` and ``is defined`` take it."""

    __slots__ = ()


def missing(message: str, hint: str = OPTIONAL) -> Missing:
    """A missing value; the message's first line says what is missing, the rest what to do."""
    return Missing(hint=f"{message}\n{hint}")


class View:
    """Something a template reads fields of, and nothing else: not text, not a collection."""

    __slots__ = ()

    def field(self, name: str) -> object:
        """The value of that name, or a Missing."""
        raise NotImplementedError

    def described(self) -> str:
        """What it is, for the message of whoever uses it as a value."""
        raise NotImplementedError


class Group(View):
    """A root such as ``arg`` or ``env``: its fields are the names below it."""

    __slots__ = ("_find", "_name")

    def __init__(self, name: str, find: Callable[[str], object]) -> None:
        self._name = name
        self._find = find

    def field(self, name: str) -> object:
        return self._find(name)

    def described(self) -> str:
        return f"`{self._name}`, a group of names"


class StepView(View):
    """``steps.X``: facts, the output, and the fields of its JSON."""

    __slots__ = ("_json", "result")

    def __init__(self, result: StepResult) -> None:
        self.result = result
        self._json: Json | OutputError = None

    def field(self, name: str) -> object:
        if name == "output":
            return Output(self)
        if name in FACTS:
            return FACTS[name](self.result)
        return self.json_field(name)

    def described(self) -> str:
        return f"step {self.result.name!r} as a whole"

    @property
    def container(self) -> dict[str, Json] | list[Json] | None:
        """The output's JSON where the step declares one and it is an object or an array."""
        data = self.result.data
        return data if self.result.has_data and isinstance(data, dict | list) else None

    def json(self) -> Json:
        """The output's JSON; for a text step, the JSON found in it (OutputError if there is none)."""
        if self.result.has_data:
            return self.result.data
        if self._json is None:
            try:
                self._json = find_json(self.result.output)
            except OutputError as error:
                self._json = error
        if isinstance(self._json, OutputError):
            raise self._json
        return self._json

    def json_field(self, name: str) -> object:
        what = f"step {self.result.name!r} has no field {name!r}"
        try:
            data = self.json()
        except OutputError as error:
            if self.result.outcome is Outcome.SKIPPED:
                return missing(f"{what}: it was skipped")
            return missing(f"{what}: {error.message}")
        if isinstance(data, dict):
            return data[name] if name in data else missing(f"{what}; its JSON has {_listed(data)}")
        return missing(f"{what}: its JSON is {_a(data)}, not an object")


class Output(str):
    """A step's output: its text, and the JSON in it (fields, items and length are the JSON's on a JSON step)."""

    __slots__ = ("view",)
    view: StepView

    def __new__(cls, view: StepView) -> Output:
        self = super().__new__(cls, view.result.output)
        self.view = view
        return self

    def plain(self) -> dict[str, Json] | list[Json] | str:
        """The JSON of a JSON step, else the text."""
        container = self.view.container
        return self.view.result.output if container is None else container

    def field(self, name: str) -> object:
        """The field of the JSON."""
        return self.view.json_field(name)

    def __len__(self) -> int:
        return len(self.plain())

    def __iter__(self) -> Iterator[str]:
        # a JSON array's items are no strings; templates do not mind
        return iter(self.plain())  # type: ignore[arg-type]

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        return self.plain()[key]  # type: ignore[index, return-value]  # as above, and a dict's key

    def __contains__(self, item: object) -> bool:
        text = self.view.result.output
        return (isinstance(item, str) and str(item) in text) or (
            self.view.container is not None and item in self.view.container
        )

    def __eq__(self, other: object) -> bool:
        return (self.plain() if isinstance(other, dict | list) else self.view.result.output) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.view.result.output)


def plain(value: object) -> object:
    """An output as its JSON where it has one, else as plain text; anything else as it is."""
    return value.plain() if isinstance(value, Output) else value


def text_of(value: object) -> str:
    """A value as text: a string is itself, everything else is JSON; a missing value fails."""
    if isinstance(value, Output):
        return value.view.result.output
    if isinstance(value, str):
        return value
    if isinstance(value, Missing):
        return str(value)  # fails, saying what is missing
    return json.dumps(as_json(value), ensure_ascii=False)


def as_json(value: object) -> Json:
    """A value as JSON; TemplateError where it has no meaning as a value."""
    value = plain(value)
    if value is None or isinstance(value, str | int | float | dict | list):
        return value
    if isinstance(value, Missing):
        str(value)  # fails, saying what is missing
    if isinstance(value, View):
        raise TemplateError(
            f"{value.described()} is no value", hint="name what of it: `.output`, for example"
        )
    if isinstance(value, Iterable):  # a range, a tuple, what a filter yields
        return [as_json(item) for item in value]
    raise TemplateError(f"{type(value).__name__} is no value", hint="call it, or name one of its fields")


def field_of(value: object, key: object) -> object:
    """``value.key`` or ``value[key]``: data only, never a Python attribute."""
    if isinstance(value, Missing):
        return value
    if isinstance(value, View):
        return value.field(str(key))
    if isinstance(value, Output) and isinstance(key, str):
        return value.field(key)
    value = plain(value)
    try:
        return value[key]  # type: ignore[index]  # whatever does not take it says so below
    except LookupError:
        if isinstance(value, dict):
            return missing(f"there is no field {key!r}; there is {_listed(value)}")
        return missing(f"there is no item {key!r}; the length is {len(value)}")  # type: ignore[arg-type]
    except TypeError:
        return missing(f"{_a(value)} has no field {key!r}")


def roots(scope: Scope) -> dict[str, object]:
    """What the names at the start of an expression stand for."""
    found: dict[str, object] = {
        "steps": Group("steps", lambda name: _step(scope, name)),
        "arg": Group("arg", lambda name: _argument(scope, name)),
        "env": Group("env", lambda name: _variable(scope, name)),
        "workflow": Group("workflow", lambda name: _workflow(scope, name)),
        "project": Group("project", lambda name: _project(scope, name)),
    }
    if scope.loop is not None:
        found |= {"item": scope.loop.item, "index": scope.loop.index}
    if scope.own is not None:
        found |= _own(scope.own)
    return found


def _step(scope: Scope, name: str) -> object:
    result = scope.steps.get(name)
    return missing(f"step {name!r} has no result yet") if result is None else StepView(result)


def _argument(scope: Scope, name: str) -> object:
    if name in scope.arguments:
        return scope.arguments[name]
    if name.isdigit():
        return missing(
            f"positional argument {name} is not given", f"give it after the workflow's name; {OPTIONAL}"
        )
    return missing(f"argument {name!r} is not given", f"give it as --{name} VALUE; {OPTIONAL}")


def _variable(scope: Scope, name: str) -> object:
    if name in scope.env:
        return scope.env[name]
    return missing(f"environment variable {name} is not set")


def _workflow(scope: Scope, name: str) -> object:
    if name == "name":
        return scope.workflow_name
    return " + ".join(name[:1].upper() + name[1:] for name in scope.backends) or "lok"


def _project(scope: Scope, name: str) -> object:
    return scope.project.get(name, missing(f"the project's {name} is not known"))


def _own(result: StepResult) -> dict[str, object]:
    view = StepView(result)
    own: dict[str, object] = {"output": Output(view), "seconds": result.seconds}
    try:
        own["json"] = view.json()
    except OutputError as error:
        own["json"] = missing(error.message)
    data = own["json"]
    if isinstance(data, dict):
        data = data.get("findings", missing("the output has no findings"))
    own["findings"] = data
    cost = result.usage.cost_usd
    own["cost"] = (
        missing("the cost is not known", "give the model's price under [prices]") if cost is None else cost
    )
    return own


def _replies(result: StepResult) -> Group:
    texts = {reply.backend: reply.text for reply in result.replies}

    def find(name: str) -> object:
        if name in texts:
            return texts[name]
        why = next((f": {r.reason}" for r in result.refusals if r.backend == name), "")
        return missing(f"step {result.name!r} has no reply of {name!r}{why}; it has {_listed(texts)}")

    return Group("replies", find)


FACTS: Mapping[str, Callable[[StepResult], object]] = {
    "outcome": lambda result: str(result.outcome),
    "passed": lambda result: result.passed,
    "success": lambda result: result.passed,
    "failed": lambda result: result.outcome.red or result.outcome is Outcome.SOFT,
    "skipped": lambda result: result.outcome is Outcome.SKIPPED,
    "reason": lambda result: result.reason,
    "seconds": lambda result: result.seconds,
    "backend": lambda result: result.backend,
    "replies": _replies,
}
"""What ``steps.X`` says about the step itself; each wins over a JSON field of its name."""


def _listed(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f", and {len(shown) - 10} more" if len(shown) > 10 else ""
    return (", ".join(shown[:10]) + more) or "none"


def _a(value: object) -> str:
    kind = kind_of(value)
    return kind if kind == "null" else f"an {kind}" if kind[0] in "oa" else f"a {kind}"
