"""pytest-lok: declarative multi-LLM workflows as a test suite.

What stands in ``__all__`` here and in ``pytest_lok.testing`` is public; every other name of the package is
private and may change with any release. A name is imported when it is first used (PEP 562): importing
``pytest_lok`` itself loads nothing, so a pytest session without workflows pays nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "Backend",
    "BackendError",
    "BackendFault",
    "BackendSetup",
    "Finding",
    "ItemResult",
    "Lok",
    "LokError",
    "Outcome",
    "PlanError",
    "PlatformError",
    "Problem",
    "Prompt",
    "Refusal",
    "Reply",
    "RunResult",
    "Scripted",
    "ScriptedReply",
    "Section",
    "Settings",
    "SettingsError",
    "StepResult",
    "Usage",
    "UsageError",
    "Verdict",
    "WorkflowError",
    "__version__",
    "hookimpl",
]

if TYPE_CHECKING:  # what type checkers see; ``_HOMES`` says the same to Python
    from pytest_lok.backends.scripted import Scripted, ScriptedReply
    from pytest_lok.core.results import (
        Finding,
        ItemResult,
        Outcome,
        Refusal,
        Reply,
        RunResult,
        Section,
        StepResult,
        Usage,
        Verdict,
    )
    from pytest_lok.engine.ports import Backend, Prompt
    from pytest_lok.errors import (
        BackendError,
        BackendFault,
        LokError,
        PlanError,
        PlatformError,
        Problem,
        SettingsError,
        UsageError,
        WorkflowError,
    )
    from pytest_lok.hookspecs import BackendSetup, hookimpl
    from pytest_lok.plugin.fixtures import Lok
    from pytest_lok.settings import Settings
    from pytest_lok.version import __version__

_HOMES = {
    "backends.scripted": "Scripted ScriptedReply",
    "core.results": "Finding ItemResult Outcome Refusal Reply RunResult Section StepResult Usage Verdict",
    "engine.ports": "Backend Prompt",
    "errors": "BackendError BackendFault LokError PlanError PlatformError Problem SettingsError UsageError "
    "WorkflowError",
    "hookspecs": "BackendSetup hookimpl",
    "plugin.fixtures": "Lok",
    "settings": "Settings",
    "version": "__version__",
}
"""The module of each public name."""

if not TYPE_CHECKING:  # or type checkers would believe every name

    def __getattr__(name: str) -> object:
        for module, names in _HOMES.items():
            if name in names.split():
                found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
