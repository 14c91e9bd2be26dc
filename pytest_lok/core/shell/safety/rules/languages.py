"""Commands that are given a program of a little language: awk, sed, jq, yq and their like."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_lok.core.shell.ast import NamedCommand, ShellWord
from pytest_lok.core.shell.cursor import ASSIGNMENT
from pytest_lok.core.shell.safety.command_tables import LITTLE_LANGUAGES
from pytest_lok.core.shell.safety.judge import CommandJudge
from pytest_lok.core.shell.safety.rules.arguments import check_arguments
from pytest_lok.late_regex import late_regex

_IN_PLACE = late_regex(r"-[A-Za-z]*i|--in-?place")
_PRINTS_TO = late_regex(r"print[^;}\n]*>")


def scripted(judge: CommandJudge, call: NamedCommand) -> None:
    """A command whose first operand is a program of its language, or whose options hold one."""
    language = LITTLE_LANGUAGES[call.name]
    args, rest, place, given = call.args, list[ShellWord](), 0, False
    # GNU sed then refuses what runs or writes
    safe = args[:1] and args[0].literal == "--sandbox" and "sandbox" in language.data_way
    place = int(bool(args) and args[0].literal in language.subcommands)
    while place < len(args):
        word, text = args[place], args[place].literal or "?"
        if text in language.program_options:
            _program(judge, call, args[place + 1 : place + 2], safe=bool(safe) and text != "-f")
            if text in ("-f", "--from-file") and place + 1 < len(args):
                judge.runs_file(args[place + 1].shown, call)
            place, given = place + 2, True
        elif text in language.data_options:
            if text == "-v":
                _awk_variables(judge, call, args[place + 1 : place + 2])
            place += 1 + language.data_options[text]
        elif language.flags.fullmatch(text):
            place += 1
        # an unknown option: which of the words that follow is the program?
        elif word.prefix.startswith("-") and text != "-":
            _program(judge, call, args[place:], safe=False)
            judge.runs_input(call.name, call.command)
            return
        else:
            if given:
                rest.append(word)
            else:
                _program(judge, call, [word], safe=bool(safe))
            place, given = place + 1, True
    _read(judge, call, rest)
    check_arguments(judge, call, rest, starts=("=",) if language.assigns else ())


def _read(judge: CommandJudge, call: NamedCommand, rest: Sequence[ShellWord]) -> None:
    """What the command does with the files behind its program, and with what it prints."""
    if call.name == "jq":
        _prints_object(judge, call)
    if not LITTLE_LANGUAGES[call.name].assigns and any(
        _IN_PLACE.match(word.literal or "") for word in call.args
    ):
        for word in rest:
            judge.writes_file(word, changes=True)
            judge.trace.fills(call, word.shown)


_OBJECT = late_regex(r"\s*\{[^|/?]*\}\s*")


def _prints_object(judge: CommandJudge, call: NamedCommand) -> None:
    """What jq makes an object of starts with a brace, whatever it is."""
    texts = [word.literal or "" for word in call.args]
    raw = any(re.match("-[A-Za-z]*[rjL]|--(raw|join|from|seq)", text) for text in texts)
    objects = [text for text in texts if _OBJECT.fullmatch(text) and not re.search(r"\}\s*[.\[]", text)]
    if objects and not raw and texts[:1] == ["-n"] and call.command not in judge.piped:
        judge.flow.in_objects.update(hole for word in call.args for hole in word.own_holes)


def _program(judge: CommandJudge, call: NamedCommand, words: Sequence[ShellWord], *, safe: bool) -> None:
    judge.flow.little_programs += [word.literal for word in words if word.literal]
    if not safe and any(LITTLE_LANGUAGES[call.name].running.search(word.as_code) for word in words):
        judge.runs_input(f"{call.name} {words[0].shown}", call.command)
    if not safe:
        what = f"an argument of `{call.name}`, part of a program that does more with it than read it"
        judge.runs_words(
            words, call.name, what, f"`{LITTLE_LANGUAGES[call.name].data_way}` takes it as data;"
        )


def _awk_variables(judge: CommandJudge, call: NamedCommand, words: Sequence[ShellWord]) -> None:
    for word in words:
        if not (assigned := ASSIGNMENT.match(word.prefix)):
            judge.runs_words([word], call.name)
            continue
        programs = [other.literal or "" for other in call.args]
        if any(map(LITTLE_LANGUAGES[call.name].running.search, programs)):
            judge.runs_words(
                [word], call.name, f"in a variable of an `{call.name}` program that runs commands"
            )
        if any(map(_PRINTS_TO.search, programs)):
            judge.writes_file(word.without_prefix(assigned.end()), content=True)
            judge.trace.fills(call, "")
