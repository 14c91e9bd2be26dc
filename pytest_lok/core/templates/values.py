"""Scope -> the values behind the names of a text: views whose fields are data and nothing else."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, SupportsIndex

from jinja2 import StrictUndefined

from pytest_lok.core.results import Json, Outcome, StepResult
from pytest_lok.core.templates.scope import output_cut_error
from pytest_lok.core.text.json_in_prose import QuotedError, find_json
from pytest_lok.core.text.strict_json import Container, describe_type
from pytest_lok.errors import OutputError, TemplateError

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope

OPTIONAL = 'write `| default("")` after it if it may be missing'


class MissingValue(StrictUndefined):
    """A value that is not there: whatever uses it fails; only ``default`` and ``is defined`` take it."""

    __slots__ = ()


def missing(message: str, hint: str = OPTIONAL) -> MissingValue:
    """A missing value; its message's first line says what is missing, the rest what to do."""
    return MissingValue(hint=f"{message}\n{hint}")


class DataView(ABC):
    """Something a text reads fields of, and nothing else: not text, not a collection."""

    __slots__ = ()

    @abstractmethod
    def field(self, name: str) -> object:
        """The value of that name, or a Missing."""


class Namespace(DataView):
    """A root such as ``arg`` or ``env``: its fields are the names below it."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[str], object]) -> None:
        self._find = find

    def field(self, name: str) -> object:
        """The value below that name, or a missing one."""
        return self._find(name)


class StepView(DataView):
    """``steps.X``: facts, the output, and the fields of its JSON.

    What a step that did not pass put out is no answer to be judged: with ``judged`` only facts can be read.
    """

    __slots__ = ("_found", "_judged", "result")

    def __init__(self, result: StepResult, found: dict[str, Json], *, judged: bool = False) -> None:
        self.result = result
        self._found = found
        self._judged = judged

    def field(self, name: str) -> object:
        """The output, a fact, or a field of the JSON."""
        # what decides is nothing that an answer may replace
        if name in DESCRIBING and self.result.passed and name in (own := self._own_fields()):
            return own[name]
        # before the output, so that no answer can pretend to be a fact about its step
        if name in FACTS:
            return FACTS[name](self.result)
        if self._judged and not self.result.passed:
            raise _not_passed_error(self.result)
        return self.output() if name == "output" else self.json_field(name)

    def _own_fields(self) -> Mapping[str, Json]:
        """The fields of the JSON; {} where there is no object, or no JSON that can be read."""
        try:
            data = self.json()
        except (OutputError, TemplateError):
            return {}
        return data if isinstance(data, dict) else {}

    def output(self) -> OutputValue:
        """The output; TemplateError where it is not whole."""
        self._require_whole()
        return OutputValue(self)

    def _require_whole(self) -> None:
        if self.result.cut:
            raise output_cut_error(self.result.name)

    @property
    def container(self) -> Container | None:
        """The output's JSON where the step declares one and it is an object or an array."""
        data = self.result.data
        return data if self.result.has_data and isinstance(data, dict | list) else None

    def json(self) -> Json:
        """The output's JSON; for a text step, the JSON found in it (OutputError if there is none)."""
        self._require_whole()
        if self.result.has_data:
            return self.result.data
        if self.result.quoting:
            raise QuotedError
        text = self.result.output
        # many texts read fields of one output, and looking for JSON is slow
        if text not in self._found:
            self._found[text] = find_json(text)
        return self._found[text]

    def json_field(self, name: str) -> object:
        """A field of the JSON, or a Missing that says what is there instead."""
        if name == "findings" and self.result.findings is not None:
            return [finding.document() for finding in self.result.findings]
        self._require_whole()
        what = f"step {self.result.name!r} has no field {name!r}"
        if self.result.outcome is Outcome.SKIPPED:
            return missing(f"{what}: it was skipped")
        try:
            data = self.json()
        except OutputError as error:
            return missing(f"{what}: {error.message}")
        if isinstance(data, dict):
            return data[name] if name in data else missing(f"{what}; its JSON has {_list_names(data)}")
        return missing(f"{what}: its JSON is {describe_type(data)}, not an object")


class OutputValue(str):
    """A step's output: text, and on a JSON step also its fields, items and length."""

    __slots__ = ("view",)
    view: StepView

    def __new__(cls, view: StepView) -> OutputValue:  # noqa: D102 - a str's value is given here, not in __init__
        self = super().__new__(cls, view.result.handed_on)
        self.view = view
        return self

    @property
    def text(self) -> str:
        """The output as a plain string, without the JSON behind it."""
        return self.view.result.handed_on

    def unwrap(self) -> Container | str:
        """The JSON of a JSON step, else the text."""
        container = self.view.container
        return self.text if container is None else container

    def __len__(self) -> int:
        return len(self.unwrap())

    def __iter__(self) -> Iterator[str]:
        return iter(self.unwrap())  # type: ignore[arg-type]  # an array's items need not be strings; texts do not mind

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        return self.unwrap()[key]  # type: ignore[index, return-value]  # the same, and an object's keys

    def __contains__(self, item: object) -> bool:
        container = self.view.container
        return (isinstance(item, str) and str(item) in self.text) or (
            container is not None and item in container
        )

    def __eq__(self, other: object) -> bool:
        return (self.unwrap() if isinstance(other, dict | list) else self.text) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.text)


def unwrap(value: object) -> object:
    """An output as its JSON where it has one, else as plain text; anything else as it is."""
    return value.unwrap() if isinstance(value, OutputValue) else value


def text_of(value: object) -> str:
    """A value as text: a string is itself, everything else is JSON; a missing value fails."""
    if isinstance(value, OutputValue):
        return value.text
    return value if isinstance(value, str) else json_of(value)


def json_of(value: object, indent: int | None = None) -> str:
    """A value as JSON text."""
    return json.dumps(as_json(value), ensure_ascii=False, indent=indent, default=as_json)


def as_json(value: object) -> Json:
    """A value as JSON; UndefinedError where it is missing, TemplateError where it is no value."""
    value = unwrap(value)
    if value is None or isinstance(value, str | int | float | dict | list):
        return value
    if isinstance(value, DataView):
        raise TemplateError("a group of names is no value", hint="name one of it, after a dot")
    # iterating over a missing value raises, so it needs no case of its own
    if isinstance(value, SEQUENCES):
        return [as_json(item) for item in value]
    raise TemplateError(f"{type(value).__name__} is no value", hint="call it, or name one of its fields")


SEQUENCES = (range, tuple, KeysView, ValuesView, ItemsView, MissingValue)
"""What becomes an array."""


def field_of(value: object, key: object) -> object:
    """``value.key`` or ``value[key]``: data only, never a Python attribute."""
    if isinstance(value, MissingValue):
        return value
    if isinstance(value, DataView):
        return value.field(str(key))
    if isinstance(value, OutputValue) and isinstance(key, str):
        return value.view.json_field(key)
    value = unwrap(value)
    # Python would take them for 0 and 1
    if isinstance(key, bool):
        return missing("true and false are no places in an array")
    try:
        return value[key]  # type: ignore[index]  # whatever cannot be indexed says so below
    except LookupError:
        if isinstance(value, dict):
            return missing(f"there is no field {key!r}; there is {_list_names(value)}")
        return missing(f"there is no item {key!r} in {describe_type(value)}")
    except TypeError:
        return missing(f"{describe_type(value)} has no field {key!r}")


def root_values(scope: Scope) -> dict[str, object]:
    """What the names at the start of an expression stand for, but for an assert's own."""
    found: dict[str, object] = {
        "steps": Namespace(lambda name: _step_value(scope, name)),
        "arg": Namespace(lambda name: _argument_value(scope, name)),
        "env": Namespace(
            lambda name: scope.env.get(name, missing(f"environment variable {name} is not set"))
        ),
        "workflow": Namespace(lambda name: _workflow_value(scope, name)),
        "project": Namespace(
            lambda name: scope.project.get(name, missing(f"the project's {name} is not known"))
        ),
    }
    found["last"] = Namespace(lambda name: _last_value(scope, name))
    if scope.loop is not None:
        found |= {"item": scope.loop.item, "index": scope.loop.index}
    if scope.case is not None:
        found["case"] = dict(scope.case)
    return found


def _last_value(scope: Scope, name: str) -> object:
    if scope.last is None:
        return missing("there is no last round before the first one")
    return scope.last.get(name, missing(f"the last round has no output {name!r}"))


def _step_value(scope: Scope, name: str) -> object:
    result = scope.steps.get(name)
    if result is None:
        return missing(f"step {name!r} has no result")
    return StepView(
        result, scope.json_cache, judged=scope.outcome_steps is not None and name not in scope.outcome_steps
    )


def _not_passed_error(result: StepResult) -> TemplateError:
    became = "failed softly" if result.outcome is Outcome.SOFT else f"is {result.outcome}"
    if result.outcome is Outcome.SKIPPED:
        became = "was skipped"
    return TemplateError(
        f"step {result.name!r} {became}, so there is no answer of it to judge",
        hint=f"ask for its outcome too: `steps.{result.name}.passed and …`",
    )


def _argument_value(scope: Scope, name: str) -> object:
    if name in scope.arguments:
        return scope.arguments[name]
    if name.isdigit():
        return missing(f"positional argument {name} is not given", f"give it after the name; {OPTIONAL}")
    return missing(f"argument {name!r} is not given", f"give it as --{name} VALUE; {OPTIONAL}")


def _workflow_value(scope: Scope, name: str) -> object:
    if name == "name":
        return scope.workflow_name
    return " + ".join(backend[:1].upper() + backend[1:] for backend in scope.backends) or "lok"


def own_values(own: StepResult, found: dict[str, Json], wanted: Collection[str]) -> dict[str, object]:
    """What an assert's own names stand for; only the ``wanted`` ones, for JSON may be far to find."""
    view = StepView(own, found)
    return {name: value(view) for name, value in _OWN.items() if name in wanted}


def _own_json(view: StepView) -> object:
    try:
        return view.json()
    except OutputError as error:
        return missing(error.message, 'set output_format = "json" on the step')


def _own_findings(view: StepView) -> object:
    data = _own_json(view)
    return data.get("findings", missing("the output has no findings")) if isinstance(data, dict) else data


def _own_cost(view: StepView) -> object:
    cost = view.result.usage.cost_usd
    return missing("the cost is not known", "give the model's price under [prices]") if cost is None else cost


_OWN: Mapping[str, Callable[[StepView], object]] = {
    "output": StepView.output,
    "json": _own_json,
    "findings": _own_findings,
    "cost": _own_cost,
    "seconds": lambda view: view.result.seconds,
}


def _replies(result: StepResult) -> Namespace:
    texts = {reply.backend: reply.text for reply in result.replies}

    def find(name: str) -> object:
        if name in texts:
            return texts[name]
        why = next((f" ({r.reason})" for r in result.refusals if r.backend == name), "")
        return missing(f"step {result.name!r} has no reply of {name!r}{why}; it has {_list_names(texts)}")

    return Namespace(find)


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
"""What ``steps.X`` says about the step itself; each but ``DESCRIBING`` wins over a JSON field of its name."""

DESCRIBING = frozenset({"backend", "reason", "seconds"})
"""The facts that only describe: where a step that passed has such a JSON field, the field is meant."""

OUTCOMES = frozenset({"failed", "outcome", "passed", "skipped", "success"})
"""The facts that say what became of a step."""


def _list_names(names: Iterable[str]) -> str:
    shown = sorted(names)
    more = f", and {len(shown) - 10} more" if len(shown) > 10 else ""
    return (", ".join(shown[:10]) + more) or "none"
