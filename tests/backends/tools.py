"""Command line tools that do as told, and remember what they were given."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FakeTool:
    """An executable; what it was given is read back from the files it left in ``seen``."""

    path: Path
    seen: Path

    @property
    def args(self) -> list[str]:
        return (self.seen / "args").read_text().split("\0")[:-1]

    @property
    def env(self) -> dict[str, str]:
        entries = (self.seen / "env").read_text().split("\0")[:-1]
        return dict(entry.split("=", 1) for entry in entries)

    @property
    def stdin(self) -> bytes:
        return (self.seen / "stdin").read_bytes()

    @property
    def cwd(self) -> Path:
        return Path((self.seen / "cwd").read_text().strip())

    @property
    def files(self) -> dict[str, str]:
        """Those of the directory it ran in, as they were then."""
        listing = (self.seen / "files").read_text().split()
        return {name: (self.seen / "copy" / name).read_text() for name in listing}


def fake_tool(
    directory: Path,
    *,
    name: str = "tool",
    out: Path | str = "",
    err: Path | str = "",
    code: int = 0,
    then: str = "",
) -> FakeTool:
    """A tool that keeps what it is given, does ``then``, prints ``out`` and ``err`` (texts or files) and exits."""
    seen = directory / f"{name}-seen"
    seen.mkdir(parents=True)
    lines = ["#!/bin/sh", f"cd_seen={shlex.quote(str(seen))}"]
    lines += ['env -0 > "$cd_seen/env"', '[ $# = 0 ] || printf "%s\\0" "$@" > "$cd_seen/args"']
    lines += ['pwd -P > "$cd_seen/cwd"', 'cat > "$cd_seen/stdin"']
    lines += ['[ -d .gemini ] && mkdir "$cd_seen/copy" && cp -R .gemini "$cd_seen/copy"']
    lines += ['find . -type f | sed "s,^./,," > "$cd_seen/files"', then]
    for number, text in ((1, out), (2, err)):
        if isinstance(text, str):
            (seen / f"say{number}").write_text(text)
            text = seen / f"say{number}"
        lines.append(f"cat {shlex.quote(str(text))} >&{number}")
    path = directory / name
    path.write_text("\n".join([*lines, f"exit {code}", ""]))
    path.chmod(0o755)
    return FakeTool(path, seen)
