"""A workflow with what is given for its arguments → the values of a run, by name and by position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.errors import PlanError

if TYPE_CHECKING:
    from pytest_lok.core.results import Json
    from pytest_lok.core.workflow.argument import Argument
    from pytest_lok.core.workflow.model import Workflow


def typed_values(workflow: Workflow, arguments: Mapping[str, str]) -> dict[str, Json]:
    """The values as texts of steps read them: a number, a truth or a list where the type says so."""
    typed = {
        key: argument
        for argument in workflow.args.values()
        if argument.type is not None
        for key in (argument.name, str(argument.position))
    }
    return {
        name: typed[name].values.read(text) if name in typed else text for name, text in arguments.items()
    }


def bind_arguments(workflow: Workflow, named: dict[str, str], positional: Sequence[str]) -> dict[str, str]:
    """The values by name and by position, defaults too; PlanError if one is missing, unknown or wrong."""
    if len(positional) > workflow.positional_count:
        left = ", ".join(map(repr, positional[workflow.positional_count :]))
        raise PlanError(
            f"workflow {workflow.stem!r} uses {_positional_values(workflow.positional_count)}, "
            f"{len(positional)} were given: nothing reads {left}",
            hint=f"lok {workflow.stem} --help lists its arguments",
        )
    values = {str(number): value for number, value in enumerate(positional, 1)}
    for name in named.keys() - workflow.args.keys():
        raise PlanError(
            f"workflow {workflow.stem!r} has no argument {name!r}",
            hint=name_hint(name, workflow.args) or "it declares none; use positional values",
        )
    for arg in workflow.args.values():
        value = named.get(arg.name)
        # a value may come by its name or by its place, and texts may read it by either
        if arg.position is not None:
            at = str(arg.position)
            if value is not None and at in values:
                raise PlanError(f"argument {arg.name!r} is given twice: by name and as value {at}")
            value = values.get(at, value)
        value = arg.default if value is None else value
        if value is None:
            if arg.required:
                about = f" ({arg.description})" if arg.description else ""
                raise PlanError(
                    f"workflow {workflow.stem!r} needs the argument {arg.name!r}{about}",
                    hint=f"lok run {workflow.stem} {_spelled(workflow, arg)}, or "
                    f"pytest --lok-arg {arg.name}=VALUE",
                )
            continue
        values[arg.name] = value = _checked_text(workflow, arg, value)
        if arg.position is not None:
            values[str(arg.position)] = value
    return values


def _checked_text(workflow: Workflow, argument: Argument, text: str) -> str:
    """The text that stands for the value that the text means; PlanError where it means none."""
    values = argument.values
    try:
        return values.text(values.read(text))
    except ValueError as error:
        hint = f"choose one of: {', '.join(argument.choices)}" if argument.choices else ""
        if argument.type == "path":
            hint = "paths start at the project's root"
        raise PlanError(
            f"argument {argument.name!r} of workflow {workflow.stem!r} {error}",
            hint=hint or f"lok {workflow.stem} --help lists its arguments",
        ) from None


def _positional_values(number: int) -> str:
    return f"{number or 'no'} positional value{'' if number == 1 else 's'}"


def _spelled(workflow: Workflow, argument: Argument) -> str:
    """How the argument is given on a command line: by its place where it has one, which is shorter."""
    placed = {it.position: it.name.upper() for it in workflow.args.values()}
    before = [placed.get(at) for at in range(1, (argument.position or 0) + 1)]
    return " ".join(map(str, before)) if before and None not in before else f"--{argument.name} VALUE"


def name_hint(name: str, known: Iterable[str]) -> str:
    """The name that was meant, else all there are."""
    names = list(known)
    return did_you_mean(name, names, spelled="'{}'") or (f"it has: {', '.join(names)}" if names else "")
