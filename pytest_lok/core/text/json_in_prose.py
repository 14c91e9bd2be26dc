"""Text with JSON in it -> the one value that stands free in the prose, or why none can be taken.

Whatever opens a bracket is JSON, or words in brackets, or the text is not read at all: what cannot be
told from an answer is never passed over in favour of another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from pytest_lok.core.results import Json
from pytest_lok.core.text.asides import without_asides
from pytest_lok.core.text.quotation import is_quoted
from pytest_lok.core.text.strict_json import (
    Container,
    broken_json,
    canonical,
    decode,
    describe_type,
    load_alone,
    unfenced,
)
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import OutputError
from pytest_lok.late_regex import late_regex

JSON_ALONE_HINT = "JSON alone, or alone in one ```json block, is always understood"


MAX_VALUES = 100_000
"""Values one text may hold between other text; one with more is no answer."""


class QuotedError(OutputError):
    """The only JSON of a text stands in what the text is an answer to as well."""

    def __init__(self) -> None:
        super().__init__(
            "the JSON in the output stands in the prompt too, so it may only be quoted", hint=JSON_ALONE_HINT
        )


def find_json(text: str, material: str = "") -> Container:
    """The object or array a text is, or the one that it holds; OutputError where that is not exactly one.

    ``material`` is what the text is an answer to. JSON that stands there already and is wrapped in
    prose is a quotation; as the whole answer it is meant.
    """
    try:
        return _find_json(text, material)
    except QuotedError:
        raise
    except OutputError:
        known = bool(material.strip())
        # a second look, for the first one found none or several
        plain = without_asides(text, lambda value, source: known and is_quoted(value, source, material))
        if plain is None or plain == text:
            raise
        try:
            return _find_json(plain, material)
        except QuotedError:
            raise
        except OutputError:
            # the error of the whole text says more to its author than that of the rest
            pass
        raise


def _find_json(text: str, material: str) -> Container:
    text = _untagged(text)
    try:
        value = load_alone(text)
    except json.JSONDecodeError:
        values = list(_values(text))
    else:
        if isinstance(value, dict | list):
            return value
        raise OutputError(f"the output is {describe_type(value)}, where a JSON object or array was expected")
    if not values:
        empty = not unfenced(text).strip()
        what = "the output is empty, where JSON was expected" if empty else "the output holds no JSON"
        raise OutputError(what, hint=JSON_ALONE_HINT)
    differ = len({canonical(it.value) for it in values})
    # the same value written twice is one answer
    if differ > 1:
        raise OutputError(
            f"the output holds {differ} JSON values, and one must be meant", hint=JSON_ALONE_HINT
        )
    _check_stands_free(text, values)
    _check_not_quoted(text, values[:1], material)
    return values[0].value


def find_json_values(text: str, material: str = "") -> list[Json]:
    """The objects and arrays of a text, one right after the other, with prose around all of them at most."""
    values = list(_values(text))
    if not values:
        return []
    _check_stands_free(text, values)
    _check_not_quoted(text, values, material)
    before, *between, after = _texts_between(text, values)
    if any(gap.strip() for gap in between):
        raise OutputError("the output holds JSON values with other text between them", hint=JSON_ALONE_HINT)
    if any(_is_json_line(line) for line in f"{before}\n{after}".split("\n")):
        raise OutputError("the output holds lines of JSON apart from the others", hint=JSON_ALONE_HINT)
    return [it.value for it in values]


def only_quotes_prompt(text: str, material: str) -> bool:
    """Whether the JSON of a text is but quoted from its material."""
    if "{" not in text and "[" not in text:
        return False
    try:
        find_json(text, material)
    except QuotedError:
        return True
    except OutputError:
        # whoever looks for its JSON is told what is wrong with it
        pass
    return False


_TAGGED = late_regex(
    r"([^\[\]{}<>]*)(?:<(answer|final|json|output|result)>(.*)</\2>|\\boxed\{(.*)\})([^\[\]{}<>]*)", re.DOTALL
)


def _untagged(text: str) -> str:
    """The text without the tag, as prompts ask for it, around the one value that it holds."""
    tagged = _TAGGED.fullmatch(text)
    if tagged is None:
        return text
    inner = tagged[3] or tagged[4] or ""
    try:
        load_alone(inner)
    except (json.JSONDecodeError, OutputError):
        return text
    return f"{tagged[1]}\n{inner}\n{tagged[5]}"


# --- the values of a text


@dataclass(frozen=True, slots=True, kw_only=True)
class _FoundValue:
    """A value in a text; ``inside`` = something that stands around it was open there."""

    value: Container
    start: int
    end: int
    inside: bool


_TOKEN = late_regex(r"[\[\]{}()]|<!--|-->|(?<!\S)/\*|\*/|<(/?)([A-Za-z][\w:.-]*)[^<>\[\]{}]*>")
_OPENING = {"(": "(", "<!--": "-->", "/*": "*/"}
_CLOSING = {")": "(", "-->": "-->", "*/": "*/"}


def _values(text: str) -> Iterator[_FoundValue]:
    """Every object and array, left to right, in linear time; OutputError at what may be a part of one."""
    around = _Enclosures(text)
    at = count = 0
    while (token := _TOKEN.search(text, at)) is not None:
        start, at = token.start(), token.end()
        if token[0] in ("]", "}"):
            raise OutputError(f"the output has a {token[0]} that closes nothing", hint=JSON_ALONE_HINT)
        # a value inside of a comment or of parentheses is a part of what stands around it
        if token[0] not in ("[", "{"):
            around.note(token)
            continue
        if (end := _bracketed_words_end(text, start)) is not None:
            at = end
            continue
        try:
            value, at = decode(text, start)
        except json.JSONDecodeError as error:
            raise broken_json(text, error) from None
        count += 1
        if count > MAX_VALUES:
            raise OutputError(f"the output holds more than {MAX_VALUES:,} JSON values", hint=JSON_ALONE_HINT)
        assert isinstance(value, dict | list)  # noqa: S101 - it began so; narrows for the type checker
        yield _FoundValue(value=value, start=start, end=at, inside=around.depth > 0)


class _Enclosures:
    """The parentheses, comments and elements around a place of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._last: dict[str, int] | None = None
        self._open: dict[str, int] = {}
        self.depth = 0

    def note(self, token: re.Match[str]) -> None:
        """Note one of them where it opens or closes."""
        name, opens, at = _enclosure(token)
        # what never closes encloses nothing; looked up once, so that the whole stays linear
        if self._last is None:
            found = map(_enclosure, _TOKEN.finditer(self._text, at))
            self._last = {name: at for name, opens, at in found if not opens}
        if opens and self._last.get(name, -1) > at:
            self._open[name] = self._open.get(name, 0) + 1
            self.depth += 1
        elif not opens and self._open.get(name):
            self._open[name] -= 1
            self.depth -= 1


def _enclosure(token: re.Match[str]) -> tuple[str, bool, int]:
    """Its name, whether it opens one, and where."""
    if token[2]:
        return token[2].lower(), not token[1], token.start()
    return _OPENING.get(token[0]) or _CLOSING.get(token[0], token[0]), token[0] in _OPENING, token.start()


_IN_WORDS = {
    "[": late_regex(r"\[([^\[\]{}\"',\u00ab\u00bb\u2018-\u201f\u3001\uff0c\n]*)\]"),
    "{": late_regex(r"\{([^\[\]{}\"',\u00ab\u00bb\u2018-\u201f\u3001\uff0c:\n]*)\}"),
}
_LITERAL = late_regex(
    r"(?:true|false|none|null|nil|nan|undefined|[+-]?inf(?:inity)?)\b|.*/[/*]|\Z"
    r"|[+-]?\.?\d[\d_.]*+(?:e[+-]?\d+)?+\w*+(?![:/-]\d|%)",
    re.IGNORECASE,
)
_BOX = late_regex(r"\[ \](?=[ \t]+\S)")
_MARK = r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+"


_IN_CODE = late_regex(
    r"(?<=[\w\]])(?:\{\}|\[\])|(?<=\w\()(?:\{\}|\[\])(?=\))|(?<=[\^_])\{[\w+-]*\}|\{\{[\w\s.|-]*\}\}"
)
"""What nobody writes for a value: ``int{}``, ``f([])``, ``n^{2}``, ``{{ steps.diff.output }}``."""


def _bracketed_words_end(text: str, start: int) -> int | None:
    """Where words in brackets end that are no value: ``[see below]``, ``{name}``, ``x[0]``, ``- [ ] go``."""
    if code := _IN_CODE.match(text, start):
        return code.end()
    words = _IN_WORDS[text[start]].match(text, start)
    if words is None:
        return None
    said = words[1].strip()
    index = text[start] == "[" and said != "" and re.match(r"[\w)\]]", text[start - 1 : start])
    box = _BOX.match(text, start) and re.fullmatch(_MARK, _line_before(text, start))
    return words.end() if index or box or not _LITERAL.match(said) else None


# --- whether they stand free

_LOOK_AROUND = 200
"""Characters of its line that are looked at, on both sides of a value."""

_RIGHT_BEFORE = late_regex(r"[`*_:>]|[^\x00-\x7f]")
_BEFORE = late_regex(r"[\w`*_:>.;!?,)\]}\"'-]|[^\x00-\x7f]")
_AFTER = late_regex(r"$|[\s`*_<)]|[.,;:!?]+(?:[\s`*_<)]|$)|[^\x00-\x7f]")
_KEY = r"[\"']?[A-Za-z_][\w.-]*[\"']?[ \t]*:"
_FIELD = late_regex(f"({_MARK})?[ \t]*({_KEY})?[ \t]*")
_KEYS = late_regex(f"^(?:{_MARK}|[ \t]*){_KEY}(?=\\s|$)", re.MULTILINE)
_ITEMS = late_regex(f"^{_MARK}", re.MULTILINE)


def _check_stands_free(text: str, values: Sequence[_FoundValue]) -> None:
    """OutputError where one of them may be a piece of something larger, or no more than a word."""
    # the text with NUL for its values
    outline = "\0".join(gap.replace("\0", " ") for gap in _texts_between(text, values))
    if any("\0" in it[2] and it[2].strip("\0 \t\r\n>") for it in _FENCED.finditer(outline)):
        raise OutputError("the JSON in the output stands in a block with other text", hint=JSON_ALONE_HINT)
    several = cache(lambda marks: len(marks.findall("…".join(_texts_between(text, values)))) > 1)
    for it in values:
        before, after = _line_before(text, it.start), text[it.end : it.end + _LOOK_AROUND]
        # `[]` in a sentence may be a word as well as an answer
        if not it.value and (before.strip() or after.partition("\n")[0].strip()):
            kind = "array" if isinstance(it.value, list) else "object"
            raise OutputError(f"the output holds an empty {kind} among other text", hint=JSON_ALONE_HINT)
        listed = _is_listed(before, several)
        if it.inside or listed or not (_introduces_value(before) and _AFTER.match(after)):
            raise OutputError(
                "the JSON in the output is a part of something that is not JSON", hint=JSON_ALONE_HINT
            )


def _is_listed(before: str, several: Callable[[re.Pattern[str]], bool]) -> bool:
    """Whether a value is that of a key, or an item, of a text that is written like YAML."""
    field = _FIELD.fullmatch(before)
    if field is None or not field[0].strip():
        return False
    # a quoted key is a piece of JSON; a plain one may be a word of a sentence, unless there are several
    key = field[2]
    return key[0] in "\"'" or several(_KEYS) if key else several(_ITEMS)


def _check_not_quoted(text: str, values: Sequence[_FoundValue], material: str) -> None:
    """QuotedError where one of them stands in the material."""
    if material.strip() and any(is_quoted(it.value, text[it.start : it.end], material) for it in values):
        raise QuotedError


def _introduces_value(before: str) -> bool:
    """Whether what stands before a value on its line is nothing, or a sentence that leads up to it."""
    said = before.rstrip()
    if not said:
        return True
    allowed = _RIGHT_BEFORE if said == before else _BEFORE
    return not said.lstrip().startswith(">") and allowed.match(said[-1]) is not None


_FENCED = late_regex(
    r"^[ \t>]*(`{3,}|~{3,})[^\n\0]*?(?=\n|\0)(.*?)(?:^[ \t>]*\1|\Z|(?<=\0)\1)", re.MULTILINE | re.DOTALL
)


def _texts_between(text: str, values: Sequence[_FoundValue]) -> list[str]:
    edges = [0, *(edge for it in values for edge in (it.start, it.end)), len(text)]
    return [text[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2)]


def _line_before(text: str, start: int) -> str:
    return text[max(0, start - _LOOK_AROUND) : start].rpartition("\n")[2]


def _is_json_line(line: str) -> bool:
    try:
        return bool(line.strip()) and not isinstance(load_alone(line), dict | list)
    except (json.JSONDecodeError, OutputError):
        return False
