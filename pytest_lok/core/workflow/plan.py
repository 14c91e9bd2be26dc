"""Workflow + selection + arguments -> Plan: what will run, in which order, with which values."""

from __future__ import annotations

import graphlib
import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import PlanError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Argument, Step, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A workflow ready to run.

    ``steps`` are the selected steps and everything they need, dependencies first, otherwise in the
    file's order. ``selected`` are the ones that were asked for. ``arguments`` holds values by name
    and by position ("1", "2").
    """

    workflow: Workflow
    steps: tuple[Step, ...]
    selected: frozenset[str]
    arguments: Mapping[str, str]

    @classmethod
    def of(
        cls,
        workflow: Workflow,
        *,
        select: Collection[str] | None = None,
        named: Mapping[str, str] | None = None,
        positional: Sequence[str] = (),
    ) -> Plan:
        """The plan for the ``select``-ed steps (None = all); PlanError says what is wrong."""
        by_name = {step.name: step for step in workflow.steps}
        chosen = frozenset(by_name if select is None else select)
        # sorted, so that the same mistake is told each time
        for name in sorted(chosen - by_name.keys()):
            raise PlanError(
                f"workflow {workflow.stem!r} has no step {name!r}", hint=_name_hint(name, by_name)
            )
        needed = _closure(chosen, by_name)
        return cls(
            workflow=workflow,
            steps=tuple(by_name[name] for name in topological_order(by_name, needed)),
            selected=chosen,
            arguments=_bind_arguments(workflow, dict(named or {}), positional),
        )

    def narrowed(self, select: Collection[str]) -> Plan:
        """This plan for fewer steps: those that are selected and what they need."""
        needed = _closure(select, {step.name: step for step in self.steps})
        steps = tuple(step for step in self.steps if step.name in needed)
        return replace(self, steps=steps, selected=frozenset(select))

    @property
    def leaves(self) -> tuple[str, ...]:
        """Steps nothing else in the plan needs, in order."""
        needed = {need for step in self.steps for need in step.needs}
        return tuple(step.name for step in self.steps if step.name not in needed)


def topological_order(steps: Mapping[str, Step], among: Collection[str]) -> list[str]:
    """``among`` with dependencies first, file order among equals; graphlib.CycleError names a cycle."""
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for name, step in steps.items():
        if name in among:
            sorter.add(name, *step.needs)
    sorter.prepare()
    place = {name: number for number, name in enumerate(steps)}
    # a heap, for graphlib gives out the ready ones in any order
    ready: list[tuple[int, str]] = []
    ordered: list[str] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (place[name], name))
        _, first = heapq.heappop(ready)
        ordered.append(first)
        sorter.done(first)
    return ordered


def _closure(chosen: Iterable[str], steps: Mapping[str, Step]) -> set[str]:
    needed: set[str] = set()
    todo = list(chosen)
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += steps[name].needs
    return needed


def _bind_arguments(workflow: Workflow, named: dict[str, str], positional: Sequence[str]) -> dict[str, str]:
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
            hint=_name_hint(name, workflow.args) or "it declares none; use positional values",
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
        if arg.choices and value not in arg.choices:
            raise PlanError(
                f"argument {arg.name!r} of workflow {workflow.stem!r} cannot be {value!r}",
                hint=f"choose one of: {', '.join(arg.choices)}",
            )
        values[arg.name] = value
        if arg.position is not None:
            values[str(arg.position)] = value
    return values


def _positional_values(number: int) -> str:
    return f"{number or 'no'} positional value{'' if number == 1 else 's'}"


def _spelled(workflow: Workflow, argument: Argument) -> str:
    """How the argument is given on a command line: by its place where it has one, which is shorter."""
    placed = {it.position: it.name.upper() for it in workflow.args.values()}
    before = [placed.get(at) for at in range(1, (argument.position or 0) + 1)]
    return " ".join(map(str, before)) if before and None not in before else f"--{argument.name} VALUE"


def _name_hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return did_you_mean(name, names, spelled="'{}'") or (f"it has: {', '.join(names)}" if names else "")
