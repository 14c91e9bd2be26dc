"""Which projects' settings the user trusts: what they said when that was decided, a file for each project.

A project is known by its directory. Its settings are trusted while they claim exactly what they claimed then.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_lok.files import write_atomically


class Trust:
    """The user's decisions, in a directory of theirs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def given(self, project: Path) -> Mapping[str, Any] | None:
        """The claims of a project that are trusted; None where it never was. What cannot be read is not."""
        return self._read(self._file(project)).get(str(project))

    def covers(self, project: Path, claims: Mapping[str, Any]) -> bool:
        """Whether the project is trusted with these claims, all and no others."""
        given = self.given(project)
        return given is not None and _text(given) == _text(claims)

    def grant(self, project: Path, claims: Mapping[str, Any]) -> None:
        """Trust a project with these claims; OSError where that cannot be remembered."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._file(project), _text({str(project): claims}).encode(), mode=0o600)

    def revoke(self, project: Path) -> bool:
        """Trust it no longer; whether it was trusted."""
        try:
            self._file(project).unlink()
        except FileNotFoundError:
            return False
        return True

    def projects(self) -> Iterator[str]:
        """The directories of all projects that are trusted."""
        for file in sorted(self._folder.glob("*.json")):
            yield from self._read(file)

    def _file(self, project: Path) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(project)).hexdigest()[:32]}.json"

    @staticmethod
    def _read(file: Path) -> dict[str, Any]:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _text(claims: Mapping[str, Any]) -> str:
    return json.dumps(claims, sort_keys=True)
