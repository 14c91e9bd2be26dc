"""A workflow as values: what a file or a verb means, with every text compiled and every default resolved.

Durations are seconds; ``None`` = not set here (inherit), ``math.inf`` = no limit.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_lok.core.workflow.consensus import Quorum as Quorum
from pytest_lok.core.workflow.consensus import Role as Role
from pytest_lok.core.workflow.consensus import Strategy as Strategy
from pytest_lok.core.workflow.consensus import needed_replies as needed_replies
from pytest_lok.core.workflow.sources import WorkflowSources
from pytest_lok.dataclass import dataclass

if TYPE_CHECKING:
    from pytest_lok.core.asking.tools import Tool
    from pytest_lok.core.remote import Placement
    from pytest_lok.core.results import CasePlace, Json, Severity
    from pytest_lok.core.shell.compiler import ShellTemplate
    from pytest_lok.core.templates.condition import Condition
    from pytest_lok.core.templates.template import Template
    from pytest_lok.core.text.inclusion import NamedText
    from pytest_lok.core.workflow.argument import Argument
    from pytest_lok.errors import Problem

AUTO = "auto"
"""The name that stands for the backend which suits a task best."""

EVERYBODY = "all"
"""The name that stands for every backend that can answer and need not be named."""

MOST_ITEMS = 10_000
"""Items of one ``for_each``: a longer list is a mistake, and each item may cost money."""


class Origin(enum.StrEnum):
    """Where a workflow was found; only ``project`` ones are collected by plain ``pytest --lok``."""

    PROJECT = "project"
    USER = "user"
    BUILTIN = "built in"
    PATH = "path"
    SETTINGS = "settings"
    VERB = "command line"


class Format(enum.StrEnum):
    """``output_format``: what a step's output must be to be usable."""

    TEXT = "text"
    JSON = "json"
    JSON_ARRAY = "json_array"
    JSONL = "jsonl"
    LINES = "lines"
    FINDINGS = "findings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One of ``[rules]``: how severe what it forbids is, and what that is."""

    severity: Severity
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """``[gate]``: when findings fail a step; the defaults are the language's."""

    fail_on: Severity | Literal["never"] = "high"
    min_confidence: float = 0.0
    scope: Literal["diff", "file", "all"] = "all"
    baseline: Literal["new", "all"] = "all"
    quorum: Quorum = 1
    min_backends: int = 1
    evidence: Literal["required", "warn", "report"] = "required"
    on_inconclusive: Literal["fail", "warn"] = "fail"
    since: Literal["base", "reviewed"] = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class UntrustedChanges:
    """``[untrusted]``: how `lok gate` judges. ``programs`` may run in the tree of a change beside those known
    to read only. ``configuration`` "report": an edit of what decides about changes does not block.
    """

    programs: tuple[str, ...] = ()
    configuration: Literal["block", "report"] = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """``[budget]``: limits of one run, checked before each call; None = no limit. ``time`` is seconds."""

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One prompt to one or several backends. ``backends`` empty = the settings' default.

    ``attach`` names files whose text follows the prompt, each by a template; ``attach_from`` is an expression
    whose value is the list of their paths.

    ``tools`` are what the answer may call; the step's ``output_schema`` is that of such an answer then.

    ``verify`` is None when off; the preset names (``true``, ``python``, …) are ``verify_preset``.

    ``options`` are those of its answers by backend, "" = of every backend that is asked.
    """

    prompt: Template
    backends: tuple[str, ...] = ()
    model: str = ""
    system: Template | None = None
    instructions: tuple[NamedText, ...] = ()
    attach: tuple[Template, ...] = ()
    attach_from: Condition | None = None
    consensus: Strategy = Strategy.SYNTHESIS
    quorum: Quorum | None = None
    vote_on: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    synthesizer: str = ""
    apply_edits: bool = False
    tools: tuple[Tool, ...] = ()
    verify: ShellTemplate | None = None
    verify_preset: str = ""
    fix_retries: int = 0
    allow_empty: bool = False
    allow_paths: tuple[str, ...] = ()
    rollback: bool = True
    repeat: int = 1
    required_passes: int | None = None
    options: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def options_for(self, backend: str) -> Mapping[str, Json]:
        """The options that this step gives a backend; its own win over those of all, key by key."""
        return {**self.options.get("", {}), **self.options.get(backend, {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """One command: ``shell`` text for ``sh -c``, or ``argv``; exactly one of the two is set.

    ``pipefail``: bash runs the text, and a pipe fails with any of its commands. ``judges`` False: the command
    gathers something, so that its non-zero exit is an error and no judgement. ``effects``: it changes
    something outside of the project, such as a branch of a server, and must not be repeated unasked.
    ``artifacts`` are patterns of files that it makes, None = nothing is said of them.
    """

    shell: ShellTemplate | None = None
    pipefail: bool = False
    judges: bool = True
    effects: bool = False
    argv: tuple[Template, ...] = ()
    stdin: Template | None = None
    env: Mapping[str, Template] = field(default_factory=dict)
    cwd: Template | None = None
    artifacts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A workflow that a step runs, and the values of its arguments.

    ``until`` makes it a loop: the workflow is run again until the condition holds, at most ``max_rounds``
    times. So many rounds in a row that leave the same files and say the same as the one before are
    ``stalled``, 0 = that is not looked at.
    """

    workflow: Workflow
    arguments: Mapping[str, Template] = field(default_factory=dict)
    until: Condition | None = None
    max_rounds: int = 1
    stalled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A question to a person. Nothing that depends on the step runs before somebody has said yes."""

    question: Template


Action: TypeAlias = Ask | Shell | Nested | Approve


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach:
    """The items of a ``for_each`` step: an inline array, or an expression over earlier steps."""

    inline: tuple[Json, ...] = ()
    expression: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What makes a step one of several: the ``values`` that its texts read, and its place in their table."""

    values: Mapping[str, Json]
    place: CasePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. ``depends_on`` is as declared; ``needs`` adds the steps its texts refer to.

    A step with cases is several of these, each with its ``case``: ``needs`` names all of them, where
    ``depends_on`` has the name that stands in the file. ``path`` and ``line`` (from 1) locate the step's
    header in the file that defines it, which is the parent's for an inherited step. ``placement`` is where
    its command runs; None = on this machine.
    """

    name: str
    action: Action
    depends_on: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    when: Condition | None = None
    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 1.0
    continue_on_error: bool = False
    min_deps_success: int | None = None
    for_each: ForEach | None = None
    max_parallel: int | None = None
    output_format: Format = Format.TEXT
    output_schema: Mapping[str, Json] | None = None
    asserts: tuple[Condition, ...] = ()
    case: Case | None = None
    placement: Placement | None = None
    path: str = ""
    line: int = 1

    @property
    def written_name(self) -> str:
        """The name of the step that stands in the file, which its cases have in common."""
        return self.name if self.case is None else self.case.place.step

    @property
    def is_ruling(self) -> bool:
        """Whether its answer is a verdict: findings, or a vote. Nobody is asked for another verdict."""
        votes = isinstance(self.action, Ask) and self.action.consensus.is_vote
        return votes or self.output_format is Format.FINDINGS

    def in_all(self) -> Iterator[Step]:
        """The step, then every step of the workflow that it runs, and of those which these run."""
        yield self
        if isinstance(self.action, Nested):
            yield from self.action.workflow.in_all()

    @property
    def reviews(self) -> bool:
        """Whether it reports findings, itself or by the workflow that it runs."""
        return any(it.output_format is Format.FINDINGS for it in self.in_all())

    @property
    def effects(self) -> bool:
        """Whether it changes something outside of the project, itself or by the workflow that it runs."""
        return any(isinstance(it.action, Shell) and it.action.effects for it in self.in_all())

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The patterns of files that it makes, itself or by the workflow that it runs."""
        actions = (it.action for it in self.in_all())
        return tuple(it for action in actions if isinstance(action, Shell) for it in action.artifacts or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """The only thing that can be run, whether it came from a file or from a verb.

    ``stem`` addresses it everywhere; ``name`` is its title. ``sha256`` is of the file's text (with its
    parents' where it extends, and with the files of its prompts and of what its steps run). ``steps`` keeps
    the file's order. ``positional_count`` is how many positional values there is a use for. ``collect``:
    `pytest --lok` runs it; ``by_name_only``: because it is said that it does not, not because a value is
    missing. ``allow_skip``: a run of it in which every step was skipped is as good as a passed one.
    ``outputs`` are what a step that runs this workflow hands on, by name: a text, or an expression where it
    is nothing but one placeholder. ``sources`` are the texts that it was read from. ``warnings`` are about
    what can be run, and is hardly meant; ``remarks`` about what may be.
    """

    stem: str
    name: str
    steps: tuple[Step, ...]
    description: str = ""
    path: str = ""
    sha256: str = ""
    origin: Origin = Origin.VERB
    timeout: float | None = None
    collect: bool = True
    by_name_only: bool = False
    allow_skip: bool = False
    tags: tuple[str, ...] = ()
    max_parallel: int | None = None
    exclusive: bool = False
    args: Mapping[str, Argument] = field(default_factory=dict)
    positional_count: int = 0
    gate: Gate | None = None
    rules: Mapping[str, Rule] = field(default_factory=dict)
    budget: Budget | None = None
    untrusted: UntrustedChanges | None = None
    outputs: Mapping[str, Template | Condition] = field(default_factory=dict)
    sources: WorkflowSources = field(default=WorkflowSources(), repr=False, compare=False)
    warnings: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()

    def in_all(self) -> Iterator[Step]:
        """Its steps, each followed by those of the workflow that it runs."""
        for step in self.steps:
            yield from step.in_all()

    def inner(self) -> Iterator[Workflow]:
        """The workflows that its steps run, each with those that it runs itself."""
        return (it.action.workflow for it in self.in_all() if isinstance(it.action, Nested))

    def step(self, name: str) -> Step:
        """The step of that name; KeyError if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def named(self, names: Collection[str]) -> frozenset[str]:
        """The steps of these names; the name of a step with cases means all of them."""
        cases = [step for step in self.steps if step.case is not None and step.written_name in names]
        return (frozenset(names) - {it.written_name for it in cases}) | {step.name for step in cases}
