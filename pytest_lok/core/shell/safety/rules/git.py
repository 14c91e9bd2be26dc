"""What git does with its arguments."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from pytest_lok.core.shell.ast import NamedCommand, ShellWord
from pytest_lok.core.shell.safety.arrivals import NAMING_REVISIONS, revisions
from pytest_lok.core.shell.safety.command_tables import GIT_CODE, GIT_DATA, GIT_FORMATS, GIT_HIDES_ARGUMENTS
from pytest_lok.core.shell.safety.judge import CommandJudge
from pytest_lok.core.shell.safety.options import is_known
from pytest_lok.core.shell.safety.rules import files
from pytest_lok.core.shell.safety.rules.arguments import check_arguments
from pytest_lok.core.text.words import words

_BEFORE_GIT = words("-c -C --git-dir --work-tree --namespace --config-env --super-prefix")


def git(judge: CommandJudge, call: NamedCommand) -> None:
    """Settings on the command line, ``config``, and what is printed; the rest is as for others."""
    texts = [word.literal or "" for word in call.args]
    place = 0
    while place < len(texts) and call.args[place].prefix.startswith("-"):
        if texts[place] == "-c" and place + 1 < len(texts):
            _git_setting(judge, call, call.args[place + 1])
        elif call.args[place].prefix.startswith("-c"):
            _git_setting(judge, call, call.args[place].without_prefix(2))
        elif texts[place] in _BEFORE_GIT or call.args[place].prefix.partition("=")[0] in _BEFORE_GIT:
            whole = call.args[place].literal is None
            judge.runs_words(
                call.args[place : place + 1] if whole else call.args[place + 1 : place + 2],
                call.name,
                f"the value of `{call.args[place].prefix}`: git runs what the configuration there says",
            )
        place += 2 if texts[place] in _BEFORE_GIT else 1
    command, args = texts[place] if place < len(texts) else "", call.args[place + 1 :]
    if command == "config":
        _git_config(judge, args)
    elif command == "clone":
        for before, word in itertools.pairwise([*args[:1], *args]):
            if before.literal in ("-c", "--config"):
                _git_setting(judge, call, word)
            elif word.own_holes and (attached := re.match(r"-c|--config=", word.prefix)):
                _git_setting(judge, call, word.without_prefix(attached.end()))
    files.git(judge, call, command, args)
    _revisions(judge, call, command, args)
    if command in GIT_HIDES_ARGUMENTS and not any(
        GIT_FORMATS.match(word.prefix) for word in args if word.holes
    ):
        judge.flow.not_printed.update(hole for word in call.args for hole in word.own_holes)
    # a few subcommands give a short option another meaning
    if is_known(f"git-{command}"):
        check_arguments(judge, replace(call, name=f"git-{command}"))


def _git_config(judge: CommandJudge, args: Sequence[ShellWord]) -> None:
    operands = [word for word in args if not word.prefix.startswith("-")]
    operands = [word for word in operands if word.literal not in ("set", "get", "unset")]
    for word in operands[:1]:
        if (word.literal or "").lower().startswith("alias."):
            # an alias that begins with ! is a shell command, and any later `git` may use it
            judge.flow.sets_git_alias = True
        if not _is_git_data(word.literal or ""):
            judge.runs_words(args, "git config", f"in git's `{word.shown}`, which can decide what git runs")


def _git_setting(judge: CommandJudge, call: NamedCommand, word: ShellWord) -> None:
    key, equals, _ = word.prefix.partition("=")
    if key.lower().startswith("alias."):
        judge.runs_words(call.args, "git", "an argument of an alias of git, which can run it as code")
    elif not equals or not _is_git_data(key):
        judge.runs_words(
            [word], "git", f"the value of `-c` in `git -c {word.shown}`, which can decide what git runs"
        )


def _is_git_data(key: str) -> bool:
    return bool(GIT_DATA.fullmatch(key)) and not GIT_CODE.fullmatch(key)


def _revisions(judge: CommandJudge, call: NamedCommand, command: str, args: Sequence[ShellWord]) -> None:
    """Values may choose the revision whose files git puts there, or what the name of one stands for."""
    if command in NAMING_REVISIONS:
        judge.trace.revision_names += args
    if (words := revisions(command, args)) is None:
        return
    # out of order, names that are given later count too: so the list itself
    names = judge.trace.revision_names if judge.trace.out_of_order else [*judge.trace.revision_names]
    judge.trace.fills(call, "", words=words, reads_input=False)
    judge.trace.fills(call, "", words=names, reads_input=False)
