"""Settings and environment -> the backends that nobody gets who does not name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_lok.backends.cli.environment import search_path
from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.dataclass import dataclass
from pytest_lok.settings import CLI_TYPES, Settings

if TYPE_CHECKING:
    from pytest_lok.engine.ports import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendChoice:
    """What a project's backends are like, to be looked at: none of them can be asked, as in a World."""

    backends: Mapping[str, Backend]
    strengths: Mapping[str, Sequence[str]]
    only_by_name: Mapping[str, str]
    remedy: str = ""


def only_by_name(settings: Settings, environ: Mapping[str, str], *, recorded: bool = False) -> dict[str, str]:
    """The backends that are asked only where they are named, each with why.

    Rules judge nothing, so nobody gets their answer by chance, unless the settings say what they are strong
    in. An API that no file speaks of waits for its key, and for its provider's tool to be missing: nobody
    pays one provider twice without knowing. Where answers are ``recorded`` it needs neither.
    """
    found = {
        name: "fixed rules answer, and no model"
        for name, backend in settings.backends.items()
        if backend.type == "scripted" and backend.enabled and not backend.strengths
    }
    for name, provider in () if recorded else PROVIDERS.items():
        if name in settings.mentioned:
            continue
        if not any(environ.get(variable, "").strip() for variable in provider.keys):
            found[name] = f"{' or '.join(provider.keys)} is not set"
        elif _is_installed(settings, provider.tool, environ):
            found[name] = f"{provider.tool} is installed, and asks the same provider"
    return found


def _is_installed(settings: Settings, name: str, environ: Mapping[str, str]) -> bool:
    """Whether a backend is a program that is there, and not switched off."""
    tool = settings.backends.get(name)
    if tool is None or not tool.enabled or tool.type not in CLI_TYPES:
        return False
    import shutil

    return shutil.which(tool.command or name, path=search_path(environ)) is not None
