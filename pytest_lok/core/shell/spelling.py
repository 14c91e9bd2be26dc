"""How a placeholder is spelled in a shell text, for the quotes that it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pytest_lok.core.shell.ast import HereDoc, Hole, Quoting, Script


def variable_names(source: str, count: int) -> tuple[str, ...]:
    """Names of variables that the text does not use; lower case is for applications."""
    prefix = "lok_"
    # the text may use such a variable for something of its own
    while prefix in source:
        prefix += "_"
    return tuple(f"{prefix}{number}" for number in range(1, count + 1))


def fill_holes(source: str, script: Script, texts: dict[Hole, str]) -> str:
    """The text with each hole replaced by its text, and here-documents that hold one expanded."""
    edits = [(hole.start, hole.end, text) for hole, text in texts.items()]
    for doc in script.here_documents:
        # a quoted delimiter would keep the reference from being expanded
        if doc.literal and doc.holes:
            edits += _as_unquoted(source, doc)
    return replace_spans(source, edits)


def reference(quoting: Quoting, name: str) -> str:
    """How the shell is told to expand the variable, for the quotes around the hole."""
    around = {Quoting.BARE: '"', Quoting.OPEN: "", Quoting.SINGLE: "'\""}[quoting]
    return f"{around}${{{name}}}{around[::-1]}"


def _as_unquoted(source: str, doc: HereDoc) -> Iterator[tuple[int, int, str]]:
    """A here-document with a quoted delimiter as one without: what would now be expanded is escaped."""
    yield doc.start, doc.end, doc.delimiter
    place = doc.body_start
    for hole in (*doc.holes, Hole(doc.body_end, doc.body_end)):
        yield place, hole.start, re.sub(r"[$`\\]", r"\\\g<0>", source[place : hole.start])
        place = hole.end


def replace_spans(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text with the spans replaced; they do not overlap."""
    parts, place = [], 0
    for start, end, replacement in sorted(edits):
        parts += [text[place:start], replacement]
        place = end
    return "".join((*parts, text[place:]))


def escape_for_printf(value: str) -> str:
    """The format that prints the value; a leading ``-`` would be taken for an option."""
    text = value.replace("\\", "\\\\").replace("%", "%%")
    return f"\\055{text[1:]}" if text.startswith("-") else text
