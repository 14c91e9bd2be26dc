"""A repository with a gate on ``main``, and branches that change it, for tests of `lok gate`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cli.projects import Done, Project

WHO = {f"GIT_{who}_{what}": "x@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

SETTINGS = r"""
[backends.sample]
type = "scripted"
[[backends.sample.replies]]
regex = '(?ms)^\+\+\+ b/(?P<path>[^\n]+)\n(?:(?!^diff ).)*?^\+[^\n]*?(?<![\w.])(?P<code>eval\([^"\\\n]*)'
reply = '''
[{"rule_id": "injection", "severity": "critical", "confidence": 0.9, "title": "text becomes code",
  "message": "Parse it.", "path": "\g<path>", "line": 1, "evidence": "\g<code>"}]
'''
[[backends.sample.replies]]
match = "Find"
reply = "[]"
"""

GATE = """
[rules.injection]
severity = "critical"
description = "text becomes code"

[gate]
fail_on = "high"
{more}
[[steps]]
name = "material"
shell = "git diff $LOK_BASE...HEAD"
judges = false

[[steps]]
name = "review"
backend = "sample"
output_format = "findings"
prompt = '''Find holes in this change.
{{{{ steps.material.output }}}}'''
"""


class Changes:
    """``project.root`` is a repository whose ``main`` has the gate ``first`` and ``a.py``."""

    def __init__(self, project: Project, *, more: str = "", files: dict[str, str] | None = None) -> None:
        self.project = project
        self.root = project.root
        home = str(project.root.parent / "home")
        project.environ |= {**WHO, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": home}
        project.write(".gitignore", "out.*\n")
        project.write("lok.toml", SETTINGS)
        project.workflow("first", GATE.format(more=more))
        project.write("a.py", "x = 1\n")
        for name, text in (files or {}).items():
            project.write(name, text)
        self.git("init", "-q", "-b", "main", ".")
        self.base = self.commit()

    def git(self, *words: str | Path) -> str:
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *map(str, words)],
            cwd=self.root,
            env=self.project.environ,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, files: dict[str, str]) -> str:
        """A branch of ``main`` with these files, checked out; returns its commit."""
        self.git("checkout", "-q", "-B", name, self.base)
        for path, text in files.items():
            self.project.write(path, text)
        return self.commit()

    def gate(self, *words: str, name: str = "first") -> Done:
        """What `lok gate` says of HEAD."""
        return self.project.lok("gate", name, "--base", self.base, *words)
