"""A directory of repositories, each of a kind whose outcome is known, and lists of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cli.projects import Project

WORKFLOW = """
[[steps]]
name = "judge"
shell = "./judge"

[[steps]]
name = "after"
depends_on = ["judge"]
shell = "true"
"""
KINDS = {
    "good": ("passed", 0),
    "red": ("failed", 1),
    "broken": ("inconclusive", 3),
    "missing": ("error", 3),
    "too long": ("error", 3),
    "fetched": ("passed", 0),
    "fetched red": ("failed", 1),
    "no commit": ("error", 3),
    "no repository": ("error", 3),
}
"""What each kind of row comes to: its verdict, and the exit code of `lok run` for it alone."""
_JUDGES = {"good": "exit 0", "red": "echo bad; exit 1", "broken": ""}


class Repositories:
    """``line(kind, n)`` is the line of the n-th repository of a kind; each is made when it is asked for."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.root = project.root.parent / "repositories"
        self.root.mkdir()
        self._made: dict[tuple[str, int], str] = {}

    def line(self, kind: str, number: int) -> str:
        key = kind, number
        if key not in self._made:
            self._made[key] = self._make(kind, f"{kind.replace(' ', '-')}-{number}")
        return self._made[key]

    def list(self, lines: Iterable[str], name: str = "list.txt") -> Path:
        return self.project.write(name, "".join(f"{line}\n" for line in lines))

    def directory(self, name: str, judge: str) -> Path:
        made = self.root / name
        made.mkdir()
        if judge:
            (made / "judge").write_text(f"#!/bin/sh\n{judge}\n")
            (made / "judge").chmod(0o755)
        return made

    def repository(self, name: str, judge: str) -> str:
        """A repository of git with one commit; its URL and that commit."""
        made = self.directory(name, judge)
        git(made, "init", "-q", "-b", "main")
        git(made, "add", "-A")
        git(made, "commit", "-qm", "one")
        return f"file://{made}@{git(made, 'rev-parse', 'HEAD')}"

    def _make(self, kind: str, name: str) -> str:
        match kind:
            case "missing":
                return f"../repositories/{name}"
            case "too long":
                return f"../repositories/{name}{'x' * 300}"
            case "no repository":
                return f"file://{self.root}/{name}@{'1' * 40}"
            case "no commit":
                return f"{self.repository(name, 'exit 0').partition('@')[0]}@{'1' * 40}"
            case "fetched" | "fetched red":
                return self.repository(name, _JUDGES["red" if "red" in kind else "good"])
        self.directory(name, _JUDGES[kind])
        return f"../repositories/{name}"


def git(at: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    done = subprocess.run(["git", "-C", at, *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()
