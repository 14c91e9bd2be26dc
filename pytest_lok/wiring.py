"""Settings -> World: the only module that names concrete backends, shells and workspaces.

``Project`` is what the command line and the plugin hold on to: a root directory with its settings
and its workflows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_lok.core.model import Workflow
from pytest_lok.engine.ports import Backend, World
from pytest_lok.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A directory that workflows run in."""

    root: Path
    settings: Settings
    environ: Mapping[str, str]

    @classmethod
    def open(
        cls,
        start: Path,
        *,
        environ: Mapping[str, str],
        config: Path | None = None,
        options: Mapping[str, Any] | None = None,
        search_up: bool = True,
    ) -> Project:
        """The project ``start`` lies in (nearest parent with .lok/, lok.toml, pyproject.toml or .git).

        ``options`` are dotted settings from the command line (``{"defaults.timeout": 60}``).
        SettingsError holds every mistake in the settings files.
        """
        raise NotImplementedError

    def load(self, name: str | Path) -> Workflow:
        """The workflow of that name (project, user, built in, tasks), or of that .toml path.

        WorkflowError holds every mistake in its file; UsageError with a "did you mean" if there is none.
        """
        raise NotImplementedError

    def catalog(self) -> list[Found]:
        """Every workflow that can be named, project first; shadowed ones are left out."""
        raise NotImplementedError

    def world(self, backends: Mapping[str, Backend] | None = None) -> World:
        """The world its workflows run in; ``backends`` replaces the configured ones (tests, fixtures)."""
        raise NotImplementedError
