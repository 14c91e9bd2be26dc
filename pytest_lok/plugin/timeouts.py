"""pytest-timeout -> the step's own limit: its budget is the step's and ends it, not the wait for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_lok.core.workflow.plan import Plan

if TYPE_CHECKING:
    from pytest_lok.core.workflow import model
    from pytest_lok.plugin.collect import StepItem


class Timeouts:
    """The hooks of pytest-timeout, where it is installed; ``steps`` is the class of our items."""

    def __init__(self, steps: type[pytest.Item]) -> None:
        self._steps = steps

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Arm nothing for a step: the engine has the limit."""
        return True if isinstance(item, self._steps) else None

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> bool | None:
        """Nothing was armed."""
        return True if isinstance(item, self._steps) else None


def budgeted(plan: Plan, items: Iterable[StepItem], config: pytest.Config) -> Plan:
    """The plan with pytest-timeout's limits: an item's marker wins over its step, the session's does not."""
    if not config.pluginmanager.hasplugin("timeout"):
        return plan
    from pytest_timeout import get_env_settings  # type: ignore[import-untyped]  # it ships no types

    usual = get_env_settings(config).timeout
    marked = {item.name: limit for item in items if (limit := _marked(item)) is not None}
    if usual is None and not marked:
        return plan
    own = plan.workflow.timeout

    def limited(step: model.Step) -> model.Step:
        if step.name in marked:
            return replace(step, timeout=marked[step.name])
        if usual is None or step.timeout is not None or own is not None:
            return step
        return replace(step, timeout=usual or math.inf)

    return replace(plan, steps=tuple(limited(step) for step in plan.steps))


def _marked(item: StepItem) -> float | None:
    """Seconds of the item's ``timeout`` marker, ``math.inf`` for 0; None without one."""
    marker = item.get_closest_marker("timeout")
    if marker is None:
        return None
    value = marker.args[0] if marker.args else marker.kwargs.get("timeout")
    return None if value is None else float(value) or math.inf
