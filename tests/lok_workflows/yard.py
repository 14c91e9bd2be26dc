"""A project that lok's workflows run in: a real repository with a remote, and recorders in place of the forges."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import RunResult
from pytest_lok.core.workflow.model import Workflow
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.engine.run import run
from pytest_lok.wiring import Project

HERE = Path(__file__).parent
HOSTILE = (
    "$(touch pwned) `touch pwned` ${IFS:=$(touch pwned)} $((pwned=1)) $HOME \\$(touch pwned)\n"
    "'; touch pwned; '\n\"; touch pwned; \"\n'\"'\"'\"; touch pwned #\n"
    'EOF\nLOKEOF\nNOTE\n)"; touch pwned\n\n'
    "-rf --help -- && touch pwned || touch pwned; touch pwned & touch pwned | touch pwned > pwned\n"
    "{{ 7 * 7 }} {% raw %} {{ env.HOME }} {# no #}\n"
    "%s%n%d \\n \\t \\0 \\\\ * ? [a-z] ~ ! \t tab \r return \u00fc \U0001f4a5 \u202e end"
)
"""Every way out of a quote, of both kinds of here-document used here, and into a template."""

_RECORDER = """#!/bin/sh
# What it was called with goes to a file of its own, each argument ended by a NUL; its input to another.
call="{calls}/$$"
printf '%s\\0' {tool} "$@" > "$call.argv"
cat > "$call.stdin"
answer="{answers}/{tool}-$1-$2"
if [ -f "$answer" ]; then cat "$answer"; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a recorded tool, byte for byte."""

    argv: list[bytes]
    stdin: bytes

    def value(self, option: str) -> str:
        """What follows an option."""
        return self.argv[self.argv.index(option.encode()) + 1].decode()


class Yard:
    """``root`` is a clone with one commit; ``gh`` and ``glab`` record, ``git`` records and works."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "work"
        self.remote = tmp_path / "remote.git"
        self._answers, self._calls = tmp_path / "answers", tmp_path / "calls"
        tools = tmp_path / "bin"
        for folder in (tools, self._answers, self._calls):
            folder.mkdir()
        for tool in ("gh", "glab"):
            self._program(tools / tool, self._recorder(tool))
        real = shutil.which("git")
        self._program(tools / "git", f'{self._recorder("git")}exec {real} "$@" < "$call.stdin"\n')
        self.environ = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            **{f"GIT_{who}_{what}": f"{what.lower()}@example.com"
               for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }  # fmt: skip
        self.git("init", "-q", "--bare", "-b", "main", self.remote, at=tmp_path)
        self.git("clone", "-q", self.remote, self.root, at=tmp_path)
        self.write("app.py", "one\ntwo\n")
        self.write("README.md", "# App\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "begin")
        self.git("push", "-q", "origin", "HEAD:main")
        self.write("lok.toml", "")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def git(self, *args: str | Path, at: Path | None = None) -> str:
        real = [shutil.which("git") or "git", *args]
        done = subprocess.run(
            real, cwd=at or self.root, env=self.environ, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def answers(self, tool: str, text: str) -> None:
        """What ``gh issue view``, say, prints from now on."""
        (self._answers / tool.replace(" ", "-")).write_text(text)

    def load(self, name: str, more: str = "") -> Workflow:
        """One of the workflows beside this file, with ``more`` at its end."""
        self.write(f".lok/workflows/{name}.toml", (HERE / f"{name}.toml").read_text() + more)
        return self._project().load(name)

    def example(self, name: str) -> Workflow:
        """One of the examples at the top of the repository, as a project would copy it."""
        text = (HERE.parents[1] / "workflows" / f"{name}.toml").read_text()
        self.write(f".lok/workflows/{name}.toml", text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", f"add {name}")
        return self._project().load(name)

    def run(
        self,
        workflow: str | Workflow,
        *arguments: str,
        **backends: str | Mapping[str, str] | Sequence[ScriptedReply],
    ) -> RunResult:
        """Run it to its end with scripted backends; those that are not given have nothing to say."""
        scripted = {
            name: Scripted(name, backends.get(name, ())) for name in ("claude", "codex", "gemini", "ollama")
        }
        loaded = self.load(workflow) if isinstance(workflow, str) else workflow
        world = self._project().world(scripted)
        return asyncio.run(run(Plan.of(loaded, positional=arguments), world))

    def calls(self, tool: str) -> list[Call]:
        """The calls of ``gh pr comment``, say."""
        found = []
        for path in sorted(self._calls.glob("*.argv"), key=lambda path: path.stat().st_mtime_ns):
            argv = path.read_bytes().split(b"\0")[:-1]
            if argv[: len(tool.split())] == tool.encode().split():
                found.append(Call(argv=argv, stdin=path.with_suffix(".stdin").read_bytes()))
        return found

    def call(self, tool: str) -> Call:
        """The one call of it."""
        (only,) = self.calls(tool)
        return only

    @property
    def pwned(self) -> list[Path]:
        """What only injected commands make."""
        return list(self.root.rglob("pwned*"))

    def _project(self) -> Project:
        return Project.open(self.root, environ=self.environ, trust=True)

    def _recorder(self, tool: str) -> str:
        return _RECORDER.format(tool=tool, calls=self._calls, answers=self._answers)

    def _program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)
