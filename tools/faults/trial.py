"""A fault → what every surface says of it, by a real `lok run` and a real session of pytest."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.fake_llm_api import FakeLLM
from tools.faults.fault import WORD, Fault, Hope
from tools.faults.surfaces import HALF, HANG, OLD_JUNIT, OLD_SARIF, Said, exit_code, junit, sarif

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a run counts as one that hangs."""
LOK = ("-m", "pytest_lok.cli.main", "w")
PYTEST = ("-m", "pytest", "--lok", *(f"-pno:{name}" for name in ("hypothesispytest", "respx", "anyio")))
SURFACES = ("lok run", "JUnit", "SARIF", "pytest", "its JUnit", "its SARIF")
EXIT_CODES = ("lok run", "pytest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """``said`` by surface; ``proofs`` by command: was the work done; ``skipped``: why nothing was tried."""

    fault: Fault
    said: Mapping[str, Said]
    proofs: Mapping[str, bool]
    left: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    skipped: str = ""

    def false_greens(self) -> list[str]:
        """Surfaces that say yes of work that was not done, or of a run whose report is missing."""
        return [name for name, said in self.said.items() if said.green and not self._may_be_green(name)]

    def _may_be_green(self, surface: str) -> bool:
        done = self.proofs["pytest" if surface in SURFACES[3:] else "lok run"]
        match self.fault.hope:
            case Hope.NONE:
                return False
            case Hope.UNSAID:
                return done and surface not in EXIT_CODES
        return done

    def why(self) -> str:
        """The first reason that `lok run` gave, else its last line; cut."""
        lines = self.texts[0].splitlines() or [""]
        reasons = (b for a, b in pairwise(lines) if a.startswith(("error ", "failed ")))
        return next(reasons, lines[-1]).strip()[:80]

    def other_problems(self) -> list[str]:
        """Hangs, halves of files, what is still alive, stack traces, and red where the work was done."""
        found = [f"{name}: {said.word}" for name, said in self.said.items() if said.word in (HANG, HALF)]
        if self.fault.hope is Hope.DONE:
            found += [f"{name} is not green" for name, said in self.said.items() if not said.green]
        found += [f"still alive: {process}" for process in self.left]
        if self.fault.sign:
            missed = [text for text in self.texts if not re.search(self.fault.sign, text)]
            found += [f"{self.fault.sign!r} is not said" for _ in missed]
        # pytest has some of its own, and so have children; ours name our files
        return found + ["a stack trace"] * ("/pytest_lok/" in self.texts[0])


def tried(fault: Fault, *, conftest: str = "") -> Tried:
    """Try a fault on every surface. ``conftest`` is one of the project, to break pytest with."""
    with tempfile.TemporaryDirectory(prefix="lok-fault-") as name, FakeLLM([*fault.rules, ANSWER]) as server:
        project = Path(name, "project")
        workflows = project / ".lok" / "workflows"
        workflows.mkdir(parents=True)
        tls = server.url.replace("http:", "https:")
        (project / "lok.toml").write_text(fault.settings.replace("{url}", server.url).replace("{tls}", tls))
        if conftest:
            (project / "conftest.py").write_text(conftest)
        if why := fault.before(project):
            return Tried(fault=fault, said={}, proofs={}, skipped=why)
        token = secrets.token_hex(8)
        environ = {**environment(Path(name), token), **fault.environ}
        if fault.earlier_run:
            _yesterday(project, fault)
            _run(project, LOK, Fault(name="earlier", row=""), environ)
            _flip(project)
        said: dict[str, Said] = {}
        proofs, texts = {}, []
        for command, words in (("lok run", _lok(fault)), ("pytest", _pytest(fault))):
            _yesterday(project, fault)
            code, text = _run(project, words, fault, environ)
            reports = (
                exit_code(code),
                junit(project / (fault.report or "r.xml")),
                sarif(project / "r.sarif"),
            )
            at = SURFACES.index(command)
            said |= dict(zip(SURFACES[at : at + 3], reports, strict=True))
            proofs[command] = _proof(project)
            texts.append(text)
        return Tried(fault=fault, said=said, proofs=proofs, left=tuple(alive(token)), texts=tuple(texts))


ANSWER = {"reply": WORD, "usage": {"input": 3, "output": 3}}


def _lok(fault: Fault) -> tuple[str, ...]:
    reports = (f"junit={fault.report or 'r.xml'}", "sarif=r.sarif")
    return *LOK, *(word for report in reports for word in ("--report", report)), *fault.options


def _pytest(fault: Fault) -> tuple[str, ...]:
    return (
        *PYTEST,
        f"--junitxml={fault.report or 'r.xml'}",
        "--lok-report=sarif=r.sarif",
        *fault.pytest_options,
    )


def environment(home: Path, token: str) -> dict[str, str]:
    """What a command sees of the environment; everything that it starts bears the token."""
    (home / "home").mkdir()
    (home / "tmp").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home / "home"),
        "TMPDIR": str(home / "tmp"),
        "OPENAI_API_KEY": "sk-fake",
        "LOK_TRUST": "1",
        "PYTHONPATH": str(ROOT),
        "FAULT_TOKEN": token,
    }


def _yesterday(project: Path, fault: Fault) -> None:
    (project / ".lok" / "workflows" / "w.toml").write_text(fault.workflow())
    for name in ("proof", "begun"):
        (project / name).unlink(missing_ok=True)
    for name, text in (("r.xml", OLD_JUNIT), ("r.sarif", OLD_SARIF)):
        if fault.yesterday:
            (project / name).write_text(text)
        else:
            (project / name).unlink(missing_ok=True)


def _proof(project: Path) -> bool:
    proof = project / "proof"
    return proof.is_file() and proof.read_bytes().strip() == WORD.encode()


def _flip(project: Path) -> None:
    for journal in (project / ".lok" / "runs").glob("*/*.jsonl"):
        data = bytearray(journal.read_bytes())
        data[len(data) // 2] ^= 1
        journal.write_bytes(data)


def _run(
    project: Path, words: tuple[str, ...], fault: Fault, environ: Mapping[str, str]
) -> tuple[int | None, str]:
    """The exit code, None for a hang, and what was printed."""
    with tempfile.TemporaryFile() as out:
        command = ["bash", "-c", fault.around, "bash", sys.executable, *words]
        process = subprocess.Popen(
            command,
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        end = time.monotonic() + PATIENCE
        if fault.signals:
            while not (project / "begun").exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            for number in fault.signals:
                time.sleep(0.2)
                process.send_signal(number)
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(max(0.0, end - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        out.seek(0)
        return code, out.read().decode(errors="replace")


def alive(token: str) -> list[str]:
    """Processes that a run has left, known by their environment; they have some seconds to end."""
    for _ in range(100):
        found = dict(_bearing(token))
        if not found:
            return []
        time.sleep(0.1)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return list(found.values())


def _bearing(token: str) -> Iterator[tuple[int, str]]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if token.encode() in (process / "environ").read_bytes():
                yield int(process.name), (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
