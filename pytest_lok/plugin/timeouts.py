"""pytest-timeout -> the step's own limit: the time counts from the step's start, and ends the step.

pytest-timeout would count from the item's set-up instead, and kill the process while the item waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_lok.core.workflow.plan import Plan
from pytest_lok.plugin.nodes import StepItem

if TYPE_CHECKING:
    from pytest_lok.core.workflow import model


class Timeouts:
    """The hooks of pytest-timeout, where it is installed."""

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Set no timer for a step: the engine keeps the limit."""
        return True if isinstance(item, StepItem) else None

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> bool | None:
        """Cancel no timer for a step, since none was set."""
        return True if isinstance(item, StepItem) else None


def with_timeouts(plan: Plan, items: Iterable[StepItem], config: pytest.Config) -> Plan:
    """The plan with pytest-timeout's limits in seconds.

    The marker of an item wins over the ``timeout`` of its step. The limit of the session (ini key or option)
    counts only for steps for which neither they nor their workflow have one.
    """
    if not config.pluginmanager.hasplugin("timeout"):
        return plan
    from pytest_timeout import get_env_settings  # type: ignore[import-untyped]  # it ships no types

    session_limit = get_env_settings(config).timeout
    marked = {item.name: limit for item in items if (limit := _marker_limit(item)) is not None}
    if session_limit is None and not marked:
        return plan
    own = plan.workflow.timeout

    def limited(step: model.Step) -> model.Step:
        if step.name in marked:
            return replace(step, timeout=marked[step.name])
        if session_limit is None or step.timeout is not None or own is not None:
            return step
        return replace(step, timeout=session_limit or math.inf)

    return replace(plan, steps=tuple(limited(step) for step in plan.steps))


def _marker_limit(item: StepItem) -> float | None:
    """Seconds of the item's ``timeout`` marker, ``math.inf`` for 0; None without one."""
    marker = item.get_closest_marker("timeout")
    if marker is None:
        return None
    value = marker.args[0] if marker.args else marker.kwargs.get("timeout")
    return None if value is None else float(value) or math.inf
