"""What a surface said: an exit code, a JUnit file, a SARIF file, each read as strangers read it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET  # our own files, read by another reader than the one that wrote them
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HALF = "half a file"
HANG = "hangs"
OLD_JUNIT = (
    '<testsuites><testsuite name="old"><testcase classname="old" name="old"/></testsuite></testsuites>'
)
OLD_SARIF = (
    '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "old"}},'
    ' "invocations": [{"executionSuccessful": true}], "results": []}]}'
)
"""Green reports of yesterday: a run that leaves them lying there has told a lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """``word`` is for people; ``green`` is whether a reader takes it for a yes."""

    word: str
    green: bool = False


def exit_code(code: int | None) -> Said:
    """Read what the process ended with; None = it did not end."""
    return Said(word=HANG) if code is None else Said(word=str(code), green=code == 0)


def junit(path: Path) -> Said:
    """Read a JUnit file; without a failure and an error in it, even an empty one is green."""
    return _read(path, _junit)


def sarif(path: Path) -> Said:
    """Read a SARIF file; without an error and a failed invocation in it, even an empty one is green."""
    return _read(path, _sarif)


def _read(path: Path, read: Callable[[str], Said]) -> Said:
    if not path.is_file():
        return Said(word="no file")
    try:
        return read(path.read_text("utf-8"))
    except (ET.ParseError, ValueError, KeyError):
        return Said(word=HALF)


def _junit(text: str) -> Said:
    cases = list(ET.fromstring(text).iter("testcase"))
    red = sum(case.find(tag) is not None for case in cases for tag in ("failure", "error"))
    if red:
        return Said(word=f"{red} red")
    return Said(word="old file" if cases and cases[0].get("name") == "old" else "green", green=True)


def _sarif(text: str) -> Said:
    runs = json.loads(text)["runs"]
    failed = sum(not it["executionSuccessful"] for run in runs for it in run.get("invocations", ()))
    errors = sum(it.get("level") == "error" for run in runs for it in run.get("results", ()))
    if failed or errors:
        return Said(word=f"{failed} failed" if failed else f"{errors} red")
    old = any(run["tool"]["driver"]["name"] == "old" for run in runs)
    return Said(word="old file" if old else "green", green=True)
