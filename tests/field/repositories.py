"""A project in a repository: what is on ``main``, what a branch changes, and a gate that a finding comes to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.projects import Done, Project

GATE = """[gate]
fail_on = "high"
{keys}
[[steps]]
name = "s"
argv = ["cat", "f.json"]
output_format = "findings"
"""
WHO = {f"GIT_{who}_{what}": f"{who}@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Change:
    """``project`` is on the branch ``feature``, which left ``main``, as soon as ``begin`` was called."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.root = project.root
        project.environ |= {**WHO, "GIT_CONFIG_GLOBAL": "/dev/null"}

    def git(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *map(str, arguments)],
            cwd=cwd or self.root,
            env=self.project.environ,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, files: dict[str, str | bytes], at: Path | None = None) -> None:
        for name, content in files.items():
            path = (at or self.root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, cwd: Path | None = None) -> str:
        self.git("add", "--all", cwd=cwd)
        self.git("commit", "-q", "--allow-empty", "-m", "x", cwd=cwd)
        return self.git("rev-parse", "HEAD", cwd=cwd)

    def begin(self, files: dict[str, str | bytes], keys: str = 'scope = "diff"') -> Change:
        """What ``main`` holds, then the branch."""
        self.project.workflow("w", GATE.format(keys=keys))
        self.git("init", "-q", "-b", "main", ".")
        self.write({".gitignore": "f.json\nhome\n", **files})
        self.commit()
        self.git("checkout", "-q", "-b", "feature")
        return self

    def reported(self, path: str, line: int, evidence: str) -> None:
        """What the reviewer says."""
        finding = {
            "rule_id": "r", "title": "t", "message": "m", "severity": "critical", "confidence": 1,
            "path": path, "line": line, "evidence": evidence,
        }  # fmt: skip
        (self.root / "f.json").write_text(json.dumps([finding]))

    def judged(self, path: str, line: int, evidence: str, **environ: str) -> Done:
        """What the gate says to one critical finding."""
        self.reported(path, line, evidence)
        before = dict(self.project.environ)
        self.project.environ |= environ
        try:
            return self.project.lok("run", "w", "--json")
        finally:
            self.project.environ.clear()
            self.project.environ |= before


def standing(done: Done) -> str:
    """What became of the one finding."""
    (finding,) = done.document["steps"]["s"]["findings"]
    said: str = finding["standing"]
    return said
