"""An answer with other brackets around it -> its text without those that are only spoken of.

A second reading, for a text in which the first finds no one value. The answer stands on lines of its
own. What is set aside can be no answer in its form: numbers and empty containers of the other kind in
a sentence, code, and JSON that the material holds; code and JSON only if they name no key of it. All
else stays, and the text is then still no answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from pytest_lok.core.text.strict_json import Container, canonical, decode
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import OutputError
from pytest_lok.late_regex import late_regex

MAX_ATTEMPTS = 20
"""Places where a value is looked for that is none, or none to be set aside at once; with more, none is."""

_LANGUAGES = frozenset(
    """
    bash c c# c++ clojure console cpp cs csharp css dart diff dockerfile elixir erlang go golang
    graphql haskell hcl java javascript js jsx julia kotlin kt less lua make makefile nix objc ocaml
    patch perl php powershell ps1 py pycon python python3 r rb rs ruby rust scala scss sh shell sql
    swift tf ts tsx typescript vb zig zsh
    """.split()  # noqa: SIM905 - a list to be read
)
"""Languages that no answer is written in. Those of data and markup (yaml, toml, xml) are none of them."""

_ELLIPSIS = "…"
_FENCE = late_regex(r"[ \t]*(`{3,}|~{3,})[ \t]*([^`\s]*)[ \t\r]*$")
_TOKEN = late_regex(r"(?<!`)`([^`]+)`(?!`)|[\[\]{}]")
_NUMBER = r"-?\d+(?:\.\d+)?"
_NUMBERS = late_regex(rf"\[[ \t]*(?:{_NUMBER}(?:[ \t]*,[ \t]*{_NUMBER})*)?[ \t]*\]|\{{[ \t]*\}}")
_BULLET = late_regex(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+")
_SENTENCE = late_regex(r"[^=]*[^\W_][^=]*?(?:[\w.,;!?)*]|[ \t][^=]*:)[ \t]+[(*_]*")
_REFERENCE = late_regex(r":?[ \t]+\S")
_LOOKBEHIND = 200
"""Characters of its line that are looked at before a value."""
_AFTER = late_regex(r"$|[\s.,;:!?)*_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _TextPart:
    """Of a text: a ``value`` with nothing else on its lines, a fence around ``code``, or a line of words."""

    text: str
    value: Container | None = None
    code: str | None = None


def without_asides(text: str, quoted: Callable[[Container, str], bool]) -> str | None:
    """The text without its asides, as they are beside one answer; None where no one value can be that.

    ``quoted`` says of a value, and of how it is written, whether the material holds it.
    """
    parts = list(_parts(text))
    blocks = {canonical(it.value): it for it in parts if it.value is not None}
    # each would be looked for in the material, which may be long
    if len(blocks) > MAX_ATTEMPTS:
        return None
    if len(blocks) > 1:
        blocks = {said: it for said, it in blocks.items() if not quoted(it.value or [], it.text)}
    if len(blocks) != 1:
        return None
    ((said, block),) = blocks.items()
    # without keys nothing tells the answer from what is only spoken of
    keys = _keys(block.value)
    if not keys:
        return None
    asides = _Asides(isinstance(block.value, dict), keys, quoted)
    return "".join(part.text if _is_answer(part, said) else asides.kept_text(part) for part in parts)


def _is_answer(part: _TextPart, said: str) -> bool:
    return part.value is not None and canonical(part.value) == said


def _keys(answer: Container | None) -> frozenset[str]:
    """The words of the keys of an object, or of an array of objects; none for anything else."""
    objects = answer if isinstance(answer, list) else [answer]
    keys = [list(it) if isinstance(it, dict) else [] for it in objects]
    words = [_words(key) for own in keys for key in own]
    return frozenset().union(*words) if all(keys) and all(words) else frozenset()


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))


class _Asides:
    """What is set aside beside one answer: an object, or an array of objects, with these words as keys."""

    def __init__(
        self, is_object: bool, keys: frozenset[str], quoted: Callable[[Container, str], bool]
    ) -> None:
        self._other = "[" if is_object else "{"
        self._keys = keys
        self._quoted = quoted
        self._tries = MAX_ATTEMPTS

    def kept_text(self, part: _TextPart) -> str:
        """The part of the text without its asides, each of which becomes an ellipsis."""
        if part.value is not None:
            return f"{_ELLIPSIS}\n" if self._is_quotation(part.value, part.text) else part.text
        if part.code is not None:
            return f"{_ELLIPSIS}\n" if self._is_code(part.code) else part.text
        return self._kept_words(part.text)

    def _kept_words(self, line: str) -> str:
        kept, at, depth = list[str](), 0, 0
        while (token := _TOKEN.search(line, at)) is not None:
            # what was set aside reads as an ellipsis, so a sentence goes on over it
            before = "".join([*kept[-9:], line[at : token.start()]])[-_LOOKBEHIND:]
            end = self._aside_end(line, token, before) if depth == 0 else None
            if end is None and token[0] in "[]{}":
                depth += 1 if token[0] in "[{" else -1
            kept += [line[at : token.start()], token[0] if end is None else _ELLIPSIS]
            at = end or token.end()
        return "".join([*kept, line[at:]])

    def _aside_end(self, line: str, token: re.Match[str], before: str) -> int | None:
        """Where what begins there ends, if it is set aside; ``before`` is what is left before it."""
        inner = token[1]
        if inner is None:
            return self._value_end(line, token.start(), before)
        if not before.strip() and re.match(r"[ \t]+[^\W\d_]", line[token.end() : token.end() + _LOOKBEHIND]):
            # code at the start of a sentence is its subject
            before = "It "
        spoken = self._is_code(inner) or self._value_end(inner, 0, before) == len(inner)
        return token.end() if spoken and re.search(r"[\[\]{}]", inner) else None

    def _value_end(self, text: str, start: int, before: str) -> int | None:
        """Where a value ends that is no part of anything and is set aside."""
        if text[start] not in "[{":
            return None
        if plain := _NUMBERS.match(text, start):
            numbers = plain[0][1:-1].strip() and _REFERENCE.match(text, plain.end())
            free = _is_sentence(before) or (numbers and not before.strip())
            other = text[start] == self._other and _AFTER.match(text, plain.end())
            return plain.end() if free and other else None
        self._tries -= 1
        try:
            value, end = decode(text, start) if self._tries >= 0 else (None, 0)
        except (json.JSONDecodeError, OutputError):
            return None
        aside = isinstance(value, dict | list) and self._is_quotation(value, text[start:end])
        return end if aside else None

    def _is_code(self, text: str) -> bool:
        """Whether the text is code: it begins like no object, array or string, and names no key."""
        return re.match(r"\s*[\w@#$.*/<+})-]", text) is not None and not self._names_a_key(text)

    def _is_quotation(self, value: Container, source: str) -> bool:
        return bool(value) and not self._names_a_key(canonical(value)) and self._quoted(value, source)

    def _names_a_key(self, text: str) -> bool:
        return not self._keys.isdisjoint(_words(text))


def _is_sentence(before: str) -> bool:
    """Whether the words before a value are a sentence, and neither a key nor the mark of a list item."""
    bullet = _BULLET.match(before)
    return _SENTENCE.fullmatch(before, bullet.end() if bullet else 0) is not None


# --- parts


def _parts(text: str) -> Iterator[_TextPart]:
    """The parts of a text, in order; joined they are the text."""
    at, opened, tries = 0, "", MAX_ATTEMPTS
    while at < len(text):
        line = text[at : _line_end(text, at)]
        fence = _FENCE.match(line)
        part = None
        if fence is None and line.lstrip().startswith(("[", "{")) and tries > 0:
            part = _block(text, at)
            tries -= part is None
        elif fence is not None and opened:
            opened = "" if fence[1].startswith(opened) and not fence[2] else opened
        elif fence is not None:
            part = _code(text, at, fence) if fence[2].casefold() in _LANGUAGES else None
            opened = "" if part else fence[1]
        part = part or _TextPart(text=line)
        yield part
        at += len(part.text)


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def _block(text: str, at: int) -> _TextPart | None:
    """The value that stands there with nothing else on its lines."""
    start = at + len(text[at : _line_end(text, at)]) - len(text[at : _line_end(text, at)].lstrip())
    try:
        value, end = decode(text, start)
    except (json.JSONDecodeError, OutputError):
        return None
    last = _line_end(text, end - 1)
    if text[end:last].strip() or not isinstance(value, dict | list):
        return None
    return _TextPart(text=text[at:last], value=value)


def _code(text: str, at: int, fence: re.Match[str]) -> _TextPart | None:
    """The fence of code that begins there, if it ends."""
    first = _line_end(text, at)
    line = first
    while line < len(text):
        end = _line_end(text, line)
        closing = _FENCE.match(text[line:end])
        if closing is not None and closing[1].startswith(fence[1]) and not closing[2]:
            return _TextPart(text=text[at:end], code=text[first:line])
        line = end
    return None
