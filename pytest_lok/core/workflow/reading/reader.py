"""TOML text -> Workflow, or every problem of the file at once, each with its place and a hint."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_lok.core.asking.answer_options import NOBODY_KNOWN, Answerers
from pytest_lok.core.templates.scope import VisibleNames
from pytest_lok.core.text.inclusion import FetchedTexts, no_texts
from pytest_lok.core.workflow.argument import Argument
from pytest_lok.core.workflow.document import ArgumentDocument, RuleDocument, UntrustedDocument
from pytest_lok.core.workflow.model import (
    Ask,
    Budget,
    Gate,
    Nested,
    Origin,
    Role,
    Rule,
    Step,
    UntrustedChanges,
    Workflow,
)
from pytest_lok.core.workflow.reading.argument_reader import is_switch, json_types, read_argument
from pytest_lok.core.workflow.reading.case_steps import connected, read_steps
from pytest_lok.core.workflow.reading.file_checks import (
    DeclaredArguments,
    check_arguments,
    check_cycles,
    check_rules,
    check_tags,
)
from pytest_lok.core.workflow.reading.inner_workflows import InnerWorkflows
from pytest_lok.core.workflow.reading.nested_reader import names_of_last, read_outputs
from pytest_lok.core.workflow.reading.source import SourceText, WorkflowFile
from pytest_lok.core.workflow.reading.step_keys import Read, ReaderContext, StepKeys
from pytest_lok.core.workflow.sources import WorkflowSources
from pytest_lok.errors import Problem, WorkflowError

if TYPE_CHECKING:
    from pytest_lok.core.results import Severity
    from pytest_lok.core.templates.condition import Condition
    from pytest_lok.core.templates.template import Template
    from pytest_lok.core.text.inclusion import ProjectTexts
    from pytest_lok.core.workflow.reading.cases.reader import FindFiles

__all__ = ["Parent", "Read", "SourceText", "parse_workflow"]

Parent: TypeAlias = Callable[[str, SourceText], SourceText | None]


def parse_workflow(  # noqa: PLR0913 - each is one thing that a file may refer to
    source: SourceText,
    *,
    parent: Parent,
    backends: Collection[str] | None = None,
    roles: Mapping[str, Role] | None = None,
    answerers: Answerers = NOBODY_KNOWN,
    read: Read | None = None,
    find: FindFiles | None = None,
    texts: ProjectTexts | None = None,
    inner: Parent | None = None,
    travels: bool = False,
    ci: bool = False,
    within: InnerWorkflows | None = None,
) -> Workflow:
    """The workflow a file means; WorkflowError holds every problem of it.

    ``parent(name, child)`` gives the file that ``extends`` names (never the child itself), None if there is
    none. ``backends`` are the names a step may use ("auto" always; None = not checked). ``roles`` stand for
    several of them; the one called "" is for steps that name nobody. ``read(path, source)`` gives the text of
    a file named relative to that workflow file (``output_schema = "answer.json"``); OSError or ValueError
    where it cannot. ``find(pattern, source)`` lists the files that a name with * in it means, in order; the
    same errors. ``texts`` gives those of prompts and instructions. ``inner(name, file)`` gives the file of a
    workflow that a step of ``file`` runs, None if there is none; ``within`` knows the files whose steps run
    this one. In ``ci`` nobody reads what is about to become shell code, so ``unsafe_shell`` takes nothing but
    arguments. ``answerers`` say which options of an answer each backend knows. ``travels``: a command whose
    step does not say where runs at a place of the fleet.
    """
    load = functools.partial(
        _load_inner,
        parent=parent,
        backends=backends,
        roles=roles,
        answerers=answerers,
        read=read,
        find=find,
        texts=texts,
        inner=inner,
        travels=travels,
        ci=ci,
    )
    within = within or (inner and InnerWorkflows(inner, load))
    reader = WorkflowReader(source, parent, read, texts, within)
    common = ReaderContext(
        names=VisibleNames(),
        backends=backends,
        roles=roles or {},
        answerers=answerers,
        find=find,
        travels=travels,
        ci=ci,
    )
    written = reader.written_steps(common)
    steps = connected([read_steps(keys) for keys in written])
    reader.check(written)
    return reader.workflow(
        steps,
        needed=frozenset().union(*(keys.arguments for keys in written)),
        positional_count=max((keys.positional_count for keys in written), default=0),
    )


def _load_inner(source: SourceText, within: InnerWorkflows, **how: Any) -> Workflow:
    return parse_workflow(source, within=within, **how)


class _AnyName(frozenset[str]):
    """The names of a file that could not be read: any name may be among them."""

    def __contains__(self, name: object) -> bool:
        return True


class WorkflowReader:
    """One workflow being read: its file first, then those it extends, one by one."""

    def __init__(
        self,
        source: SourceText,
        parent: Parent,
        read: Read | None,
        texts: ProjectTexts | None,
        inner: InnerWorkflows | None,
    ) -> None:
        self._read = read
        self._prompts = FetchedTexts(texts.prompt if texts else no_texts)
        self._instructions = FetchedTexts(texts.instruction if texts else no_texts)
        self._inner = inner
        self._outputs: Mapping[str, Template | Condition] = {}
        self._beside: dict[tuple[str, str], str] = {}
        self.files = [WorkflowFile(source)]
        # problems of a parent that is not even TOML
        self.problems: list[Problem] = []
        # False where a file or a step could not be read: then any name may be among what is missing
        self.is_complete = True
        while self._load_parent(parent):
            pass
        for file in self.files:
            self.is_complete &= bool(file.document.steps) or not file.data.get("steps")

    def written_steps(self, common: ReaderContext) -> list[StepKeys]:
        """One per step, in the order of the parents, in which their children's replace them.

        ``common`` is what is known without the files.
        """
        merged: dict[str | tuple[WorkflowFile, int], tuple[WorkflowFile, int]] = {}
        # parents first: a child's step of the same name takes their place, and their order stays
        for file in reversed(self.files):
            lines: dict[str, int] = {}
            for index, step in enumerate(file.document.steps):
                fresh = step.name not in lines
                merged[step.name if fresh and step.name else (file, index)] = (file, index)
                if step.name and not fresh:
                    file.report(
                        ("steps", index, "name"),
                        f"there is another step `{step.name}`",
                        f"the first stands in line {lines[step.name]}; names are unique",
                    )
                lines.setdefault(step.name, file.step_lines[index])
        if not merged and self.is_complete:
            self._report_no_steps()
        names = frozenset(name for name in merged if isinstance(name, str))
        context = replace(
            common,
            names=VisibleNames(
                steps=names if self.is_complete else _AnyName(names),
                arguments=frozenset(self._declared_arguments()),
                switches=frozenset(
                    name for name, (_, it) in self._declared_arguments().items() if it and is_switch(it)
                ),
                typed=json_types({name: it for name, (_, it) in self._declared_arguments().items()}),
                last=names_of_last(self.files),
            ),
            continue_on_error=bool(self._inherited("continue_on_error")),
            gate=self._inherited("gate"),
            read=self._read and functools.partial(_remembering, self._read, self._beside),
            prompts=self._prompts,
            instructions=self._instructions,
            inner=self._inner.beneath(self.files[0].source) if self._inner else None,
        )
        self._outputs = read_outputs(self.files, context.names)
        return [StepKeys(file, index, context) for file, index in merged.values()]

    def check(self, written: Sequence[StepKeys]) -> None:
        """Check what concerns more than one step; WorkflowError if anything in the files is wrong."""
        check_tags(self.files)
        check_arguments(self._declared_arguments())
        check_rules(self.files)
        self._check_findings_declared(written)
        check_cycles({keys.name: keys for keys in written})
        if any(keys.leaves_files for keys in written):
            from pytest_lok.core.workflow.reading.placement_reader import check_left_files

            check_left_files({keys.name: keys for keys in written})
        found = [problem for file in self.files for problem in file.problems] + self.problems
        found += self._inner.problems if self._inner else []
        if found:
            paths = list(dict.fromkeys(problem.path for problem in found))
            raise WorkflowError(
                sorted(dict.fromkeys(found), key=lambda p: (paths.index(p.path), p.line, p.column))
            )

    def workflow(self, steps: Sequence[Step], *, needed: Collection[str], positional_count: int) -> Workflow:
        """The workflow of these steps; ``needed`` are the arguments their texts cannot do without.

        ``positional_count`` is the highest number of a positional one they read.
        """
        source, document = self.files[0].source, self.files[0].document
        arguments = {
            name: read_argument(name, declared)
            for name, (_, declared) in self._declared_arguments().items()
            if declared
        }
        collect = self._inherited("collect")
        by_name_only = not (source.origin is Origin.PROJECT if collect is None else collect)
        # a workflow that needs a value cannot be run by everybody's plain `pytest --lok`
        if collect is None:
            collect = not by_name_only and not _misses_value(arguments.values(), needed)
        gate, budget = self._inherited("gate"), self._inherited("budget")
        inner = [it.action.workflow.sha256 for it in steps if isinstance(it.action, Nested)]
        beside = [it.text for it in (*self._prompts.fetched, *self._instructions.fetched)]
        texts = "\0".join([*(file.source.text for file in self.files), *beside, *inner])
        return Workflow(
            stem=source.stem,
            name=document.name or source.stem,
            steps=tuple(steps),
            description=self._inherited("description") or "",
            path=source.path,
            sha256=hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest(),
            origin=source.origin,
            timeout=self._inherited("timeout"),
            collect=collect,
            by_name_only=by_name_only,
            allow_skip=bool(self._inherited("allow_skip")),
            tags=tuple(self._inherited("tags") or ()),
            max_parallel=self._inherited("max_parallel"),
            exclusive=self._is_exclusive(steps),
            args=arguments,
            positional_count=max(
                [positional_count, *(argument.position or 0 for argument in arguments.values())]
            ),
            gate=Gate(**gate.to_dict()) if gate else None,
            rules={
                name: _rule(it) for file in reversed(self.files) for name, it in file.document.rules.items()
            },
            budget=Budget(**budget.to_dict()) if budget else None,
            untrusted=_untrusted(self._inherited("untrusted")),
            outputs=self._outputs,
            sources=WorkflowSources(
                nested=tuple(self._inner.sources) if self._inner else (),
                files=tuple((file.source.path, file.source.text) for file in self.files),
                beside=tuple((path, name, text) for (path, name), text in self._beside.items()),
                prompts=tuple((it.name, it.path, it.text) for it in self._prompts.fetched),
                instructions=tuple((it.path, it.text) for it in self._instructions.fetched),
            ),
            warnings=tuple(warning for file in self.files for warning in file.warnings),
            remarks=tuple(remark for file in self.files for remark in file.remarks),
        )

    def _is_exclusive(self, steps: Sequence[Step]) -> bool:
        """Whether it runs alone: as it says, else if a step of it applies edits."""
        said: bool | None = self._inherited("exclusive")
        if said is not None:
            return said
        return any(
            (isinstance(step.action, Ask) and step.action.apply_edits)
            or (isinstance(step.action, Nested) and step.action.workflow.exclusive)
            for step in steps
        )

    def _load_parent(self, parent: Parent) -> bool:
        """One file up the chain of ``extends``; False at its end."""
        file = self.files[-1]
        name = file.document.extends
        if name is None:
            return False
        above = parent(name, file.source)
        if above is None:
            file.report(
                ("extends",),
                f"there is no workflow `{name}`",
                "`lok workflow list` shows what can be extended",
            )
        # also further up: a chain that comes back to itself has no end
        elif any(above.path == known.source.path for known in self.files):
            chain = " -> ".join([*(known.source.stem for known in self.files), above.stem])
            file.report(("extends",), f"workflows extend each other: {chain}", "remove one `extends`")
        else:
            try:
                self.files.append(WorkflowFile(above))
                return True
            except WorkflowError as error:
                self.problems += error.problems
        self.is_complete = False
        return False

    def _inherited(self, key: str) -> Any:
        """A key of the workflow: its own, else its parent's, else None."""
        values = (getattr(file.document, key) for file in self.files)
        return next((value for value in values if value is not None), None)

    def _report_no_steps(self) -> None:
        file = self.files[0]
        if any(
            isinstance(value, list) and any(isinstance(item, dict) for item in value)
            for value in file.data.values()
        ):
            # an unknown key was meant to be `steps`, and has been reported
            return
        empty = not file.source.text.strip("\ufeff \t\r\n")
        message = "the file is empty" if empty else "this workflow has no steps"
        file.report(
            ("steps",), message, 'a step: [[steps]], then name = "…", then prompt = "…" or shell = "…"'
        )

    def _declared_arguments(self) -> DeclaredArguments:
        """Arguments by name; one that could not be read is None, but its name is known."""
        declared: dict[str, tuple[WorkflowFile, ArgumentDocument | None]] = {}
        for file in reversed(self.files):
            written = file.data.get("args")
            for name in written if isinstance(written, dict) else ():
                declared[name] = (file, file.document.args.get(name))
        return declared

    def _check_findings_declared(self, written: Sequence[StepKeys]) -> None:
        """``[gate]`` and ``[rules]`` need a step that reports findings."""
        if any(keys.reports_findings for keys in written) or not self.is_complete:
            return
        for key in ("gate", "rules"):
            for file in [file for file in self.files if key in file.data][:1]:
                message = f"`[{key}]` is about findings, and no step reports any"
                file.report((key,), message, 'output_format = "findings" on the step that does', key=True)


def _remembering(read: Read, beside: dict[tuple[str, str], str], path: str, source: SourceText) -> str:
    beside[source.path, path] = text = read(path, source)
    return text


def _rule(document: Severity | RuleDocument) -> Rule:
    if isinstance(document, str):
        return Rule(severity=document)
    assert document.severity is not None  # noqa: S101 - has been checked
    return Rule(severity=document.severity, description=document.description)


def _untrusted(document: UntrustedDocument | None) -> UntrustedChanges | None:
    if document is None:
        return None
    return UntrustedChanges(programs=tuple(document.programs), configuration=document.configuration)


def _misses_value(arguments: Collection[Argument], needed: Collection[str]) -> bool:
    """Whether a text cannot be rendered, or the workflow not be planned, unless somebody gives a value."""
    given = {
        key
        for argument in arguments
        if argument.default is not None
        for key in (argument.name, str(argument.position))
    }
    required = {argument.name for argument in arguments if argument.required}
    return bool((required | set(needed)) - given)
