"""A text's tree -> what it needs, with the calls made the sandbox's own; or every name that means nothing."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from jinja2 import nodes

from pytest_lok.core.templates.builtins import FILTERS, FUNCTIONS, METHODS, TESTS, Function
from pytest_lok.core.templates.checks.booleans import boolean_operands, require_booleans
from pytest_lok.core.templates.checks.case_keys import CaseReads
from pytest_lok.core.templates.checks.last_round import LastReads
from pytest_lok.core.templates.checks.patterns import pattern_mistake
from pytest_lok.core.templates.checks.scores import Rubric, pointless_comparisons, read_rubric
from pytest_lok.core.templates.comparison import BOOLEAN, COMPARED, COMPARISON_HINTS
from pytest_lok.core.templates.constants import constants, impossible_comparisons, known_kind, misfits
from pytest_lok.core.templates.environment import CALL_SUFFIX, COUNTED, MADE
from pytest_lok.core.templates.lexer import (
    CASE,
    LOOP_NAMES,
    OWN_RESULT_NAMES,
    SourceToken,
    groups,
    value_names,
)
from pytest_lok.core.templates.values import OUTCOMES
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import Fault

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import VisibleNames


def variables_of(tree: nodes.Template | nodes.Scope) -> frozenset[str]:
    """The names that the text itself gives a meaning, somewhere; not those of texts that it includes."""
    found: set[str] = set()
    below: list[nodes.Node] = [tree]
    while below:
        node = below.pop()
        match node:
            case nodes.Name() if node.ctx != "load":
                found.add(node.name)
            case nodes.Macro():
                found |= {node.name, *_NAMES_OF_CALLS}
            # Jinja gives these names itself
            case nodes.CallBlock():
                found |= _NAMES_OF_CALLS
            case nodes.For():
                found.add("loop")
        below += [it for it in node.iter_child_nodes() if not isinstance(it, nodes.Scope)]
    return frozenset(found)


_NAMES_OF_CALLS = frozenset({"caller", "varargs", "kwargs"})


_FIELDS = {"workflow": ("name", "backends"), "project": ("language", "root", "tools")}
_EXAMPLES = {
    "steps": "write `steps.NAME.output`",
    "arg": "write `arg.NAME` or `arg.1`",
    "env": "write `env.NAME`",
    "workflow": "write `workflow.name` or `workflow.backends`",
    "project": "write `project.language`, `project.root` or `project.tools`",
    "last": "write `last.NAME` or `last.output`",
}
_UNAVAILABLE: dict[type[nodes.Node], str] = {
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.ScopedEvalContextModifier: "autoescape",
    nodes.NSRef: "set a.b",
}


@dataclass(slots=True)
class NameChecker:
    """One walk over the tree: every name means something; calls and loops become the sandbox's own.

    ``visit`` fills in what is wrong (``faults``), what is odd (``warnings``), and all that the text reads.
    """

    names: VisibleNames
    tokens: Sequence[SourceToken]
    variables: frozenset[str]
    decides: bool = False
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)
    outcome_steps: set[str] = field(default_factory=set)
    arguments: set[str] = field(default_factory=set)
    tested_arguments: set[str] = field(default_factory=set)
    positional_count: int = 0
    rubrics: dict[Rubric, None] = field(default_factory=dict)
    cases: CaseReads | None = None
    last: LastReads | None = None

    @property
    def required(self) -> frozenset[str]:
        """The arguments that are used and never tested with ``is defined``."""
        return frozenset(self.arguments - self.tested_arguments)

    def visit(self, node: nodes.Node, *, owner: bool = False, optional: bool = False) -> None:
        """Check a node and what is below it.

        ``owner``: a field of it is read, so it may be a step. ``optional``: it may be missing.
        """
        match node:
            case nodes.Getattr() | nodes.Getitem():
                self._check_field(node, owner=owner, optional=optional)
            case nodes.Name():
                self._check_name(node)
            case nodes.Call():
                self._check_call(node)
            case nodes.Filter():
                self._check_filter(node)
            case nodes.Test():
                self._check_test(node)
            case nodes.Scope():
                self._visit_included(node)
            case _:
                self._visit_other(node)

    def _visit_arguments(self, node: nodes.Node) -> None:
        """Everything below but the node's own subject."""
        for child in node.iter_child_nodes(exclude=("node",)):
            self.visit(child)

    def _visit_included(self, node: nodes.Scope) -> None:
        """A text that is put in: what has a meaning around it has one in it, and not the other way round."""
        outer, self.variables = self.variables, self.variables | variables_of(node)
        for child in node.body:
            self.visit(child)
        self.variables = outer

    def _visit_other(self, node: nodes.Node) -> None:
        if (word := _UNAVAILABLE.get(type(node))) is not None:
            self._fault(node, f"`{word}` is not available: a workflow's text stands by itself")
            return
        for judged in boolean_operands(node):
            self.check_boolean(judged)
        for child in node.iter_child_nodes():
            self.visit(child)
        if self.decides:
            require_booleans(node)
        if isinstance(node, nodes.For):
            # each round has to be paid for
            node.iter = nodes.Filter(node.iter, COUNTED, [], [], None, None, lineno=node.iter.lineno)

    def _check_field(self, node: nodes.Getattr | nodes.Getitem, *, owner: bool, optional: bool) -> None:
        if isinstance(node, nodes.Getitem):
            self.visit(node.arg)
        group = _namespace(node, self.names)
        if group is None:
            # an assert that asks for the outcome may read the output of a step that did not pass
            if _field_name(node) in OUTCOMES and (step := _step_of(node.node, self.names)) is not None:
                self.outcome_steps.add(step)
            if self.cases is not None and (key := self._case_key(node)) is not None:
                self.cases.read.append((node, key, optional))
            self.visit(node.node, owner=True, optional=optional)
            return
        key = _field_name(node)
        if key is None:
            message = f"the name after `{group}` must be written out, to be checked before anything runs"
            self._fault(node.node, message, hint=_EXAMPLES[group])
        elif group == "steps":
            self._check_step(node, key, owner=owner)
        elif group == "arg":
            self._check_argument(node, key, optional=optional)
        elif group == "last" and self.last is not None:
            self.last.read.append((node, key, optional))
        elif group in _FIELDS and key not in _FIELDS[group]:
            self._fault(node, f"`{group}` has no {key!r}", hint=_EXAMPLES[group])

    def check_boolean(self, node: nodes.Node) -> None:
        """A fault if the node, whose truth counts, is known to be no yes or no."""
        name = ""
        if isinstance(node, nodes.Getattr | nodes.Getitem) and _namespace(node, self.names) == "arg":
            name = _field_name(node) or ""
        if name in self.names.switches:
            message = f"`arg.{name}` is text, and the text 'false' is true too"
            self._fault(node, message, hint=f"write `arg.{name} == 'true'`")
        elif self.decides and isinstance(node, nodes.Expr) and (its := known_kind(node, self.names.typed)):
            said = {"null": "null", "text": "text"}.get(its, f"an {its}" if its[0] in "ao" else f"a {its}")
            self._fault(node, f"this is {said}, and a condition is true or false", hint=COMPARISON_HINTS[its])

    def warn_of_constants(self, judged: nodes.Expr) -> None:
        """A warning of every part of an assert that can never say anything else."""
        # what is wrong already needs no warning beside it
        if self.names.own and not self.faults:
            for node in constants(judged):
                message = "this reads nothing of what the step did, so it always says the same"
                self.warnings.append(self._fault_at(node, message, _CONSTANT_HINT))

    def _check_step(self, node: nodes.Expr, name: str, *, owner: bool) -> None:
        if name not in self.names.steps:
            self._fault(node, f"there is no step {name!r}", hint=_name_hint(name, self.names.other_steps))
            return
        self.steps.add(name)
        if not owner:
            self._fault(node, f"step {name!r} is not a value", hint=f"write `steps.{name}.output`")

    def _check_argument(self, node: nodes.Expr, name: str, *, optional: bool) -> None:
        if name.isdigit():
            if int(name) == 0:
                self._fault(node, "positional arguments count from 1", hint="write `arg.1`")
                return
            self.positional_count = max(self.positional_count, int(name))
        elif name not in self.names.arguments:
            hint = did_you_mean(name, self.names.arguments) or f"declare it: `[args.{name}]`"
            self._fault(node, f"there is no argument {name!r}", hint=hint)
            return
        # with a default, or where only `is defined` asks, it may be missing
        if not optional:
            self.arguments.add(name)

    def _case_key(self, node: nodes.Node) -> str | None:
        """The key that the node reads of the step's case; None where it is no such thing."""
        if self.cases is None or not isinstance(node, nodes.Getattr | nodes.Getitem):
            return None
        is_case = isinstance(node.node, nodes.Name) and node.node.name == CASE
        return _field_name(node) if is_case else None

    def check_reads(self) -> None:
        """A fault of what the text cannot have of a case or of the last round; call it after ``visit``."""
        for reads in (self.cases, self.last):
            for node, message, hint in reads.mistakes() if reads else ():
                self._fault(node, message, hint=hint)

    def _check_name(self, node: nodes.Name) -> None:
        name = node.name
        if node.ctx != "load":
            taken = name in groups(self.names) or (name == CASE and self.cases is not None)
            if taken or name in FUNCTIONS:
                self._fault(node, f"`{name}` has a meaning already", hint="choose another name")
        elif name in groups(self.names):
            self._fault(node, f"`{name}` needs a name after it", hint=_EXAMPLES[name])
        elif name in FUNCTIONS:
            self._fault(node, f"`{name}` is a function", hint=f"write `{name}(…)`")
        elif name not in value_names(self.names) and name not in self.variables:
            self._unknown(node, name)

    def _unknown(self, node: nodes.Node, name: str) -> None:
        hint = _hint_for_unknown(name, self.names, self.variables)
        self._fault(node, f"unknown name {name!r}", hint=hint)

    def _check_call(self, node: nodes.Call) -> None:
        match node.node:
            case nodes.Name(name=name) if name in FUNCTIONS:
                self._check_signature(node, name, FUNCTIONS[name], before=0)
                if name == "rubric":
                    self._check_rubric(node)
                elif name == "matches" and (wrong := pattern_mistake(node)):
                    self._fault(node.args[1], wrong)
            case nodes.Name(name=name):
                if name not in self.variables:
                    self._fault(node.node, f"there is no function {name!r}", hint=_name_hint(name, FUNCTIONS))
            case nodes.Getattr(node=owner, attr=attr):
                if attr not in METHODS:
                    self._fault(node.node, f"there is no method {attr!r}", hint=_name_hint(attr, METHODS))
                # the sandbox binds a method only under this name, so a field is never called by accident
                node.node.attr = attr + CALL_SUFFIX
                self.visit(owner, owner=True)
            case _:
                self._fault(node, "only functions and methods can be called")
        self._visit_arguments(node)

    def _check_rubric(self, node: nodes.Call) -> None:
        found = read_rubric(node)
        if not self.names.own:
            self._fault(node.node, "`rubric` is known in `assert` only: it judges the step's own output")
        elif isinstance(found, Rubric):
            self.rubrics[found] = None
        else:
            self._fault(node.node, found[0], hint=found[1])

    def _check_filter(self, node: nodes.Filter) -> None:
        wrong = (*impossible_comparisons(node, self.names.typed), *pointless_comparisons(node))
        for argument, message, hint in wrong:
            self._fault(argument, message, hint=hint)
        if node.name not in FILTERS and node.name not in _INTERNAL_FILTERS:
            self._fault(node, f"there is no filter {node.name!r}", hint=_name_hint(node.name, FILTERS))
        elif node.name not in _INTERNAL_FILTERS:
            self._check_signature(node, node.name, FILTERS[node.name], before=1)
        if node.node is not None:
            self.visit(node.node, optional=node.name in ("default", "d"))
        self._visit_arguments(node)

    def _check_test(self, node: nodes.Test) -> None:
        if node.name not in TESTS:
            self._fault(node, f"there is no test {node.name!r}", hint=_name_hint(node.name, TESTS))
        else:
            self._check_signature(node, node.name, TESTS[node.name], before=1)
        asked = node.name in ("defined", "undefined")
        if asked and isinstance(node.node, nodes.Getattr | nodes.Getitem):
            self._note_test(_namespace(node.node, self.names), _field_name(node.node) or "")
        if asked and self.cases is not None and (key := self._case_key(node.node)) is not None:
            self.cases.tested.add(key)
        self.visit(node.node, optional=asked)
        self._visit_arguments(node)

    def _note_test(self, group: str | None, name: str) -> None:
        if group == "arg":
            self.tested_arguments.add(name)
        elif group == "last" and self.last is not None:
            self.last.tested.add(name)

    def _check_signature(
        self, node: nodes.Call | nodes.Filter | nodes.Test, name: str, function: Function, *, before: int
    ) -> None:
        """A fault if the function does not take what it is given, ``before`` of it by ``|`` or ``is``."""
        for message in misfits(node, name, function, before):
            self._fault(node, message)

    def _fault(self, node: nodes.Node, message: str, *, hint: str = "") -> None:
        self.faults.append(self._fault_at(node, message, hint))

    def _fault_at(self, node: nodes.Node, message: str, hint: str) -> Fault:
        token = _place(node, self.tokens)
        return Fault(message=message, start=token.start, end=token.end, hint=hint)


_SIGNS_BEFORE: Mapping[type[nodes.Node], tuple[str, ...]] = {
    nodes.Getattr: (".", "["),
    nodes.Getitem: (".", "["),
    nodes.Test: ("is", "not"),
    nodes.Call: ("(",),
}
"""What may stand between the place of a node and the token to point at."""

_INTERNAL_FILTERS = frozenset({COMPARED, MADE, BOOLEAN})
"""Filters that no text can name: what an expression is made of."""

_CONSTANT_HINT = 'compare `output`, `json` or what another step said; `when = "false"` switches a step off'


def _namespace(node: nodes.Getattr | nodes.Getitem, names: VisibleNames) -> str | None:
    """The root a path begins with, where the node is the first field of it."""
    root = node.node
    return root.name if isinstance(root, nodes.Name) and root.name in groups(names) else None


def _field_name(node: nodes.Getattr | nodes.Getitem) -> str | None:
    """The field's name, None if it is only known at run time."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str | int):
        return str(node.arg.value)
    return None


def _step_of(node: nodes.Node, names: VisibleNames) -> str | None:
    is_step = isinstance(node, nodes.Getattr | nodes.Getitem) and _namespace(node, names) == "steps"
    return _field_name(node) if is_step else None  # type: ignore[arg-type]  # it is one of these


def _hint_for_unknown(name: str, names: VisibleNames, variables: Collection[str]) -> str:
    """What to write instead of a name that means nothing."""
    if name in names.steps:
        return f"write `steps.{name}.output`"
    if name in LOOP_NAMES:
        return "it is known in what a step with `for_each` does and asserts, not in `when`"
    if name in OWN_RESULT_NAMES:
        return "it is known in `assert`; elsewhere write `steps.NAME.output`"
    if name == CASE:
        return "it is known in steps with `cases` or `matrix`"
    if name == "last":
        return "it is known in `until` and `with` of a loop, and in workflows with [outputs]"
    if step := did_you_mean(name, names.other_steps, spelled="`steps.{}`"):
        return step
    known = {*value_names(names), *variables}
    shown = sorted({*known, *(f"{group}." for group in groups(names))})
    return did_you_mean(name, {*known, *groups(names)}) or f"known are: {', '.join(shown)}"


def _name_hint(name: str, known: Collection[str]) -> str:
    """The close one, else all there are."""
    shown = sorted(known)
    more = f" and {len(shown) - 60} more" if len(shown) > 60 else ""
    return did_you_mean(name, known) or (f"there are: {', '.join(shown[:60])}{more}" if shown else "")


def _place(node: nodes.Node, tokens: Sequence[SourceToken]) -> SourceToken:
    """The token to point at: for a field its name, after the dot; for a test its name, after ``is``."""
    index = bisect.bisect_right(tokens, node.lineno, key=lambda token: token.start) - 1
    before = next((signs for kind, signs in _SIGNS_BEFORE.items() if isinstance(node, kind)), ())
    while tokens[index].text in before or tokens[index].kind == "whitespace":
        index += 1 if before != ("(",) else -1
    return tokens[index]
