"""Commands without a shell, and what commands read as their input: where a value would be code there too.

``argv`` is the way to pass anything as one argument, so nothing is asked of it but that the argument
is not itself a program: the text behind ``sh -c``, or what ``jq`` is told to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_lok.core.shell.ast import (
    HereDoc,
    Hole,
    NamedCommand,
    PipeInput,
    Script,
    ShellWord,
    SimpleCommand,
    UnsupportedSyntax,
)
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.placeholders import find_holes
from pytest_lok.core.shell.safety.command_tables import (
    LITTLE_LANGUAGES,
    Interpreter,
    interpreter,
    runs_operands,
)
from pytest_lok.core.shell.safety.rules.programs import RULES, judge_of
from pytest_lok.errors import Fault

_CODE_HINT = """pass it beside the code: ["sh", "-c", 'echo "$1"', "-", "{{ … }}"], or by `env` or `stdin`"""


def argv_faults(items: Sequence[str]) -> Iterator[tuple[int, Fault]]:
    """The items, by their number, in which a value would be code; each with why."""
    if not any("{{" in item for item in items):
        return
    words = [_word(item) for item in items]
    for place, word in enumerate(words):
        name = (word.literal or "").rpartition("/")[2]
        # the first word is the program; further on only names that start a command line count
        if place and not runs_operands(name):
            continue
        if known := interpreter(name):
            yield from _code(words, place, known, name)
        elif name in LITTLE_LANGUAGES:
            yield from _program(words, place, name)


def input_fault(source: str) -> str:
    """What an interpreter or ``xargs`` in the text would make of a value in its input, "" if that is data."""
    hole = Hole(-1, -1)
    # from the end, so that the places of the earlier ones stay what they are
    for inner in reversed(find_holes(source)):
        source = f"{source[: inner.start]}x{source[inner.end :]}"
    try:
        script = scan(source)
        names = [(word.literal or "").rpartition("/")[2] for part in script.commands for word in part.words]
        if not any(interpreter(name) or name == "xargs" for name in names):
            return ""
        for command in script.commands:
            # a here-document takes the place of the input that comes from the step
            if not any(isinstance(given, HereDoc) for given in command.inputs):
                command.inputs.append(PipeInput((hole,)))
        script.holes.append(hole)
        judge = judge_of(script)
        judge.read(script)
        judge.conclude(script)
    except UnsupportedSyntax:
        return ""  # a text without values runs as it is, and nobody knows what it reads
    return judge.report.refused.get(hole, ("", ""))[0]


def _word(item: str) -> ShellWord:
    word, place = ShellWord(0), 0
    for hole in find_holes(item):
        word.add(item[place : hole.start])
        word.pieces.append(hole)
        place = hole.end
    word.add(item[place:])
    word.holes = tuple(word.own_holes)
    return word


def _code(
    words: Sequence[ShellWord], place: int, known: Interpreter, name: str
) -> Iterator[tuple[int, Fault]]:
    """Values in the code of an interpreter, or in the name of its script."""
    coded = False
    for number, word in enumerate(words[place + 1 :], place + 1):
        attached = word.prefix.startswith("-") and bool(known.code_options.fullmatch(word.prefix))
        if word.own_holes and (coded or attached or not word.prefix):
            yield from _faults(number, word, f"code that `{name}` runs", _CODE_HINT)
        # behind the code, or behind the name of a script, words are data of that
        if coded or not word.prefix.startswith("-"):
            return
        coded = bool(known.code_options.fullmatch(word.literal or ""))


def _program(words: Sequence[ShellWord], place: int, name: str) -> Iterator[tuple[int, Fault]]:
    """Values in a program of a small language."""
    # a judge of its own: what the rule says of one item must not mix with what was said before
    judge = judge_of(Script())
    RULES.rule(name)(judge, NamedCommand(name=name, args=words[place + 1 :], command=SimpleCommand()))
    for number, word in enumerate(words):
        if any(hole in judge.report.refused for hole in word.own_holes):
            what, instead = judge.report.refused[word.own_holes[0]]
            yield from _faults(number, word, what, instead.rstrip(";"))


def _faults(number: int, word: ShellWord, what: str, hint: str) -> Iterator[tuple[int, Fault]]:
    for hole in word.own_holes:
        yield number, Fault(message=f"a value cannot be {what}", start=hole.start, end=hole.end, hint=hint)
