"""A checked tree and a Scope -> text or a value, or a TemplateError that says what is missing and where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from functools import cached_property, partial
from typing import TypeAlias, TypeVar

from jinja2 import nodes
from jinja2.environment import Template as JinjaTemplate
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.exceptions import TemplateSyntaxError, UndefinedError

from pytest_lok.core.results import Json
from pytest_lok.core.templates.builtins import JUDGEMENTS
from pytest_lok.core.templates.environment import ENVIRONMENT
from pytest_lok.core.templates.limits import BUDGET, RenderingBudget
from pytest_lok.core.templates.parser import split
from pytest_lok.core.templates.scope import Scope
from pytest_lok.core.templates.values import MissingValue, own_values, roots, text_of
from pytest_lok.core.text.quotation import without_values
from pytest_lok.core.text.truncation import one_line
from pytest_lok.errors import Fault, LokError, SourceError, TemplateError

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
"""What operators, methods and filters can raise on the values they meet."""

LIGHT = 100_000
"""Characters that are gone through in no time."""

_SLOW = frozenset({"matches", "range"})

MAX_PLACE = 100
"""Characters of the source that a message shows."""

RESULT = "result"
"""The name an expression's value is assigned to."""

Piece: TypeAlias = str | nodes.Expr
T = TypeVar("T")
N = TypeVar("N", bound=nodes.Node)


def expression_tree(expression: nodes.Expr) -> nodes.Template:
    """An expression as a tree that can be a Program: one assignment, at offset 0, where no text has one."""
    target = nodes.Name(RESULT, "store", lineno=0)
    return nodes.Template([nodes.Assign(target, expression, lineno=0)], lineno=0)


class TemplateProgram:
    """What a text does. What it needs for that is made when it is needed: many texts never run.

    ``source`` is what messages show ("": they show no place), ``tree`` gives its tree.
    """

    def __init__(self, source: str, tree: Callable[[], nodes.Template], steps: Collection[str]) -> None:
        self._source = source
        self._make = tree
        self._steps = steps
        self._code: JinjaTemplate | None = None

    @cached_property
    def _tree(self) -> nodes.Template:
        return self._make()

    @cached_property
    def _pieces(self) -> tuple[Piece, ...] | None:
        return _pieces(self._tree)

    @property
    def names(self) -> frozenset[str]:
        """What its expressions begin with: ``steps``, ``arg``, ``item``, a variable of its own."""
        return frozenset(name.name for name in self._tree.find_all(nodes.Name))

    def compile(self) -> JinjaTemplate:
        """The code; SourceError where Jinja finds only now that it cannot be."""
        if self._code is None:
            self._tree.set_environment(ENVIRONMENT)
            try:
                self._code = ENVIRONMENT.from_string(self._tree)
            except (TemplateSyntaxError, SyntaxError, RecursionError, MemoryError) as error:
                why = error.msg if isinstance(error, SyntaxError) else _explained(error)[0]
                fault = Fault(message=f"this cannot be compiled: {why}", end=len(self._source))
                raise SourceError([fault]) from None
        return self._code

    def render(self, scope: Scope) -> str:
        """The text with its values."""
        if self._pieces is None:
            return "".join(self._run(scope, {}, strict=False))
        values = self._values(scope)
        return "".join([self._read(piece, values, text_of) for piece in self._pieces])

    def given(self, scope: Scope, text: str) -> str:
        """``text``, which it rendered, without the JSON that its author wrote around the values."""
        own = [it.data for it in self._tree.find_all(nodes.TemplateData)]
        if not any("[" in data or "{" in data for data in own):
            return text
        tree = _with_data(self._tree, iter(without_values(own, others=True)))
        return TemplateProgram(self._source, lambda: tree, self._steps).render(scope)

    def value(self, scope: Scope, use: Callable[[object], T]) -> T:
        """``use`` of an expression's value, which may be a Missing."""
        if self._pieces is not None:
            return self._read(self._pieces[0], self._values(scope), use)
        found: dict[str, object] = {}
        for _ in self._run(scope, found, strict=True):
            pass
        try:
            return use(found[RESULT])
        except _FAILURES as failure:
            raise self._located(failure, 0) from None

    def heavy(self, scope: Scope) -> bool:
        """Whether it may take long: long values, loops, regular expressions."""
        if self._pieces is not None and all(map(_is_light, self._pieces)):
            return False
        slow = self._pieces is None and (self._tree.find(nodes.For) is not None or self.names & _SLOW)
        return bool(slow) or _given(scope, self._steps) > LIGHT

    def blanks(self, scope: Scope) -> list[str]:
        """The steps whose words the text puts in, outside of its conditions, and which come to nothing."""
        found: dict[str, None] = {}
        for part in self._tree.body:
            for node in part.nodes if isinstance(part, nodes.Output) else ():
                steps = {} if isinstance(node, nodes.TemplateData) else _steps(node)
                if steps and not self._text(node, scope).strip():
                    found |= steps
        return list(found)

    def _text(self, node: nodes.Expr, scope: Scope) -> str:
        return TemplateProgram("", partial(expression_tree, node), self._steps).value(scope, text_of)

    def _values(self, scope: Scope) -> dict[str, object]:
        if scope.own is None:
            return roots(scope)
        return roots(scope) | own_values(scope.own, scope.found, self.names)

    def _read(self, piece: Piece, values: Mapping[str, object], use: Callable[[object], T]) -> T:
        try:
            return use(piece if isinstance(piece, str) else _read(piece, values))
        except _FAILURES as failure:
            raise self._located(failure, 0 if isinstance(piece, str) else piece.lineno) from None

    def _run(self, scope: Scope, found: dict[str, object], *, strict: bool) -> Iterator[str]:
        """The pieces of the text as the code makes them; ``found`` gets what it assigned."""
        budget = RenderingBudget(_given(scope, self._steps), strict=strict, left=scope.left)
        try:
            code = self.compile()
            values = self._values(scope) | {BUDGET: budget, JUDGEMENTS: scope.judgements}
            context = code.new_context(values)
            for piece in code.root_render_func(context):
                budget.show(piece)
                yield piece
            found |= context.vars
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
        if not self._source:
            return TemplateError(message, hint=hint)
        expression = isinstance(self._tree.body[0], nodes.Assign) and self._tree.body[0].lineno == 0
        parts = [] if expression else split(self._source)
        tags = (part.text for part in parts if part.kind != "text" and part.start <= offset < part.end)
        place = one_line(next(tags, self._source), MAX_PLACE)
        return TemplateError(f"{message} (in `{place}`)", hint=hint)


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
    """The tree as literal text and plain paths (``steps.x.output``); None if there is more to it."""
    found: list[nodes.Node] = []
    for part in tree.body:
        match part:
            case nodes.Output():
                found += part.nodes
            case nodes.Assign(lineno=0):  # see expression_tree
                found.append(part.node)
            case _:
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


def _with_data(node: N, data: Iterator[str]) -> N:
    """A copy of a tree with other texts of its own, in the order in which ``find_all`` meets them."""
    made = copy(node)
    for name, child in node.iter_fields():
        if isinstance(child, nodes.Node):
            setattr(made, name, _with_data(child, data))
        elif isinstance(child, list):
            setattr(made, name, [_with_data(it, data) if isinstance(it, nodes.Node) else it for it in child])
    if isinstance(made, nodes.TemplateData):
        made.data = next(data)
    return made


def _is_light(piece: Piece) -> bool:
    """Whether nothing has to be looked for in a text to read it."""
    return isinstance(piece, str | nodes.Name) or (
        isinstance(piece, nodes.Getattr) and piece.attr == "output"
    )


def _is_path(node: nodes.Node) -> bool:
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            return False
        node = node.node
    return isinstance(node, nodes.Name)


def _steps(node: nodes.Expr) -> dict[str, None]:
    """The names of the steps that an expression reads."""
    found: dict[str, None] = {}
    for field in (node, *node.find_all((nodes.Getattr, nodes.Getitem))):
        match field:
            case nodes.Getattr(node=nodes.Name(name="steps"), attr=name):
                found[name] = None
            case nodes.Getitem(node=nodes.Name(name="steps"), arg=nodes.Const(value=name)):
                found[str(name)] = None
    return found


def _read(node: nodes.Expr, values: Mapping[str, object]) -> object:
    match node:
        case nodes.Getattr(node=owner, attr=attr):
            return ENVIRONMENT.getattr(_read(owner, values), attr)
        case nodes.Getitem(node=owner, arg=nodes.Const(value=key)):
            return ENVIRONMENT.getitem(_read(owner, values), key)
        case nodes.Name(name=name):
            return values[name] if name in values else MissingValue(name=name)
        case _:
            raise TypeError(f"{node} is no path")


def _given(scope: Scope, steps: Collection[str]) -> int:
    """Characters and items in the values that a text may go through."""
    results = [scope.steps[name] for name in steps if name in scope.steps]
    if scope.own is not None:
        results.append(scope.own)
    item: Json = scope.loop.item if scope.loop is not None else None
    given = len(item) if isinstance(item, str | list | dict) else 0
    return given + sum(len(result.output) for result in results)
