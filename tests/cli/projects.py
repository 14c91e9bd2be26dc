"""A project in a temporary directory, and ``lok`` called in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.cli.main import main
from pytest_lok.core.events import RunFinished, RunStarted, StepFinished
from pytest_lok.core.results import Finding, Outcome, StepResult
from pytest_lok.store.journal import Journal
from pytest_lok.store.runs import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Project:
    """``root`` holds it; ``environ`` is what lok sees of the environment."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.environ: dict[str, str] = {
            "PATH": os.environ["PATH"],
            "HOME": str(root / "home"),
            "LOK_TRUST": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self._capture = capture

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def workflow(self, name: str, text: str) -> Path:
        return self.write(f".lok/workflows/{name}.toml", text)

    def lok(self, *args: str | Path) -> Done:
        """Called in this process, in the current directory."""
        self._capture.readouterr()
        code = main([str(arg) for arg in args], self.environ)
        said = self._capture.readouterr()
        return Done(code=code, out=said.out, err=said.err)

    @contextmanager
    def started(self, *args: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Called as a process of its own, which is gone afterwards."""
        extra: Mapping[str, str] = options.pop("environ", {})
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest_lok.cli.main", *map(str, args)],
            cwd=self.root,
            env={**self.environ, **extra},
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options},
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def record(project: Project, *findings: Finding, time: float = 1.0, head: str = "", waiting: str = "") -> str:
    """A recorded run with these findings, or with a step that waits for an answer; its name."""
    folder = RunStore(project.root / ".lok" / "runs").new(command=["lok", "run", "review"], root=project.root)
    outcome = Outcome.ERROR if waiting else Outcome.FAILED
    step = StepResult(name="review", outcome=outcome, reason="no", findings=findings, waiting=waiting)
    journal = Journal(folder.path / "0.jsonl")
    names = ("review",)
    journal.append(
        RunStarted(
            run_id="r",
            workflow="review",
            path="",
            sha256="",
            time=time,
            head=head,
            steps=names,
            selected=(),
            leaves=names,
        )
    )
    journal.append(StepFinished(result=step, at=1.0))
    journal.append(RunFinished(seconds=1.0))
    folder.end(1)
    folder.close()
    return folder.run_id
