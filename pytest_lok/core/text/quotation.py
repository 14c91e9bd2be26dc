"""A value of an answer -> whether it stands in what the answer is to, however it is written there."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence

from pytest_lok.core.results import Json
from pytest_lok.core.text.citation import unnumbered
from pytest_lok.core.text.invisible import squeezed, without_invisible
from pytest_lok.core.text.strict_json import Container, canonical, decode
from pytest_lok.errors import OutputError
from pytest_lok.late_regex import late_regex

MAX_READ = 3_000_000
"""Characters that are read in search of one value; what cannot be told after that counts as quoted."""


def is_quoted(value: Container, source: str, material: str) -> bool:
    """Whether the material holds the value, which is written as ``source`` in the answer.

    What is compared are texts and values: line numbers, marks of a diff, escapes, entities, the order of
    keys and what is invisible make no other value.
    """
    known = _without_marks(material)
    ways = source, json.dumps(value), json.dumps(value, ensure_ascii=False)
    if known and any(_without_marks(way) in known for way in ways):
        return True
    return _names_all_keys(material, value) and _contains_value(material, value)


def without_values(pieces: Sequence[str], *, others: bool) -> list[str]:
    """The pieces of an author's text without the objects and arrays in them.

    Where ``others`` is true, text of others stands between the pieces and at both ends. What goes on over
    such a place stays as it is, for it is not the author's alone.
    """
    around = _OTHERS if others else ""
    text = around + _OTHERS.join(piece.replace(_OTHERS, " ") for piece in pieces) + around
    for value in reversed(_own_values(text)):
        text = text[: value.start] + text[value.stop :]
    return text.removeprefix(around).removesuffix(around).split(_OTHERS)


_OTHERS = "\ufdd0"  # stands for no character
_BRACKET = late_regex(r"[\[\]{}]")
_STRING_OR_BRACKET = late_regex(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_MISSES = 1_000  # brackets that open no value; behind so many nothing is left out


def _own_values(text: str) -> list[slice]:
    """Where the author alone wrote an object or an array."""
    out, closed = list[slice](), set[int]()
    first, at, misses = text.find(_OTHERS), 0, 0
    while misses < _MISSES and (bracket := _BRACKET.search(text, at)) is not None:
        start, at = bracket.start(), bracket.end()
        if bracket[0] in "[{":
            end = _closing(text, start)
            if end is None:
                # nothing of others behind it can close it, so it is no value, and harmless
                if _OTHERS not in text[start:]:
                    misses += 1
                    continue
                return _before(first, out) if re.search(r"[\]}]", text[start:]) else out
            if _OTHERS in text[start:end]:
                at = end
            elif _is_value(text, start, end):
                out.append(slice(start, end))
                at = end
            else:
                closed.add(end - 1)
                misses += 1
        elif start not in closed and 0 <= first < start:
            out = _before(first, out)  # text of others may have opened what ends here
    return out


def _before(first: int, values: list[slice]) -> list[slice]:
    return [it for it in values if it.stop <= first]


def _closing(text: str, start: int) -> int | None:
    """The end of what a bracket opens, by the brackets outside of strings; None where it stays open."""
    opened = ""
    for token in _STRING_OR_BRACKET.finditer(text, start):
        if token[0] in "[{":
            opened += token[0]
        elif token[0] in "]}":
            if opened[-1:] != "[{"["]}".index(token[0])]:
                return None
            opened = opened[:-1]
            if not opened:
                return token.end()
    return None


def _is_value(text: str, start: int, end: int) -> bool:
    try:
        return decode(text, start)[1] == end
    except (json.JSONDecodeError, OutputError):
        return False


def _without_marks(text: str) -> str:
    """The text without line breaks, escapes and marks of quotation, so that two spellings compare equal."""
    return re.sub(r"\\+[nrt]", "", text).translate(_MARKS)


_MARKS = str.maketrans("'", '"', " \t\r\n\\>+-|#*/")


def _names_all_keys(material: str, value: Container) -> bool:
    """Whether all the plain keys of the value are in the material at all, which is quickly told."""
    keys = [key for key in value if key.isascii() and key.isalnum()] if isinstance(value, dict) else []
    said = html.unescape(_decoded(material))
    return all(key in said for key in keys) or all(key in squeezed(said) for key in keys)


def _decoded(text: str) -> str:
    said = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda it: chr(int(it[1], 16)), text)
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # halves make one character


def _contains_value(material: str, value: Container) -> bool:
    wanted = _squeezed_json(value)
    left = MAX_READ
    for reading in _readings(_lines_near_keys(material, value, 2000 + 40 * len(wanted))):
        left -= len(reading)
        for found, spent in _values(reading):
            left -= spent
            if left < 0:
                return True
            if type(found) is type(value) and len(found) == len(value) and _squeezed_json(found) == wanted:
                return True
    return False


def _squeezed_json(value: Json) -> str:
    """The value as it is seen, its keys in the order of what is seen of them."""
    return squeezed(canonical(_with_squeezed_keys(value)))


def _with_squeezed_keys(value: Json) -> Json:
    if isinstance(value, dict):
        return {squeezed(key): _with_squeezed_keys(it) for key, it in value.items()}
    return [_with_squeezed_keys(it) for it in value] if isinstance(value, list) else value


def _lines_near_keys(text: str, value: Container, reach: int) -> str:
    """The lines of a text that are near to where a key of the value is named, if keys are plainly written."""
    keys = (key for it in _containers(value) if isinstance(it, dict) for key in it)
    key = next((key for key in keys if key.isascii() and key.isalnum()), "")
    if not key or without_invisible(text) != text or re.search(r"\\u|&#", text):
        return text
    text = re.sub(r"\n\s*\n", "\n", re.sub(r"[ \t]{2,}", " ", text))
    kept, end = list[str](), 0
    for named in re.finditer(re.escape(key), text):
        start = max(end, text.rfind("\n", 0, max(0, named.start() - reach)) + 1)
        end = max(end, min(len(text), named.end() + reach))
        kept.append(text[start:end])
    return "".join(kept)


def _readings(text: str) -> Iterator[str]:
    """What the text may mean, each once."""
    # hashes, not texts: a reading may be as long as the material
    known = set[int]()
    plain = without_invisible(text)
    for outer in dict.fromkeys((plain, text, html.unescape(plain), html.unescape(text))):
        for said in dict.fromkeys((outer, _unescaped(outer), _unescaped(_decoded(outer)))):
            bare = unnumbered(said)
            for reading in (said, bare, _unmarked(said), _unmarked(bare), _from_first_bracket(said)):
                for it in (reading, _python_to_json(reading)):
                    if hash(it) not in known:
                        known.add(hash(it))
                        yield it


_LENIENT = json.JSONDecoder(strict=False)
_OPENER = late_regex(r"\{(?=\s*[\"}])|\[(?=\s*[\"\[{\]\dtfnNI-])")
_COST_OF_UNREADABLE = 20_000  # what it costs to come to the end of what can be read, and back


def _values(text: str) -> Iterator[tuple[Container, int]]:
    """Every object and array that can be read anywhere in a text, those in others too, and what each cost."""
    at = 0
    while (opener := _OPENER.search(text, at)) is not None:
        start, spent = opener.start(), 1
        try:
            value, at = _LENIENT.raw_decode(text, start)
        except json.JSONDecodeError as error:
            at, spent = start + 1, error.pos - start + 20
        except (RecursionError, ValueError):
            at, spent = start + 1, _COST_OF_UNREADABLE
        else:
            for inner in _containers(value):
                yield inner, 8
            continue
        yield [], spent


def _containers(value: Json) -> Iterator[Container]:
    todo = [value]
    while todo:
        it = todo.pop()
        if isinstance(it, dict | list):
            yield it
            todo += it.values() if isinstance(it, dict) else it


_ESCAPES = {"\\n": "\n", "\\r": "\n", "\\t": "\t"}


def _unescaped(text: str) -> str:
    """What a text says that stands in a string."""
    return re.sub(r"\\(.)", lambda it: _ESCAPES.get(it[0], it[1] if it[1] in "\\\"'/" else it[0]), text)


def _unmarked(text: str) -> str:
    """The text without the marks of a diff, a mail or a comment before its lines."""
    return re.sub(r"^[ \t]*(?:[>|#*/]+|[+-])[ \t]?", "", text, flags=re.MULTILINE)


def _from_first_bracket(text: str) -> str:
    """The text without whatever stands on its lines before the first quote or bracket."""
    return re.sub(r"^[^\"'{}\[\]\n]+", "", text, flags=re.MULTILINE)


_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


def _python_to_json(text: str) -> str:
    """A literal of Python as JSON, where it is simple."""
    return re.sub(r"\b(?:True|False|None)\b", lambda it: _PYTHON_WORDS[it[0]], text.replace("'", '"'))
