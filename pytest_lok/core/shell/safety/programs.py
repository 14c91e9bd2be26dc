"""What programs do with their arguments and their input, where that is more than options and data."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.core.shell.ast import Hole, NamedCommand, ShellWord
from pytest_lok.core.shell.safety import builtins, files
from pytest_lok.core.shell.safety.arrivals import sends
from pytest_lok.core.shell.safety.command_tables import (
    BEFORE_SUBCOMMAND,
    BY_SUBCOMMAND,
    CODE_MODULES,
    DECLARATIONS,
    EVALUATORS,
    EXPRESSION,
    FIND_RUNS,
    FIND_VALUES,
    FIND_WRITES,
    INPUT_EVALUATORS,
    INPUT_FILE,
    INPUT_PROGRAMS,
    INSTALLERS,
    INSTALLS,
    NAMERS,
    PREFIXES,
    REMOTE,
    RUNNERS,
    SCRIPTED,
    WRAPPERS,
    XARGS_OPTION,
    XARGS_VALUE,
    Interpreter,
    interpreter,
)
from pytest_lok.core.shell.safety.git import git
from pytest_lok.core.shell.safety.openers import opened
from pytest_lok.core.shell.safety.options import is_known

if TYPE_CHECKING:
    from pytest_lok.core.shell.safety.judge import CommandJudge


_IN_PLACE = re.compile(r"-[A-Za-z]*i|--in-?place")
_PRINTS_TO = re.compile(r"print[^;}\n]*>")

Rule: TypeAlias = "Callable[[CommandJudge, NamedCommand], None]"


def rule(name: str) -> Rule:
    """What is known about the command; an ordinary one by default."""
    if interpreter(name):
        return _interpreted
    return _RULE_OF.get(name, _ordinary)


def name_of(word: ShellWord) -> str | None:
    """What a command is called, without its directory; None if only the shell will know."""
    tail = word.pieces[-1] if word.pieces else None
    if not isinstance(tail, str) or (word.literal is None and "/" not in tail):
        return None
    return tail.rpartition("/")[2] or None


def _ordinary(judge: CommandJudge, call: NamedCommand) -> None:
    literals = [word.literal for word in call.args]
    elsewhere = REMOTE.get(call.name, ())
    if remote := [text for text in literals if text in elsewhere]:
        name = f"{call.name} {remote[0]}"
        judge.runs(_but_names(judge, call) if remote[0] == "run" else call.args, name)
        judge.runs_input(name, call.command)
        return
    if call.name in INSTALLERS:
        words = INSTALLS | {"create", "init"} if call.name in ("npm", "pnpm", "yarn", "bun") else INSTALLS
        for place, text in enumerate(literals):
            if text in words:
                judge.runs(
                    call.args[place:],
                    call.name,
                    f"an argument of `{call.name} {text}`, which runs what it gets",
                )
    for word, option in opened(call):
        part = f"the value of `{option}`" if option else "an operand"
        what = f"{part} of `{call.name}`, which runs what it names"
        judge.runs([word], call.name, what, "`argv` passes what you mean to be run;")
    if call.name in BY_SUBCOMMAND:
        what = f"the subcommand of `{call.name}`, which decides what is run"
        judge.runs(_as_subcommand(call), call.name, what)
    if not knows(call.name):
        judge.operands(call)
    for given in INPUT_PROGRAMS.get(call.name, ()):
        if all(
            any(text == word or (text or "").endswith(f"={word}") for text in literals)
            for word in given.split()
        ):
            judge.runs_input(f"{call.name} {given}", call.command)
    files.outputs(judge, call)
    sends(judge, call)
    if call.name == "curl":
        files.curl(judge, call)
    judge.data(call)


_CONTAINER_FLAG = re.compile(r"--(rm|init|interactive|tty|detach|read-only|quiet)|--pull=\w+|-[itdq]+")
_CONTAINER_DATA = re.compile(r"--(env|label|name)|-[el]")
_IMAGE = re.compile(r"[\w.-]+(:\d+/)?[\w./-]*[:@][\w.:-]*")


def _but_names(judge: CommandJudge, call: NamedCommand) -> Sequence[ShellWord]:
    """The arguments of ``docker run`` that may be run: not a version of an image, a variable or a label."""
    args, place = call.args, 1
    if call.name not in ("docker", "podman", "nerdctl") or not args or args[0].literal != "run":
        return args
    while place < len(args):
        text = args[place].literal or ""
        if _CONTAINER_DATA.fullmatch(text) and place + 1 < len(args):
            word = args[place + 1]
            if assigned := builtins.ASSIGNED.match(word.prefix):
                judge.assign(assigned[1], word.without_prefix(assigned.end()))
            elif text in ("-e", "--env"):
                judge.runs([word], call.name)
            place += 2
        elif _CONTAINER_FLAG.fullmatch(text):
            place += 1
        else:
            break
    image = args[place : place + 1]
    named = bool(image) and _IMAGE.fullmatch(image[0].prefix) and None not in image[0].pieces
    return args[place + 1 :] if named else args[place:]


def _as_subcommand(call: NamedCommand) -> Iterable[ShellWord]:
    """The operands before the first that is written out."""
    previous = ""
    cluster = ("-n", "--namespace", "--context") if call.name in ("kubectl", "oc") else ()
    for word in call.args:
        text = word.literal or ""
        if previous not in BEFORE_SUBCOMMAND and previous not in cluster and not word.prefix.startswith("-"):
            if text:
                return
            yield word
        previous = text


def _evaluator(judge: CommandJudge, call: NamedCommand) -> None:
    judge.runs(call.args, call.name)
    judge.operands(call)
    if call.name in PREFIXES:
        if any(rule(name_of(word) or "eval") is not _ordinary for word in call.args):
            judge.runs_input(call.name, call.command)
    elif call.name in INPUT_EVALUATORS or any(INPUT_FILE.fullmatch(word.literal or "") for word in call.args):
        judge.runs_input(call.name, call.command)


def _wrapper(judge: CommandJudge, call: NamedCommand) -> None:
    if call.name == "command" and call.args and call.args[0].literal in ("-v", "-V"):
        judge.data(call, call.args[1:])
        return
    if (allowed := WRAPPERS.get(call.name)) is None:
        allowed = RUNNERS[call.name]
        if not call.args or not allowed.fullmatch(call.args[0].literal or ""):
            if call.name == "dotenv":  # there are several: one needs no `run` before a command
                judge.operands(call)
            _ordinary(judge, call)
            return
    for place, word in enumerate(call.args):
        rest = call.args[place:]
        if assigned := builtins.ASSIGNED.match(word.prefix):
            judge.assign(assigned[1], word.without_prefix(assigned.end()))
        elif word.prefix.startswith("-") and not allowed.fullmatch(word.literal or ""):
            _unclear(judge, replace(call, name=f"{call.name} {word.prefix}", args=rest))
            return
        elif not allowed.fullmatch(word.literal or ""):
            judge.line(rest, call.command)
            return


def _unclear(judge: CommandJudge, call: NamedCommand) -> None:
    """Which of the words is the command that is run is not known."""
    judge.runs(call.args, call.name)
    judge.operands(call)
    for word in call.args:
        if rule(name_of(word) or "eval") is not _ordinary:
            judge.runs_input(call.name, call.command)


def _git(judge: CommandJudge, call: NamedCommand) -> None:
    git(judge, call)
    _ordinary(judge, call)


def _exec(judge: CommandJudge, call: NamedCommand) -> None:
    """With nothing to run, it lets the commands that follow read its input."""
    _wrapper(judge, call)
    if not call.args:
        for feed in call.command.inputs:
            judge.refuse(feed.holes, "input of `exec`, which passes it on")


def _copier(judge: CommandJudge, call: NamedCommand) -> None:
    files.copied(judge, call)
    if call.name in ("rsync", "scp"):
        for word in call.args:
            if ":" in word.prefix:
                judge.runs([word], call.name)
    (_evaluator if call.name in EVALUATORS else _ordinary)(judge, call)


# --- programs that run commands, and programs that are given in words


def _xargs(judge: CommandJudge, call: NamedCommand) -> None:
    judge.runs(call.args, call.name)
    texts = [word.literal or "?" for word in call.args]
    place, token = 0, ""
    while place < len(texts) and (texts[place] in XARGS_VALUE or XARGS_OPTION.fullmatch(texts[place])):
        if texts[place].startswith("-I"):
            token = texts[place][2:] or "".join(texts[place + 1 : place + 2])
        place += 2 if texts[place] in XARGS_VALUE else 1
    words = call.args[place:] or [ShellWord(0, pieces=["echo"])]
    if words[0].prefix.startswith("-"):  # an option that is not known: what follows it may be its value
        judge.runs_input(call.name, call.command)
        judge.operands(call)
        return
    fed = Hole(-1, -1)
    filled = [_filled(word, token, fed) for word in words]
    if not any(word is not before for word, before in zip(filled, words, strict=True)):
        filled.append(ShellWord(-1, pieces=[fed], holes=(fed,)))
    judge.line(filled, call.command)
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
    review = judge.review
    refused = review.refused.pop(fed, None)
    guarded = [entry for entry in review.guarded if fed in entry[0].pieces]
    named = judge.forget(fed)
    review.formats.discard(fed)
    if refused:
        judge.runs_input(f"{call.name} {command}", call.command)
    elif guarded or named:
        for entry in guarded:
            review.guarded.remove(entry)
        judge.fed.append((call.command, f"{call.name} {command}"))


def _interpreted(judge: CommandJudge, call: NamedCommand) -> None:
    if (known := interpreter(call.name)) is None:
        return
    place = 0
    while place < len(call.args) and known.flags.fullmatch(call.args[place].literal or "?"):
        place += 1
    rest = call.args[place:]
    text = rest[0].literal if rest else "-"
    if text is None:
        in_directory = any("/" in piece for piece in rest[0].pieces if isinstance(piece, str))
        judge.runs(rest[:1] if in_directory else rest, call.name)
        judge.flow.starts(rest[0].shown, file=True)
        judge.scripts.append(rest[0])
        judge.data(call, rest[1:])
    elif (text.startswith("-") and text != "-") or known.inline.fullmatch(text) or text in CODE_MODULES:
        _inline(judge, replace(call, name=f"{call.name} {text}", args=rest), known)
    elif place and call.args[place - 1].literal == "-m":
        judge.line(rest, call.command)
    else:
        judge.runs_file(text, call)
        judge.data(replace(call, name=text.rpartition("/")[2]), rest[1:])


def _inline(judge: CommandJudge, call: NamedCommand, known: Interpreter) -> None:
    """An interpreter with code among its arguments, or with options that are not understood."""
    if known.operands.fullmatch(call.name) and len(call.args) > 2 and call.args[1].literal is not None:
        judge.runs(call.args[:2], call.name)
        judge.data(replace(call, args=call.args[2:]))
    else:
        judge.runs(call.args, call.name)
    given = [*call.args, *(word for _, word in call.command.assignments)]
    if not known.posix and any(part.holes for part in (*given, *call.command.inputs)):
        judge.review.unknown[call.name] = None
    options = [place for place, word in enumerate(call.args) if known.inline.fullmatch(word.literal or "")]
    if not options:
        judge.runs_input(call.name, call.command)
    elif known.posix:
        after = [word for word in call.args[options[0] + 1 :] if not word.prefix.startswith(("-", "+"))]
        if after:
            judge.code(after[:1], call)
        for word in after[1:]:
            judge.flow.becomes("@", word, split=True)


def _scripted(judge: CommandJudge, call: NamedCommand) -> None:
    """A command whose first operand is a program of its language, or whose options hold one."""
    language = SCRIPTED[call.name]
    args, rest, place, given = call.args, list[ShellWord](), 0, False
    safe = args[:1] and args[0].literal == "--sandbox" and "sandbox" in language.way
    place = int(bool(args) and args[0].literal in language.subcommands)
    while place < len(args):
        word, text = args[place], args[place].literal or "?"
        if text in language.holding:
            _program(judge, call, args[place + 1 : place + 2], safe=bool(safe) and text != "-f")
            if text in ("-f", "--from-file") and place + 1 < len(args):
                judge.runs_file(args[place + 1].shown, call)
            place, given = place + 2, True
        elif text in language.named:
            if text == "-v":
                _awk_variables(judge, call, args[place + 1 : place + 2])
            place += 1 + language.named[text]
        elif language.flags.fullmatch(text):
            place += 1
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
    judge.data(call, rest, marks=("=",) if language.assigns else ())


def _read(judge: CommandJudge, call: NamedCommand, rest: Sequence[ShellWord]) -> None:
    """What the command does with the files behind its program, and with what it prints."""
    if call.name == "jq":
        _boxed(judge, call)
    if not SCRIPTED[call.name].assigns and any(_IN_PLACE.match(word.literal or "") for word in call.args):
        for word in rest:
            judge.target(word, changes=True)
            judge.trace.fills(call, word.shown)


_OBJECT = re.compile(r"\s*\{[^|/?]*\}\s*")


def _boxed(judge: CommandJudge, call: NamedCommand) -> None:
    """What jq makes an object of starts with a brace, whatever it is."""
    texts = [word.literal or "" for word in call.args]
    raw = any(re.match("-[A-Za-z]*[rjL]|--(raw|join|from|seq)", text) for text in texts)
    objects = [text for text in texts if _OBJECT.fullmatch(text) and not re.search(r"\}\s*[.\[]", text)]
    if objects and not raw and texts[:1] == ["-n"] and call.command not in judge.piped:
        judge.flow.boxed.update(hole for word in call.args for hole in word.own_holes)


def _program(judge: CommandJudge, call: NamedCommand, words: Sequence[ShellWord], *, safe: bool) -> None:
    judge.flow.mentioned += [word.literal for word in words if word.literal]
    if not safe and any(SCRIPTED[call.name].running.search(judge.as_code(word)) for word in words):
        judge.runs_input(f"{call.name} {words[0].shown}", call.command)
    if not safe:
        what = f"an argument of `{call.name}`, part of a program that does more with it than read it"
        judge.runs(words, call.name, what, f"`{SCRIPTED[call.name].way}` takes it as data;")


def _awk_variables(judge: CommandJudge, call: NamedCommand, words: Sequence[ShellWord]) -> None:
    for word in words:
        if not (assigned := builtins.ASSIGNED.match(word.prefix)):
            judge.runs([word], call.name)
            continue
        programs = [other.literal or "" for other in call.args]
        if any(map(SCRIPTED[call.name].running.search, programs)):
            judge.runs([word], call.name, f"in a variable of an `{call.name}` program that runs commands")
        if any(map(_PRINTS_TO.search, programs)):
            judge.target(word.without_prefix(assigned.end()), content=True)
            judge.trace.fills(call, "")


def _find(judge: CommandJudge, call: NamedCommand) -> None:
    args, plain, place = call.args, list[ShellWord](), 0
    if files.found_is_changed(args):
        for word in itertools.takewhile(lambda word: not word.prefix.startswith(("-", *EXPRESSION)), args):
            judge.target(word, changes=True)
    while place < len(args):
        if args[place].literal in FIND_WRITES:
            for word in args[place + 1 : place + 2]:
                judge.target(word)
        if args[place].literal in FIND_VALUES and place + 1 < len(args):
            judge.flow.quiet.update(args[place + 1].own_holes)
            judge.data(call, args[place : place + 2])
            place += 2
            continue
        if args[place].literal not in FIND_RUNS:
            plain.append(args[place])
            place += 1
            continue
        ends = (n for n in range(place, len(args)) if args[n].literal in (";", "+"))
        stop = next(ends, len(args))
        if inner := args[place + 1 : stop]:
            judge.line(inner, call.command)
        place = stop
    judge.data(call, plain, marks=("-", *EXPRESSION))


_RULES: tuple[tuple[Collection[str], Rule], ...] = (
    (("exec",), _exec),
    (files.MAKERS, files.maker),
    (files.CHANGERS, files.changer),
    (files.MODULES, files.module),
    (files.COPIERS, _copier),
    (("dd",), files.dd),
    (("split", "csplit"), files.split),
    (("tar", "bsdtar", "gtar"), files.tar),
    (("ar", "jar", "7z", "7za"), files.first),
    (("git",), _git),
    (("cd", "pushd"), builtins.directory),
    (EVALUATORS, _evaluator),
    (WRAPPERS, _wrapper),
    (RUNNERS, _wrapper),
    (SCRIPTED, _scripted),
    (DECLARATIONS, builtins.declaration),
    (NAMERS, builtins.namer),
    (("eval",), builtins.evaluate),
    (("trap",), builtins.trap),
    ((".", "source"), builtins.source),
    (("xargs", "gxargs"), _xargs),
    (("find", "gfind"), _find),
    (("let", "[["), builtins.calculation),
    (("set",), builtins.positional),
    (("echo", "true", "false", ":"), builtins.harmless),
    (("printf",), builtins.formatted),
    (("test", "["), builtins.tested),
)
_RULE_OF: dict[str, Rule] = {name: rule for names, rule in reversed(_RULES) for name in names}


def knows(name: str) -> bool:
    """Whether anything is known of the command."""
    return name in _RULE_OF or is_known(name) or interpreter(name) is not None
