"""Two texts → how similar they are, from 0 to 1, by the edits that make one of the other."""

from __future__ import annotations

import unicodedata

LONGEST = 20_000
"""Characters of a text that is compared, at most."""


def similarity(one: str, other: str) -> float:
    """1 - edits / length of the longer text; 1 for equal texts. The order of the two makes no difference.

    An edit adds, removes or replaces a character. White space around a text does not count, nor does how a
    character is composed; case does.
    """
    one, other = (unicodedata.normalize("NFC", text).strip() for text in (one, other))
    longest = max(len(one), len(other))
    return 1.0 if longest == 0 else 1 - edits_between(one, other) / longest


def edits_between(one: str, other: str) -> int:
    """The Levenshtein distance of the texts.

    The columns of the usual table are bits of two numbers, as Myers (1999) and Hyyrö (2003) describe: a whole
    column costs a few operations on long integers.
    """
    if not one:
        return len(other)
    places: dict[str, int] = {}
    for at, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << at
    everywhere, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    # where a cell is one more, and one less, than the cell above it
    more, less, distance = everywhere, 0, len(one)
    for character in other:
        equal = places.get(character, 0)
        diagonal = equal | less
        across = (((equal & more) + more) ^ more) | equal
        rising = less | ~(across | more) & everywhere
        falling = more & across
        distance += bool(rising & last) - bool(falling & last)
        rising, falling = (rising << 1 | 1) & everywhere, (falling << 1) & everywhere
        more, less = falling | ~(diagonal | rising) & everywhere, rising & diagonal
    return distance
