"""Shell text with ``{{ }}`` -> a command and an environment, or why there is no safe spelling.

Every placeholder becomes a reference to an environment variable, spelled for the quoting it stands
in, so that its value is data whatever it holds:

    git show {{ x }}              git show "${lok_1}"
    echo "it is {{ x }}"          echo "it is ${lok_1}"
    echo 'it is {{ x }}'          echo 'it is '"${lok_1}"''
    cat <<'EOF'                   cat <<EOF
    costs $5: {{ x }}             costs \\$5: ${lok_1}
    EOF                           EOF
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from pytest_lok.core.shell.ast import HereDoc, Hole, Quoting, Script, ShellWord, UnsupportedSyntax
from pytest_lok.core.shell.cursor import HOLE
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.pipes import hidden_failures
from pytest_lok.core.shell.placeholders import Placeholder, placeholder, shifted, spans_of, statements
from pytest_lok.core.shell.rendering import MAX_ARGUMENT, ShellCommand, check_wrapper, wrap
from pytest_lok.core.shell.safety.command_tables import EXPRESSION
from pytest_lok.core.shell.safety.judge import ASSIGNS, DASH, SafetyReport
from pytest_lok.core.shell.safety.rules.programs import review
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.errors import Fault, SourceError, TemplateError

__all__ = ["MAX_VALUE", "MAX_VALUES", "ShellCommand", "ShellTemplate", "check_wrapper", "wrap"]

MAX_VALUE = 120_000
"""Bytes of one value; a process takes little more in one variable."""

MAX_VALUES = 900_000
"""Bytes of all values of a command; a process takes about a megabyte with its arguments on some systems."""

_BRACES = re.compile(r"\{\{\s*(['\"])(\{\{|\}\})\1\s*\}\}")
"""Two literal braces, which a placeholder spells: its author's text, and no value."""
_DASHED = re.compile(r"(?<!\S)-")
_Pieces: TypeAlias = tuple[int | str | None, ...]  # numbers of placeholders, literal text, None = unknown


@dataclass(frozen=True, slots=True)
class _Code:
    """A command whose holes are filled: its text, and how each placeholder's value travels.

    ``formats`` are the numbers of the placeholders in a printf's format. ``guarded`` are words that must not
    start with one of the marks, ``split`` ones the shell splits: no part of them may start with a ``-``.
    ``targets`` name files that are written, and ``started`` those that are run.
    """

    text: str
    variables: tuple[str, ...]
    formats: frozenset[int]
    guarded: tuple[tuple[_Pieces, tuple[str, ...]], ...]
    split: tuple[_Pieces, ...]
    targets: tuple[_Pieces, ...]
    started: frozenset[str]


@dataclass(frozen=True, slots=True)
class ShellTemplate:
    """Compiled shell text. ``steps`` are the steps it reads, ``arguments`` those it cannot do without.

    ``positional_count`` is the highest number of a positional argument that it reads, ``unknown`` are
    commands that get values and of which nothing is known: whether they run them nobody can say.
    """

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    positional_count: int = 0
    unknown: tuple[str, ...] = ()
    placeholders: tuple[Placeholder, ...] = field(default=(), repr=False)
    _code: _Code | None = field(default=None, repr=False)  # None: values are pasted

    @classmethod
    def parse(cls, source: str, names: VisibleNames, *, unsafe: bool = False) -> ShellTemplate:
        """Compile; SourceError holds every placeholder that has no safe spelling, and the ways out.

        ``unsafe`` pastes values as text (``unsafe_shell = true``).
        """
        if "{{" not in source and "{%" not in source:
            return cls(source)
        spans = list(spans_of(source))
        faults = list(statements(source, spans))
        code: _Code | None = None
        unknown: tuple[str, ...] = ()
        if spans and not unsafe:
            code, unknown, dropped = _compile(source, spans, faults)
            spans = [span for span in spans if span not in dropped]
        placeholders: list[Placeholder] = []
        for start, end in spans:
            try:
                placeholders.append(placeholder(source[start:end], start, names))
            except SourceError as error:
                faults = [fault for fault in faults if (fault.start, fault.end) != (start, end)]
                faults += [shifted(fault, start) for fault in error.faults]
        if faults:
            raise SourceError(sorted(faults, key=lambda fault: fault.start))
        templates = [placeholder.template for placeholder in placeholders]
        return cls(
            source=source,
            steps=frozenset().union(*(template.steps for template in templates)),
            arguments=frozenset().union(*(template.arguments for template in templates)),
            positional_count=max((template.positional_count for template in templates), default=0),
            unknown=unknown,
            placeholders=tuple(placeholders),
            _code=code,
        )

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether rendering its values may take long."""
        return any(placeholder.template.may_be_slow(scope) for placeholder in self.placeholders)

    def remarks(self) -> list[Fault]:
        """What is odd about it: failures that a pipe hides. Nothing where not every sh reads it alike."""
        if "|" not in self.source:
            return []
        try:
            return list(
                hidden_failures(_scanned(self.source, [Hole(*span) for span in spans_of(self.source)]))
            )
        except UnsupportedSyntax:
            return []

    def render(self, scope: Scope) -> ShellCommand:
        """The command with its values; TemplateError for one that is missing or that cannot be passed."""
        values = [placeholder.template.render(scope) for placeholder in self.placeholders]
        if self._code is None:
            return ShellCommand(text=self._pasted(values), values={})
        for pieces, marks in self._code.guarded:
            self._check_start(pieces, values, marks)
        for pieces in self._code.split:
            self._check_parts(pieces, values)
        targets = tuple(
            named for pieces in self._code.targets if (named := self._target(pieces, values)) is not None
        )
        carried: dict[str, str] = {}
        for number, value in enumerate(values):
            text = _for_printf(value) if number in self._code.formats else value
            self._check_size(self.placeholders[number].text, text, MAX_VALUE)
            carried[self._code.variables[number]] = text
        self._check_size("all {{ }} together", "".join(values), MAX_VALUES)
        return ShellCommand(text=self._code.text, values=carried, targets=targets)

    def _pasted(self, values: list[str]) -> str:
        edits = [(p.start, p.end, value) for p, value in zip(self.placeholders, values, strict=True)]
        text = _edited(self.source, edits)
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

    def _check_start(self, pieces: _Pieces, values: list[str], marks: tuple[str, ...] = DASH) -> None:
        """TemplateError if values make a word an option that its author did not write as one."""
        if ASSIGNS in marks:
            self._check_assignment(pieces, values)
            marks = tuple(mark for mark in marks if mark != ASSIGNS)
        for piece in pieces:
            if piece is None:
                return
            text = piece if isinstance(piece, str) else values[piece]
            if not text:
                continue
            if text.startswith(marks) and not (isinstance(piece, int) and self.placeholders[piece].dash):
                raise (
                    self._option(pieces, text)
                    if text.startswith("-")
                    else TemplateError(
                        f"the value at {self._first(pieces)} would be part of an expression: {text[:40]!r}",
                        hint="write ./ before it",
                    )
                    if text.startswith(EXPRESSION)
                    else TemplateError(
                        f"the value at {self._first(pieces)} would name a file to read: {text[:40]!r}",
                        hint="put something before it, or pass it by `stdin`",
                    )
                )
            return

    def _check_assignment(self, pieces: _Pieces, values: list[str]) -> None:
        """TemplateError if values make a word set a variable."""
        known = pieces[: pieces.index(None)] if None in pieces else pieces
        text = "".join(
            piece if isinstance(piece, str) else values[piece] for piece in known if piece is not None
        )
        if re.match(r"[A-Za-z_][\w:]*=", text, re.ASCII):
            raise TemplateError(
                f"the value at {self._first(pieces)} would set a variable: {text[:40]!r}",
                hint="write ./ before it, for it to be the name of a file",
            )

    def _check_parts(self, pieces: _Pieces, values: list[str]) -> None:
        """TemplateError if the shell makes an option of a part of a value by splitting it."""
        before = ""
        for piece in pieces:
            text = "x" if piece is None else piece if isinstance(piece, str) else values[piece]
            if isinstance(piece, int) and not self.placeholders[piece].dash:
                found = [match.start() for match in _DASHED.finditer(text)]
                if found and (found[-1] > 0 or not before.strip()):
                    raise self._option(pieces, text)
            before = text[-1:] or before

    def _first(self, pieces: _Pieces) -> str:
        return self.placeholders[next(p for p in pieces if isinstance(p, int))].text

    def _option(self, pieces: _Pieces, text: str) -> TemplateError:
        return TemplateError(
            f"the value at {self._first(pieces)} makes an argument that looks like an option: {text[:40]!r}",
            hint="write `--` before it, or {{ … | allow_dash }} if options are welcome there",
        )

    def _target(self, pieces: _Pieces, values: list[str]) -> tuple[str, str] | None:
        """The file that is written, if it has to be looked at; TemplateError where it may not be."""
        base, path = _named(pieces, values)
        name = path.rstrip("/").rpartition("/")[2]
        why = ""
        if not name or name in (".", "..") or ".." in path.split("/") or (base and path.startswith("/")):
            why = "is no name of a file in there" if base else "is no name of a file in the project"
        elif name.lower() in self._code.started if self._code else False:
            why = "is a file that this command runs"
        if why:
            raise TemplateError(
                f"the value at {self._first(pieces)} names a file to write or send, and {path[:80]!r} {why}",
                hint="a name without `..`, relative to the directory, is one",
            )
        elsewhere = None in pieces or base.startswith(("/", "~")) or ".." in base.split("/")
        return None if elsewhere else (base, path)


# --- compiling


_Span: TypeAlias = tuple[int, int]


def _compile(
    source: str, spans: list[_Span], faults: list[Fault]
) -> tuple[_Code | None, tuple[str, ...], list[_Span]]:
    """The filled command, the commands in it that nothing is known of, and the spans that stand in comments.

    No command after adding to ``faults`` what has no safe place.
    """
    holes = [Hole(start, end) for start, end in spans]
    try:
        script = _scanned(source, holes)
        verdict = review(script)
    except UnsupportedSyntax as error:
        faults.append(_unreadable(source, spans[0], error))
        return None, (), []
    for hole in set(holes).difference(script.holes):
        verdict.refused[hole] = ("in a place that is not understood", "")
    dropped = [(hole.start, hole.end) for hole in holes if hole.in_comment]
    refused = {
        hole: why
        for hole, why in verdict.refused.items()
        if hole.unsafe_place
        or hole not in script.holes
        or not _BRACES.fullmatch(source, hole.start, hole.end)
    }
    if refused:
        faults += [_refused(source, hole, *why) for hole, why in refused.items()]
        return None, (), dropped
    return _code(source, script, verdict, holes), tuple(verdict.unknown_commands), dropped


def _code(source: str, script: Script, verdict: SafetyReport, holes: list[Hole]) -> _Code:
    kept = [hole for hole in holes if not hole.in_comment]
    numbers = {hole: number for number, hole in enumerate(kept)}
    variables = _variables(source, len(kept))
    texts = {hole: _reference(hole.quoting, name) for hole, name in zip(kept, variables, strict=True)}
    return _Code(
        text=_filled(source, script, {**dict.fromkeys(holes, ""), **texts}),
        variables=variables,
        formats=frozenset(numbers[hole] for hole in verdict.printf_formats),
        guarded=tuple((_pieces(word, numbers), starts) for word, starts in verdict.forbidden_starts),
        split=tuple(_pieces(word, numbers) for word in verdict.split_words),
        targets=tuple(_pieces(word, numbers) for word in verdict.written_files),
        started=verdict.run_files,
    )


def _scanned(source: str, holes: list[Hole]) -> Script:
    return scan(
        _edited(source, [(hole.start, hole.end, HOLE * (hole.end - hole.start)) for hole in holes]), holes
    )


def _pieces(word: ShellWord, numbers: dict[Hole, int]) -> _Pieces:
    return tuple(numbers[piece] if isinstance(piece, Hole) else piece for piece in word.pieces)


def _named(pieces: _Pieces, values: list[str]) -> tuple[str, str]:
    """The directory that the text's author wrote, and the name that values are part of."""
    base, name, fixed = "", "", True
    for piece in pieces:
        text = "$" if piece is None else piece if isinstance(piece, str) else values[piece]
        fixed = fixed and not isinstance(piece, int)
        name += text
        if fixed:
            cut = name.rfind("/") + 1
            base, name = base + name[:cut], name[cut:]
    return base, name


def _variables(source: str, count: int) -> tuple[str, ...]:
    """Names of variables that the text does not use; lower case is for applications."""
    prefix = "lok_"
    while prefix in source:
        prefix += "_"
    return tuple(f"{prefix}{number}" for number in range(1, count + 1))


def _filled(source: str, script: Script, texts: dict[Hole, str]) -> str:
    edits = [(hole.start, hole.end, text) for hole, text in texts.items()]
    for doc in script.here_documents:
        if doc.literal and doc.holes:
            edits += _opened(source, doc)
    return _edited(source, edits)


def _reference(quoting: Quoting, name: str) -> str:
    match quoting:
        case Quoting.BARE:
            return f'"${{{name}}}"'
        case Quoting.OPEN:
            return f"${{{name}}}"
        case Quoting.SINGLE:
            return f"'\"${{{name}}}\"'"


def _opened(source: str, doc: HereDoc) -> Iterator[tuple[int, int, str]]:
    """A here-document with a quoted delimiter as one without: what would now be expanded is escaped."""
    yield doc.start, doc.end, doc.delimiter
    place = doc.body_start
    for hole in (*doc.holes, Hole(doc.body_end, doc.body_end)):
        yield place, hole.start, re.sub(r"[$`\\]", r"\\\g<0>", source[place : hole.start])
        place = hole.end


def _edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text with the spans replaced; they do not overlap."""
    parts, place = [], 0
    for start, end, replacement in sorted(edits):
        parts += [text[place:start], replacement]
        place = end
    return "".join((*parts, text[place:]))


def _for_printf(value: str) -> str:
    """The format that prints the value; a leading ``-`` would be taken for an option."""
    text = value.replace("\\", "\\\\").replace("%", "%%")
    return f"\\055{text[1:]}" if text.startswith("-") else text


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
