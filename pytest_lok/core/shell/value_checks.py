"""What a value may not do to the word that it stands in, checked when the value is known.

A value is data wherever it stands, but the program that gets it looks at the word: a ``-`` at its start makes
an option of it, an ``=`` behind a name sets a variable, and a path names a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import TemplateError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.shell.placeholders import Placeholder

Pieces: TypeAlias = tuple[int | str | None, ...]
"""A word: numbers of placeholders, literal text, and None for what only the shell will know."""

_DASHED = late_regex(r"(?<!\S)-")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChecks:
    """Words with values in them. ``forbidden_starts`` must not start with one of those.

    The shell splits ``split_words``, and no part of them may start with a ``-``. ``written_files`` name files
    that are written or sent, and ``run_files`` are the names of those that are run, in lower case.
    """

    forbidden_starts: tuple[tuple[Pieces, tuple[str, ...]], ...]
    split_words: tuple[Pieces, ...]
    written_files: tuple[Pieces, ...]
    run_files: frozenset[str]

    def check(
        self, values: Sequence[str], placeholders: Sequence[Placeholder]
    ) -> tuple[tuple[str, str], ...]:
        """The files that values make the command write: the directory its author wrote, and the rest.

        TemplateError for a value that may not stand in its word.
        """
        words = _Words(values, placeholders)
        for pieces, starts in self.forbidden_starts:
            words.check_start(pieces, starts)
        for pieces in self.split_words:
            words.check_parts(pieces)
        named = [words.written_file(pieces, self.run_files) for pieces in self.written_files]
        return tuple(file for file in named if file is not None)


@dataclass(frozen=True, slots=True)
class _Words:
    """Words whose values are known."""

    values: Sequence[str]
    placeholders: Sequence[Placeholder]

    def check_start(self, pieces: Pieces, starts: tuple[str, ...]) -> None:
        """TemplateError if values make a word an option that its author did not write as one."""
        from pytest_lok.core.shell.safety.judge import ASSIGNS

        if ASSIGNS in starts:
            self._check_assignment(pieces)
            starts = tuple(start for start in starts if start != ASSIGNS)
        for piece in pieces:
            if piece is None:
                return
            text = piece if isinstance(piece, str) else self.values[piece]
            # an empty value leaves the start of the word to what follows it
            if not text:
                continue
            if text.startswith(starts) and not (
                isinstance(piece, int) and self.placeholders[piece].allows_dash
            ):
                raise self._bad_start(pieces, text)
            return

    def _bad_start(self, pieces: Pieces, text: str) -> TemplateError:
        from pytest_lok.core.shell.safety.command_tables import EXPRESSION

        if text.startswith("-"):
            return self._option(pieces, text)
        if text.startswith(EXPRESSION):
            what, hint = "be part of an expression", "write ./ before it"
        else:
            what, hint = "name a file to read", "put something before it, or pass it by `stdin`"
        return TemplateError(f"the value at {self._first(pieces)} would {what}: {text[:40]!r}", hint=hint)

    def _check_assignment(self, pieces: Pieces) -> None:
        """TemplateError if values make a word set a variable."""
        # behind what only the shell will know nobody can say what the word is
        known = pieces[: pieces.index(None)] if None in pieces else pieces
        text = "".join(
            piece if isinstance(piece, str) else self.values[piece] for piece in known if piece is not None
        )
        if re.match(r"[A-Za-z_][\w:]*=", text, re.ASCII):
            raise TemplateError(
                f"the value at {self._first(pieces)} would set a variable: {text[:40]!r}",
                hint="write ./ before it, for it to be the name of a file",
            )

    def check_parts(self, pieces: Pieces) -> None:
        """TemplateError if the shell makes an option of a part of a value by splitting it."""
        before = ""
        for piece in pieces:
            text = "x" if piece is None else piece if isinstance(piece, str) else self.values[piece]
            if isinstance(piece, int) and not self.placeholders[piece].allows_dash:
                found = [match.start() for match in _DASHED.finditer(text)]
                # at the very start it begins a word only if no text stands right before it
                if found and (found[-1] > 0 or not before.strip()):
                    raise self._option(pieces, text)
            before = text[-1:] or before

    def _first(self, pieces: Pieces) -> str:
        return self.placeholders[next(p for p in pieces if isinstance(p, int))].text

    def _option(self, pieces: Pieces, text: str) -> TemplateError:
        return TemplateError(
            f"the value at {self._first(pieces)} makes an argument that looks like an option: {text[:40]!r}",
            hint="write `--` before it, or {{ … | allow_dash }} if options are welcome there",
        )

    def written_file(self, pieces: Pieces, run_files: frozenset[str]) -> tuple[str, str] | None:
        """The file that is written, if it has to be looked at; TemplateError where it may not be."""
        base, path = self._path(pieces)
        name = path.rstrip("/").rpartition("/")[2]
        why = ""
        if not name or name in (".", "..") or ".." in path.split("/") or (base and path.startswith("/")):
            why = "is no name of a file in there" if base else "is no name of a file in the project"
        elif name.lower() in run_files:
            why = "is a file that this command runs"
        if why:
            raise TemplateError(
                f"the value at {self._first(pieces)} names a file to write or send, and {path[:80]!r} {why}",
                hint="a name without `..`, relative to the directory, is one",
            )
        # only files of the project are looked at before they are written
        elsewhere = None in pieces or base.startswith(("/", "~")) or ".." in base.split("/")
        return None if elsewhere else (base, path)

    def _path(self, pieces: Pieces) -> tuple[str, str]:
        """The directory that the text's author wrote, and the name that values are part of."""
        base, name, fixed = "", "", True
        for piece in pieces:
            text = "$" if piece is None else piece if isinstance(piece, str) else self.values[piece]
            fixed = fixed and not isinstance(piece, int)
            name += text
            if fixed:
                cut = name.rfind("/") + 1
                base, name = base + name[:cut], name[cut:]
        return base, name
