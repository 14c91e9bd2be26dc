"""Names → the texts of prompts, the project's, the user's or built in; paths → a project's instructions."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_lok.core.text.inclusion import MAX_CHARACTERS, NamedText
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.errors import UsageError
from pytest_lok.late_regex import late_regex

PROMPTS = "prompts"
"""The directory of prompts, beside that of workflows."""

_NAME = late_regex(r"\w[\w.+-]*(?:/\w[\w.+-]*)*")
_PART = late_regex(r"\.?\w[\w .+-]*")
_LONGEST_NAME = 200
_MOST_LISTED = 500
_SHORTER = "`attach` gives files"


class PromptFiles:
    """The prompts below a project's ``.lok/prompts``, the user's, and those that are built in.

    The first file of a name wins. ``root`` is the project's directory, ``user`` that of the user's settings
    (None = there is none).
    """

    def __init__(self, root: Path, user: Path | None) -> None:
        self._root = root
        # what is checked for links, and the way from there
        self._places = [(root, Path(".lok") / PROMPTS)]
        if user is not None:
            self._places.append((user, Path(PROMPTS)))
        self._places.append((Path(__file__).parent, Path(PROMPTS)))

    def named(self, name: str) -> NamedText:
        """The text of that name, without the newline at its end; UsageError where it cannot be had."""
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise UsageError(
                f"{name!r} is no name of a prompt",
                hint="a path below .lok/prompts, such as review.md or rules/python.md: letters, digits, "
                "_ . + and -, and no part begins with a dot",
            )
        for base, way in self._places:
            if os.path.lexists(base / way / name):
                path = base / way / name
                return NamedText(text=self._text(base, way / name), name=name, path=self._shown(path))
        raise self._unknown(name)

    def instruction(self, path: str) -> NamedText:
        """The text of a file of the project, as ``named`` gives that of a prompt; its path is its name."""
        parts = path.split("/")
        if len(path) > _LONGEST_NAME or not all(map(_PART.fullmatch, parts)) or parts[0] in (".git", ".lok"):
            raise UsageError(
                f"{path!r} is no file of instructions",
                hint="a path of the project, such as REVIEW.md or docs/rules.md",
            )
        if not os.path.lexists(self._root / path):
            raise UsageError(
                f"there is no {path} in the project", hint="write it, or take it out of the list"
            )
        return NamedText(text=self._text(self._root, Path(path)), name=path, path=path)

    def _text(self, base: Path, way: Path) -> str:
        shown = self._shown(base / way)
        try:
            for count in range(1, len(way.parts) + 1):
                if base.joinpath(*way.parts[:count]).is_symlink():
                    link = self._shown(base.joinpath(*way.parts[:count]))
                    raise UsageError(f"{link} is a link, and no text is read through one", hint="copy it")
            # a pipe would never end
            if not stat.S_ISREG((base / way).lstat().st_mode):
                raise UsageError(f"{shown} is no file")
            with (base / way).open("rb") as file:
                data = file.read(4 * MAX_CHARACTERS + 1)
            if len(data) > 4 * MAX_CHARACTERS:
                raise UsageError(f"{shown} has more than {MAX_CHARACTERS:,} characters", hint=_SHORTER)
            text = data.decode("utf-8")
        except OSError as error:
            raise UsageError(f"{shown} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise UsageError(f"{shown} is not UTF-8, in line {line}", hint="save it as UTF-8") from None
        if len(text) > MAX_CHARACTERS:
            raise UsageError(f"{shown} has more than {MAX_CHARACTERS:,} characters", hint=_SHORTER)
        if not text.strip():
            raise UsageError(f"{shown} is empty")
        return text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")

    def _unknown(self, name: str) -> UsageError:
        names = sorted(set(self._names()))
        there = f"there are: {', '.join(names[:20])}" if names else "there is none"
        looked = (
            "prompts are looked for in .lok/prompts, in those of the user, and in those that are built in"
        )
        hint = did_you_mean(name, names) or f"{looked}; {there}"
        return UsageError(f"there is no prompt {name!r}", hint=hint)

    def _names(self) -> Iterator[str]:
        for base, way in self._places:
            folder, count = base / way, 0
            for where, folders, files in os.walk(folder):
                folders[:] = sorted(it for it in folders if _NAME.fullmatch(it))
                for file in sorted(files):
                    count += 1
                    if count > _MOST_LISTED:
                        return
                    if _NAME.fullmatch(file):
                        yield (Path(where) / file).relative_to(folder).as_posix()

    def _shown(self, path: Path) -> str:
        inside = path.is_relative_to(self._root)
        return str(path.relative_to(self._root) if inside else path)
