"""The user's environment -> what a model's command line tool may see of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

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
"""What every program needs and holds no secret: where things are, the language, certificates, proxies."""


def allowed_part(environ: Mapping[str, str], extra: Collection[str] = ()) -> dict[str, str]:
    """The allowed part of ``environ``, with the variables called ``extra`` where they are set."""
    return {
        name: value
        for name, value in environ.items()
        if name in extra or any(fnmatchcase(name, pattern) for pattern in ALLOWED)
    }


def search_path(environ: Mapping[str, str]) -> str:
    """Where programs are looked for that a question starts: PATH without what depends on the directory.

    ``.`` or ``node_modules/.bin`` would let a checkout stand in for any of them.
    """
    return os.pathsep.join(part for part in environ.get("PATH", "").split(os.pathsep) if part.startswith("/"))
