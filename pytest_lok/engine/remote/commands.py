"""A step and its command -> the command as it travels, and the files that it made where others find them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_lok.core.remote import RemoteRun
from pytest_lok.core.results import Outcome
from pytest_lok.core.workflow.model import Shell
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.remote import Artifact, Placement
    from pytest_lok.core.workflow.model import Step
    from pytest_lok.engine.context import RunContext
    from pytest_lok.engine.execution import StepExecution
    from pytest_lok.engine.ports import CommandSpec, Completed

SECTION = "fleet"
"""The section of a report that says where a command ran, and what became of it there."""


async def travelling(execution: StepExecution, command: CommandSpec, placement: Placement) -> CommandSpec:
    """The command of a step, for one attempt at a place.

    StepUnableError where a file that another step has made is missing.
    """
    step, context = execution.step, execution.context
    action = step.action
    name = step.name if execution.item is None else f"{step.name}[{execution.item}]"

    def begin(place: str) -> None:
        execution.begin()
        execution.add_section(SECTION, f"ran on {place}")

    remote = RemoteRun(
        name=name,
        placement=placement,
        artifacts=(action.artifacts or ()) if isinstance(action, Shell) else (),
        timeout=context.timeout_of(step),
        files=await _files_before(step, context),
        begin=begin,
        say=lambda said: execution.add_section(SECTION, said),
        repeatable=isinstance(action, Shell) and step.retries > 0 and not action.effects,
    )
    return replace(command, remote=remote)


async def keep_artifacts(execution: StepExecution, patterns: Sequence[str], done: Completed) -> None:
    """Keep the files that a command has made: for later steps, with the run, and in the workspace."""
    step, context = execution.step, execution.context
    world, own = context.world, context.artifacts.setdefault(step.name, {})
    if step.placement is None:
        files = await asyncio.to_thread(world.workspace.artifacts, patterns)
    else:
        files = done.artifacts
    for path, made in files.items():
        if execution.item is not None and own.get(path, made) != made:
            raise StepUnableError(
                f"two items have made {path}, and not the same",
                hint="give the files of each item their names",
            )
    # before anything is waited for: another item may have made the same
    own.update(files)
    if step.placement is not None:
        await asyncio.to_thread(world.workspace.take_in, files)
    if (store := world.artifacts) is not None:
        try:
            await asyncio.to_thread(store.keep, *_recorded_as(step, context), files)
        except OSError as failure:
            raise StepUnableError(f"the artifacts cannot be kept: {failure.strerror or failure}") from failure
    # what a step's workflow makes is the step's own for those who rest on it
    while (outer := context.outer) is not None:
        context = outer.context
        context.artifacts.setdefault(outer.step.name, {}).update(files)
    listed = "\n".join(f"{path}  {len(files[path].content):,} bytes" for path in sorted(files))
    execution.add_section("artifacts", listed)


def _recorded_as(step: Step, context: RunContext) -> tuple[str, str]:
    """The workflow and the step as the record names them: of an inner step all that it is inside of."""
    # the name of a case may hold what means something in a path
    name = quote(step.name, safe="[]")
    while (outer := context.outer) is not None:
        # the item and the round, of which a step may have none
        part = "".join(f".{word}" for word in outer.part.split() if word != str(None))
        name, context = f"{quote(outer.step.name, safe='[]')}{part}/{name}", outer.context
    return context.plan.workflow.stem, name


async def _files_before(step: Step, context: RunContext) -> Mapping[str, Artifact]:
    """The artifacts of all steps that this one rests on; of two that are not the same the later one's."""
    outer = context.outer
    found = {} if outer is None else dict(await _files_before(outer.step, outer.context))
    if not context.makers:
        return found
    before = _ancestors(step.name, context)
    made_by: dict[str, str] = {}
    for maker in context.makers:
        if maker.name not in before:
            continue
        for path, made in (await _made_by(maker, context)).items():
            other = made_by.get(path)
            if other is not None and found[path] != made and other not in _ancestors(maker.name, context):
                raise StepUnableError(
                    f"{other} and {maker.name} have both made {path}, and not the same",
                    hint="give their files names of their own, or let one depend on the other",
                )
            found[path], made_by[path] = made, maker.name
    return found


async def _made_by(maker: Step, context: RunContext) -> Mapping[str, Artifact]:
    """The artifacts of a step, also if it ran in a process before this one, or in an earlier run."""
    result = context.results.get(maker.name)
    if maker.name in context.artifacts or result is None or result.outcome is not Outcome.PASSED:
        return context.artifacts.get(maker.name, {})
    store, workspace = context.world.artifacts, context.world.workspace
    files: Mapping[str, Artifact] = {}
    if store is not None and isinstance(maker.action, Shell):
        files = await asyncio.to_thread(store.kept, *_recorded_as(maker, context))
    # what is kept of an earlier run was taken into the workspace then
    files = files or await asyncio.to_thread(workspace.artifacts, maker.artifacts)
    context.artifacts[maker.name] = dict(files)
    return files


def _ancestors(name: str, context: RunContext) -> set[str]:
    """The steps that have to end before the step begins."""
    steps = {step.name: step for step in context.plan.steps}
    todo, found = [*steps[name].needs], set[str]()
    while todo:
        if (other := todo.pop()) not in found and other in steps:
            found.add(other)
            todo += steps[other].needs
    return found
