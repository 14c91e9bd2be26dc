"""Source text -> tokens, each with its place, and hyphenated names as one; or the tags of the text.

Jinja's lexer yields every character of the source, so the place of each token is exact.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

from jinja2.exceptions import TemplateSyntaxError

from pytest_lok.core.templates.builtins import FUNCTIONS
from pytest_lok.core.templates.environment import ENVIRONMENT
from pytest_lok.core.templates.values import FACTS
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, SourceError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import VisibleNames

LEXER = ENVIRONMENT.lexer

NAMESPACES = frozenset({"steps", "arg", "env", "workflow", "project"})
"""Names that only mean something with a name after them."""

LOOP_NAMES = frozenset({"item", "index"})
CASE = "case"
"""The name of the values of a case."""
OWN_RESULT_NAMES = frozenset({"output", "json", "findings", "cost", "seconds"})


def groups(names: VisibleNames) -> frozenset[str]:
    """The names that only mean something with a name after them, in a text of that kind."""
    return NAMESPACES | {"last"} if names.last else NAMESPACES


def value_names(names: VisibleNames) -> frozenset[str]:
    """The names that are values by themselves in a text of that kind."""
    found = LOOP_NAMES if names.loop else frozenset[str]()
    if names.cases is not None:
        found |= {CASE}
    return found | OWN_RESULT_NAMES if names.own else found


# --- tokens -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceToken:
    """One token of the source: Jinja's name for its kind, its text, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


def lex(source: str, *, expression: bool = False) -> list[SourceToken]:
    """Every token, whitespace included; SourceError where a character fits nowhere."""
    # Jinja would turn \r\n into \n; another character that is also whitespace keeps every offset
    plain = source.replace("\r", "\v")
    found: list[SourceToken] = []
    at = 0
    try:
        for _, kind, text in LEXER.tokeniter(plain, None, None, "variable" if expression else None):
            # further on than `at` only after whitespace that `{{-` took away
            start = plain.index(text, at)
            at = start + len(text)
            found.append(SourceToken(kind, source[start:at], start, at))
    except TemplateSyntaxError as error:
        raise SourceError([_lexical_fault(source, at, str(error.message))]) from None
    return found


_FOREIGN_HINTS = {
    "&": "write `and`",
    "!": "write `not`",
    "$": "write `arg.1` for an argument, `env.NAME` for a variable of the environment",
}


def _lexical_fault(source: str, at: int, message: str) -> Fault:
    char = source[at : at + 1]
    # Jinja says that the quote is unexpected, which is true and no help
    if char in ("'", '"'):
        return Fault(message=f"the string that starts with {char} has no end", start=at, end=at + 1)
    if message.startswith("Missing end of raw"):
        return Fault(message="`{% raw %}` has no `{% endraw %}`", start=at, end=at)
    said = message.removesuffix(f" at {at}").replace("char ", "character ")
    return Fault(message=said, start=at, end=at + 1, hint=_FOREIGN_HINTS.get(char, ""))


@dataclass(frozen=True, slots=True)
class TemplatePart:
    """A piece of a template's source: text between the tags, or a tag with its braces.

    ``start`` and ``end`` are offsets into the source. ``text`` is the source's, without the
    whitespace that ``{{-`` and ``-}}`` take away.
    """

    kind: Literal["text", "expression", "statement"]
    text: str
    start: int
    end: int


def split_tags(source: str) -> list[TemplatePart]:
    """The source's texts, ``{{ … }}`` and ``{% … %}``, in order; SourceError where a tag is broken.

    For whoever compiles each placeholder by itself (the shell compiler): give the ``text`` of an
    ``expression`` to ``Template.parse`` and shift the faults of its SourceError by ``start``. A tag
    that is never closed is a part up to the end; parsing it says so.
    """
    if "{{" not in source and "{%" not in source:
        return [TemplatePart("text", source, 0, len(source))] if source else []
    parts: list[TemplatePart] = []
    begin: SourceToken | None = None
    for token in lex(source):
        # inside of raw the text is a part of the tag
        if begin is None and token.kind == "data":
            parts.append(TemplatePart("text", token.text, token.start, token.end))
        elif token.kind in ("variable_begin", "block_begin", "raw_begin"):
            begin = token
        elif begin is not None and token.kind in ("variable_end", "block_end", "raw_end"):
            parts.append(_tag(source, begin, token.end))
            begin = None
    if begin is not None:
        parts.append(_tag(source, begin, len(source)))
    return parts


def _tag(source: str, begin: SourceToken, end: int) -> TemplatePart:
    kind: Literal["expression", "statement"]
    kind = "expression" if begin.kind == "variable_begin" else "statement"
    return TemplatePart(kind, source[begin.start : end], begin.start, end)


# --- names with hyphens -------------------------------------------------------------------------

MAX_NAME_TOKENS = 200
"""Hyphens, and words between them, in one name."""

_RUN_KINDS = frozenset({"name", "integer", "float", "operator"})
_RUN_TEXT = late_regex(r"\w+|-")


def join_hyphenated(tokens: Sequence[SourceToken], names: VisibleNames, *, bare: bool) -> list[SourceToken]:
    """The tokens, with each hyphenated name as one token.

    Such names stand after ``steps.`` and ``arg.``, and in fields. ``bare`` is for conditions, where a step
    may stand without ``steps.``.
    """
    joined: list[SourceToken] = []
    # the texts of the last tokens that are no whitespace
    before: list[str] = []
    # what has a meaning of its own ends a name where a minus follows it
    known = groups(names) | value_names(names) | FUNCTIONS.keys()
    alone = known | _path_starts(tokens)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        # `a - b` has spaces around the hyphen, so that whitespace ends a run and subtraction stays what it is
        run = _hyphenated_run(tokens, at) if token.text != "-" or before[-2:] == ["steps", "."] else ()
        if run:
            if before[-1:] == ["."]:
                count = _dotted_name_length(run, before, names, alone)
            else:
                after = tokens[at + len(run)].text if at + len(run) < len(tokens) else ""
                count = _bare_step_length(run, after, names, known if bare else None)
            if count:
                token = SourceToken(
                    "name", "".join(t.text for t in run[:count]), token.start, run[count - 1].end
                )
                at += count - 1
        at += 1
        joined.append(token)
        if token.kind != "whitespace":
            before = [*before[-2:], token.text]
    return joined


def _path_starts(tokens: Sequence[SourceToken]) -> frozenset[str]:
    """The names that a path in the text begins with: namespaces and the text's own variables."""
    found: set[str] = set()
    before = ""
    for token in tokens:
        if token.kind == "name" and before not in (".", "-"):
            found.add(token.text)
        if token.kind != "whitespace":
            before = token.text
    return frozenset(found)


def _hyphenated_run(tokens: Sequence[SourceToken], at: int) -> Sequence[SourceToken]:
    """The names, numbers and hyphens that follow each other from index ``at`` on."""
    end = at
    last = min(len(tokens), at + MAX_NAME_TOKENS)
    while end < last and tokens[end].kind in _RUN_KINDS and _RUN_TEXT.fullmatch(tokens[end].text):
        end += 1
    return tokens[at:end]


def _bare_step_length(
    run: Sequence[SourceToken], after: str, names: VisibleNames, known: Collection[str] | None
) -> int:
    """How many tokens make a step's bare name, 0 = there is none.

    ``known`` holds the names that are no steps; it is None outside conditions.
    """
    named = run[0].kind == "name"
    if "".join(token.text for token in run) in names.steps and (named or after == "."):
        return len(run)
    may_be_step = known is not None and named and run[0].text not in known
    return len(run) if may_be_step and len(run) > 1 else 0


def _dotted_name_length(
    run: Sequence[SourceToken], before: Sequence[str], names: VisibleNames, alone: Collection[str]
) -> int:
    """How many tokens make one name after a dot; 0 = the first token is a name by itself."""
    texts = [token.text for token in run]
    match before[:-1]:
        case [*rest, "steps"] if rest[-1:] != ["."]:
            return _longest_match(texts, names.steps) or len(run)
        case [*rest, "arg"] if rest[-1:] != ["."]:
            return _longest_match(texts, names.arguments) or (1 if run[0].kind == "integer" else len(run))
        case [*_, "loop"]:
            return 0
    # `steps.a.seconds-1` subtracts: a fact is known by name, and no field of an answer can be meant
    if run[0].kind != "name" or texts[0] in FACTS or texts[0] == "output":
        return 0
    # `item.total-cost` is one field unless `cost` stands alone somewhere: then it may be a value to subtract
    count = 1
    while count + 1 < len(run) and run[count + 1].kind == "name" and texts[count + 1] not in alone:
        count += 2
    return count


def _longest_match(texts: Sequence[str], names: Collection[str]) -> int:
    """How many of the texts make the longest of the names."""
    counts = (count for count in range(len(texts), 0, -1) if "".join(texts[:count]) in names)
    return next(counts, 0)


_ESCAPE = late_regex(r"\\(\r?\n|[\\'\"ntr]|x[0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})")


def unescape(literal: str) -> str:
    r"""The text of a quoted string: ``\n \t \r \\ \' \" \xhh \uhhhh``; any other backslash stands for itself.

    So a regular expression may be written with single backslashes: ``"\bword\b"``, ``"\d+"``.
    """

    def one(match: re.Match[str]) -> str:
        what = match[1]
        if what[0] in "xu":
            return chr(int(what[1:], 16))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(what, "" if what.endswith("\n") else what)

    return _ESCAPE.sub(one, literal[1:-1])
