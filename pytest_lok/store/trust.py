"""The projects whose settings the user trusts, with what the settings said at that time; one file each.

A project is known by its directory. It is trusted as long as its restricted settings say the same.
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
    """The decisions of a user, in a directory of that user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def granted(self, project: Path) -> Mapping[str, Any] | None:
        """The settings with which a project is trusted; None where it is not, or its file cannot be read."""
        return self._read(self._file(project)).get(str(project))

    def covers(self, project: Path, values: Mapping[str, Any]) -> bool:
        """Whether the project is trusted with exactly these restricted settings."""
        granted = self.granted(project)
        return granted is not None and _text(granted) == _text(values)

    def grant(self, project: Path, values: Mapping[str, Any]) -> None:
        """Trust a project with these restricted settings; OSError where that cannot be remembered."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._file(project), _text({str(project): values}).encode(), mode=0o600)

    def revoke(self, project: Path) -> bool:
        """Trust the project no longer; returns whether it was trusted."""
        try:
            self._file(project).unlink()
        except FileNotFoundError:
            return False
        return True

    def projects(self) -> Iterator[str]:
        """The directories of all projects that are trusted."""
        for file in sorted(self._folder.glob("*.json")):
            yield from self._read(file)

    # one file each: two terminals may trust two projects at the same time
    def _file(self, project: Path) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(project)).hexdigest()[:32]}.json"

    @staticmethod
    def _read(file: Path) -> dict[str, Any]:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
