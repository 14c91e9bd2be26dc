"""A workflow on its way from another tool: its steps, what cannot be said of them, and its file.

The file always loads. What could not be said stands in it as a comment, and what stands in its place is never
green: a step that is an error, or a check that does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import field
from typing import Any

from pytest_lok.core.conversion.toml_text import key_line
from pytest_lok.core.workflow.model import Origin, Role
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import WorkflowError

NOT_HELD = "output == 'not translated' and output != 'not translated'"
"""The check that stands for one that lok cannot say: it does not hold, until somebody writes another one."""

_ANY_ROLE = Role(backends=("one", "other"))


@dataclass(slots=True, kw_only=True)
class TranslatedStep:
    """One step: its ``keys``, and what could not be said of it (``marks``).

    ``was`` are the lines of a step that lok could not read, and that has become an error.
    """

    keys: dict[str, Any]
    marks: list[str] = field(default_factory=list)
    was: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name in the workflow."""
        return str(self.keys["name"])

    def lines(self) -> list[str]:
        """The step in its file."""
        return [*comments(self.marks), *(f"#   {line}" for line in self.was), *self._own_lines()]

    def give_up(self, why: str) -> None:
        """Make an error of the step, and keep what it was as a comment."""
        self.marks.append(why)
        said = f"step {self.name} was not translated"
        kept: dict[str, Any] = {"name": self.name}
        # what it waits for is tried once; then that may be what is wrong
        if "judges" not in self.keys and "depends_on" in self.keys:
            kept["depends_on"] = self.keys["depends_on"]
        self.was = self.was or self._own_lines()
        self.keys = {**kept, "argv": ["sh", "-c", f"echo '{said}' >&2; exit 1"], "judges": False}

    def _own_lines(self) -> list[str]:
        keys = "\n".join(key_line(key, value) for key, value in self.keys.items())
        return ["[[steps]]", *keys.split("\n")]


def comments(marks: Iterable[str]) -> list[str]:
    """What could not be said, as comments of the file."""
    return [f"# not translated: {line}" for mark in marks for line in mark.splitlines()]


@dataclass(slots=True, kw_only=True)
class Translation:
    """A workflow: the keys above its steps, its tables, its steps, and the settings that it needs.

    ``roles`` are the names of backends that stand for several. ``marks`` are what could not be said of the
    whole.
    """

    source: str
    keys: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[TranslatedStep] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    roles: set[str] = field(default_factory=set)
    marks: list[str] = field(default_factory=list)

    def settled(self) -> Translation:
        """The same, with errors for the steps that lok cannot read, so that its text loads."""
        for _ in range(len(self.steps) + len(self.keys) + len(self.tables) + 1):
            wrong = self._problems()
            if not wrong:
                return self
            for place, why in wrong.items():
                self._take_out(place, why)
        raise ValueError("; ".join(why for why in wrong.values()))

    def problems(self) -> list[str]:
        """What could not be said, each in a line."""
        steps = [f"step {step.name}: {mark}" for step in self.steps for mark in step.marks]
        return [*self.marks, *steps]

    def text(self) -> str:
        """The whole text of its file."""
        return "\n".join(self._lines()[0]) + "\n"

    def _lines(self) -> tuple[list[str], list[tuple[int, TranslatedStep]]]:
        """The lines of the file, and of each step the line that it begins in."""
        lines = [f"# translated from {self.source} by `lok workflow convert`"]
        lines += comments(self.marks)
        if self.settings:
            lines += ["#", "# lok.toml needs:", *(f"#   {line}" if line else "#" for line in self.settings)]
        lines += [
            "",
            *("\n".join(key_line(*it) for it in self.keys.items()).split("\n") if self.keys else []),
        ]
        for name, table in self.tables.items():
            keys = "\n".join(key_line(key, value) for key, value in table.items())
            lines += ["", f"[{name}]", *(keys.split("\n") if keys else [])]
        places = []
        for step in self.steps:
            lines.append("")
            places.append((len(lines) + 1, step))
            lines += step.lines()
        return lines, places

    def _problems(self) -> dict[str, str]:
        """What is wrong in the text: why, by "steps.N", or by the key or the table above the steps."""
        lines, places = self._lines()
        source = SourceText(text="\n".join(lines) + "\n", path="", stem="converted", origin=Origin.PROJECT)
        try:
            parse_workflow(source, parent=lambda *_: None, roles=dict.fromkeys(self.roles, _ANY_ROLE))
        except WorkflowError as error:
            found: dict[str, str] = {}
            for problem in error.problems:
                index = sum(line <= problem.line for line, _ in places) - 1
                place = f"steps.{index}" if index >= 0 else _key_at(lines, problem.line)
                found.setdefault(place, problem.message)
            return found
        return {}

    def _take_out(self, place: str, why: str) -> None:
        if place.startswith("steps."):
            self.steps[int(place.removeprefix("steps."))].give_up(why)
        elif place in self.tables:
            del self.tables[place]
            self.marks.append(f"[{place}]: {why}")
        elif place in self.keys:
            self.marks.append(f"{key_line(place, self.keys.pop(place))}: {why}")
        else:
            raise ValueError(why)


def _key_at(lines: list[str], line: int) -> str:
    """The table or the key that a line above the steps belongs to."""
    for text in reversed(lines[:line]):
        if found := re.fullmatch(r"\[([^\[\]]+)\]", text):
            return found[1]
        if found := re.match(r"([A-Za-z_]+) = ", text):
            above = lines[: lines.index(text)]
            table = next(
                (it[1] for row in reversed(above) if (it := re.fullmatch(r"\[([^\[\]]+)\]", row))), None
            )
            return table or found[1]
    return ""


def rewritten_tags(text: str, rewrite: Callable[[str], str]) -> str:
    """A template with its expressions rewritten; what stands around them is as it was."""
    return re.sub(
        r"\{\{.*?\}\}|\{%.*?%\}", lambda tag: outside_quotes(tag[0], rewrite), text, flags=re.DOTALL
    )


def outside_quotes(expression: str, rewrite: Callable[[str], str]) -> str:
    """An expression rewritten, but for the texts in it."""
    parts = re.split(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", expression)
    return "".join(part if at % 2 else rewrite(part) for at, part in enumerate(parts))


def named(text: str, known: Collection[str]) -> str:
    """A name for a step: letters, digits, ``_`` and ``-``, and none that is taken."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:60] or "step"
    return next(it for it in _numbered(name) if it not in known)


def _numbered(name: str) -> Iterator[str]:
    yield name
    at = 2
    while True:
        yield f"{name}-{at}"
        at += 1
