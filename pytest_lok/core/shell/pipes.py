"""Shell text -> the commands whose failure a pipe hides: its exit code is that of its last one."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lok.core.shell.ast import Script, SimpleCommand
from pytest_lok.errors import Fault

_SHELL_COMMANDS = frozenset(
    [
        ":",
        "[",
        "break",
        "cd",
        "continue",
        "echo",
        "exit",
        "export",
        "printf",
        "pwd",
        "read",
        "return",
        "set",
        "shift",
        "test",
        "true",
        "umask",
        "unset",
    ]
)
"""The shell's own commands: if one of them fails, that is meant, as a rule."""

_HINT = "pipefail = true (with bash), or take its output first: x=$(…) && printf '%s\\n' \"$x\" | …"


def hidden_failures(script: Script) -> Iterator[Fault]:
    """A remark about each command before a ``|`` that may fail without anybody knowing."""
    if any(_sets_pipefail(command) for command in script.commands):
        return
    for start, commands in script.piped:
        name = next(filter(None, map(_may_fail, commands)), "")
        if name:
            message = f"where `{name}` fails, the pipe goes on with what is there, and the step passes"
            yield Fault(message=message, start=start, end=start + 1, hint=_HINT)


def _may_fail(command: SimpleCommand) -> str:
    """The name of a program, which may fail; "" for what the shell does itself."""
    if not command.words:
        return ""
    return "" if command.words[0].literal in _SHELL_COMMANDS else command.words[0].shown


def _sets_pipefail(command: SimpleCommand) -> bool:
    words = [word.literal for word in command.words]
    return words[:1] == ["set"] and "pipefail" in words
