"""Files that steps have made -> copies beside the journals of a run, and back."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_lok.core.remote import Artifact
from pytest_lok.files import write_atomically

FOLDER = "artifacts"


class RecordedArtifacts:
    """An ``engine.remote.ports.ArtifactStore``: ``artifacts/WORKFLOW/STEP/`` below the directory of a record.

    ``record`` gives that directory, when it is first needed.
    """

    def __init__(self, record: Callable[[], Path]) -> None:
        self._record = record

    def keep(self, workflow: str, step: str, files: Mapping[str, Artifact]) -> None:
        """See ``engine.remote.ports.ArtifactStore``; as all of a record, none but its owner can read them."""
        for name, made in files.items():
            path = self._folder(workflow, step) / name
            for folder in reversed(path.relative_to(self._record()).parents[:-1]):
                (self._record() / folder).mkdir(mode=0o700, exist_ok=True)
            write_atomically(path, made.content, mode=0o700 if made.executable else 0o600)

    def kept(self, workflow: str, step: str) -> Mapping[str, Artifact]:
        """See ``engine.remote.ports.ArtifactStore``; links are no files of a record."""
        folder = self._folder(workflow, step)
        found: dict[str, Artifact] = {}
        for above, _, names in os.walk(folder):
            for path in (Path(above) / name for name in names):
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode):
                    name = path.relative_to(folder).as_posix()
                    found[name] = Artifact(path.read_bytes(), bool(mode & stat.S_IXUSR))
        return found

    def _folder(self, workflow: str, step: str) -> Path:
        # a stem is the name of a file, and a step's name holds no separator
        return self._record() / FOLDER / workflow / step
