"""A checked tree and a Scope -> text or a value, or a TemplateError that says what is missing and where."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from jinja2 import nodes
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.exceptions import TemplateSyntaxError, UndefinedError

from pytest_lok.core.templates.builtins import JUDGEMENTS
from pytest_lok.core.templates.checker import NameChecker, variables_of
from pytest_lok.core.templates.checks.case_keys import CaseReads
from pytest_lok.core.templates.checks.last_round import LastReads
from pytest_lok.core.templates.environment import ENVIRONMENT
from pytest_lok.core.templates.lexer import SourceToken, join_hyphenated, lex, split_tags
from pytest_lok.core.templates.limits import BUDGET, RenderingBudget
from pytest_lok.core.templates.parser import TextComposer, parse_template
from pytest_lok.core.templates.scope import QUICK_CHARACTERS
from pytest_lok.core.templates.values import MissingValue, field_of, own_values, root_values, text_of
from pytest_lok.core.text.quotation import without_values
from pytest_lok.core.text.truncation import one_line
from pytest_lok.errors import Fault, LokError, SourceError, TemplateError

if TYPE_CHECKING:
    from jinja2.environment import Template as JinjaTemplate

    from pytest_lok.core.results import Json
    from pytest_lok.core.templates.scope import Scope, VisibleNames
    from pytest_lok.core.text.inclusion import Inclusion

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

_SLOW_FUNCTIONS = frozenset({"matches", "range"})

MAX_PLACE = 100
"""Characters of the source that a message shows."""

RESULT = "result"
"""The name an expression's value is assigned to."""

T = TypeVar("T")
N = TypeVar("N", bound=nodes.Node)


def expression_tree(expression: nodes.Expr) -> nodes.Template:
    """An expression as a tree that can be a Program: one assignment, at offset 0, where no text has one."""
    target = nodes.Name(RESULT, "store", lineno=0)
    return nodes.Template([nodes.Assign(target, expression, lineno=0)], lineno=0)


class TemplateProgram:
    """What a text does. What it needs for that is made when it is needed: many texts never run.

    ``source`` is what messages show ("": they show no place), ``tree`` gives its tree. ``inclusion`` is what
    the tree was made of, where the text includes others.
    """

    def __init__(
        self,
        source: str,
        tree: Callable[[], nodes.Template],
        steps: Collection[str],
        inclusion: Inclusion | None = None,
    ) -> None:
        self._source = source
        self._inclusion = inclusion
        self._make = tree
        self._steps = steps
        self._code: JinjaTemplate | None = None

    @cached_property
    def _tree(self) -> nodes.Template:
        return self._make()

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
                why = error.msg if isinstance(error, SyntaxError) else _message_and_hint(error)[0]
                fault = Fault(message=f"this cannot be compiled: {why}", end=len(self._source))
                raise SourceError([fault]) from None
        return self._code

    def render(self, scope: Scope) -> str:
        """The text with its values."""
        return "".join(self._run(scope, {}, strict=False))

    def without_author_json(self, scope: Scope, text: str) -> str:
        """``text``, which it rendered, without the JSON that its author wrote around the values."""
        own = [it.data for it in self._tree.find_all(nodes.TemplateData)]
        # without a bracket of the author's there is no JSON of the author's
        if not any("[" in data or "{" in data for data in own):
            return text
        tree = _with_data(self._tree, iter(without_values(own, others=True)))
        return TemplateProgram(self._source, lambda: tree, self._steps, self._inclusion).render(scope)

    def value(self, scope: Scope, use: Callable[[object], T]) -> T:
        """``use`` of an expression's value, which may be a Missing."""
        found: dict[str, object] = {}
        # an assignment puts nothing out; running to its end makes the value known
        for _ in self._run(scope, found, strict=True):
            pass
        try:
            return use(found[RESULT])
        except _FAILURES as failure:
            raise self._located(failure, 0) from None

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether running may take long: it has loops or regular expressions, or its values are long."""
        slow = self._tree.find(nodes.For) is not None or self.names & _SLOW_FUNCTIONS
        return bool(slow) or _input_size(scope, self._steps) > QUICK_CHARACTERS

    def empty_steps(self, scope: Scope) -> list[str]:
        """The steps whose words the text puts in, outside of its conditions, and which come to nothing."""
        found: dict[str, None] = {}
        for part in _unconditional(self._tree.body):
            for node in part.nodes:
                steps = {} if isinstance(node, nodes.TemplateData) else _steps(node)
                if steps and not self._text(node, scope).strip():
                    found |= steps
        return list(found)

    def _text(self, node: nodes.Expr, scope: Scope) -> str:
        return TemplateProgram("", partial(expression_tree, node), self._steps).value(scope, text_of)

    def _values(self, scope: Scope) -> dict[str, object]:
        if scope.own is None:
            return root_values(scope)
        return root_values(scope) | own_values(scope.own, scope.json_cache, self.names)

    def _run(self, scope: Scope, found: dict[str, object], *, strict: bool) -> Iterator[str]:
        """The pieces of the text as the code makes them; ``found`` gets what it assigned."""
        budget = RenderingBudget(_input_size(scope, self._steps), strict=strict, time_left=scope.time_left)
        try:
            code = self.compile()
            values = self._values(scope) | {BUDGET: budget, JUDGEMENTS: scope.judgements}
            context = code.new_context(values)
            for piece in code.root_render_func(context):
                budget.count_output(piece)
                yield piece
            found |= context.vars
        except _FAILURES as failure:
            raise self._located(failure, self._offset(failure)) from None

    def _offset(self, failure: BaseException) -> int:
        """Where in the source the failing code comes from (0: not known)."""
        # the innermost frame of generated code is the nearest to the failure
        offset, trace = 0, failure.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<template>" and self._code is not None:
                offset = self._code.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return offset

    def _located(self, failure: BaseException, offset: int) -> TemplateError:
        expression = isinstance(self._tree.body[0], nodes.Assign) and self._tree.body[0].lineno == 0
        source, path = self._source, ""
        if self._inclusion is not None:
            piece = self._inclusion.piece_at(offset)
            source, path, offset = piece.named.text, piece.named.path, offset - piece.start
        parts = [] if expression or not source else split_tags(source)
        # of a long text the message shows the tag alone
        tags = (part.text for part in parts if part.kind != "text" and part.start <= offset < part.end)
        return _located(failure, next(tags, source), path)


def text_at(path: Sequence[str], scope: Scope, *, place: str) -> str:
    """The text at a path such as ``steps``, ``review``, ``output``; TemplateError where it is missing."""
    first, *fields = path
    values = root_values(scope)
    try:
        return text_of(functools.reduce(field_of, fields, values.get(first, MissingValue(name=first))))
    except _FAILURES as failure:
        raise _located(failure, place) from None


def _located(failure: BaseException, place: str, path: str = "") -> TemplateError:
    """The error with its place in the source, "" = without one, and the source's ``path``, if it has one."""
    message, hint = _message_and_hint(failure)
    of = f" of {path}" if path else ""
    return TemplateError(
        f"{message} (in `{one_line(place, MAX_PLACE)}`{of})" if place else message, hint=hint
    )


def _unconditional(body: Sequence[nodes.Node]) -> Iterator[nodes.Output]:
    """What is put out in any case: texts that are included count, blocks do not."""
    for part in body:
        if isinstance(part, nodes.Output):
            yield part
        elif isinstance(part, nodes.Scope):
            yield from _unconditional(part.body)


def _message_and_hint(failure: BaseException) -> tuple[str, str]:
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


def _input_size(scope: Scope, steps: Collection[str]) -> int:
    """Characters and items in the values that a text may go through."""
    results = [scope.steps[name] for name in steps if name in scope.steps]
    if scope.own is not None:
        results.append(scope.own)
    item: Json = scope.loop.item if scope.loop is not None else None
    given = len(item) if isinstance(item, str | list | dict) else 0
    for values in (scope.case, scope.last):
        given += sum(len(it) for it in (values or {}).values() if isinstance(it, str | list | dict))
    return given + sum(len(result.output) for result in results)


def check_composed(inclusion: Inclusion, names: VisibleNames) -> tuple[NameChecker, TemplateProgram]:
    """As ``check_template``, of a text with those that it includes; faults have places of ``inclusion``."""
    composer = TextComposer(inclusion, names)
    tree = composer.tree()
    try:
        if not composer.tokens:
            raise SourceError(())
        check = check_names(tree, names, composer.tokens, statements=True)
        program = TemplateProgram(inclusion.pieces[0].named.text, lambda: tree, check.steps, inclusion)
        program.compile()
    except SourceError as error:
        faults = [*composer.faults, *error.faults]
        raise SourceError(sorted(faults, key=lambda fault: fault.start)) from None
    if composer.faults:
        raise SourceError(composer.faults)
    return check, program


def check_template(source: str, names: VisibleNames) -> tuple[NameChecker, TemplateProgram]:
    """What a text with tags reads, and what it does; SourceError holds every mistake."""
    tokens = join_hyphenated(lex(source), names, bare=False)
    statements = any(token.kind == "block_begin" for token in tokens)
    try:
        tree = parse_template(tokens)
    except SourceError as error:
        # a statement spans several tags, so that no tag of the text can be judged by itself
        raise error if statements else _each_tag(source, names, error) from None
    check = check_names(tree, names, tokens, statements=statements)
    program = TemplateProgram(source, lambda: tree, check.steps)
    if statements:
        # Jinja finds some mistakes in statements only when it generates code
        program.compile()
    return check, program


def _each_tag(source: str, names: VisibleNames, whole: SourceError) -> SourceError:
    """The mistakes of every ``{{ }}`` by itself, where one of them breaks the whole."""
    parts = [part for part in split_tags(source) if part.kind == "expression"]
    if len(parts) < 2:
        return whole
    faults: list[Fault] = []
    for part in parts:
        try:
            check_template(part.text, names)
        except SourceError as error:
            faults += [fault.shifted(part.start) for fault in error.faults]
    return SourceError(faults) if faults else whole


def check_names(
    tree: nodes.Template,
    names: VisibleNames,
    tokens: Sequence[SourceToken],
    *,
    statements: bool,
    judged: nodes.Expr | None = None,
) -> NameChecker:
    """One walk over the tree; SourceError holds every mistake. ``judged``: its truth will be asked for."""
    try:
        check = NameChecker(
            names,
            tokens,
            variables_of(tree) if statements else frozenset(),
            decides=judged is not None,
            cases=None if names.cases is None else CaseReads(names.cases),
            last=LastReads(names),
        )
        if judged is not None:
            check.check_boolean(judged)
            check.warn_of_constants(judged)
        check.visit(tree)
        check.check_reads()
    except RecursionError:
        fault = Fault(message="this is nested too deeply", start=tokens[0].start, end=tokens[-1].end)
        raise SourceError([fault]) from None
    if check.faults:
        raise SourceError(sorted(dict.fromkeys(check.faults), key=lambda fault: (fault.start, fault.end)))
    return check
