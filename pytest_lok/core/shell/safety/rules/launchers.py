"""Commands that run commands or code among their arguments or in their input: wrappers, shells, xargs."""

from __future__ import annotations

from dataclasses import replace

from pytest_lok.core.shell.ast import Hole, NamedCommand, ShellWord
from pytest_lok.core.shell.cursor import ASSIGNMENT
from pytest_lok.core.shell.safety.command_tables import (
    CODE_MODULES,
    INPUT_EVALUATORS,
    INPUT_FILE,
    PREFIXES,
    RUNNERS,
    WRAPPERS,
    XARGS_OPTION,
    XARGS_VALUE,
    Interpreter,
    interpreter,
)
from pytest_lok.core.shell.safety.judge import CommandJudge, name_of
from pytest_lok.core.shell.safety.rules.arguments import check_arguments, check_command_among


def evaluator(judge: CommandJudge, call: NamedCommand) -> None:
    """A command that can run any of its arguments, and some of them their input, too."""
    judge.runs_words(call.args, call.name)
    check_command_among(judge, call)
    # the command is somewhere among the arguments, and reads the input if it is one that can
    if call.name in PREFIXES:
        if any(not judge.rules.is_ordinary(name_of(word) or "eval") for word in call.args):
            judge.runs_input(call.name, call.command)
    elif call.name in INPUT_EVALUATORS or any(INPUT_FILE.fullmatch(word.literal or "") for word in call.args):
        judge.runs_input(call.name, call.command)


def wrapper(judge: CommandJudge, call: NamedCommand) -> None:
    """A command that runs the command behind its own options, which is judged as if it stood alone."""
    if call.name == "command" and call.args and call.args[0].literal in ("-v", "-V"):
        check_arguments(judge, call, call.args[1:])
        return
    if (allowed := WRAPPERS.get(call.name)) is None:
        allowed = RUNNERS[call.name]
        if not call.args or not allowed.fullmatch(call.args[0].literal or ""):
            if call.name == "dotenv":  # there are several: one needs no `run` before a command
                check_command_among(judge, call)
            judge.rules.ordinary(judge, call)
            return
    for place, word in enumerate(call.args):
        rest = call.args[place:]
        if assigned := ASSIGNMENT.match(word.prefix):
            judge.assign(assigned[1], word.without_prefix(assigned.end()))
        elif word.prefix.startswith("-") and not allowed.fullmatch(word.literal or ""):
            _unclear(judge, replace(call, name=f"{call.name} {word.prefix}", args=rest))
            return
        elif not allowed.fullmatch(word.literal or ""):
            judge.command_line(rest, call.command)
            return


def _unclear(judge: CommandJudge, call: NamedCommand) -> None:
    """Which of the words is the command that is run is not known."""
    judge.runs_words(call.args, call.name)
    check_command_among(judge, call)
    for word in call.args:
        if not judge.rules.is_ordinary(name_of(word) or "eval"):
            judge.runs_input(call.name, call.command)


def run_in_place(judge: CommandJudge, call: NamedCommand) -> None:
    """With nothing to run, it lets the commands that follow read its input."""
    wrapper(judge, call)
    if not call.args:
        for feed in call.command.inputs:
            judge.refuse(feed.holes, "input of `exec`, which passes it on")


def xargs(judge: CommandJudge, call: NamedCommand) -> None:
    """A command whose further arguments come from the input: a hole stands for them while it is judged."""
    judge.runs_words(call.args, call.name)
    texts = [word.literal or "?" for word in call.args]
    place, token = 0, ""
    while place < len(texts) and (texts[place] in XARGS_VALUE or XARGS_OPTION.fullmatch(texts[place])):
        if texts[place].startswith("-I"):
            token = texts[place][2:] or "".join(texts[place + 1 : place + 2])
        place += 2 if texts[place] in XARGS_VALUE else 1
    words = call.args[place:] or [ShellWord(0, pieces=["echo"])]
    if words[0].prefix.startswith("-"):  # an option that is not known: what follows it may be its value
        judge.runs_input(call.name, call.command)
        check_command_among(judge, call)
        return
    # a hole of no text stands for what is fed; the command is judged as if a value stood there
    fed = Hole(-1, -1)
    filled = [_filled(word, token, fed) for word in words]
    # without a token xargs adds what it reads at the end
    if not any(word is not before for word, before in zip(filled, words, strict=True)):
        filled.append(ShellWord(-1, pieces=[fed], holes=(fed,)))
    judge.command_line(filled, call.command)
    _settle(judge, call, fed, words[0].shown)


def _filled(word: ShellWord, token: str, fed: Hole) -> ShellWord:
    """The word with what is fed in place of the token."""
    if not token or not any(isinstance(piece, str) and token in piece for piece in word.pieces):
        return word
    pieces = list[str | Hole | None]()
    for piece in word.pieces:
        texts = piece.split(token) if isinstance(piece, str) else [piece]
        for number, text in enumerate(texts):
            pieces += [fed] if number else []
            pieces += [text] if text != "" else []
    return replace(word, pieces=pieces, holes=(*word.holes, fed))


def _settle(judge: CommandJudge, call: NamedCommand, fed: Hole, command: str) -> None:
    """What was said of the place that is fed counts for what may be fed to it."""
    report = judge.report
    # what is fed stands nowhere in the text, so it cannot be reported itself
    refused = report.refused.pop(fed, None)
    starts = [entry for entry in report.forbidden_starts if fed in entry[0].pieces]
    named = judge.forget(fed)
    report.printf_formats.discard(fed)
    if refused:
        judge.runs_input(f"{call.name} {command}", call.command)
    elif starts or named:
        for entry in starts:
            report.forbidden_starts.remove(entry)
        judge.input_as_arguments.append((call.command, f"{call.name} {command}"))


def interpreted(judge: CommandJudge, call: NamedCommand) -> None:
    """An interpreter: code among its arguments, or the name of a script, or code in its input."""
    if (known := interpreter(call.name)) is None:
        return
    place = 0
    while place < len(call.args) and known.flags.fullmatch(call.args[place].literal or "?"):
        place += 1
    rest = call.args[place:]
    text = rest[0].literal if rest else "-"
    if text is None:
        in_directory = any("/" in piece for piece in rest[0].pieces if isinstance(piece, str))
        judge.runs_words(rest[:1] if in_directory else rest, call.name)
        judge.flow.runs_path(rest[0].shown, file=True)
        judge.script_names.append(rest[0])
        check_arguments(judge, call, rest[1:])
    elif (text.startswith("-") and text != "-") or known.code_options.fullmatch(text) or text in CODE_MODULES:
        _inline(judge, replace(call, name=f"{call.name} {text}", args=rest), known)
    elif place and call.args[place - 1].literal == "-m":
        judge.command_line(rest, call.command)
    else:
        judge.runs_file(text, call)
        # a script is a program like another: its options are judged by their names
        check_arguments(judge, replace(call, name=text.rpartition("/")[2]), rest[1:])


def _inline(judge: CommandJudge, call: NamedCommand, known: Interpreter) -> None:
    """An interpreter with code among its arguments, or with options that are not understood."""
    if known.operands.fullmatch(call.name) and len(call.args) > 2 and call.args[1].literal is not None:
        judge.runs_words(call.args[:2], call.name)
        check_arguments(judge, replace(call, args=call.args[2:]))
    else:
        judge.runs_words(call.args, call.name)
    given = [*call.args, *(word for _, word in call.command.assignments)]
    if not known.posix and any(part.holes for part in (*given, *call.command.inputs)):
        judge.report.unknown_commands[call.name] = None
    options = [
        place for place, word in enumerate(call.args) if known.code_options.fullmatch(word.literal or "")
    ]
    if not options:
        judge.runs_input(call.name, call.command)
    elif known.posix:
        # sh -c CODE NAME ARG …: options may stand between, and what follows the code is $0, $1, …
        after = [word for word in call.args[options[0] + 1 :] if not word.prefix.startswith(("-", "+"))]
        if after:
            judge.shell_code(after[:1], call)
        for word in after[1:]:
            judge.flow.becomes("@", word, split=True)
