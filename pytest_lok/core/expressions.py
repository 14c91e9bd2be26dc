"""Source text -> a checked program: Jinja's own tokens and parser, with hyphens in names and lok's ``contains``.

Jinja's lexer yields every character of the source, so the place of each token is exact. The parser is
given the token's offset where it expects a line number, so the place of each node is exact as well.
"""

from __future__ import annotations

import bisect
import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from jinja2 import nodes
from jinja2.environment import Template as JinjaTemplate
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from pytest_lok.core.sandbox import (
    BUDGET,
    CALLED,
    COUNTED,
    ENVIRONMENT,
    FILTERS,
    FUNCTIONS,
    JUDGEMENTS,
    METHODS,
    TESTS,
    Budget,
)
from pytest_lok.core.scope import Names, Scope
from pytest_lok.core.values import FACTS, Missing, roots, text_of
from pytest_lok.errors import Fault, LokError, SourceError, TemplateError

LEXER = ENVIRONMENT.lexer
MAX_NESTING = 50
"""Open brackets at once; deeper text would exhaust the stack of whoever reads it."""

GROUPS: dict[str, frozenset[str] | None] = {
    "steps": None,
    "arg": None,
    "env": None,
    "workflow": frozenset({"name", "backends"}),
    "project": frozenset({"language", "root", "tools"}),
}
"""Names that only mean something with a name after them, and which names those are (None: see there)."""

LOOP = frozenset({"item", "index"})
OWN = frozenset({"output", "json", "findings", "cost", "seconds"})

# --- tokens -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One token of the source: Jinja's name for its kind, its text, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


def lex(source: str, *, expression: bool = False) -> list[Lexeme]:
    """Every token, whitespace included; SourceError where a character fits nowhere."""
    # Jinja would turn \r\n into \n; another character that is also whitespace keeps every offset
    plain = source.replace("\r", "\v")
    found: list[Lexeme] = []
    at = 0
    try:
        for _, kind, text in LEXER.tokeniter(plain, None, None, "variable" if expression else None):
            start = plain.index(text, at)  # further on only after whitespace that `{{-` took away
            at = start + len(text)
            found.append(Lexeme(kind, source[start:at], start, at))
    except TemplateSyntaxError as error:
        raise SourceError([_lexical(source, at, error)]) from None
    return found


def _lexical(source: str, at: int, error: TemplateSyntaxError) -> Fault:
    char = source[at : at + 1]
    if char in ("'", '"'):
        return Fault(message=f"the string that starts with {char} has no end", start=at, end=at + 1)
    if "Missing end of raw" in str(error.message):
        return Fault(message="`{% raw %}` has no `{% endraw %}`", start=at, end=at)
    hints = {
        "&": "write `and`",
        "!": "write `not`",
        "$": "write `arg.1` for an argument, `env.NAME` for the environment",
    }
    said = str(error.message).removesuffix(f" at {at}").replace("char", "character")
    return Fault(message=said, start=at, end=at + 1, hint=hints.get(char, ""))


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a template text: ``text`` stands between tags, the others with their ``{{ }}`` or ``{% %}``.

    ``start`` and ``end`` are offsets into the source. ``text`` is the source's, without what
    ``{{-`` and ``-}}`` take away.
    """

    kind: Literal["text", "expression", "statement"]
    text: str
    start: int
    end: int


def split(source: str) -> list[Part]:
    """The text's literal pieces, ``{{ … }}`` and ``{% … %}``, in order; SourceError where a tag is broken.

    For whoever compiles each placeholder by itself (the shell compiler): give ``part.text`` of an
    ``expression`` to ``Template.parse`` and shift the faults of its SourceError by ``part.start``. An
    unclosed ``{{`` is an expression up to the end; parsing it says so.
    """
    if "{{" not in source and "{%" not in source:
        return [Part("text", source, 0, len(source))] if source else []
    parts: list[Part] = []
    opened: Lexeme | None = None
    last = len(source)
    for token in lex(source):
        if opened is None and token.kind == "data":
            parts.append(Part("text", token.text, token.start, token.end))
        elif token.kind in ("variable_begin", "block_begin", "raw_begin"):
            opened = token
        elif opened is not None and token.kind in ("variable_end", "block_end", "raw_end"):
            kind: Literal["expression", "statement"] = (
                "expression" if token.kind == "variable_end" else "statement"
            )
            parts.append(Part(kind, source[opened.start : token.end], opened.start, token.end))
            opened = None
    if opened is not None:
        kind = "expression" if opened.kind == "variable_begin" else "statement"
        parts.append(Part(kind, source[opened.start :], opened.start, last))
    return parts


_NAMEISH = ("name", "integer", "float")


def join_names(lexemes: Sequence[Lexeme], names: Names, *, bare: bool) -> list[Lexeme]:
    """The tokens with hyphenated names as one: after ``steps.`` and ``arg.``, in fields, and steps by themselves.

    ``bare`` is for conditions, where a step may stand without ``steps.``.
    """
    joined: list[Lexeme] = []
    context: list[str] = []  # the last significant texts
    at = 0
    while at < len(lexemes):
        token = lexemes[at]
        if token.kind in _NAMEISH:
            run = _run(lexemes, at)
            count = _joined(run, context, names, bare)
            if count > 1:
                token = Lexeme("name", "".join(t.text for t in run[:count]), token.start, run[count - 1].end)
                at += count - 1
        at += 1
        joined.append(token)
        if token.kind != "whitespace":
            context = [*context[-2:], token.text]
    return joined


def _run(lexemes: Sequence[Lexeme], at: int) -> Sequence[Lexeme]:
    """The names, numbers and hyphens from there on, without a hyphen at the end."""
    end = at
    while end < len(lexemes) and (lexemes[end].kind in _NAMEISH or lexemes[end].text == "-"):
        if lexemes[end].kind == "float" and "." in lexemes[end].text:
            break
        end += 1
    while end > at + 1 and lexemes[end - 1].text == "-":
        end -= 1
    return lexemes[at:end]


def _joined(run: Sequence[Lexeme], context: Sequence[str], names: Names, bare: bool) -> int:
    """How many tokens of the run make one name."""
    texts = [token.text for token in run]
    whole = "".join(texts)
    if context[-1:] != ["."]:
        stands_alone = bare and "-" in texts and run[0].kind == "name" and not _known(texts[0], names)
        return len(run) if whole in names.steps or stands_alone else 1
    owner = context[-2:-1]
    if owner == ["steps"] and "." not in context[:-2]:
        return len(run)
    if owner == ["arg"]:
        known = (n for n in range(len(run), 0, -1) if "".join(texts[:n]) in names.arguments)
        return next(known, 1 if run[0].kind == "integer" else len(run))
    if owner == ["loop"] or texts[0] in FACTS or texts[0] == "output":
        return 1
    count = 1
    while (
        texts[count : count + 1] == ["-"]
        and run[count + 1].kind == "name"
        and not _known(texts[count + 1], names)
    ):
        count += 2
    return count


def _known(name: str, names: Names) -> bool:
    """Whether the name means something by itself."""
    return name in GROUPS or name in _open(names) or name in FUNCTIONS


def _open(names: Names) -> frozenset[str]:
    return (LOOP if names.loop else frozenset()) | (OWN if names.own else frozenset())


_ESCAPE = re.compile(r"\\(\r?\n|[\\'\"ntr]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})", re.DOTALL)


def unescape(literal: str) -> str:
    r"""The text of a quoted string: ``\n \t \r \\ \' \" \xhh \uhhhh``; any other backslash is itself (``\d``, ``\b``)."""

    def one(match: re.Match[str]) -> str:
        what = match[1]
        if what[0] in "xuU":
            return chr(min(int(what[1:], 16), 0x10FFFF))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(what, "" if what.endswith("\n") else what)

    return _ESCAPE.sub(one, literal[1:-1])


def _tokens(lexemes: Sequence[Lexeme]) -> Iterator[Token]:
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


class _Parser(Parser):
    """Jinja's parser with the operator ``contains``, steps by their bare name, and the extent of operands."""

    def __init__(self, lexemes: Sequence[Lexeme], bare_steps: Collection[str]) -> None:
        super().__init__(ENVIRONMENT, "")
        self.stream = TokenStream(_tokens(lexemes), None, None)
        self.end = lexemes[-1].end
        self.bare_steps = bare_steps
        self.spans: list[Span] = []

    def _spanned(self, parse: Callable[[], nodes.Expr]) -> nodes.Expr:
        start, place = self.stream.current.lineno, len(self.spans)
        node = parse()
        end = self.end if self.stream.eos else self.stream.current.lineno
        self.spans.insert(place, Span(node, start, end))
        return node

    def parse_compare(self) -> nodes.Expr:
        return self._spanned(super().parse_compare)

    def parse_unary(self, with_filter: bool = True) -> nodes.Expr:
        parse = super().parse_unary
        return self._spanned(lambda: parse(with_filter))

    def parse_math1(self) -> nodes.Expr:
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
        node = super().parse_concat()
        if not isinstance(node, nodes.Concat):
            return node
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        node = super().parse_primary(with_namespace)
        if (
            isinstance(node, nodes.Name)
            and node.name in self.bare_steps
            and self.stream.current.type != "lparen"
        ):
            steps = nodes.Name("steps", "load", lineno=node.lineno)
            return nodes.Getattr(steps, node.name, "load", lineno=node.lineno)
        return node


_UNAVAILABLE: dict[type[nodes.Node], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.ScopedEvalContextModifier: "autoescape",
}


@dataclass(slots=True)
class _Check:
    """One walk over the tree: every name is known, calls and loops become the sandbox's own."""

    names: Names
    lexemes: Sequence[Lexeme]
    local: frozenset[str]
    bare: bool
    faults: list[Fault] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)
    arguments: set[str] = field(default_factory=set)
    rubrics: dict[tuple[str, str], None] = field(default_factory=dict)

    def visit(self, node: nodes.Node, *, owner: bool = False, optional: bool = False) -> None:
        """Check a node and what is below it; ``owner``: a field of it is read; ``optional``: it may be missing."""
        match node:
            case nodes.Getattr() | nodes.Getitem():
                self._field(node, owner=owner, optional=optional)
            case nodes.Name():
                self._name(node)
            case nodes.Call():
                self._call(node)
            case nodes.Filter():
                self._filter(node)
            case nodes.Test():
                self._test(node)
            case _:
                self._other(node)

    def _all(self, found: Iterator[nodes.Node]) -> None:
        for node in found:
            self.visit(node)

    def _other(self, node: nodes.Node) -> None:
        if (word := _UNAVAILABLE.get(type(node))) is not None:
            self._fault(node, f"`{word}` is not available: a workflow's text stands by itself")
            return
        self._all(node.iter_child_nodes())
        if isinstance(node, nodes.For):
            node.iter = nodes.Filter(node.iter, COUNTED, [], [], None, None, lineno=node.iter.lineno)

    def _field(self, node: nodes.Getattr | nodes.Getitem, *, owner: bool, optional: bool) -> None:
        if isinstance(node, nodes.Getitem):
            self.visit(node.arg)
        if not isinstance(node.node, nodes.Name) or node.node.name not in GROUPS:
            self.visit(node.node, owner=True, optional=optional)
            return
        group, key = node.node.name, _key(node)
        if key is None:
            self._fault(
                node.node,
                f"the name after `{group}` must be written out, so that it can be checked before anything runs",
                hint=f"write `{group}.NAME`",
            )
        elif group == "steps":
            self._step(node, key, owner=owner)
        elif group == "arg":
            self._argument(node, key, optional=optional)
        elif (known := GROUPS[group]) is not None and key not in known:
            self._fault(node, f"`{group}` has no {key!r}", hint=_meant(key, known, f"{group}."))

    def _step(self, node: nodes.Expr, name: str, *, owner: bool) -> None:
        if name not in self.names.steps:
            self._fault(node, f"there is no step {name!r}", hint=_meant(name, self.names.steps, "steps."))
            return
        self.steps.add(name)
        if not owner:
            self._fault(node, f"a step is not a value: {name!r}", hint=f"write `steps.{name}.output`")

    def _argument(self, node: nodes.Expr, name: str, *, optional: bool) -> None:
        if name.isdigit():
            if int(name) == 0:
                self._fault(node, "positional arguments count from 1", hint="write `arg.1`")
                return
        elif name not in self.names.arguments:
            hint = _meant(name, self.names.arguments, "arg.") or f"declare it: [args.{name}]"
            self._fault(node, f"there is no argument {name!r}", hint=hint)
            return
        if not optional:
            self.arguments.add(name)

    def _name(self, node: nodes.Name) -> None:
        name = node.name
        if node.ctx != "load":
            if name in GROUPS or name in FUNCTIONS:
                self._fault(node, f"`{name}` has its meaning already", hint="choose another name")
        elif name in GROUPS:
            self._fault(node, f"`{name}` needs a name after it", hint=_EXAMPLES[name])
        elif name in FUNCTIONS:
            self._fault(node, f"`{name}` is a function", hint=f"write `{name}(…)`")
        elif name not in _open(self.names) and name not in self.local:
            self._unknown(node, name)

    def _unknown(self, node: nodes.Node, name: str) -> None:
        if name in self.names.steps:
            self._fault(node, f"unknown name {name!r}", hint=f"write `steps.{name}.output`")
        elif name in LOOP:
            self._fault(node, f"`{name}` is only known in a step with `for_each`")
        elif name in OWN:
            self._fault(node, f"`{name}` is only known in `assert`", hint="write `steps.NAME.output`")
        else:
            known = {*GROUPS, *_open(self.names), *self.local}
            shown = {f"{name}." if name in GROUPS else name for name in known}
            steps = self.names.steps if self.bare else frozenset()
            self._fault(
                node,
                f"unknown name {name!r}",
                hint=_meant(name, {*known, *steps}) or f"known: {_list(shown)}",
            )

    def _call(self, node: nodes.Call) -> None:
        self._keywords(node)
        match node.node:
            case nodes.Name(name="rubric"):
                self._rubric(node)
            case nodes.Name(name=name):
                if name in FUNCTIONS:
                    self._pattern(node, name)
                elif name not in self.local:
                    self._fault(node.node, f"there is no function {name!r}", hint=_meant(name, FUNCTIONS))
            case nodes.Getattr(attr=attr):
                if attr not in METHODS:
                    self._fault(node.node, f"there is no method {attr!r}", hint=_meant(attr, METHODS))
                node.node.attr = attr + CALLED
                self.visit(node.node.node, owner=True)
            case _:
                self._fault(node, "only functions and methods can be called")
        self._all(child for child in node.iter_child_nodes(exclude=("node",)))

    def _rubric(self, node: nodes.Call) -> None:
        named = {keyword.key: keyword.value for keyword in node.kwargs}
        given = [*node.args, *(named[key] for key in ("backend",) if key in named)]
        texts = [arg.value for arg in given if isinstance(arg, nodes.Const) and isinstance(arg.value, str)]
        dynamic = node.dyn_args is not None or node.dyn_kwargs is not None
        if not self.names.own:
            self._fault(node.node, "`rubric` is only known in `assert`: it judges the step's own output")
        elif dynamic or named.keys() - {"backend"} or len(texts) != len(given) or len(texts) not in (1, 2):
            self._fault(node.node, "`rubric` takes a quoted text, and maybe a backend", hint=_RUBRIC)
        else:
            self.rubrics[texts[0], texts[1] if len(texts) == 2 else ""] = None

    def _pattern(self, node: nodes.Call, name: str) -> None:
        if name != "matches" or len(node.args) != 2 or not isinstance(node.args[1], nodes.Const):
            return
        import regex  # slow to import, rarely used

        try:
            regex.compile(str(node.args[1].value))
        except regex.error as error:
            self._fault(node.args[1], f"the regular expression is wrong: {error}")

    def _filter(self, node: nodes.Filter) -> None:
        self._keywords(node)
        if node.name not in FILTERS:
            self._fault(node, f"there is no filter {node.name!r}", hint=_meant(node.name, FILTERS))
        optional = node.name in ("default", "d")
        if node.node is not None:
            self.visit(node.node, optional=optional)
        self._all(child for child in node.iter_child_nodes(exclude=("node",)))

    def _test(self, node: nodes.Test) -> None:
        self._keywords(node)
        if node.name not in TESTS:
            self._fault(node, f"there is no test {node.name!r}", hint=_meant(node.name, TESTS))
        self.visit(node.node, optional=node.name in ("defined", "undefined"))
        self._all(child for child in node.iter_child_nodes(exclude=("node",)))

    def _keywords(self, node: nodes.Call | nodes.Filter | nodes.Test) -> None:
        keys = [keyword.key for keyword in node.kwargs or ()]
        for key in {key for key in keys if keys.count(key) > 1}:
            self._fault(node, f"{key!r} is given twice")

    def _fault(self, node: nodes.Node, message: str, *, hint: str = "") -> None:
        lexeme = self._place(node)
        self.faults.append(Fault(message=message, start=lexeme.start, end=lexeme.end, hint=hint))

    def _place(self, node: nodes.Node) -> Lexeme:
        """The token to point at: for a field its name, which comes after the dot."""
        index = bisect.bisect_right(self.lexemes, node.lineno, key=lambda lexeme: lexeme.start) - 1
        skips = isinstance(node, nodes.Getattr | nodes.Getitem) and self.lexemes[index].text in (".", "[")
        skips = skips or (isinstance(node, nodes.Test) and self.lexemes[index].text == "is")
        if skips:
            index += 1
            while self.lexemes[index].kind == "whitespace" or self.lexemes[index].text == "not":
                index += 1
        return self.lexemes[index]


_EXAMPLES = {
    "steps": "write `steps.NAME.output`",
    "arg": "write `arg.NAME` or `arg.1`",
    "env": "write `env.NAME`",
    "workflow": "write `workflow.name` or `workflow.backends`",
    "project": "write `project.language`, `project.root` or `project.tools`",
}
_RUBRIC = 'write `rubric("the answer names a file", backend="claude")`'


def _key(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str | int):
        return str(node.arg.value)
    return None


def _meant(name: str, known: Collection[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f"did you mean `{prefix}{close[0]}`?"
    return f"there is: {_list(known)}" if prefix and known else ""


def _list(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:12]) + (f", and {len(shown) - 12} more" if len(shown) > 12 else "")


# --- programs -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """What a text means and needs. ``spans`` are an expression's operands and comparisons, outer ones first."""

    program: Program
    steps: frozenset[str]
    arguments: frozenset[str]
    rubrics: tuple[tuple[str, str], ...] = ()
    spans: tuple[Span, ...] = ()


def check_template(source: str, names: Names) -> Checked:
    """The text between its tags, and the tags, compiled; SourceError holds every mistake."""
    lexemes = join_names(lex(source), names, bare=False)
    tree: nodes.Template = _parsed(source, lexemes, (), lambda parser: parser.parse())
    check = _checked(tree, names, lexemes, bare=False)
    program = Program(source, tree, check.steps)
    if any(lexeme.kind == "block_begin" for lexeme in lexemes):
        program.compile()
    return Checked(program, frozenset(check.steps), frozenset(check.arguments))


def check_expression(source: str, names: Names) -> Checked:
    """One expression, also inside ``{{ }}``; SourceError holds every mistake."""
    lexemes = join_names(_expression(source), names, bare=True)
    bare = names.steps - _open(names) - GROUPS.keys()
    expression, spans = _parsed(source, lexemes, bare, _whole_expression)
    tree = expression_tree(expression)
    check = _checked(tree, names, lexemes, bare=True)
    return Checked(
        Program(source, tree, check.steps),
        frozenset(check.steps),
        frozenset(check.arguments),
        tuple(check.rubrics),
        tuple(spans),
    )


def _expression(source: str) -> list[Lexeme]:
    wrapped = re.fullmatch(r"\s*\{\{.*\}\}\s*", source, re.DOTALL)
    lexemes = lex(source, expression=wrapped is None)
    if wrapped is None:
        inner = lexemes
    else:
        tags = [i for i, lexeme in enumerate(lexemes) if lexeme.kind in ("variable_begin", "variable_end")]
        inner = lexemes[tags[0] + 1 : tags[-1]]
    for lexeme in inner:
        if lexeme.kind in ("data", "variable_begin", "variable_end", "block_begin", "block_end", "raw_begin"):
            raise SourceError([_braces(lexeme)])
    for left, right in zip(inner, inner[1:], strict=False):
        if left.text == right.text == "{" and left.end == right.start:
            raise SourceError([_braces(Lexeme("", "{{", left.start, right.end))])
    return inner or [Lexeme("whitespace", "", 0, len(source))]


def _braces(lexeme: Lexeme) -> Fault:
    return Fault(
        message=f"unexpected `{lexeme.text.strip()}`: this is an expression already",
        start=lexeme.start,
        end=lexeme.end,
        hint="write the names without {{ }}: `steps.NAME.output`",
    )


def _whole_expression(parser: _Parser) -> tuple[nodes.Expr, list[Span]]:
    expression = parser.parse_expression()
    if not parser.stream.eos:
        parser.fail(f"unexpected {str(parser.stream.current.value)!r} after the expression")
    return expression, parser.spans


def expression_tree(expression: nodes.Expr) -> nodes.Template:
    """The expression as a tree that can be a Program."""
    target = nodes.Name("result", "store", lineno=-1)
    return nodes.Template([nodes.Assign(target, expression, lineno=-1)], lineno=0)


def _parsed(
    source: str, lexemes: Sequence[Lexeme], bare: Collection[str], parse: Callable[[_Parser], Any]
) -> Any:
    try:
        _nesting(lexemes)
        return parse(_Parser(lexemes, bare))
    except TemplateSyntaxError as error:
        raise SourceError([_syntax(source, lexemes, error)]) from None
    except RecursionError:
        raise SourceError([Fault(message="the expression is nested too deeply", end=len(source))]) from None
    except ValueError as error:  # a number of thousands of digits
        raise SourceError([Fault(message=str(error), end=len(source))]) from None


def _nesting(lexemes: Sequence[Lexeme]) -> None:
    depth = 0
    for lexeme in lexemes:
        if lexeme.kind == "operator":
            depth += (lexeme.text in "([{") - (lexeme.text in ")]}")
            if depth > MAX_NESTING:
                raise SourceError([Fault(message="too many brackets", start=lexeme.start, end=lexeme.end)])


_WORDS = {
    "'end of print statement'": "`}}`",
    "'begin of print statement'": "`{{`",
    "'end of statement block'": "`%}`",
    "'begin of statement block'": "`{%`",
    "end of print statement": "`}}`",
    "end of statement block": "`%}`",
    "end of template": "end",
}


def _syntax(source: str, lexemes: Sequence[Lexeme], error: TemplateSyntaxError) -> Fault:
    message = str(error.message).rstrip(".")
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    lexeme = next((one for one in lexemes if one.start >= error.lineno), lexemes[-1])
    unclosed = _unclosed(lexemes)
    if "unexpected end" in message.lower() and unclosed is not None:
        return Fault(message=f"`{unclosed.text}` is never closed", start=unclosed.start, end=unclosed.end)
    hint = ""
    if lexeme.kind == "operator" and lexeme.text == "=":
        hint = "write == to compare"
    elif lexeme.text == "|":
        hint = "write `or`" if "'|'" in message else ""
    elif lexeme.kind == "operator" and lexeme.text == ".":
        hint = "write `{{ '{{' }}` for two literal braces"
    return Fault(message=message, start=lexeme.start, end=lexeme.end, hint=hint)


def _unclosed(lexemes: Sequence[Lexeme]) -> Lexeme | None:
    opened: Lexeme | None = None
    for lexeme in lexemes:
        if lexeme.kind in ("variable_begin", "block_begin"):
            opened = lexeme
        elif lexeme.kind in ("variable_end", "block_end"):
            opened = None
    return opened


def _checked(tree: nodes.Template, names: Names, lexemes: Sequence[Lexeme], *, bare: bool) -> _Check:
    stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    stored |= {macro.name for macro in tree.find_all(nodes.Macro)}
    if tree.find(nodes.For) is not None:
        stored.add("loop")
    if tree.find(nodes.Macro) is not None or tree.find(nodes.CallBlock) is not None:
        stored |= {"caller", "varargs", "kwargs"}
    check = _Check(names, lexemes, frozenset(stored), bare)
    check.visit(tree)
    if check.faults:
        raise SourceError(sorted(set(check.faults), key=lambda fault: (fault.start, fault.end)))
    tree.set_environment(ENVIRONMENT)
    return check


_FAILURES = (
    LokError,
    JinjaError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the operators, methods and filters of a text can raise on the values it meets."""

Piece: TypeAlias = str | nodes.Expr
T = TypeVar("T")


class Program:
    """A checked tree. Its code is made when it is first needed: many texts of a workflow never run."""

    __slots__ = ("_code", "_pieces", "_source", "_steps", "_tree")

    def __init__(self, source: str, tree: nodes.Template, steps: Collection[str]) -> None:
        self._source = source
        self._steps = steps
        self._pieces = _pieces(tree)
        self._tree = tree if self._pieces is None else None
        self._code: JinjaTemplate | None = None

    def compile(self) -> JinjaTemplate | None:
        """The code, None where none is needed; SourceError where Jinja finds only now that it cannot be."""
        if self._code is None and self._tree is not None:
            try:
                self._code = ENVIRONMENT.from_string(self._tree)
            except (TemplateSyntaxError, SyntaxError, RecursionError) as error:
                fault = Fault(message=f"this cannot be compiled: {error}", end=len(self._source))
                raise SourceError([fault]) from None
        return self._code

    def render(self, scope: Scope) -> str:
        """The text with its values; TemplateError says which one is missing, and where."""
        if self._pieces is None:
            return "".join(self._run(scope, {}))
        values = roots(scope)
        return "".join([self._read(piece, values, text_of) for piece in self._pieces])

    def value(self, scope: Scope, use: Callable[[object], T]) -> T:
        """``use`` of an expression's value; TemplateError says what is missing, or does not fit."""
        if self._pieces is not None:
            return self._read(self._pieces[0], roots(scope), use)
        result: dict[str, object] = {}
        for _ in self._run(scope, result):
            pass
        try:
            return use(result["result"])
        except _FAILURES as failure:
            raise self._located(failure, 0) from None

    def _read(self, piece: Piece, values: Mapping[str, object], use: Callable[[object], T]) -> T:
        try:
            return use(piece if isinstance(piece, str) else _read(piece, values))
        except _FAILURES as failure:
            offset = 0 if isinstance(piece, str) else piece.lineno
            raise self._located(failure, offset) from None

    def _run(self, scope: Scope, result: dict[str, object]) -> Iterator[str]:
        """The pieces of the text as the code makes them; an expression's value goes to ``result``."""
        budget = Budget(_given(scope, self._steps))
        try:
            code = self.compile()
            assert code is not None
            values = roots(scope) | {BUDGET: budget, JUDGEMENTS: scope.judgements}
            context = code.new_context(values)
            for piece in code.root_render_func(context):
                budget.show(piece)
                yield piece
            result |= context.vars
        except _FAILURES as failure:
            raise self._located(failure, self._offset(failure)) from None

    def _offset(self, failure: BaseException) -> int:
        """Where in the source the failing code comes from (0: not known)."""
        offset, trace = 0, failure.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<template>" and self._code is not None:
                offset = self._code.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return offset

    def _located(self, failure: BaseException, offset: int) -> TemplateError:
        message, hint = _explained(failure)
        parts = split(self._source) if "{" in self._source else []
        place = next((p.text for p in parts if p.kind != "text" and p.start <= offset < p.end), self._source)
        place = " ".join(place.split())
        shown = place if len(place) <= MAX_PLACE else f"{place[:MAX_PLACE]}…"
        return TemplateError(f"{message} (in `{shown}`)", hint=hint)


MAX_PLACE = 100
"""Characters of the source that a message shows."""


def _explained(failure: BaseException) -> tuple[str, str]:
    """A failure's message and hint."""
    match failure:
        case LokError():
            return failure.message, failure.hint
        case UndefinedError():
            message, _, hint = str(failure.message).partition("\n")
            return message, hint
        case RecursionError():
            return "it goes too deep", ""
        case MemoryError():
            return "it needs too much memory", ""
        case _:
            return str(failure) or type(failure).__name__, ""


def _pieces(tree: nodes.Template) -> tuple[Piece, ...] | None:
    """The tree as literal text and plain paths (``steps.x.output``), None if there is more to it."""
    found: list[nodes.Node] = []
    for part in tree.body:
        if isinstance(part, nodes.Output):
            found += part.nodes
        elif isinstance(part, nodes.Assign) and part.lineno < 0:  # an expression's, see expression_tree
            found.append(part.node)
        else:
            return None
    pieces: list[Piece] = []
    for node in found:
        if isinstance(node, nodes.TemplateData):
            pieces.append(node.data)
        elif isinstance(node, nodes.Expr) and _is_path(node):
            pieces.append(node)
        else:
            return None
    return tuple(pieces)


def _is_path(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Getitem):
        return isinstance(node.arg, nodes.Const) and _is_path(node.node)
    return _is_path(node.node) if isinstance(node, nodes.Getattr) else isinstance(node, nodes.Name)


def _read(node: nodes.Expr, values: Mapping[str, object]) -> object:
    match node:
        case nodes.Getattr(node=owner, attr=attr):
            return ENVIRONMENT.getattr(_read(owner, values), attr)
        case nodes.Getitem(node=owner, arg=nodes.Const(value=key)):
            return ENVIRONMENT.getitem(_read(owner, values), key)
        case nodes.Name(name=name):
            return values[name] if name in values else Missing(name=name)
        case _:
            raise AssertionError(node)


def _given(scope: Scope, steps: Collection[str]) -> int:
    """Characters the values have that a text may go through."""
    given = sum(len(scope.steps[name].output) for name in steps if name in scope.steps)
    item = scope.loop.item if scope.loop is not None else None
    return given + (len(item) if isinstance(item, str | list | dict) else 0)
