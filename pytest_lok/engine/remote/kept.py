"""A step that would be kept of an earlier run → it is, where the files that it made are still there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_lok.core.history import Resumed
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.events import RecordedStep
    from pytest_lok.core.workflow.model import Step
    from pytest_lok.engine.ports import World


async def with_artifacts(step: Step, before: RecordedStep, said: Resumed, world: World) -> Resumed:
    """What is ``said`` of the step, or that it runs again, as what it made is not in the workspace any more.

    One with effects is never run again unasked.
    """
    passed = before.result is not None and before.result.passed
    if said.decision != "kept" or not passed or step.effects:
        return said
    try:
        await asyncio.to_thread(world.workspace.artifacts, step.artifacts)
    except StepUnableError as gone:
        return Resumed(decision="changed", why=f"what it made is gone: {gone.message}")
    return said
