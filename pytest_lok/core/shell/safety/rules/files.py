"""What commands do to files: those they write, change, copy, pack or delete."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from pytest_lok.core.shell.ast import NamedCommand, ShellWord
from pytest_lok.core.shell.safety.command_tables import FIND_RUNS
from pytest_lok.core.shell.safety.file_tables import (
    ANY_OUTPUT,
    COMPRESSORS,
    FILE_CHANGERS,
    FILE_MAKERS,
    GIT_WRITES,
    MODULES,
    MOVERS,
    OUTPUTS,
    READERS,
    TAR_WRITES,
)
from pytest_lok.core.shell.safety.judge import CommandJudge
from pytest_lok.core.shell.safety.options import known_program
from pytest_lok.core.shell.safety.rules.arguments import check_arguments


def outputs(judge: CommandJudge, call: NamedCommand) -> None:
    """Files that the command writes by an option."""
    options = OUTPUTS.get(call.name, ANY_OUTPUT if known_program(call.name).open else ())
    for place, word in enumerate(call.args if options else ()):
        option, equals, _ = word.prefix.partition("=")
        if equals and option.startswith("-") and _means(option, options):
            named = word.without_prefix(len(option) + 1)
        elif word.literal is not None and _means(word.literal, options) and place + 1 < len(call.args):
            named = call.args[place + 1]
        elif word.prefix[:2] in options and len(word.shown) > 2 and not word.prefix.startswith("--"):
            named = word.without_prefix(2)
        else:
            continue
        judge.writes_file(named, content=True)
        judge.trace.fills(call, named.shown)


def _means(option: str, options: Collection[str]) -> bool:
    """Whether it is one of the options: as it is, abbreviated, or the last of a cluster."""
    if option.startswith("--"):
        return len(option) > 3 and any(name.startswith(option) for name in options)
    return option in options or bool(
        re.fullmatch("-[A-Za-z]{2,4}", option) and f"-{option[-1]}" in options and option[-1] != "t"
    )


def operands(args: Sequence[ShellWord]) -> list[ShellWord]:
    """Words that are no options: those that begin with no dash, and all that follow ``--``."""
    found, ended = list[ShellWord](), False
    for word in args:
        if ended or not word.prefix.startswith("-"):
            found.append(word)
        ended = ended or word.literal == "--"
    return found


def maker(judge: CommandJudge, call: NamedCommand) -> None:
    """Operands that are files it writes, changes or deletes."""
    reading = any(
        re.match("-[a-z0-9]*[clt]|--(stdout|to-stdout|list|test)", word.prefix) for word in call.args
    )
    if not (reading and call.name in COMPRESSORS):
        for word in operands(call.args):
            judge.writes_file(word, changes=call.name not in FILE_MAKERS)
            if call.name == "tee":
                judge.flow.writes(word.shown, content=True)
                judge.trace.fills(call, word.shown)
    # the patch itself names the files, so it may be any
    if call.name == "patch":
        judge.trace.fills(call, "")
    outputs(judge, call)
    check_arguments(judge, call)


def found_is_changed(args: Sequence[ShellWord]) -> bool:
    """Whether find deletes what it finds, or gives it to a command that may change it."""
    texts = [word.literal or "" for word in args]
    started = [posixpath.basename(text) for before, text in itertools.pairwise(texts) if before in FIND_RUNS]
    return "-delete" in texts or any(name not in READERS or name in FILE_CHANGERS for name in started)


def module(judge: CommandJudge, call: NamedCommand) -> None:
    """A module of Python's that writes files."""
    for word in operands(call.args)[MODULES[call.name] :]:
        judge.writes_file(word)
    for word in call.args:
        judge.forbid_start(word, call.name)


def curl(judge: CommandJudge, call: NamedCommand) -> None:
    """With ``-T`` an address may be that of a file, which is written."""
    # an upload to file:// writes a file of this machine
    sends = any(re.match("-[a-zA-Z]*T|--upload", word.prefix) for word in call.args)
    for word in call.args:
        if sends and word.prefix.lower().startswith("file:"):
            judge.runs_words([word], call.name, "in the name of a file that curl writes")
        elif sends and not re.match(r"-|\w+:/*\w", word.prefix):
            judge.runs_words(
                [word],
                call.name,
                "the address to which curl sends, which may be a file",
                "write https:// before it;",
            )


def changer(judge: CommandJudge, call: NamedCommand) -> None:
    """The same behind a mode or an owner."""
    for word in operands(call.args)[1:]:
        judge.writes_file(word, changes=True)
    check_arguments(judge, call)


def copied(judge: CommandJudge, call: NamedCommand) -> None:
    """The operands of cp and its like."""
    named = operands(call.args)
    for word in named:
        judge.flow.writes(word.shown, content=any(other.literal == "/dev/stdin" for other in named))
    for word in named if call.name in MOVERS else named[-1:]:
        judge.writes_file(word)
    for word in named[-1:]:
        judge.trace.fills(call, word.shown, copied=all(source.literal for source in named[:-1]))


def dd(judge: CommandJudge, call: NamedCommand) -> None:
    """``of=`` names what it writes."""
    source = any(word.prefix.startswith("if=") for word in call.args)
    for word in call.args:
        if word.prefix.startswith("of="):
            judge.writes_file(word.without_prefix(3))
            judge.flow.writes(word.shown.removeprefix("of="), content=True)
            judge.trace.fills(call, word.shown.removeprefix("of="), copied=source)
        elif word.prefix.partition("=")[0] in ("", "of"):
            judge.runs_words([word], call.name, "an operand of `dd`, which it could take for `of=`")
    check_arguments(judge, call)


def split(judge: CommandJudge, call: NamedCommand) -> None:
    """The second operand is what the names of its files start with."""
    for word in operands(call.args)[1:]:
        judge.writes_file(word)
    judge.trace.fills(call, "")
    outputs(judge, call)
    check_arguments(judge, call)


def tar(judge: CommandJudge, call: NamedCommand) -> None:
    """Options may come in one word without a dash, and ``f`` among them names the archive."""
    args = call.args
    # `tar xf`: letters without a dash, each an option
    bundle = args[0].literal if args else None
    if bundle and not bundle.startswith("-") and re.search("[FIT]", bundle):
        judge.runs_words(args[1:], f"tar {bundle}")
    if bundle is None:
        words = [word for word in args[:1] if not word.prefix.startswith("-")]
        judge.runs_words(words, call.name, "tar's first argument, which may be options")
    making = any(TAR_WRITES.match(word.literal or "") for word in args[:1]) or any(
        re.match("-[A-Za-z]*[cruA]|--(create|append|update|concat|delete)", word.literal or "")
        for word in args
    )
    for place, word in enumerate(args[1:], 1):
        before = args[place - 1].literal or ""
        short = re.fullmatch("-?[A-Za-z]*f", before) and (place == 1 or before.startswith("-"))
        if making and (short or before == "--file"):
            judge.writes_file(word)
        elif making and word.prefix.startswith("--file="):
            judge.writes_file(word.without_prefix(7))
    outputs(judge, call)
    check_arguments(judge, call)


def archiver(judge: CommandJudge, call: NamedCommand) -> None:
    """An archiver: a word that says what to do, the archive, and what goes in."""
    judge.runs_words(
        call.args[:1], call.name, f"the first argument of `{call.name}`, which decides what it does"
    )
    for word in call.args[1:2]:
        judge.writes_file(word)
    outputs(judge, call)
    check_arguments(judge, call)


def git(judge: CommandJudge, call: NamedCommand, command: str, args: Sequence[ShellWord]) -> None:
    """Operands of git's subcommands that name what is written."""
    named = operands(args)
    if command in GIT_WRITES:
        for word in named[GIT_WRITES[command] :]:
            judge.writes_file(word, changes=True)
    elif command == "clone":
        for word in named[1:]:
            judge.writes_file(word)
    elif command == "worktree":
        for word in named[1:2] if named and named[0].literal in ("add", "remove") else named[1:3]:
            judge.writes_file(word)
    elif command in ("apply", "am"):
        judge.trace.fills(replace(call, args=args), "")
