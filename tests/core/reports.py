"""Findings for tests: as a model writes them, and as they are."""

from __future__ import annotations

import json
from typing import Any

from pytest_lok.core.results import Finding, Json

SAID: dict[str, Json] = {
    "rule_id": "sql-injection",
    "title": "user input in a query",
    "message": "bind the value",
    "severity": "high",
    "confidence": 0.9,
    "path": "db.py",
    "line": 3,
    "evidence": "db.execute(sql)",
}


def said(*changes: dict[str, Any]) -> str:
    """An answer with one finding per dict of changes; None takes a key away."""
    entries = [{**SAID, **change} for change in changes]
    return json.dumps([{k: v for k, v in entry.items() if v is not None} for entry in entries])


def finding(**changes: Any) -> Finding:
    """A finding whose quote is there; on each line another one."""
    line = changes.get("line", 3)
    own = {
        "end_line": line,
        "evidence": f"db.execute(sql{line})",
        "fingerprint": f"f{changes.get('path')}{line}",
    }
    usual: dict[str, Any] = {**SAID, **own, "backend": "a", "evidence_found": True}
    return Finding(**{**usual, **changes})
