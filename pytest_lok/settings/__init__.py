"""lok.toml, ``[tool.lok]``, the environment and options -> Settings, or every mistake in all of them at once.

Merged key by key, the later one wins: what is built in < the user's lok.toml < the project's (its
lok.toml, or ``[tool.lok]`` of its pyproject.toml: both is a mistake) < ``LOK_*`` < options. Lists
are replaced whole. Variables of the environment are named after what they set::

    LOK_TIMEOUT=60                     [defaults] timeout
    LOK_CACHE_ENABLED=false            [cache] enabled
    LOK_BACKENDS_CLAUDE_MODEL=opus     [backends.claude] model
    LOK_CONFIG_DIR=/etc/lok            the directory of the user's settings and workflows
    LOK_TRUST=1                        what the project's file says counts, all of it
    LOK_BASE=develop                   what changes are compared with; no key of a file, for a file is
                                       part of the change
"""

from __future__ import annotations

from pytest_lok.settings.environment import base_refs, cache_dir, config_dir, in_ci, state_dir, trusts
from pytest_lok.settings.merging import load_settings
from pytest_lok.settings.tables import ALL, CLIS, TYPES, BackendSettings, Settings, names_in, schema

__all__ = [
    "ALL",
    "CLIS",
    "TYPES",
    "BackendSettings",
    "Settings",
    "base_refs",
    "cache_dir",
    "config_dir",
    "in_ci",
    "load_settings",
    "names_in",
    "schema",
    "state_dir",
    "trusts",
]
