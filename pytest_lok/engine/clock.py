"""What day it is: the clock by which an acceptance of the baseline ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeAlias

DayClock: TypeAlias = Callable[[], date]


def utc_date() -> date:
    """The day that it is now, in UTC."""
    return datetime.now(UTC).date()
