"""``{{ … }}`` in a shell text: where they stand, and what they say."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.shell.ast import Hole
from pytest_lok.core.templates.template import PLAIN_TAG, Template
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, SourceError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import VisibleNames

_STATEMENT = late_regex(
    r"\{%[-+]?\s*(if|elif|else|endif|for|endfor|set|endset|raw|endraw|macro|endmacro|filter|endfilter"
    r"|with|endwith|block|endblock|call|endcall|include|import|from|extends|do)\b.*?%\}",
    re.DOTALL,
)
_WORDS = frozenset({"if", "else", "and", "or", "not", "in", "is", "contains"})


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``{{ … }}`` at ``start:end`` of the source. ``allows_dash``: the value may start with ``-``."""

    text: str
    start: int
    end: int
    template: Template
    allows_dash: bool


def find_holes(text: str) -> list[Hole]:
    """The holes of a text, one for each placeholder."""
    return [Hole(start, end) for start, end in find_spans(text)]


def find_spans(source: str) -> Iterator[tuple[int, int]]:
    """Where each ``{{ … }}`` starts and ends; an open one ends at the next ``}}`` or with the text."""
    start = source.find("{{")
    while start >= 0:
        end = _end(source, start)
        yield start, end
        start = source.find("{{", end)


def _end(source: str, start: int) -> int:
    if plain := PLAIN_TAG.match(source, start):
        return plain.end()
    from jinja2.exceptions import TemplateSyntaxError

    from pytest_lok.core.templates.lexer import LEXER

    end = start + 2
    with contextlib.suppress(TemplateSyntaxError):  # the template's own parser says what is wrong, and where
        # Jinja's own tokens: a `}}` in a string of the expression does not end it
        for _, kind, text in LEXER.tokeniter(source[end:].replace("\r", "\v"), None, None, "variable"):
            end += len(text)
            if kind == "variable_end":
                return start + len(source[start:end].rstrip())  # -}} takes what follows along
    close = source.find("}}", start)
    return close + 2 if close >= 0 else len(source)


def compile_placeholder(text: str, start: int, names: VisibleNames) -> Placeholder:
    """Compile one placeholder; SourceError if it is no expression, or names what does not exist."""
    if text[2:3] in ("-", "+") or text[-3:-2] in ("-", "+"):
        raise SourceError(
            [Fault(message="`{{-` and `-}}` have no meaning in shell", end=len(text), hint="write {{ and }}")]
        )
    return Placeholder(text, start, start + len(text), Template.parse(text, names), _allows_dash(text))


def _allows_dash(text: str) -> bool:
    """Whether ``allow_dash`` is the last filter, and of the whole expression."""
    if PLAIN_TAG.match(text):
        return False
    from pytest_lok.core.templates.lexer import LEXER

    tokens = [
        (kind, text)
        for _, kind, text in LEXER.tokeniter(text[2:].replace("\r", "\v"), None, None, "variable")
        if kind not in ("whitespace", "variable_end")
    ]
    # of a part of the expression it would say nothing about the rest of the value
    if tokens[-2:] != [("operator", "|"), ("name", "allow_dash")]:
        return False
    depth = 0
    for kind, said in tokens[:-2]:
        if kind == "operator":
            depth += (said in "([{") - (said in ")]}")
        joining = (kind == "operator" and said not in ".|-,()[]{}") or (kind == "name" and said in _WORDS)
        if depth == 0 and joining:
            return False
    return True


def shift_fault(fault: Fault, by: int) -> Fault:
    """A fault of a placeholder that starts there."""
    return replace(fault.shifted(by), hint=fault.hint or "for two literal braces write {{ '{{' }}")


def statement_faults(source: str, spans: list[tuple[int, int]]) -> Iterator[Fault]:
    """What is to be said of Jinja's statements in the text, outside of placeholders."""
    for found in _STATEMENT.finditer(source):
        if not any(start <= found.start() < end for start, end in spans):
            yield _statement(found)


def _statement(found: re.Match[str]) -> Fault:
    return Fault(
        message=f"`{{% {found[1]} %}}` works in prompts, not in shell",
        start=found.start(),
        end=found.end(),
        hint="use the shell's own `if` and `for`, or the step's `when` and `for_each`",
    )
