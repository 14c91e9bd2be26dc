"""What code on the engine's threads says besides its answers -> the step it was said in."""

from __future__ import annotations

import threading
from contextvars import ContextVar

ENGINE_THREAD = "lok-engine"
"""How the names of the threads begin that everything runs on."""
STRAY_OUTPUT: ContextVar[list[str] | None] = ContextVar("aside", default=None)
"""The pieces of text said so far in the step that runs in this context; None outside of steps."""


def is_engine_thread() -> bool:
    """Whether the current thread is one of the engine's, or of its loop's executor."""
    return threading.current_thread().name.startswith(ENGINE_THREAD)
