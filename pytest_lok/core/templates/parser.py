"""How a text with ``{{ }}`` is parsed, checked and run; and its first half, tokens -> Jinja's tree.

The texts of a workflow are written in Jinja's language, and Jinja parses and runs them. Three promises
go beyond what Jinja does by itself. Every mistake of a file is reported before anything runs, with its
line and column. A text reads data and calls what is listed, and reaches nothing else. And every text
ends soon, however it is written.

*Parsed.* ``lexer`` lets Jinja's lexer cut the source into tokens, joins the names that hyphens cut
apart (``steps.run-tests.output``) and keeps for each token its offset into the source. This module hands
the tokens to Jinja's parser. Its trick: a token's offset stands where Jinja expects a line number. Jinja
copies that number into every node of the tree, and into the errors of its parser and of the code that it
generates. So each node and each failure knows its exact place, without a second parser. ``lineno`` is an
offset wherever it occurs in this room; 0 may also mean that the place is not known.

The parser also rewrites what Jinja would run too freely. A comparison becomes the filter `` compared``,
since JSON knows no ``true == 1``. ``a ~ b`` becomes ``[a, b] | join``, whose size is checked. A list or
an object that the text makes goes through the filter `` made``, which counts it.

``{% include "NAME" %}`` is parsed where it stands: ``TextComposer`` reads the included text into the same
tree, as a scope of its own, and goes on counting offsets behind the text before (``core/text/inclusion``).
So a place in any of the texts has a number that no other place has.

*Checked.* ``checker`` walks over the tree once. Each name has to mean something (``VisibleNames``), each
function, filter and method has to be listed in ``builtins`` and to take the arguments that it gets, and
what decides a condition has to be true or false. The walk collects every fault instead of stopping at
the first, and notes which steps and arguments the text needs. It marks calls and loops, so that they
run through the sandbox.

*Run.* ``program`` compiles the tree with Jinja when the text is first rendered; many texts never are.
``environment`` is the sandbox: a field is looked up in data and never in Python's attributes, and only
listed methods are bound. Everything that can repeat or grow (rounds, calls, operators, filters, pieces of
output) is charged to a ``RenderingBudget``, which raises a TemplateError when it is used up. The second
trick: the budget is a variable of the rendering, and its name begins with a space (" budget"). The lexer
yields no name with a space, so no text can read it or overwrite it. The filters named above and the
answers of judges are out of reach in the same way.

Texts with no other tags than ``{{ steps.NAME.output }}``, ``{{ arg.NAME }}`` and ``{{ item }}``, which are
nearly all, take a shortcut past all of this (``program.PlainProgram``). A property test holds both ways to
the same results.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from pytest_lok.core.templates.comparison import COMPARED
from pytest_lok.core.templates.environment import ENVIRONMENT, MADE
from pytest_lok.core.templates.lexer import LEXER, SourceToken, join_hyphenated, lex, unescape
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, SourceError, UsageError

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import VisibleNames
    from pytest_lok.core.text.inclusion import Inclusion, TextPiece

_Include: TypeAlias = Callable[[str, int, int], list[nodes.Node]]

MAX_NESTING = 50
"""Open brackets at once; deeper text would exhaust the stack of whoever reads it."""


def _jinja_tokens(tokens: Sequence[SourceToken]) -> Iterator[Token]:
    """Jinja's tokens, each with its offset for a line number."""
    for token in tokens:
        match token.kind:
            case "data" | "name":
                yield Token(token.start, token.kind, token.text)
            case "string":
                yield Token(token.start, "string", unescape(token.text))
            case _:
                yield from LEXER.wrap([(token.start, token.kind, token.text)])


@dataclass(frozen=True, slots=True)
class Span:
    """A sub-expression and where it stands in the source."""

    node: nodes.Expr
    start: int
    end: int


class LokParser(Parser):
    """Jinja's parser with the operator ``contains``, steps by their bare name, and the extent of operands."""

    def __init__(
        self, tokens: Sequence[SourceToken], bare_steps: Collection[str], include: _Include | None = None
    ) -> None:
        super().__init__(ENVIRONMENT, "")
        self._include = include
        self.stream = TokenStream(_jinja_tokens(tokens), None, None)
        self.bare_steps = bare_steps
        self.spans: list[Span] = []
        self._end = tokens[-1].end

    def _with_span(self, parse: Callable[[], nodes.Expr]) -> nodes.Expr:
        # `lineno` is an offset, see the module's docstring; outer spans come first though they end last
        start, place = self.stream.current.lineno, len(self.spans)
        node = parse()
        end = self._end if self.stream.eos else self.stream.current.lineno
        self.spans.insert(place, Span(node, start, end))
        return node

    def parse_compare(self) -> nodes.Expr:
        """A comparison, with its extent, as the filter that compares as JSON does."""
        return self._with_span(self._comparison)

    def _comparison(self) -> nodes.Expr:
        node = super().parse_compare()
        if not isinstance(node, nodes.Compare):
            return node
        # a filter's arguments may alternate: the operator's name, the next operand, and so on
        rest = [part for it in node.ops for part in (nodes.Const(it.op, lineno=it.expr.lineno), it.expr)]
        return nodes.Filter(node.expr, COMPARED, rest, [], None, None, lineno=node.expr.lineno)

    def parse_unary(self, with_filter: bool = True) -> nodes.Expr:
        """An operand, with its extent."""
        parse = super().parse_unary
        return self._with_span(lambda: parse(with_filter))

    def parse_call(self, node: nodes.Expr) -> nodes.Call:
        """A call, with its extent: what gives a score is reported by what is written."""
        start, place = node.lineno, len(self.spans)
        call = super().parse_call(node)
        end = self._end if self.stream.eos else self.stream.current.lineno
        self.spans.insert(place, Span(call, start, end))
        return call

    def parse_math1(self) -> nodes.Expr:
        """What comparisons compare; ``a contains b`` binds closer than they do."""
        left = super().parse_math1()
        # a chain of `contains` binds to the left, as arithmetic does
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
        return cast("nodes.List", _with_size_check(super().parse_list()))

    def parse_dict(self) -> nodes.Dict:
        """An object, whose size is counted when it is made."""
        return cast("nodes.Dict", _with_size_check(super().parse_dict()))

    def parse_tuple(self, simplified: bool = False, *args: Any, **kwargs: Any) -> nodes.Tuple | nodes.Expr:
        """Values with commas between them, counted too; ``simplified`` are the targets of a loop."""
        node = super().parse_tuple(simplified, *args, **kwargs)
        return node if simplified or not isinstance(node, nodes.Tuple) else _with_size_check(node)

    def parse_include(self) -> nodes.Node:  # type: ignore[override]  # Jinja's gives a node that runs later
        """Another text in the place of its tag; it reads what can be read there, and keeps its own names."""
        tag = next(self.stream)
        if self._include is None:
            self.fail("`include` is known in `prompt` and `system`, and in what these include", tag.lineno)
        name = self.parse_expression()
        end = self.stream.current
        if not (isinstance(name, nodes.Const) and isinstance(name.value, str) and end.test("block_end")):
            self.fail("`include` takes one name in quotes, written out, and nothing else", tag.lineno)
        return nodes.Scope(self._include(name.value, tag.lineno, end.lineno), lineno=tag.lineno)

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        """A name or literal; the bare name of a step is ``steps.`` and that name."""
        node = super().parse_primary(with_namespace)
        if not isinstance(node, nodes.Name) or node.name not in self.bare_steps:
            return node
        # `name(` calls a function, also where a step has its name
        if self.stream.current.type == "lparen":
            return node
        steps = nodes.Name("steps", "load", lineno=node.lineno)
        return nodes.Getattr(steps, node.name, "load", lineno=node.lineno)


def _with_size_check(node: nodes.Expr) -> nodes.Expr:
    # what reads no name is no larger than the text it is written in
    if next(node.find_all(nodes.Name), None) is None:
        return node
    return nodes.Filter(node, MADE, [], [], None, None, lineno=node.lineno)


T = TypeVar("T")


def parse_template(tokens: Sequence[SourceToken], include: _Include | None = None) -> nodes.Template:
    """The tree of a text with tags; SourceError says where it makes no sense.

    ``include(name, start, end)`` gives what stands for the tag between these offsets.
    """
    return _parse(tokens, (), lambda parser: parser.parse(), include)


class TextComposer:
    """A text and those that it includes → one tree. ``tokens`` and ``faults`` are those of all of them."""

    def __init__(self, inclusion: Inclusion, names: VisibleNames) -> None:
        self.tokens: list[SourceToken] = []
        self.faults: list[Fault] = []
        self._inclusion = inclusion
        self._names = names

    def tree(self) -> nodes.Template:
        """The tree; what could not be read of the texts is missing in it, and ``faults`` says why."""
        return nodes.Template(self._read(self._inclusion.pieces[0]), lineno=0)

    def _read(self, piece: TextPiece) -> list[nodes.Node]:
        by = piece.start
        try:
            tokens = join_hyphenated(lex(piece.named.text), self._names, bare=False)
        except SourceError as error:
            self.faults += [fault.shifted(by) for fault in error.faults]
            return []
        if not tokens:
            return []
        tokens = [SourceToken(it.kind, it.text, it.start + by, it.end + by) for it in tokens]
        self.tokens += tokens
        try:
            return parse_template(tokens, partial(self._included, tokens)).body
        except SourceError as error:
            self.faults += error.faults
            return []

    def _included(self, tokens: Sequence[SourceToken], name: str, start: int, end: int) -> list[nodes.Node]:
        first, last = (bisect.bisect_left(tokens, at, key=lambda it: it.start) for at in (start, end))
        while tokens[first].kind != "block_begin":
            first -= 1
        begin, close = tokens[first].start, tokens[last].end
        try:
            with self._inclusion.entered(name, begin, close) as piece:
                return self._read(piece)
        except UsageError as unknown:
            self.faults.append(Fault(message=unknown.message, start=begin, end=close, hint=unknown.hint))
            return []


def parse_expression(
    tokens: Sequence[SourceToken], bare_steps: Collection[str]
) -> tuple[nodes.Expr, list[Span]]:
    """The tree of one expression, and its operands and comparisons, outer ones first."""

    def whole(parser: LokParser) -> tuple[nodes.Expr, list[Span]]:
        expression = parser.parse_expression()
        if not parser.stream.eos:
            parser.fail(f"unexpected {str(parser.stream.current.value)!r} after the expression")
        return expression, parser.spans

    return _parse(tokens, bare_steps, whole)


def _parse(
    tokens: Sequence[SourceToken],
    bare_steps: Collection[str],
    parse: Callable[[LokParser], T],
    include: _Include | None = None,
) -> T:
    _check_nesting(tokens)
    try:
        return parse(LokParser(tokens, bare_steps, include))
    except TemplateSyntaxError as error:
        raise SourceError([_syntax_fault(tokens, error.lineno, str(error.message))]) from None
    except RecursionError:
        raise SourceError([_fault_over_all(tokens, "the expression is nested too deeply")]) from None
    # int() refuses thousands of digits
    except ValueError:
        raise SourceError([_fault_over_all(tokens, "a number has too many digits")]) from None


def _fault_over_all(tokens: Sequence[SourceToken], message: str) -> Fault:
    return Fault(message=message, start=tokens[0].start, end=tokens[-1].end)


def _check_nesting(tokens: Sequence[SourceToken]) -> None:
    depth = 0
    for token in tokens:
        if token.kind == "operator":
            depth += (token.text in "([{") - (token.text in ")]}")
            if depth > MAX_NESTING:
                fault = Fault(message="too many open brackets", start=token.start, end=token.end)
                raise SourceError([fault])


_READABLE_WORDS = {
    "'end of print statement'": "`}}`",
    "'end of statement block'": "`%}`",
    "end of print statement": "`}}`",
    "end of statement block": "`%}`",
    "begin of print statement": "`{{`",
    "'end of template'": "end",
    "end of template": "end",
    "Encountered unknown": "unknown",
}


def _syntax_fault(tokens: Sequence[SourceToken], offset: int, message: str) -> Fault:
    place = next((one for one in tokens if one.start >= offset), tokens[-1])
    if (block := re.search(r"innermost block that needs to be closed is '(\w+)'", message)) is not None:
        tag = next(word for word in reversed(_first_words(tokens)) if word.text == block[1])
        what = f"unexpected {place.text!r}: " if place is not tokens[-1] else ""
        message = f"{what}`{{% {block[1]} %}}` has no `{{% end{block[1]} %}}`"
        return Fault(message=message, start=tag.start, end=tag.end)
    for theirs, ours in _READABLE_WORDS.items():
        message = message.replace(theirs, ours)
    message = message[:1].lower() + message[1:].rstrip(".")
    begin = _unclosed_tag(tokens)
    if "unexpected end" in message and begin is not None:
        return Fault(message=f"`{begin.text}` is never closed", start=begin.start, end=begin.end)
    hint = ""
    if place.kind == "operator":
        literal = "write `{{ '{{' }}` where two braces are meant as text"
        hint = {"=": "write `==` to compare", "|": "write `or`", ".": literal}.get(place.text, "")
    return Fault(message=message, start=place.start, end=place.end, hint=hint)


def _first_words(tokens: Sequence[SourceToken]) -> list[SourceToken]:
    """The first word of every ``{% %}``."""
    seen = [token for token in tokens if token.kind != "whitespace"]
    return [after for tag, after in itertools.pairwise(seen) if tag.kind == "block_begin"]


def _unclosed_tag(tokens: Sequence[SourceToken]) -> SourceToken | None:
    begin: SourceToken | None = None
    for token in tokens:
        if token.kind in ("variable_begin", "block_begin"):
            begin = token
        elif token.kind in ("variable_end", "block_end"):
            begin = None
    return begin
