"""Quotings, substitutions and here-documents inside one another, at random: what is printed is what was meant."""

import random
import re
from collections.abc import Callable

import pytest

from tests.core.shell.shells import SHELLS, encoded, output
from tests.core.shell.test_hostile_values import HOSTILE

HOLES = ("a", "b", "c")
JOINED = re.compile(r"(?<!\\)(\\\\)*\\\n")

# As written, and what it means there.
BARE = [("a", "a"), ("\\$", "$"), ("\\ ", " "), ("\\'", "'"), ('\\"', '"'), ("\\\\", "\\"), ("#", "#"), ("\\*", "*"),
        ("=", "="), ("é", "é"), ("${x-}", ""), ("$((1 + 2))", "3"), ("\\`", "`")]  # fmt: skip
DOUBLE = [("it's", "it's"), ("\\$", "$"), ('\\"', '"'), ("\\\\", "\\"), ("\\`", "`"), (" ( ) ; # ", " ( ) ; # "), ("\n", "\n"),
          ("*", "*"), ("\\n", "\\n"), ("${x-}", ""), ("$((1 + 2))", "3"), ("\\\n", ""), ("{}", "{}"), ("$ ", "$ ")]  # fmt: skip
SINGLE = [
    (text, text) for text in ("$x", '"q"', "`no`", "\\", "\n", "$(no)", "#", " ", "{ }", "\\\\", "${ ", "it")
]
OPEN = [pair for pair in DOUBLE if pair[0] != '\\"'] + [
    ('"', '"'),
    ("'", "'"),
    ("\\\\\n", "\\\n"),
    ("\tE", "\tE"),
]
LITERAL = [
    *SINGLE,
    ("'", "'"),
    ("\\$", "\\$"),
    ("E ", "E "),
    ("\\\n", "\\\n"),
    ("$((", "$(("),
    ("\\`", "\\`"),
]


class Composer:
    """Makes text together with the bytes it stands for."""

    def __init__(self, chance: random.Random, values: dict[str, str]) -> None:
        self.chance = chance
        self.values = values
        self.depth = 0
        self.docs = 0

    def delimiter(self) -> str:
        self.docs += 1
        return f"E{self.docs}"

    def parts(self, *makers: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        made = [self.chance.choice(makers)() for _ in range(self.chance.randint(0, 4))]
        return "".join(text for text, _ in made), "".join(meant for _, meant in made)

    def literal(self, pairs: list[tuple[str, str]]) -> Callable[[], tuple[str, str]]:
        return lambda: self.chance.choice(pairs)

    def hole(self) -> tuple[str, str]:
        name = self.chance.choice(HOLES)
        return f"{{{{ arg.{name} }}}}", self.values[name]

    def fenced(self, pairs: list[tuple[str, str]], *more: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        """Parts in which no hole follows a lone ``$`` or backslash, which would mean something else."""
        while True:
            text, meant = self.parts(self.literal(pairs), self.hole, *more)
            if "${{" not in text.replace("\\$", "") and "\\{{" not in text.replace("\\\\", ""):
                return text, meant

    def double(self) -> tuple[str, str]:
        text, meant = self.fenced(DOUBLE, self.substitution)
        return f'"{text}"', meant

    def single(self) -> tuple[str, str]:
        text, meant = self.parts(self.literal(SINGLE), self.hole)
        return f"'{text}'", meant

    def word(self) -> tuple[str, str]:
        text, meant = self.fenced(BARE, self.double, self.single, self.double)
        return f"x{text}", f"x{meant}"  # so that it starts no comment, and is no home directory

    def substitution(self) -> tuple[str, str]:
        if self.depth > 2:
            return self.hole()
        self.depth += 1
        text, meant = self.chance.choice([self.printed, self.document, self.open_document, self.variable])()
        self.depth -= 1
        return f"$({text})", meant.rstrip("\n")

    def printed(self) -> tuple[str, str]:
        text, meant = self.word()
        frame = self.chance.choice(
            ["printf %s W", " printf '%s' W ", "printf %s W | cat", "\n printf %s W\n"]
        )
        return frame.replace("W", text), meant

    def variable(self) -> tuple[str, str]:
        text, meant = self.word()
        return f'v={text}; printf %s "$v"', meant

    def document(self) -> tuple[str, str]:
        text, meant = self.parts(self.literal(LITERAL), self.hole)
        delimiter = self.delimiter()
        return f"cat <<'{delimiter}'\n{text}.\n{delimiter}\n", f"{meant}.\n"

    def open_document(self) -> tuple[str, str]:
        text, meant = self.fenced(OPEN, self.substitution)
        while JOINED.search(text) and "$(" in text:  # these two are refused together
            text, meant = self.fenced(OPEN, self.substitution)
        delimiter = self.delimiter()
        return f"cat <<{delimiter}\n{text}.\n{delimiter}\n", f"{meant}.\n"

    def command(self) -> tuple[str, str]:
        text, meant = self.word()
        frame = self.chance.choice([
            "%s", "{ %s; }", "(%s)", "if true; then %s; fi", "for i in 1; do %s; done", "case x in y) ;; x) %s;; esac",
            "true && %s", "%s | cat", "f() { %s; }; f", "! false && %s", "while %s; do break; done", "false || %s",
        ])  # fmt: skip
        return frame.replace("%s", "printf '%s\\0' " + text), meant + "\0"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("seed", range(5))
def test_composed_texts_print_what_is_meant(shell: tuple[str, ...], seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(20):
        values = {name: chance.choice(HOSTILE) for name in HOLES}
        composer = Composer(chance, values)
        made = [composer.command() for _ in range(5)]
        printed = output(shell, "\n".join(text for text, _ in made) + "\n", **values)
        assert printed == encoded("".join(meant for _, meant in made))
