"""What a command does with its arguments by its options, and where a command starts among them."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lok.core.shell.ast import POSITIONAL, NamedCommand, ShellWord
from pytest_lok.core.shell.safety.command_tables import runs_operands
from pytest_lok.core.shell.safety.judge import DASH, CommandJudge
from pytest_lok.core.shell.safety.options import VALUE_OPTIONS, known_program, reads_file
from pytest_lok.core.shell.safety.taint import CALLERS


def check_arguments(
    judge: CommandJudge,
    call: NamedCommand,
    args: Sequence[ShellWord] | None = None,
    starts: tuple[str, ...] = (),
) -> None:
    """Judge the arguments, all by default: the options of the command say which of them take code.

    An operand with one of the ``starts`` would be more than data.
    """
    known, name = known_program(call.name), call.name
    # only these subcommands of gh take fields, and read files for them
    api = any(word.literal in ("api", "run") for word in call.args[:2])
    runs = any(word.literal in ("exec", "run") for word in call.args)
    runner = ("exec", "eval", "--") if runs else ("exec", "eval")
    previous, ended = "", False
    for word in call.args if args is None else args:
        if word.literal is not None or _is_object(judge, word):
            if path := "" if ended else known.opened(previous, word.literal or ""):
                judge.runs_file(path, call)
            previous, ended = word.literal or "", ended or word.literal == "--"
            continue
        # the option is the one that the word starts with, or else the one before it
        given, equals, _ = word.prefix.partition("=")
        attached = given.startswith("-") and not ended
        option = given if attached else previous if previous.startswith("-") and not ended else ""
        if attached and not equals and (given == "-" or given[:2] == "--") and (known.open or known.code):
            judge.runs_words([word], name, f"a part of the name of an option of `{name}`")
        elif known.takes_code(option, "" if ended else previous, attached=attached):
            option = option if known.runs(option, attached=attached) else previous
            judge.runs_words([word], name, f"the value of `{option}`, which can be run as code")
        elif previous in runner and not judge.rules.knows(name):
            judge.runs_words([word], name, f"behind `{name} … {previous}`, which can run it as code")
        elif better := reads_file(name, option, word.prefix, api=api):
            what = f"the value of `{option or name}`, which reads a file where it starts with @"
            judge.runs_words([word], name, what, f"`{better}` takes it as it is;")
        special = (*known.file_marks, *starts)
        if not ended and previous not in VALUE_OPTIONS:
            judge.forbid_start(word, name, (*DASH, *special))
        elif special:
            judge.forbid_start(word, name, special)
        # not refused: of most programs nothing is known, and they take data
        _note_unknown(judge, name, word)
        # a variable may hold an option whose value is the word that follows
        options = [text for text in judge.flow.known_texts(word) if text.startswith("-")]
        previous = options[0].split()[-1] if options else ""


def _note_unknown(judge: CommandJudge, name: str, word: ShellWord) -> None:
    """Note a command of which nothing is known, if it gets a value of the text: not what xargs feeds it."""
    given = any(hole.start >= 0 for hole in word.holes)
    if given and not (judge.rules.knows(name) or name in judge.functions):
        judge.report.unknown_commands[name] = None


def _is_object(judge: CommandJudge, word: ShellWord) -> bool:
    """Whether the word is what jq prints, an object around all values in it."""
    whole = word.pieces == [None] and bool(word.holes) and not word.may_split
    return whole and judge.flow.in_objects.issuperset(word.holes)


def check_command_among(judge: CommandJudge, call: NamedCommand) -> None:
    """A command among the arguments of another makes a command line of those that follow."""
    for place, word in enumerate(call.args):
        text = word.literal
        if text and not text.startswith("-") and runs_operands(text):
            judge.command_line(call.args[place:], call.command)
            return


def function(judge: CommandJudge, call: NamedCommand) -> None:
    """A function of the text gets its arguments as ``$1`` …, and the input of the command."""
    judge.flow.is_input(CALLERS, call.command)
    check_arguments(judge, call)
    for word in call.args:
        judge.flow.printed.update(word.holes)
        judge.flow.becomes(POSITIONAL, word, split=True)
