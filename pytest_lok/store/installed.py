"""``lok.lock``: the workflows that were installed, each with its source and the digest of its file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import tomli

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError
from pytest_lok.files import write_atomically
from pytest_lok.late_regex import late_regex

LOCK_FILE = "lok.lock"
_NAME = late_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One installed workflow: ``source`` is a URL or a path, ``sha256`` the file's digest in hexadecimal."""

    source: str
    sha256: str


class InstalledWorkflows:
    """The installed workflows of one folder; ``lock`` is the file that lists them."""

    def __init__(self, folder: Path, lock: Path) -> None:
        self.folder = folder
        self.lock = lock

    def read(self) -> dict[str, Installed]:
        """What the lock file lists, by name; {} if there is no such file, UsageError if it cannot be used.

        A name that could lead out of the folder makes the whole file unusable.
        """
        try:
            document = tomli.loads(self.lock.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as broken:
            raise UsageError(f"{self.lock} cannot be read: {broken}", hint="restore it from git") from broken
        entries = document.get("workflows", {})
        found: dict[str, Installed] = {}
        for name, entry in entries.items() if isinstance(entries, Mapping) else ():
            if not is_name(name):
                raise UsageError(
                    f"{self.lock}: {name!r} is no name for a workflow", hint="restore it from git"
                )
            source, digest = (
                (entry.get("source"), entry.get("sha256")) if isinstance(entry, Mapping) else (0, 0)
            )
            if not isinstance(source, str) or not isinstance(digest, str):
                raise UsageError(
                    f"{self.lock}: `{name}` needs `source` and `sha256`", hint="restore it from git"
                )
            found[name] = Installed(source=source, sha256=digest)
        return found

    def file(self, name: str) -> Path:
        """Where the workflow of that name lies."""
        return self.folder / f"{name}.toml"

    def is_unchanged(self, name: str, entry: Installed) -> bool:
        """Whether the file is there and is what was installed."""
        try:
            return digest_of(self.file(name).read_bytes()) == entry.sha256
        except OSError:
            return False

    def put(self, name: str, source: str, data: bytes) -> None:
        """Write the workflow and list it; OSError if one of the two cannot be written."""
        self._require_own_folder()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.file(name), data)
        self._write({**self.read(), name: Installed(source=source, sha256=digest_of(data))})

    def drop(self, name: str) -> None:
        """Remove the workflow and its entry; OSError if one of the two cannot be changed."""
        self._require_own_folder()
        self.file(name).unlink(missing_ok=True)
        left = self.read()
        del left[name]
        self._write(left)

    def _require_own_folder(self) -> None:
        """UsageError if a symbolic link leads to the folder, out of what is the project's."""
        beside = self.lock.parent
        steps = self.folder.relative_to(beside).parts
        for folder in (beside.joinpath(*steps[: n + 1]) for n in range(len(steps))):
            if folder.is_symlink():
                raise UsageError(
                    f"{folder} is a symbolic link: nothing is written or removed through it",
                    hint="make it a directory",
                )

    def _write(self, entries: Mapping[str, Installed]) -> None:
        import tomli_w

        tables = {
            name: {"source": entry.source, "sha256": entry.sha256} for name, entry in sorted(entries.items())
        }
        write_atomically(self.lock, tomli_w.dumps({"workflows": tables}).encode())


def is_name(text: str) -> bool:
    """Whether an installed workflow may be called so: no "/", and neither "." nor "-" nor "_" first."""
    return _NAME.fullmatch(text) is not None


def digest_of(data: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
