"""The TOML document as pydantic models: strict types, no unknown keys, JSON Schema for editors."""

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    """JSON Schema of a workflow file, for editors and ``lok schema``."""
    raise NotImplementedError
