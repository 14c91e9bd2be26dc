"""Workflow + selection + arguments -> Plan: what will run, in which order, with which values."""

from __future__ import annotations

import graphlib
import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.workflow.argument_values import bind_arguments, name_hint, typed_values
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import PlanError

if TYPE_CHECKING:
    from pytest_lok.core.results import Json
    from pytest_lok.core.workflow.model import Step, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A workflow ready to run.

    ``steps`` are the selected steps and everything they need, dependencies first, otherwise in the
    file's order. ``selected`` are the ones that were asked for. ``arguments`` holds values by name
    and by position ("1", "2"), as texts.
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
        """The plan for the ``select``-ed steps (None = all); PlanError says what is wrong.

        The name of a step with cases selects all of them, ``NAME[CASE]`` one.
        """
        by_name = {step.name: step for step in workflow.steps}
        chosen = frozenset(by_name) if select is None else workflow.named(frozenset(select))
        # sorted, so that the same mistake is told each time
        for name in sorted(chosen - by_name.keys()):
            raise PlanError(f"workflow {workflow.stem!r} has no step {name!r}", hint=name_hint(name, by_name))
        needed = _closure(chosen, by_name)
        return cls(
            workflow=workflow,
            steps=tuple(by_name[name] for name in topological_order(by_name, needed)),
            selected=chosen,
            arguments=bind_arguments(workflow, dict(named or {}), positional),
        )

    def narrowed(self, select: Collection[str]) -> Plan:
        """This plan for fewer steps: those that are selected and what they need."""
        needed = _closure(select, {step.name: step for step in self.steps})
        steps = tuple(step for step in self.steps if step.name in needed)
        return replace(self, steps=steps, selected=frozenset(select))

    def check_places(self, *, there: bool, trusted: bool = True) -> None:
        """PlanError where a step runs at a place of a fleet, and none is ``there``, or it may not go there.

        What a change says that is not ``trusted`` goes to no other machine.
        """
        steps = (inner for step in self.steps for inner in step.in_all())
        away = next((step for step in steps if step.placement is not None), None)
        if away is None or (there and trusted):
            return
        why = "no fleet is set" if trusted else "a change that nobody trusts is judged on this machine"
        setting = '[fleet] of lok.toml: scheduler = "local", or the address of one; '
        raise PlanError(
            f"{away.path}:{away.line}: step `{away.name}` runs at a place of a fleet, and {why}",
            hint=f'{setting if trusted else ""}on = "here" runs it on this machine',
        )

    @property
    def values(self) -> dict[str, Json]:
        """The arguments as texts read them: a number, a truth or a list where the type says so."""
        return typed_values(self.workflow, self.arguments)

    @property
    def declared(self) -> dict[str, tuple[str, ...]]:
        """Of each step the needs that its ``depends_on`` declares."""
        written = {step.name: step.written_name for step in self.steps}
        return {
            step.name: tuple(it for it in step.needs if written[it] in step.depends_on) for step in self.steps
        }

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
