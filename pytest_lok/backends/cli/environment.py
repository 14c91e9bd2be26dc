"""Where a model's command line tool runs: its program, its directory, its part of the user's environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lok.core.asking.images import Image

_LAUNCHERS = frozenset({"npx", "bunx", "uvx", "pipx"})

ALLOWED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TZ",
    "TERM",
    "TMPDIR",
    "XDG_*",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "[Hh][Tt][Tt][Pp]_[Pp][Rr][Oo][Xx][Yy]",
    "[Hh][Tt][Tt][Pp][Ss]_[Pp][Rr][Oo][Xx][Yy]",
    "[Aa][Ll][Ll]_[Pp][Rr][Oo][Xx][Yy]",
    "[Nn][Oo]_[Pp][Rr][Oo][Xx][Yy]",
    "LOK_PROCESS",
)
"""Variables that every program needs and that hold no secret: paths, language, certificates, proxies."""


def allowed_part(environ: Mapping[str, str], extra: Collection[str] = ()) -> dict[str, str]:
    """The allowed part of ``environ``, with the variables called ``extra`` where they are set."""
    return {
        name: value
        for name, value in environ.items()
        if name in extra or any(fnmatchcase(name, pattern) for pattern in ALLOWED)
    }


def search_path(environ: Mapping[str, str]) -> str:
    """PATH for programs that a question starts, without its relative directories.

    With ``.`` or ``node_modules/.bin`` a checkout could put its own program in the place of any tool.
    """
    return os.pathsep.join(part for part in environ.get("PATH", "").split(os.pathsep) if part.startswith("/"))


def find_program(program: str, env: Mapping[str, str], workspace: Path) -> str | None:
    """Where a program is: on PATH, below HOME (``~/``) or in the workspace; None if it is nowhere."""
    import shutil  # most starts look for no program

    if program.startswith("~/"):
        program = env.get("HOME", "~") + program[1:]
    elif "/" in program:
        program = str(workspace / program)
    return shutil.which(program, path=env.get("PATH", ""))


@contextmanager
def private_directory(files: Mapping[str, str]) -> Iterator[Path]:
    """A directory with these files, which is removed afterwards with all that a tool left there."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lok-", ignore_cleanup_errors=True) as made:
        directory = Path(made)
        for name, text in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text, "utf-8")
        yield directory


def split_command(command: str, args: Sequence[str]) -> tuple[list[str], list[str]]:
    """The program, with the package that a launcher such as npx runs, and the words after it."""
    if Path(command).name in _LAUNCHERS:
        for at, word in enumerate(args, 1):
            if not word.startswith("-"):
                return [command, *args[:at]], list(args[at:])
    return [command], list(args)


def contents_of(file: Path) -> str:
    """The text of a file; "" if it cannot be read."""
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


@contextmanager
def image_files(images: Sequence[Image]) -> Iterator[list[Path]]:
    """The images as files of their own, for as long as a tool may read them."""
    if not images:
        yield []
        return
    with private_directory({}) as directory:
        files = [directory / f"{at}.{it.media_type.removeprefix('image/')}" for at, it in enumerate(images)]
        for file, image in zip(files, images, strict=True):
            file.write_bytes(image.content)
        yield files
