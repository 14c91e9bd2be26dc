"""A text's tree -> a Program and what it needs, or every name in it that means nothing."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import nodes

from pytest_lok.core.templates.checker import NameChecker, variables_of
from pytest_lok.core.templates.parser import (
    GROUPS,
    SourceToken,
    Span,
    join_names,
    lex,
    opened,
    parse_expression,
    parse_template,
    split,
)
from pytest_lok.core.templates.program import TemplateProgram, expression_tree
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.errors import Fault, SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledText:
    """What a text does and needs. ``arguments`` are the ones it cannot do without (no default).

    ``positional_count`` is the highest number of a positional argument that it reads, with or without a
    default. ``spans`` are an expression's operands and comparisons, outer ones first; ``told`` are the steps
    whose outcome it asks for. ``warnings`` are about what makes sense, and still cannot be meant.
    """

    program: TemplateProgram
    steps: frozenset[str]
    arguments: frozenset[str]
    positional_count: int = 0
    rubrics: tuple[tuple[str, str], ...] = ()
    spans: tuple[Span, ...] = ()
    told: frozenset[str] = frozenset()
    warnings: tuple[Fault, ...] = ()


_PLAIN = re.compile(r"\{\{ *(?:steps\.([A-Za-z_]\w*)\.output|arg\.([A-Za-z_]\w*)|item) *\}\}", re.ASCII)
_MORE = re.compile(r"\{[{%#]|\{$|\r")
"""What the text between plain tags must not hold to be nothing but text."""


def check_template(source: str, names: VisibleNames) -> CompiledText:
    """The meaning of a text with tags; SourceError holds every mistake."""
    return plain_template(source, names) or whole_template(source, names)


def plain_template(source: str, names: VisibleNames) -> CompiledText | None:
    """What ``whole_template`` gives for the tags nearly every text has, in a fraction of its time.

    They are ``{{ steps.NAME.output }}``, ``{{ arg.NAME }}`` and ``{{ item }}``. None where there is
    any other, or a name that means nothing.
    """
    steps, arguments, at = set(), set(), 0
    for tag in _PLAIN.finditer(source):
        step, argument = tag.groups()
        known = step in names.steps if step else argument in names.arguments if argument else names.loop
        if not known or _MORE.search(source, at, tag.start()):
            return None
        steps.add(step)
        arguments.add(argument)
        at = tag.end()
    if _MORE.search(source, at):
        return None
    steps.discard(None)
    arguments.discard(None)
    program = TemplateProgram(source, functools.partial(_plain_tree, source), steps)
    return CompiledText(program=program, steps=frozenset(steps), arguments=frozenset(arguments))


def _plain_tree(source: str) -> nodes.Template:
    pieces: list[nodes.Expr] = []
    at = 0
    for tag in _PLAIN.finditer(source):
        step, argument = tag.groups()
        path = ["steps", step, "output"] if step else ["arg", argument] if argument else ["item"]
        node: nodes.Expr = nodes.Name(path[0], "load", lineno=tag.start())
        for name in path[1:]:
            node = nodes.Getattr(node, name, "load", lineno=tag.start())
        if at < tag.start():
            pieces.append(nodes.TemplateData(source[at : tag.start()], lineno=at))
        pieces.append(node)
        at = tag.end()
    if at < len(source):
        pieces.append(nodes.TemplateData(source[at:], lineno=at))
    return nodes.Template([nodes.Output(pieces, lineno=0)], lineno=0)


def whole_template(source: str, names: VisibleNames) -> CompiledText:
    """The same for any text."""
    lexemes = join_names(lex(source), names, bare=False)
    statements = any(lexeme.kind == "block_begin" for lexeme in lexemes)
    try:
        tree = parse_template(lexemes)
    except SourceError as error:
        raise error if statements else _each_tag(source, names, error) from None
    check = _checked(tree, names, lexemes, statements=statements)
    program = TemplateProgram(source, lambda: tree, check.steps)
    if statements:
        program.compile()  # some mistakes in statements are only found then
    return CompiledText(
        program=program,
        steps=frozenset(check.steps),
        arguments=check.required,
        positional_count=check.positional_count,
    )


def _each_tag(source: str, names: VisibleNames, whole: SourceError) -> SourceError:
    """The mistakes of every ``{{ }}`` by itself, where one of them breaks the whole."""
    parts = [part for part in split(source) if part.kind == "expression"]
    if len(parts) < 2:
        return whole
    faults: list[Fault] = []
    for part in parts:
        try:
            check_template(part.text, names)
        except SourceError as error:
            faults += [
                Fault(message=f.message, start=f.start + part.start, end=f.end + part.start, hint=f.hint)
                for f in error.faults
            ]
    return SourceError(faults) if faults else whole


def check_expression(source: str, names: VisibleNames, *, decides: bool = True) -> CompiledText:
    """The meaning of one expression, also inside ``{{ }}``; SourceError holds every mistake.

    One that ``decides`` is a yes or a no, and so is every part of it whose truth counts.
    """
    lexemes = join_names(_expression(source), names, bare=True)
    expression, spans = parse_expression(lexemes, names.steps - opened(names) - GROUPS)
    tree = expression_tree(expression)
    check = _checked(tree, names, lexemes, statements=False, judged=expression if decides else None)
    return CompiledText(
        program=TemplateProgram(source, lambda: tree, check.steps),
        steps=frozenset(check.steps),
        arguments=check.required,
        positional_count=check.positional_count,
        rubrics=tuple(check.rubrics),
        spans=tuple(spans),
        told=frozenset(check.told),
        warnings=tuple(check.warnings),
    )


_TAGS = frozenset({"data", "variable_begin", "variable_end", "block_begin", "block_end", "raw_begin"})


def _expression(source: str) -> list[SourceToken]:
    """The tokens of an expression, without the ``{{ }}`` that some write around it."""
    if not source.strip():
        raise SourceError([Fault(message="the expression is empty", end=len(source))])
    if re.fullmatch(r"\s*\{\{.*\}\}\s*", source, re.DOTALL) is None:
        inner = lex(source, expression=True)
    else:
        lexemes = [lexeme for lexeme in lex(source) if lexeme.kind != "data" or lexeme.text.strip()]
        inner = lexemes[1:-1]
    for lexeme in inner:
        if lexeme.kind in _TAGS:
            raise SourceError([_braces(lexeme.text.strip(), lexeme.start, lexeme.end)])
    for left, right in itertools.pairwise(inner):
        if left.text == right.text == "{" and left.end == right.start:
            raise SourceError([_braces("{{", left.start, right.end)])
    return inner or [SourceToken("whitespace", "", 0, len(source))]


def _braces(text: str, start: int, end: int) -> Fault:
    return Fault(
        message=f"unexpected `{text}`: this is an expression already",
        start=start,
        end=end,
        hint="write names without braces: `steps.NAME.output`",
    )


def _checked(
    tree: nodes.Template,
    names: VisibleNames,
    lexemes: Sequence[SourceToken],
    *,
    statements: bool,
    judged: nodes.Expr | None = None,
) -> NameChecker:
    """``judged`` is the expression whose truth will be asked for."""
    try:
        check = NameChecker(
            names, lexemes, variables_of(tree) if statements else frozenset(), decides=judged is not None
        )
        if judged is not None:
            check.truth(judged)
            check.constant(judged)
        check.visit(tree)
    except RecursionError:
        fault = Fault(message="this is nested too deeply", start=lexemes[0].start, end=lexemes[-1].end)
        raise SourceError([fault]) from None
    if check.faults:
        raise SourceError(sorted(dict.fromkeys(check.faults), key=lambda fault: (fault.start, fault.end)))
    return check
