"""A repository whose change is reviewed push by push, and a reviewer that reports just what it is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.projects import Done, Project

KEY = "0123456789abcdef0123456789abcdef"
REVIEWER = f"""#!{sys.executable} -IS
import json, re, sys
found, path = [], ""
for line in sys.stdin.read().split("\\n"):
    if name := re.fullmatch(r"\\+\\+\\+ b/(.*?)\\t?", line):
        path = name[1]
    elif line.startswith("+") and "BUG" in line:
        found.append({{"rule_id": "bug", "title": "a bug", "message": "it is one", "severity": "high",
            "confidence": 1, "path": path, "line": 0, "evidence": line[1:]}})
print(json.dumps(found))
"""
WORKFLOW = """
[rules]
bug = "high"

[gate]
since = "reviewed"

[[steps]]
name = "change"
argv = ["lok", "parts", "--change", "branch"]
output_format = "json"

[[steps]]
name = "review"
for_each = "steps.change.parts"
output_format = "findings"
prompt = "{{ item.text }}"
"""


class Reviewed:
    """``main`` is the base, ``topic`` the change; the state is kept outside of the tree."""

    def __init__(self, project: Project, outside: Path) -> None:
        self.project = project
        self.root = project.root
        self.state = outside / "state"
        self.tool = outside / "tool"
        self.tool.write_text(REVIEWER)
        self.tool.chmod(0o755)
        lok = Path(__file__).parents[2] / ".venv" / "bin"
        project.environ |= {
            "LOK_STATE_KEY": KEY,
            "LOK_BASE": "main",
            "PATH": f"{lok}:{Path(sys.executable).parent}:{project.environ['PATH']}",
        }
        self.settings()
        project.workflow("review", WORKFLOW)
        project.write(".gitignore", "home\n.lok/runs\nbin\n")

    def settings(self, model: str = "one") -> None:
        text = f'[defaults]\nbackend = "tool"\n[backends.tool]\ntype = "command"\nmodel = "{model}"\n'
        self.project.write("lok.toml", f'{text}command = "{self.tool}"\nargs = ["{{model}}"]\n')

    def git(self, *words: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.org"}
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    def begin(self, **files: str) -> None:
        """The base with these files, and a branch that leaves it."""
        self.git("init", "-q", "-b", "main")
        self.write(files)
        self.commit()
        self.git("switch", "-q", "-c", "topic")

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            self.project.write(name.replace("__", "."), text)

    def commit(self, **files: str) -> str:
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "more")
        return self.git("rev-parse", "HEAD").strip()

    def run(self, *more: str) -> Done:
        return self.project.lok(
            "--dir", self.root, "run", "review", "--json", "--reviewed", self.state, *more
        )

    def step(self, done: Done) -> dict[str, Any]:
        found: dict[str, Any] = done.document["steps"]["review"]
        return found

    def told(self, done: Done) -> str:
        return str(self.step(done)["reviewed"])

    def found(self, done: Done) -> set[tuple[str, str]]:
        return {(it["path"], it["evidence"].strip()) for it in self.step(done)["findings"] or ()}

    def wanted(self) -> set[tuple[str, str]]:
        """What a review of the whole change reports: the oracle, by git and nothing of lok."""
        found, path = set[tuple[str, str]](), ""
        for line in self.git("-c", "core.quotePath=off", "diff", "main...HEAD").split("\n"):
            if line.startswith("+++ b/"):
                path = line[6:].rstrip("\t")
            elif line.startswith("+") and "BUG" in line:
                found.add((path, line[1:].strip()))
        return found

    def prompts(self, done: Done) -> str:
        return json.dumps(done.document["steps"]["change"]["data"])
