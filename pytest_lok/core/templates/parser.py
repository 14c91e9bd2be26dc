"""Source text -> Jinja's tree: its own lexer and parser, with hyphens in names and lok's ``contains``.

Jinja's lexer yields every character of the source, so the place of each token is exact. The parser is
given the token's offset where it expects a line number, so the place of each node is exact as well.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from pytest_lok.core.templates.builtins import FUNCTIONS
from pytest_lok.core.templates.comparison import COMPARED
from pytest_lok.core.templates.environment import ENVIRONMENT, MADE
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.templates.values import FACTS
from pytest_lok.errors import Fault, SourceError

LEXER = ENVIRONMENT.lexer

MAX_NESTING = 50
"""Open brackets at once; deeper text would exhaust the stack of whoever reads it."""

GROUPS = frozenset({"steps", "arg", "env", "workflow", "project"})
"""Names that only mean something with a name after them."""

LOOP = frozenset({"item", "index"})
OWN = frozenset({"output", "json", "findings", "cost", "seconds"})


def opened(names: VisibleNames) -> frozenset[str]:
    """The names that are values by themselves in a text of that kind."""
    return (LOOP if names.loop else frozenset()) | (OWN if names.own else frozenset())


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
            start = plain.index(text, at)  # further on only after whitespace that `{{-` took away
            at = start + len(text)
            found.append(SourceToken(kind, source[start:at], start, at))
    except TemplateSyntaxError as error:
        raise SourceError([_lexical(source, at, str(error.message))]) from None
    return found


_FOREIGN = {
    "&": "write `and`",
    "!": "write `not`",
    "$": "write `arg.1` for an argument, `env.NAME` for a variable of the environment",
}


def _lexical(source: str, at: int, message: str) -> Fault:
    char = source[at : at + 1]
    if char in ("'", '"'):
        return Fault(message=f"the string that starts with {char} has no end", start=at, end=at + 1)
    if message.startswith("Missing end of raw"):
        return Fault(message="`{% raw %}` has no `{% endraw %}`", start=at, end=at)
    said = message.removesuffix(f" at {at}").replace("char ", "character ")
    return Fault(message=said, start=at, end=at + 1, hint=_FOREIGN.get(char, ""))


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


def split(source: str) -> list[TemplatePart]:
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

MAX_PARTS = 200
"""Hyphens, and words between them, in one name."""

_RUN_KINDS = frozenset({"name", "integer", "float", "operator"})
_RUN = re.compile(r"\w+|-")


def join_names(lexemes: Sequence[SourceToken], names: VisibleNames, *, bare: bool) -> list[SourceToken]:
    """The tokens with hyphenated names as one: after ``steps.`` and ``arg.``, in fields, and bare steps.

    ``bare`` is for conditions, where a step may stand without ``steps.``.
    """
    joined: list[SourceToken] = []
    before: list[str] = []  # the last significant texts
    known = GROUPS | opened(names) | FUNCTIONS.keys()
    alone = known | _alone(lexemes)
    at = 0
    while at < len(lexemes):
        token = lexemes[at]
        run = _run(lexemes, at) if token.text != "-" or before[-2:] == ["steps", "."] else ()
        if run:
            if before[-1:] == ["."]:
                count = _dotted(run, before, names, alone)
            else:
                after = lexemes[at + len(run)].text if at + len(run) < len(lexemes) else ""
                count = _bare(run, after, names, known if bare else None)
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


def _alone(lexemes: Sequence[SourceToken]) -> frozenset[str]:
    """The names that stand at the start of a path somewhere in the text: roots and variables of its own."""
    found: set[str] = set()
    before = ""
    for token in lexemes:
        if token.kind == "name" and before not in (".", "-"):
            found.add(token.text)
        if token.kind != "whitespace":
            before = token.text
    return frozenset(found)


def _run(lexemes: Sequence[SourceToken], at: int) -> Sequence[SourceToken]:
    """The names, numbers and hyphens from there on."""
    end = at
    last = min(len(lexemes), at + MAX_PARTS)
    while end < last and lexemes[end].kind in _RUN_KINDS and _RUN.fullmatch(lexemes[end].text):
        end += 1
    return lexemes[at:end]


def _bare(run: Sequence[SourceToken], after: str, names: VisibleNames, known: Collection[str] | None) -> int:
    """How many tokens make a step's bare name; ``known`` is what is no step, None outside conditions."""
    named = run[0].kind == "name"
    if "".join(token.text for token in run) in names.steps and (named or after == "."):
        return len(run)
    may_be_step = known is not None and named and run[0].text not in known
    return len(run) if may_be_step and len(run) > 1 else 0


def _dotted(
    run: Sequence[SourceToken], before: Sequence[str], names: VisibleNames, alone: Collection[str]
) -> int:
    """How many tokens make one name after a dot (0: the first one stays what it is)."""
    texts = [token.text for token in run]
    match before[:-1]:
        case [*rest, "steps"] if rest[-1:] != ["."]:
            return _longest(texts, names.steps) or len(run)
        case [*rest, "arg"] if rest[-1:] != ["."]:
            return _longest(texts, names.arguments) or (1 if run[0].kind == "integer" else len(run))
        case [*_, "loop"]:
            return 0
    if run[0].kind != "name" or texts[0] in FACTS or texts[0] == "output":
        return 0
    count = 1
    while count + 1 < len(run) and run[count + 1].kind == "name" and texts[count + 1] not in alone:
        count += 2
    return count


def _longest(texts: Sequence[str], names: Collection[str]) -> int:
    """How many of the texts make the longest of the names."""
    counts = (count for count in range(len(texts), 0, -1) if "".join(texts[:count]) in names)
    return next(counts, 0)


_ESCAPE = re.compile(r"\\(\r?\n|[\\'\"ntr]|x[0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})")


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


def _tokens(lexemes: Sequence[SourceToken]) -> Iterator[Token]:
    """Jinja's tokens, each with its offset for a line number."""
    for lexeme in lexemes:
        match lexeme.kind:
            case "data" | "name":
                yield Token(lexeme.start, lexeme.kind, lexeme.text)
            case "string":
                yield Token(lexeme.start, "string", unescape(lexeme.text))
            case _:
                yield from LEXER.wrap([(lexeme.start, lexeme.kind, lexeme.text)])


# --- parsing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """A sub-expression and where it stands in the source."""

    node: nodes.Expr
    start: int
    end: int


class LokParser(Parser):
    """Jinja's parser with the operator ``contains``, steps by their bare name, and the extent of operands."""

    def __init__(self, lexemes: Sequence[SourceToken], bare_steps: Collection[str]) -> None:
        super().__init__(ENVIRONMENT, "")
        self.stream = TokenStream(_tokens(lexemes), None, None)
        self.bare_steps = bare_steps
        self.spans: list[Span] = []
        self._end = lexemes[-1].end

    def _spanned(self, parse: Callable[[], nodes.Expr]) -> nodes.Expr:
        start, place = self.stream.current.lineno, len(self.spans)
        node = parse()
        end = self._end if self.stream.eos else self.stream.current.lineno
        self.spans.insert(place, Span(node, start, end))
        return node

    def parse_compare(self) -> nodes.Expr:
        """A comparison, with its extent, as the filter that compares as JSON does."""
        return self._spanned(self._compared)

    def _compared(self) -> nodes.Expr:
        node = super().parse_compare()
        if not isinstance(node, nodes.Compare):
            return node
        rest = [part for it in node.ops for part in (nodes.Const(it.op, lineno=it.expr.lineno), it.expr)]
        return nodes.Filter(node.expr, COMPARED, rest, [], None, None, lineno=node.expr.lineno)

    def parse_unary(self, with_filter: bool = True) -> nodes.Expr:
        """An operand, with its extent."""
        parse = super().parse_unary
        return self._spanned(lambda: parse(with_filter))

    def parse_math1(self) -> nodes.Expr:
        """What comparisons compare; ``a contains b`` binds closer than they do."""
        left = super().parse_math1()
        while True:
            token = self.stream.current
            negated = token.test("name:not") and self.stream.look().test("name:contains")
            if not negated and not token.test("name:contains"):
                return left
            self.stream.skip(2 if negated else 1)
            right = super().parse_math1()
            function = nodes.Name("contains", "load", lineno=token.lineno)
            left = nodes.Call(function, [left, right], [], None, None, lineno=token.lineno)
            if negated:
                left = nodes.Not(left, lineno=token.lineno)

    def parse_concat(self) -> nodes.Expr:
        """``a ~ b`` as ``[a, b] | join``, which is bounded."""
        node = super().parse_concat()
        if not isinstance(node, nodes.Concat):
            return node
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)

    def parse_list(self) -> nodes.List:
        """A list, whose size is counted when it is made."""
        return cast("nodes.List", _counted(super().parse_list()))

    def parse_dict(self) -> nodes.Dict:
        """An object, whose size is counted when it is made."""
        return cast("nodes.Dict", _counted(super().parse_dict()))

    def parse_tuple(self, simplified: bool = False, *args: Any, **kwargs: Any) -> nodes.Tuple | nodes.Expr:
        """Values with commas between them, counted too; ``simplified`` are the targets of a loop."""
        node = super().parse_tuple(simplified, *args, **kwargs)
        return node if simplified or not isinstance(node, nodes.Tuple) else _counted(node)

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        """A name or literal; the bare name of a step is ``steps.`` and that name."""
        node = super().parse_primary(with_namespace)
        if not isinstance(node, nodes.Name) or node.name not in self.bare_steps:
            return node
        if self.stream.current.type == "lparen":
            return node
        steps = nodes.Name("steps", "load", lineno=node.lineno)
        return nodes.Getattr(steps, node.name, "load", lineno=node.lineno)


def _counted(node: nodes.Expr) -> nodes.Expr:
    if next(node.find_all(nodes.Name), None) is None:
        return node
    return nodes.Filter(node, MADE, [], [], None, None, lineno=node.lineno)


T = TypeVar("T")


def parse_template(lexemes: Sequence[SourceToken]) -> nodes.Template:
    """The tree of a text with tags; SourceError says where it makes no sense."""
    return _parse(lexemes, (), lambda parser: parser.parse())


def parse_expression(
    lexemes: Sequence[SourceToken], bare_steps: Collection[str]
) -> tuple[nodes.Expr, list[Span]]:
    """The tree of one expression, and its operands and comparisons, outer ones first."""

    def whole(parser: LokParser) -> tuple[nodes.Expr, list[Span]]:
        expression = parser.parse_expression()
        if not parser.stream.eos:
            parser.fail(f"unexpected {str(parser.stream.current.value)!r} after the expression")
        return expression, parser.spans

    return _parse(lexemes, bare_steps, whole)


def _parse(lexemes: Sequence[SourceToken], bare_steps: Collection[str], parse: Callable[[LokParser], T]) -> T:
    _check_nesting(lexemes)
    try:
        return parse(LokParser(lexemes, bare_steps))
    except TemplateSyntaxError as error:
        raise SourceError([_syntactic(lexemes, error.lineno, str(error.message))]) from None
    except RecursionError:
        raise SourceError([_all(lexemes, "the expression is nested too deeply")]) from None
    except ValueError:  # what int() says to thousands of digits
        raise SourceError([_all(lexemes, "a number has too many digits")]) from None


def _all(lexemes: Sequence[SourceToken], message: str) -> Fault:
    return Fault(message=message, start=lexemes[0].start, end=lexemes[-1].end)


def _check_nesting(lexemes: Sequence[SourceToken]) -> None:
    depth = 0
    for lexeme in lexemes:
        if lexeme.kind == "operator":
            depth += (lexeme.text in "([{") - (lexeme.text in ")]}")
            if depth > MAX_NESTING:
                fault = Fault(message="too many open brackets", start=lexeme.start, end=lexeme.end)
                raise SourceError([fault])


_WORDS = {
    "'end of print statement'": "`}}`",
    "'end of statement block'": "`%}`",
    "end of print statement": "`}}`",
    "end of statement block": "`%}`",
    "begin of print statement": "`{{`",
    "'end of template'": "end",
    "end of template": "end",
    "Encountered unknown": "unknown",
}


def _syntactic(lexemes: Sequence[SourceToken], offset: int, message: str) -> Fault:
    place = next((one for one in lexemes if one.start >= offset), lexemes[-1])
    if (block := re.search(r"innermost block that needs to be closed is '(\w+)'", message)) is not None:
        tag = next(word for word in reversed(_statements(lexemes)) if word.text == block[1])
        what = f"unexpected {place.text!r}: " if place is not lexemes[-1] else ""
        message = f"{what}`{{% {block[1]} %}}` has no `{{% end{block[1]} %}}`"
        return Fault(message=message, start=tag.start, end=tag.end)
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    message = message[:1].lower() + message[1:].rstrip(".")
    begin = _unclosed(lexemes)
    if "unexpected end" in message and begin is not None:
        return Fault(message=f"`{begin.text}` is never closed", start=begin.start, end=begin.end)
    hint = ""
    if place.kind == "operator":
        literal = "write `{{ '{{' }}` where two braces are meant as text"
        hint = {"=": "write `==` to compare", "|": "write `or`", ".": literal}.get(place.text, "")
    return Fault(message=message, start=place.start, end=place.end, hint=hint)


def _statements(lexemes: Sequence[SourceToken]) -> list[SourceToken]:
    """The first word of every ``{% %}``."""
    seen = [lexeme for lexeme in lexemes if lexeme.kind != "whitespace"]
    return [after for tag, after in itertools.pairwise(seen) if tag.kind == "block_begin"]


def _unclosed(lexemes: Sequence[SourceToken]) -> SourceToken | None:
    begin: SourceToken | None = None
    for lexeme in lexemes:
        if lexeme.kind in ("variable_begin", "block_begin"):
            begin = lexeme
        elif lexeme.kind in ("variable_end", "block_end"):
            begin = None
    return begin
