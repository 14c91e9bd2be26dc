"""A command -> whether it changes something outside of the project that must not be done twice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_lok.core.text.words import words
from pytest_lok.late_regex import late_regex

_MENTIONED = late_regex(r"\b(?:gh|glab|push)\b")
_UNREAD = late_regex(r"(?:^|[\s;&|(`/])(?:(?:gh|glab)\s|git\b[^\n;|&]*\bpush\b)", re.MULTILINE)
"""For a text that no reader of shell texts is sure of."""
_READING = words("""
    auth browse checks clone completion config diff download extension help list log logs ls search status
    trace version view watch
""")
"""What `gh` and `glab` do that leaves the forge as it is, as their first or second word says."""
_SENDING = ("-f", "-F", "-X", "--field", "--raw-field", "--method", "--input")
"""Options by which `gh api` sends something."""
_DEPTH = 3  # of shell texts in shell texts
_OTHER = ""
"""Stands for a word that only the shell will know."""


def has_effects(shell: str, argv: Sequence[str]) -> bool:
    """Whether a command of a step pushes to a server, or has a forge do something but tell."""
    if argv:
        return _command_has(list(argv), 0)
    return _text_has(shell, 0)


def _text_has(text: str, depth: int) -> bool:
    # nearly no text names one of these programs, and the reader need not be imported then
    if not _MENTIONED.search(text):
        return False
    from pytest_lok.core.shell.ast import UnsupportedSyntax
    from pytest_lok.core.shell.cursor import HOLE
    from pytest_lok.core.shell.parser import scan
    from pytest_lok.core.shell.placeholders import find_holes

    holes = find_holes(text)
    for hole in reversed(holes):
        text = text[: hole.start] + HOLE * (hole.end - hole.start) + text[hole.end :]
    try:
        commands = scan(text, holes).commands
    except UnsupportedSyntax:
        return _UNREAD.search(text) is not None
    each = (
        [_OTHER if (it := word.literal) is None else it for word in command.words] for command in commands
    )
    return any(_command_has(command, depth) for command in each)


def _command_has(command: list[str], depth: int) -> bool:
    """Whether a command, or one that it starts, has effects."""
    names = [word.rpartition("/")[2] for word in command]
    if not names or not any(_MENTIONED.search(word) for word in command):
        return False
    from pytest_lok.core.shell.safety.command_tables import PREFIXES, RUNNERS, WRAPPERS, interpreter

    if interpreter(names[0]) and depth < _DEPTH:
        return any(_text_has(word, depth + 1) for word in command[1:])
    starts = [0]
    # which of its words is the command that a wrapper starts is not worth knowing: each may be
    if names[0] in PREFIXES or names[0] in WRAPPERS or names[0] in RUNNERS or names[0] in ("xargs", "find"):
        starts = list(range(len(names)))
        if depth < _DEPTH and any(interpreter(name) for name in names):
            return any(_text_has(word, depth + 1) for word in command[1:])
    return any(_program_has(names[at], command[at + 1 :]) for at in starts)


def _program_has(name: str, arguments: list[str]) -> bool:
    if name == "git":
        return "push" in arguments
    if name not in ("gh", "glab"):
        return False
    said = [word for word in arguments if not word.startswith("-")]
    if said[:1] == ["api"]:
        return any(word.startswith(_SENDING) for word in arguments)
    return not (any(word in _READING for word in said[:2]) or {"--help", "--version"} & {*arguments})
