"""Settings -> World: the only room that names concrete backends, shells and workspaces."""

from __future__ import annotations

from pytest_lok.wiring.project import Project

__all__ = ["Project"]
