"""A source text -> what it means and needs, or every mistake in it; Template is a text that renders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from jinja2 import nodes

from pytest_lok.core.templates.checker import NameChecker, variables_of
from pytest_lok.core.templates.lexer import SourceToken, join_hyphenated, lex, split_tags
from pytest_lok.core.templates.parser import parse_template
from pytest_lok.core.templates.program import PlainProgram, TemplateProgram
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.core.text.quotation import without_values
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault, SourceError


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
            names, tokens, variables_of(tree) if statements else frozenset(), decides=judged is not None
        )
        if judged is not None:
            check.check_boolean(judged)
            check.warn_of_constants(judged)
        check.visit(tree)
    except RecursionError:
        fault = Fault(message="this is nested too deeply", start=tokens[0].start, end=tokens[-1].end)
        raise SourceError([fault]) from None
    if check.faults:
        raise SourceError(sorted(dict.fromkeys(check.faults), key=lambda fault: (fault.start, fault.end)))
    return check


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled text. ``steps`` are the steps it reads.

    ``arguments`` are the ones it cannot do without (no default), ``positional_count`` is the highest number
    of a positional one that it reads.
    """

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    positional_count: int = 0
    # None where the source has no tags: it is the text then
    _program: TemplateProgram | PlainProgram | None = field(default=None, repr=False, compare=False)
    _typed: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def literal(cls, text: str) -> Template:
        """Text that is itself, whatever braces it holds (a prompt typed on the command line)."""
        return cls(text, _typed=True)

    @classmethod
    def parse(cls, source: str, names: VisibleNames) -> Template:
        """Compile; SourceError holds every mistake by its offset into ``source``."""
        if "{{" not in source and "{%" not in source:
            return cls(source)
        plain = PlainProgram.of(source, names)
        if plain is not None:
            return cls(source, plain.steps, plain.arguments, _program=plain)
        check, program = check_template(source, names)
        return cls(source, frozenset(check.steps), check.required, check.positional_count, program)

    @property
    def names(self) -> frozenset[str]:
        """What its expressions begin with: ``steps``, ``arg``, ``item`` …"""
        return frozenset() if self._program is None else self._program.names

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether rendering it may take long."""
        return self._program is not None and self._program.may_be_slow(scope)

    def empty_steps(self, scope: Scope) -> list[str]:
        """The steps whose words it puts in, though they come to nothing."""
        return [] if self._program is None or not self.steps else self._program.empty_steps(scope)

    def render(self, scope: Scope) -> str:
        """The text with its values; TemplateError names a missing one."""
        return self.source if self._program is None else self._program.render(scope)

    def without_author_json(self, scope: Scope, text: str) -> str:
        """What may come from others in ``text``, which it rendered: all but the JSON of a file's author.

        A text of the command line may hold anything.
        """
        if self._program is not None:
            return self._program.without_author_json(scope, text)
        return text if self._typed else without_values([text], others=False)[0]
