"""Text -> what is left of it for a comparison: nothing blank or invisible, letters composed in one way."""

from __future__ import annotations

import re
import unicodedata

from pytest_lok.late_regex import late_regex

# white space, controls, categories Cf and Cs, and the rest of what Unicode calls ignorable by default
_INVISIBLE = late_regex(
    r"[\s\x00-\x20\x7f-\xa0\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    r"\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff"
    r"\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# bytes of names and files that are no text
_LONE_SURROGATES = late_regex("[\ud800-\udfff]+")


def squeezed(text: str) -> str:
    """The text as it is compared: without what is blank or invisible, and composed in one way (NFC)."""
    # nearly every line of code, and there nothing is invisible but blanks
    if text.isascii() and text.isprintable():
        return "".join(text.split(" "))
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", _LONE_SURROGATES.sub("\ufffd", text)))


def without_invisible(text: str) -> str:
    """The text with plain blanks, and without what is invisible."""
    if text.isascii():
        return text
    return _INVISIBLE.sub(lambda it: "".join(map(_blank, it[0])), text)


def _blank(char: str) -> str:
    return char if char.isascii() else " " if char.isspace() else ""


def squeezed_words(text: str) -> list[str]:
    """The ``squeezed`` words of a text; one word where joining them would compose other letters."""
    if text.isascii() and text.isprintable():
        return text.split()
    words, whole = [squeezed(word) for word in _INVISIBLE.split(text)], squeezed(text)
    return [word for word in words if word] if "".join(words) == whole else [whole]


def caseless(text: str) -> str:
    """The ``squeezed`` text without a difference of case."""
    if text.isascii() and text.isprintable():
        return text.replace(" ", "").lower()
    return squeezed(squeezed(text).casefold())


def rule_key(name: str) -> str:
    """What the spellings of one rule's name have in common: no case, no blanks, no ``-`` and ``_``."""
    return re.sub("[-_\u2010-\u2015\u2212]", "", caseless(name)) or name
