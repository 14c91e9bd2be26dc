"""What is said of the values in a shell text, with none of them known: every placeholder is ``{{ x }}``."""

from __future__ import annotations

from pytest_lok.core.shell.ast import Script
from pytest_lok.core.shell.cursor import HOLE
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.placeholders import find_holes
from pytest_lok.core.shell.safety.judge import SafetyReport
from pytest_lok.core.shell.safety.rules.programs import review
from pytest_lok.core.shell.spelling import replace_spans


def scanned(text: str) -> Script:
    """The text as the parser reads it, with its holes."""
    holes = find_holes(text)
    return scan(
        replace_spans(text, [(hole.start, hole.end, HOLE * (hole.end - hole.start)) for hole in holes]), holes
    )


def reviewed(text: str) -> SafetyReport:
    """All that is said of the text."""
    return review(scanned(text))


def refusal(text: str) -> str:
    """Why a value of the text is refused, "" if none is."""
    return next((what for what, _ in reviewed(text).refused.values()), "")
