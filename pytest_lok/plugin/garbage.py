"""Python's garbage collector looks at every item of pytest again and again, and an item lives to the end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from pytest_lok.plugin.nodes import StepItem


class GarbageCollection:
    """Lets the collector rest while items are made, and then leaves the items out of its rounds.

    The rounds are a third of the time in which many steps are collected. The collector rests only in a
    process that ends with its session. What Python tests have made is no part of this: in a session with one
    of them the collector looks at everything afterwards.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session) -> Generator[None, object, object]:
        """Collect the items while the collector rests."""
        if not gc.isenabled() or gc.get_freeze_count() or not _ends_with_session(session.config):
            return (yield)
        gc.disable()
        try:
            result = yield
            if session.items and all(isinstance(item, StepItem) for item in session.items):
                gc.freeze()
        finally:
            gc.enable()
        return result


def _ends_with_session(config: pytest.Config) -> bool:
    """Whether the command line of this process is the session's own: nobody else has called pytest here."""
    program = Path(sys.argv[0])
    is_pytest = program.stem in ("pytest", "py.test") or program.parent.name == "pytest"
    return is_pytest and [*config.invocation_params.args] == sys.argv[1:]
