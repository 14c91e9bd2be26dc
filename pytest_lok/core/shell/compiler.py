"""Shell text with ``{{ }}`` -> a command and an environment, or why there is no safe spelling.

Every placeholder becomes a reference to an environment variable, spelled for the quoting it stands
in, so that its value is data whatever it holds:

    git show {{ x }}              git show "${lok_1}"
    echo "it is {{ x }}"          echo "it is ${lok_1}"
    echo 'it is {{ x }}'          echo 'it is '"${lok_1}"''
    cat <<'EOF'                   cat <<EOF
    costs $5: {{ x }}             costs \\$5: ${lok_1}
    EOF                           EOF

What this promises
==================

There are two promises, and they rest on different grounds.

**The shell never parses a value. This is a guarantee.** The text is compiled before any value is known,
and no value is ever pasted into it (unless the step says ``unsafe_shell``). The shell sees
``"${lok_1}"``, expands it and takes the result as one word, or as a part of one: a shell does not read
the result of an expansion again. The grounds are the parser's. It reads the part of POSIX sh that dash
and bash read alike, and it refuses everything else: a text that two shells may read differently is an
error, as is a placeholder in a place without a spelling (inside ``$((…))``, inside backticks, in a
pattern of ``case``). Nothing is guessed, and there is no list of characters to escape. The tests run
random texts with hostile values in real shells.

**A program that is known to run its data gets none. This is a list, and it grows.** ``sh -c "$x"``,
``xargs``, ``find -exec`` and ``awk "$x"`` take a value that the shell never parsed, and run it. Which
programs do that is no property of the text, so ``safety/`` has to know programs. Three rules keep its
list from being a bare list of enemies:

* A program whose options are all known takes data, but for the options that run their value.
* Of every other program an option is judged by its name: none that is called like those that run their
  value (``--exec``, ``-c``) takes a value.
* The name of an interpreter, an evaluator or a wrapper among anybody's arguments begins a command line,
  which is judged as if it stood alone.

What passes these rules may still be run by a program that nobody has listed. Such commands are named, in
``ShellTemplate.unknown_commands``, and ``lok plan`` shows them. ``argv`` is the way to pass what is
meant to be run.

A value may also be more than data by what it says. Those cases are left for the moment when it is known,
in ``value_checks.py``: a value that begins with ``-`` and would be taken for an option, one that would
set a variable, one that names a file to write outside of the directory that the author wrote.

How it is done
==============

1. ``placeholders.py`` finds the placeholders; each becomes a ``Hole`` of the same length.
2. ``parser.py`` reads the text into a ``Script``: its commands and words, with the quoting of every hole.
3. ``safety/`` judges the script: which holes would be code, and what the values in the others may not do.
4. Here each hole gets its variable (``spelling.py``). Every refused one becomes a ``Fault`` with its column.
5. ``ShellTemplate.render`` checks the values and puts them into the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.core.shell.ast import Hole, Script, ShellWord, SimpleCommand, UnsupportedSyntax
from pytest_lok.core.shell.cursor import HOLE
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.placeholders import (
    Placeholder,
    compile_placeholder,
    find_holes,
    find_spans,
    shift_fault,
    statement_faults,
)
from pytest_lok.core.shell.rendering import MAX_ARGUMENT, ShellCommand, check_wrapper, wrap
from pytest_lok.core.shell.spelling import (
    escape_for_printf,
    fill_holes,
    reference,
    replace_spans,
    variable_names,
)
from pytest_lok.core.shell.value_checks import Pieces, ValueChecks
from pytest_lok.core.text.words import words
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, SourceError, TemplateError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.shell.safety.judge import SafetyReport
    from pytest_lok.core.templates.scope import Scope, VisibleNames

__all__ = [
    "MAX_VALUE",
    "MAX_VALUES",
    "ShellCommand",
    "ShellTemplate",
    "check_wrapper",
    "scan_template",
    "wrap",
]

MAX_VALUE = 120_000
"""Bytes of one value; a process takes little more in one variable."""

MAX_VALUES = 900_000
"""Bytes of all values of a command; a process takes about a megabyte with its arguments on some systems."""

_BRACES = late_regex(r"\{\{\s*(['\"])(\{\{|\}\})\1\s*\}\}")
"""Two literal braces, which a placeholder spells: its author's text, and no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _CompiledCommand:
    """A command whose holes are filled: its text, and the variable that carries each placeholder's value.

    ``printf_formats`` are the numbers of the placeholders in a format of ``printf``.
    """

    text: str
    variables: tuple[str, ...]
    printf_formats: frozenset[int]
    checks: ValueChecks


@dataclass(frozen=True, slots=True)
class ShellTemplate:
    """Compiled shell text. ``steps`` are the steps it reads, ``arguments`` those it cannot do without.

    ``positional_count`` is the highest number of a positional argument that it reads, ``unknown_commands``
    get values, and nothing is known of them: they may run those.
    """

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    positional_count: int = 0
    unknown_commands: tuple[str, ...] = ()
    placeholders: tuple[Placeholder, ...] = field(default=(), repr=False)
    _command: _CompiledCommand | None = field(default=None, repr=False)  # None: values are pasted

    @classmethod
    def parse(cls, source: str, names: VisibleNames, *, unsafe: bool = False) -> ShellTemplate:
        """Compile; SourceError holds every placeholder that has no safe spelling, and the ways out.

        ``unsafe`` pastes values as text (``unsafe_shell = true``).
        """
        # nothing to fill in, so nobody asks whether two shells would read the text alike
        if "{{" not in source and "{%" not in source:
            return cls(source)
        spans = list(find_spans(source))
        faults = list(statement_faults(source, spans))
        command: _CompiledCommand | None = None
        unknown: tuple[str, ...] = ()
        if spans and not unsafe:
            command, unknown, in_comments = _compile(source, spans, faults)
            spans = [span for span in spans if span not in in_comments]
        placeholders: list[Placeholder] = []
        for start, end in spans:
            try:
                placeholders.append(compile_placeholder(source[start:end], start, names))
            except SourceError as error:
                # that it is no expression says more than where it stands
                faults = [fault for fault in faults if (fault.start, fault.end) != (start, end)]
                faults += [shift_fault(fault, start) for fault in error.faults]
        if faults:
            raise SourceError(sorted(faults, key=lambda fault: fault.start))
        templates = [placeholder.template for placeholder in placeholders]
        return cls(
            source=source,
            steps=frozenset().union(*(template.steps for template in templates)),
            arguments=frozenset().union(*(template.arguments for template in templates)),
            positional_count=max((template.positional_count for template in templates), default=0),
            unknown_commands=unknown,
            placeholders=tuple(placeholders),
            _command=command,
        )

    @property
    def pastes_values(self) -> bool:
        """Whether values become part of the text itself (``unsafe_shell``)."""
        return bool(self.placeholders) and self._command is None

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether rendering its values may take long."""
        return any(placeholder.template.may_be_slow(scope) for placeholder in self.placeholders)

    def remarks(self) -> list[Fault]:
        """What is odd about it: failures that a pipe hides. Nothing where not every sh reads it alike."""
        if "|" not in self.source:
            return []
        try:
            return list(_hidden_failures(_scanned(self.source, find_holes(self.source))))
        except UnsupportedSyntax:
            return []

    def render(self, scope: Scope) -> ShellCommand:
        """The command with its values; TemplateError for one that is missing or that cannot be passed."""
        values = [placeholder.template.render(scope) for placeholder in self.placeholders]
        command = self._command
        if command is None:
            return ShellCommand(text=self._pasted(values), values={})
        written_files = command.checks.check(values, self.placeholders)
        carried: dict[str, str] = {}
        for number, value in enumerate(values):
            text = escape_for_printf(value) if number in command.printf_formats else value
            self._check_size(self.placeholders[number].text, text, MAX_VALUE)
            carried[command.variables[number]] = text
        # each of them may fit, and all of them not
        self._check_size("all {{ }} together", "".join(values), MAX_VALUES)
        return ShellCommand(text=command.text, values=carried, written_files=written_files)

    def _pasted(self, values: list[str]) -> str:
        edits = [(p.start, p.end, value) for p, value in zip(self.placeholders, values, strict=True)]
        text = replace_spans(self.source, edits)
        self._check_size("the command with its values", text, MAX_ARGUMENT)
        return text

    def _check_size(self, what: str, value: str, limit: int) -> None:
        hint = "pass it by `stdin`, which takes any text of any size"
        if HOLE in value:
            raise TemplateError(f"{what} holds a NUL character, which no command can be given", hint=hint)
        try:
            size = len(value) if value.isascii() else len(value.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            raise TemplateError(f"{what} holds half a character, which is no text", hint=hint) from None
        if size > limit:
            raise TemplateError(f"{what} has {size:,} bytes; a command takes at most {limit:,}", hint=hint)


# --- compiling


_Span: TypeAlias = tuple[int, int]


def _compile(
    source: str, spans: list[_Span], faults: list[Fault]
) -> tuple[_CompiledCommand | None, tuple[str, ...], list[_Span]]:
    """The filled command, the commands in it that nothing is known of, and the spans that stand in comments.

    No command after adding to ``faults`` what has no safe place.
    """
    # The tables of programs are large, and most commands have no values.
    from pytest_lok.core.shell.safety.rules.programs import review

    holes = [Hole(start, end) for start, end in spans]
    try:
        script = _scanned(source, holes)
        report = review(script)
    except UnsupportedSyntax as error:
        faults.append(_unreadable(source, spans[0], error))
        return None, (), []
    # the parser has passed every hole that it understood: what it did not see has no safe place
    for hole in set(holes).difference(script.holes):
        report.refused[hole] = ("in a place that is not understood", "")
    in_comments = [(hole.start, hole.end) for hole in holes if hole.in_comment]
    # a placeholder of two literal braces is its author's text: it is refused only for where it stands
    refused = {
        hole: why
        for hole, why in report.refused.items()
        if hole.unsafe_place
        or hole not in script.holes
        or not _BRACES.fullmatch(source, hole.start, hole.end)
    }
    if refused:
        faults += [_refused(source, hole, *why) for hole, why in refused.items()]
        return None, (), in_comments
    return _filled(source, script, report, holes), tuple(report.unknown_commands), in_comments


def _filled(source: str, script: Script, report: SafetyReport, holes: list[Hole]) -> _CompiledCommand:
    kept = [hole for hole in holes if not hole.in_comment]
    numbers = {hole: number for number, hole in enumerate(kept)}
    variables = variable_names(source, len(kept))
    texts = {hole: reference(hole.quoting, name) for hole, name in zip(kept, variables, strict=True)}
    return _CompiledCommand(
        text=fill_holes(source, script, {**dict.fromkeys(holes, ""), **texts}),
        variables=variables,
        printf_formats=frozenset(numbers[hole] for hole in report.printf_formats),
        checks=ValueChecks(
            forbidden_starts=tuple(
                (_pieces(word, numbers), starts) for word, starts in report.forbidden_starts
            ),
            split_words=tuple(_pieces(word, numbers) for word in report.split_words),
            written_files=tuple(_pieces(word, numbers) for word in report.written_files),
            run_files=report.run_files,
        ),
    )


def scan_template(source: str) -> Script:
    """What is known of the text of a template; UnsupportedSyntax if any part of it is not understood."""
    return _scanned(source, find_holes(source))


def _scanned(source: str, holes: list[Hole]) -> Script:
    return scan(
        replace_spans(source, [(hole.start, hole.end, HOLE * (hole.end - hole.start)) for hole in holes]),
        holes,
    )


def _pieces(word: ShellWord, numbers: dict[Hole, int]) -> Pieces:
    return tuple(numbers[piece] if isinstance(piece, Hole) else piece for piece in word.pieces)


# --- refusals


def _ways_out(placeholder: str) -> str:
    return (
        f'pass it without a shell, argv = ["command", "{placeholder}"], or as input, stdin = "{placeholder}";'
        " or let it become shell code with unsafe_shell = true"
    )


def _refused(source: str, hole: Hole, what: str, instead: str) -> Fault:
    return Fault(
        message=f"a value cannot be {what}",
        start=hole.start,
        end=hole.end,
        hint=" ".join(filter(None, [instead, _ways_out(source[hole.start : hole.end])])),
    )


def _unreadable(source: str, first: tuple[int, int], error: UnsupportedSyntax) -> Fault:
    at = min(error.at, len(source) - 1)
    return Fault(
        message=f"this shell text cannot take values: {error.message}",
        start=at,
        end=at + 1,
        hint=f"keep to what every sh reads alike; or {_ways_out(source[slice(*first)])}",
    )


# --- remarks


_SHELL_COMMANDS = words("""
    : [ break cd continue echo exit export printf pwd read return set shift test true umask unset
""")
"""The shell's own commands: if one of them fails, that is meant, as a rule."""

_PIPE_HINT = "pipefail = true (with bash), or take its output first: x=$(…) && printf '%s\\n' \"$x\" | …"


def _hidden_failures(script: Script) -> Iterator[Fault]:
    """A remark about each command before a ``|`` that may fail without anybody knowing."""
    # then the text itself lets a pipe fail with any of its commands
    if any(_sets_pipefail(command) for command in script.commands):
        return
    for start, commands in script.piped:
        name = next(filter(None, map(_may_fail, commands)), "")
        if name:
            message = f"where `{name}` fails, the pipe goes on with what is there, and the step passes"
            yield Fault(message=message, start=start, end=start + 1, hint=_PIPE_HINT)


def _may_fail(command: SimpleCommand) -> str:
    """The name of a program, which may fail; "" for what the shell does itself."""
    name = command.words[:1]
    return "" if not name or name[0].literal in _SHELL_COMMANDS else name[0].shown


def _sets_pipefail(command: SimpleCommand) -> bool:
    texts = [word.literal for word in command.words]
    return texts[:1] == ["set"] and "pipefail" in texts
