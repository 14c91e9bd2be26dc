"""lok.toml, ``[tool.lok]``, the environment and options -> Settings, or every mistake in all of them.

Tables are merged key by key, and the later source wins: built-in settings < the user's lok.toml < the
project's (its lok.toml, or ``[tool.lok]`` of its pyproject.toml; both together are a mistake) < ``LOK_*`` <
options. Lists are replaced whole. A variable of the environment is named after the key that it sets::

    LOK_TIMEOUT=60                     [defaults] timeout
    LOK_CACHE_ENABLED=false            [cache] enabled
    LOK_BACKENDS_CLAUDE_MODEL=opus     [backends.claude] model
    LOK_CONFIG_DIR=/etc/lok            the directory of the user's settings and workflows
    LOK_TRUST=1                        all that the project's file says counts
    LOK_BASE=develop                   what changes are compared with; no key of a file, because a
                                       file is part of the change
"""

from __future__ import annotations

from pytest_lok.settings.environment import (
    base_refs,
    cache_dir,
    config_dir,
    environment_elsewhere,
    in_ci,
    pull_request,
    state_dir,
    takes_reports,
    trusted_by_environment,
)
from pytest_lok.settings.merging import load_settings
from pytest_lok.settings.tables import (
    BACKEND_TYPES,
    CLI_TYPES,
    BackendSettings,
    Settings,
    schema,
    split_names,
)

__all__ = [
    "BACKEND_TYPES",
    "CLI_TYPES",
    "BackendSettings",
    "Settings",
    "base_refs",
    "cache_dir",
    "config_dir",
    "environment_elsewhere",
    "in_ci",
    "load_settings",
    "pull_request",
    "schema",
    "split_names",
    "state_dir",
    "takes_reports",
    "trusted_by_environment",
]
