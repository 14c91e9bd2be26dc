"""The user's environment -> the part that a model's command line tool may see."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

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
