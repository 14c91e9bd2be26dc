"""What the shell's own commands do with their arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_lok.core.shell.ast import POSITIONAL, NamedCommand, ShellWord
from pytest_lok.core.shell.cursor import ASSIGNMENT, NAME
from pytest_lok.core.shell.safety.command_tables import TEST_BINARY, TEST_UNARY
from pytest_lok.core.shell.safety.judge import CommandJudge
from pytest_lok.core.shell.safety.options import decides_what_runs
from pytest_lok.core.shell.safety.rules.arguments import check_arguments
from pytest_lok.core.shell.safety.taint import ANY


def harmless(judge: CommandJudge, call: NamedCommand) -> None:
    """A command whose arguments are never options that matter."""


def evaluate(judge: CommandJudge, call: NamedCommand) -> None:
    """``eval``: its arguments are one text of shell code."""
    judge.runs_words(call.args, call.name)
    if call.args:
        judge.shell_code(call.args, call)


def trap(judge: CommandJudge, call: NamedCommand) -> None:
    """The first argument is shell code."""
    judge.runs_words(call.args, call.name)
    # those reset the trap and run nothing
    if call.args and call.args[0].literal not in ("", "-", "--"):
        judge.shell_code(call.args[:1], call)


def source(judge: CommandJudge, call: NamedCommand) -> None:
    """``.``: a file of shell code."""
    judge.runs_words(call.args, call.name)
    for word in call.args[:1]:
        judge.runs_file(word.shown, call)


def directory(judge: CommandJudge, call: NamedCommand) -> None:
    """``cd``: its argument becomes the text of ``$PWD``."""
    for word in call.args:
        judge.flow.becomes("PWD", word)
        judge.trace.enters(word)
    check_arguments(judge, call)


def declaration(judge: CommandJudge, call: NamedCommand) -> None:
    """Names, and what they are set to."""
    options = any(word.prefix.startswith(("-", "+")) for word in call.args)
    exports = call.name == "export" or any(re.match("-[a-z]*x", word.prefix) for word in call.args)
    # programs see these variables, so what they print may have the values in it
    names = [NAME.match(word.prefix) for word in call.args if exports]
    judge.trace.exported.update(name[0] for name in names if name)
    for word in call.args:
        assigned = ASSIGNMENT.match(word.prefix)
        if assigned and not options:
            judge.assign(assigned[1], word.without_prefix(assigned.end()))
            continue
        judge.runs_words([word], call.name)
        if options and (declared := NAME.match(word.prefix)):
            judge.flow.calculates({declared[0]}, f"`{call.name}`")
            judge.flow.becomes(declared[0], word)


def namer(judge: CommandJudge, call: NamedCommand) -> None:
    """Names of variables that get a text from elsewhere."""
    judge.runs_words(call.args, call.name)
    if any(word.prefix.startswith("-C") for word in call.args):  # mapfile calls a command for what it reads
        judge.runs_input(call.name, call.command)
    for name in [word.literal or "" for word in call.args] or ["REPLY"]:
        if NAME.fullmatch(name) and call.name != "unset":
            judge.flow.is_input(name, call.command)
            if decides_what_runs(name):
                judge.runs_input(f"{call.name} {name}", call.command)
            judge.flow.reads(name, {POSITIONAL} if call.name == "getopts" else ())


def calculation(judge: CommandJudge, call: NamedCommand) -> None:
    """``let`` and ``[[``: bash calculates with the names in them."""
    for word in call.args:
        judge.refuse(word.holes, f"an argument of `{call.name}`, in which bash calculates")
        judge.flow.calculates((*NAME.findall(word.as_code), *word.reads), f"`{call.name}`")


def positional(judge: CommandJudge, call: NamedCommand) -> None:
    """``set``: options of the shell, and what becomes ``$1`` …"""
    ended = False
    if any(re.match(r"-[a-z]*a|allexport\Z", word.prefix) for word in call.args):
        judge.trace.exported.add(ANY)
    for word in call.args:
        if not ended:
            judge.refuse(word.holes, "an argument of `set`, which changes the shell (write `set -- …`)")
        judge.flow.becomes(POSITIONAL, word, split=True)
        ended = ended or word.literal == "--"


def formatted(judge: CommandJudge, call: NamedCommand) -> None:
    """``printf``: a format, and data."""
    ended = call.args[:1] and call.args[0].literal == "--"
    for pattern in call.args[1:2] if ended else call.args[:1]:
        judge.report.printf_formats.update(pattern.own_holes)
        if not ended and (pattern.prefix.startswith("-") or pattern.pieces[:1] == [None]):
            judge.runs_words(
                call.args, call.name, "an argument of `printf` with an option, which can run it as code"
            )
        elif pattern.may_split:
            judge.runs_words([pattern], "printf")


def tested(judge: CommandJudge, call: NamedCommand) -> None:
    """``test``: words that are operators by where they stand."""
    # these look a variable up, and bash calculates in the index of one
    looks_up = any(word.literal in ("-v", "-R") for word in call.args)
    for word in call.args:
        if None in word.pieces and (word.may_split or looks_up):
            judge.flow.runs(word.reads, f"`{call.name}`")
    # without the bracket that closes
    words = call.args[:-1] if call.name == "[" else call.args
    if any(word.own_holes for word in call.args) and not _is_test(words):
        what = (
            f"where `{call.name}` could take it for an operator (use `[ -n … ]`, `[ … = … ]`, and && for -a)"
        )
        judge.runs_words(call.args, call.name, what)


def _is_test(words: Sequence[ShellWord]) -> bool:
    """Whether it is a test in which POSIX says which words are operators, whatever the others hold."""
    if words and words[0].literal == "!":
        words = words[1:]
    operators = [word.literal or "" for word in words]
    if any(word.may_split for word in words):
        return False
    match len(words):
        case 1:
            return True
        case 2:
            return bool(TEST_UNARY.fullmatch(operators[0]))
        case 3:
            return bool(TEST_BINARY.fullmatch(operators[1]))
        case _:
            return False
