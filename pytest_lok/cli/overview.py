"""The page of ``lok --help``: the verbs in groups, and the workflows there are, each in one line.

The page loads neither settings nor workflows, so that it comes at once, and also where they are broken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import click

from pytest_lok.late_regex import late_regex

_DESCRIPTION = late_regex(r'^description\s*=\s*(?:"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\')', re.MULTILINE)
# importlib.resources and pathlib take longer to import than the whole page takes to write
_BUILT_IN = os.path.join(os.path.dirname(os.path.dirname(__file__)), "workflows")
_REVIEWS = ("diff", "security-review", "audit", "hunt", "pr", "review-pr", "ci", "fix", "explain")
_MOST_OWN = 20


def write_overview(
    formatter: click.HelpFormatter, groups: Mapping[str, Mapping[str, str]], here: str
) -> None:
    """Write the groups of verbs, with the built-in workflows and those of the project after the first one."""
    own = _own_workflows(here)
    reviews = {name: _read(f"{_BUILT_IN}/{name}.toml") for name in _REVIEWS}
    first, *others = groups
    sections = [(first, groups[first]), ("Review (workflows that are built in)", reviews)]
    if own:
        sections.append(("This project", own))
    sections += [(title, groups[title]) for title in others]
    width = max(len(name) for _, rows in sections for name in rows)
    for title, rows in sections:
        with formatter.section(title):
            for name, about in rows.items():
                room = formatter.width - width - formatter.current_indent - 2
                line = f"{'':{formatter.current_indent}}{name:<{width}}  {_cut(about, room)}"
                formatter.write(f"{line.rstrip()}\n")


def _own_workflows(here: str) -> dict[str, str]:
    """The workflows of the project that ``here`` lies in, with their descriptions."""
    while not os.path.isdir(f"{here}/.lok") and here != os.path.dirname(here):
        here = os.path.dirname(here)
    folder = f"{here}/.lok/workflows"
    try:
        names = sorted(name for name in os.listdir(folder) if name[1:].endswith(".toml"))
    except OSError:
        return {}
    found = {name.removesuffix(".toml"): _read(f"{folder}/{name}") for name in names[:_MOST_OWN]}
    if len(names) > _MOST_OWN:
        found["…"] = f"and {len(names) - _MOST_OWN} more: `lok workflow list`"
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _description(file.read())
    except OSError:
        return ""


def _description(text: str) -> str:
    """What stands behind ``description`` above the first table; "" where it is written in another way."""
    found = _DESCRIPTION.search(text.split("\n[", 1)[0])
    return (found[1] or found[2] or "").replace('\\"', '"') if found else ""


def _cut(text: str, room: int) -> str:
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= room else f"{plain[: max(room - 1, 0)].rstrip()}…"
