"""What backends print, log and warn of on the engine's threads, by the step that runs there."""

from __future__ import annotations

import threading
from contextvars import ContextVar

ENGINE_THREAD = "lok-engine"
"""How the names of the engine's threads begin."""
STRAY_OUTPUT: ContextVar[list[str] | None] = ContextVar("aside", default=None)
"""The texts of the step that runs in this context, collected so far; None outside of steps."""


def is_engine_thread() -> bool:
    """Whether the current thread is the engine's, or one of its executor's."""
    return threading.current_thread().name.startswith(ENGINE_THREAD)
