"""A command ready for ``sh -c``, and the same inside the settings' ``command_wrapper``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from pytest_lok.core.shell.ast import Hole, Quoting, Script, UnsupportedSyntax
from pytest_lok.core.shell.cursor import HOLE, NAME
from pytest_lok.core.shell.parser import scan
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, SourceError, TemplateError
from pytest_lok.late_regex import late_regex

MAX_ARGUMENT = 131_071
"""Bytes of one argument or environment variable; Linux takes no more."""

CMD = "{cmd}"
_CODE_OPTION = late_regex(r"-[A-Za-z]*c|--run|--command|--eval")
_OPTION = late_regex(r"(--?[\w-]+=)?")
_JOINS_ARGUMENTS = frozenset({"eval", "ssh", "su", "watch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellCommand:
    """Ready for ``sh -c``; ``text`` refers to ``values`` as environment variables.

    ``written_files`` are those that values make it write: the directory its author wrote, and the rest.
    """

    text: str
    values: Mapping[str, str]
    written_files: tuple[tuple[str, str], ...] = ()


def wrap(command: ShellCommand, wrapper: str) -> str:
    """The text for ``sh -c`` that runs the whole command inside the wrapper.

    SourceError if the wrapper has no safe place for it (see ``check_wrapper``). The values are part of
    the text, as quoted assignments: what is inside may start from an empty environment. TemplateError
    if they make it longer than an argument can be.
    """
    try:
        whole = _insert_command(wrapper, _export_values(command))
    except SourceError as error:
        raise _wrapper_error(f"the command wrapper {wrapper!r} {error.message}") from None
    size = len(whole.encode("utf-8", "surrogateescape"))
    if size > MAX_ARGUMENT:
        raise TemplateError(
            f"the wrapped command has {size:,} bytes with its values; at most {MAX_ARGUMENT:,} can be passed",
            hint="pass large text by `stdin`, which takes any size",
        )
    return whole


def check_wrapper(wrapper: str) -> str | None:
    """Why the wrapper cannot be used, as it goes on from its name ("has no {cmd}"), None if it can."""
    try:
        _insert_command(wrapper, "true")
    except SourceError as error:
        return error.message
    return None


def _export_values(command: ShellCommand) -> str:
    for name in command.values:
        if not NAME.fullmatch(name):
            raise TemplateError(
                f"the environment variable {name!r} cannot be set inside the command wrapper",
                hint="shells take letters, digits and _ in a name",
            )
    if not command.values:
        return command.text
    assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in command.values.items())
    return f"export {assignments}\n{command.text}"


def _insert_command(wrapper: str, code: str) -> str:
    """The wrapper with the code in place of ``{cmd}``, quoted for where that stands."""
    start = wrapper.find(CMD)
    if start < 0:
        raise _wrapper_error(f"has no {CMD}: write it where the command goes")
    # the second one would run the command again, with all that it does
    if CMD in wrapper[start + 1 :]:
        raise _wrapper_error(f"has {CMD} twice, but the command runs once")
    hole = Hole(start, start + len(CMD))
    masked = wrapper[:start] + HOLE * len(CMD) + wrapper[hole.end :]
    try:
        script = scan(masked, [hole])
    except UnsupportedSyntax as error:
        raise _wrapper_error(f"is not clear: {error.message}") from None
    if hole.in_comment:
        hole.unsafe_place = "inside a comment"
    elif any(hole in word.pieces for word in script.dynamic_outputs):
        hole.unsafe_place = "the target of a redirect"
    if hole.unsafe_place:
        raise _wrapper_error(f"has {CMD} where it cannot be: {hole.unsafe_place}")
    if hole.quoting is Quoting.BARE:
        return wrapper[:start] + _insert_words(script, hole, code) + wrapper[hole.end :]
    return _insert_quoted(wrapper, script, hole, code)


def _insert_words(script: Script, hole: Hole, code: str) -> str:
    """Outside quotes the command is words, as of a program that runs its arguments."""
    for command in script.commands:
        for place, word in enumerate(command.words):
            if word.pieces != [hole]:
                continue
            before = [other.literal or "" for other in command.words[:place]]
            # `nix … --command` takes a command as words; others take one argument of code there
            one = before and before[0] != "nix" and _CODE_OPTION.fullmatch(before[-1])
            if one or _JOINS_ARGUMENTS.intersection(before):
                raise _wrapper_error(f"has {CMD} as one argument: write it in quotes, '{CMD}'")
            return f"sh -c {shlex.quote(code)}"
    raise _wrapper_error(f"has {CMD} inside a word: it must be a word of its own, or in quotes, '{CMD}'")


def _insert_quoted(wrapper: str, script: Script, hole: Hole, code: str) -> str:
    """Inside quotes the command is text that a shell of the wrapper reads, alone or among more of it."""
    words = [word for command in script.commands for word in command.words[1:] if hole in word.pieces]
    if not words:
        raise _wrapper_error(f"has {CMD} in quotes, but not as an argument of a command")
    quote = "'" if hole.quoting is Quoting.SINGLE else '"'
    start, stop = wrapper.rfind(quote, 0, hole.start), wrapper.find(quote, hole.end)
    before, inside = wrapper[words[0].start : start], wrapper[start + 1 : stop]
    if stop + 1 != words[0].end or not _OPTION.fullmatch(before):
        raise _wrapper_error(f"has {CMD} in quotes beside others: it must stand inside one pair of quotes")
    if quote == '"' and re.search(r"[$`\\]", inside):
        raise _wrapper_error(
            f"has {CMD} beside text that the outer shell changes: put single quotes around both"
        )
    # inside of the quotes stands another shell text, which is read by its own rules
    if inside != CMD:
        code = _insert_command(inside, code)
    return wrapper[:start] + shlex.quote(code) + wrapper[stop + 1 :]


def _wrapper_error(message: str) -> SourceError:
    return SourceError([Fault(message=message)])
