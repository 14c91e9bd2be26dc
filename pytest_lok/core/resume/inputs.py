"""A step with what it can read → digests by which a later run sees whether anything of that has changed.

The step's own keys count as they are written, and with each name that its texts read, everything behind that
name: what a text makes of them follows. Nothing is left out but what decides only when a step runs, and for
how long.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import field
from typing import Any, cast

from pytest_lok.core.json_values import jsonable
from pytest_lok.core.results import Json, StepResult
from pytest_lok.core.text.words import words
from pytest_lok.core.workflow.model import Ask, Format, Nested, Shell, Step, Workflow
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex
from pytest_lok.version import __version__

STEP, ARGUMENTS, ENVIRONMENT, PROJECT = (
    "the step itself",
    "arguments",
    "the environment",
    "facts of the project",
)
SETTINGS, STEPS, FILES, BASE = "settings", "what it reads of other steps", "attached files", "the base"
"""What a step reads, as reports say it."""

_TIMES_ONLY = words("timeout retries retry_delay max_parallel path line")
"""Keys of a step that say nothing about its result."""
_SESSION = words("""
    _ COLORTERM COLUMNS DBUS_SESSION_BUS_ADDRESS DISPLAY INVOCATION_ID JOURNAL_STREAM LINES MAKEFLAGS
    MAKELEVEL MAKEOVERRIDES MFLAGS OLDPWD PWD PYTEST_CURRENT_TEST PYTEST_VERSION PYTEST_XDIST_TESTRUNUID
    PYTEST_XDIST_WORKER PYTEST_XDIST_WORKER_COUNT SHLVL SSH_AGENT_PID SSH_AUTH_SOCK SSH_CLIENT
    SSH_CONNECTION SSH_TTY STY TERM TERM_PROGRAM TERM_PROGRAM_VERSION TERM_SESSION_ID TMUX TMUX_PANE
    WAYLAND_DISPLAY WINDOWID XDG_RUNTIME_DIR XDG_SESSION_ID
""")
"""Variables that say where somebody sits, and that differ in each terminal. Every other one counts."""
_COMMANDS = ("", True)
"""Under this the digest of the environment is remembered, which all commands have."""
# what texts read: names, variables, and what only the run can tell (who has answered, keys in brackets)
_NAME = late_regex(r"\w+")
_VARIABLES = late_regex(r"(?<![\w.])env\b")  # an argument may have that name too: arg.env
_ENV = late_regex(r"(?<![\w.])env\s*(?:\.\s*(\w+)|\[\s*(['\"])(\w+)\2\s*\])")
_TAG = late_regex(r"(?s)\{[{%].*?[}%]\}")
_SUBSCRIPT = late_regex(r"\benv[\s)]*(?:\.\s*\w+|\[\s*\S+)")
_ANSWERED = late_regex(r"\bworkflow\s*(?:\.\s*backends\b|\[)")
_DYNAMIC = late_regex(r"\{[{%][^}%]*\[|\bseconds\b|\busage\b")
_TIMED = words("seconds usage resumed sections hint nested")
"""Fields of a result, a reply or an item that no text reads, or that differ between two runs of the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendIdentity:
    """A text that says all of a backend that its answers depend on, besides the question.

    ``reads_files``: they depend on the files of the workspace as well.
    """

    text: str
    reads_files: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a step may read besides its own keys.

    ``results`` are those of the steps that it needs, and ``lineage`` has for each of them a digest of the
    runs in which it ran, and all before it. ``settings`` is a digest of all of the settings that decides what
    the step does. ``attached`` has the digests of the files it attaches, by path; None = they cannot be read.
    ``base`` is the commit that findings are compared with. ``digests`` remembers those of ``results``, for
    many steps may rest on a large one.
    """

    results: Mapping[str, StepResult]
    lineage: Mapping[str, str]
    settings: str
    reads_files: bool
    arguments: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    project: Callable[[], Mapping[str, Json]] = dict
    attached: Mapping[str, str] | None = field(default_factory=dict)
    base: str = ""
    digests: dict[tuple[str, bool], str] = field(default_factory=dict, compare=False)


def step_inputs(step: Step, workflow: Workflow, facts: Facts) -> dict[str, str]:
    """The digest of each thing that the step reads; {} where something cannot be known."""
    sources: list[str] = []
    definition = _canonical(step, sources, _TIMES_ONLY)
    named = {name for source in sources for name in _NAME.findall(source)}
    # which backends have answered by now depends on which steps were quicker
    if facts.attached is None or any(map(_ANSWERED.search, sources)):
        return {}
    command = isinstance(step.action, (Nested, Shell)) or (
        isinstance(step.action, Ask) and _runs_command(step.action)
    )
    found: dict[str, object] = {
        STEP: [__version__, definition, workflow.name, _rules(step, workflow)],
        SETTINGS: facts.settings,
    }
    if "arg" in named:
        found[ARGUMENTS] = dict(facts.arguments)
    if command:
        if _COMMANDS not in facts.digests:
            facts.digests[_COMMANDS] = digest(_variables(sources, facts.env, everything=True))
        found[ENVIRONMENT] = facts.digests[_COMMANDS]
    elif "env" in named:
        found[ENVIRONMENT] = _variables(sources, facts.env, everything=False)
    if "project" in named:
        found[PROJECT] = jsonable(facts.project())
    if step.needs:
        found[STEPS] = _needs(step, sources, facts)
    if facts.attached:
        found[FILES] = dict(facts.attached)
    if facts.base:
        found[BASE] = [facts.base]
    return {what: value if isinstance(value, str) else digest(value) for what, value in found.items()}


def variables_named(steps: Iterable[Step], env: Mapping[str, str]) -> dict[str, str]:
    """The variables of the environment that texts of these steps name; all of them where that cannot be told.

    Prose is not taken for a name, nor is what a command reads by itself.
    """
    sources: list[str] = []
    for step in steps:
        _canonical(step, sources, _TIMES_ONLY)
    found: dict[str, str] = {}
    for source in sources:
        tags = _TAG.findall(source)
        read = tags or [it[0] for it in _SUBSCRIPT.finditer(source)]
        found |= _variables(read, env, everything=False)
    return found


def digest(value: object) -> str:
    """A digest of what JSON can say; whatever it cannot say is said by its repr, which may never be equal."""
    return hashlib.sha256(_encode(value).encode()).hexdigest()[:32]


_encode = json.JSONEncoder(sort_keys=True, default=repr).encode


def _needs(step: Step, sources: list[str], facts: Facts) -> object:
    """The results that the step rests on, and where it reads files the runs that may have left some."""
    timed = any(_DYNAMIC.search(source) for source in sources)
    found: list[object] = []
    for name in sorted(step.needs):
        result = facts.results.get(name)
        if result is not None and (name, timed) not in facts.digests:
            said = _said(result, without=frozenset() if timed else _TIMED)
            facts.digests[name, timed] = digest(said)
        found.append([name, facts.digests.get((name, timed), "")])
    lineage = {name: facts.lineage.get(name, "") for name in step.needs}
    return [found, lineage if facts.reads_files or timed else {}]


def _said(result: StepResult, *, without: frozenset[str]) -> object:
    """A result as JSON, with its replies and items, each without some fields; a new field counts."""
    said = _canonical(result, None, without | {"replies", "items"})
    replies = [_canonical(reply, None, without) for reply in result.replies]
    return [said, replies, [_canonical(item, None, without) for item in result.items]]


def _variables(sources: list[str], env: Mapping[str, str], *, everything: bool) -> dict[str, str]:
    """The variables that may be read: those that the texts name, or all where that cannot be told."""
    if not everything:
        found = [match for source in sources for match in _ENV.finditer(source)]
        if len(found) == sum(len(_VARIABLES.findall(source)) for source in sources):
            return {name: env.get(name, "") for match in found if (name := match[1] or match[3])}
    return {name: value for name, value in env.items() if name not in _SESSION}


def _rules(step: Step, workflow: Workflow) -> object:
    """What the workflow says about findings, for a step that reports some."""
    if step.output_format is not Format.FINDINGS:
        return None
    return [_canonical(workflow.gate), _canonical(workflow.rules)]


def _runs_command(action: Ask) -> bool:
    return action.verify is not None or bool(action.verify_preset)


_PLAIN = frozenset({str, int, float, bool, type(None)})
_REQUIRED = object()


def _canonical(
    value: object, sources: list[str] | None = None, without: frozenset[str] = frozenset()
) -> object:
    """A value of the model as JSON: its fields that are not the default, and what was written of a text.

    ``sources`` gets what was written in each text. ``without`` are fields of the value itself that do not
    count.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in (tuple, list):
        return [_canonical(held, sources) for held in value]  # type: ignore[attr-defined]
    if isinstance(value, enum.Enum):
        return value.value
    if (fields := _fields(cast(Hashable, kind))) is not None:
        if fields and fields[0][0] == "source":
            return _text(value, sources)
        said = {}
        for name, usual in fields:
            held = getattr(value, name)
            if held is usual or name in without or (type(held) is type(usual) and held == usual):
                continue
            said[name] = _canonical(held, sources)
        return said
    if isinstance(value, Mapping):
        return {str(key): _canonical(held, sources) for key, held in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return value


def _text(text: object, sources: list[str] | None) -> object:
    """A compiled text: what was written, whether that is a template, and whether its values become code."""
    source = getattr(text, "source")  # noqa: B009 - of three classes, which have only that in common
    if sources is not None:
        sources.append(source)
    pasted, typed = getattr(text, "_command", "") is None, getattr(text, "_typed", False)
    included = getattr(text, "included", ())
    return [type(text).__name__, source, pasted, typed, *([list(included)] if included else [])]


@functools.cache
def _fields(kind: Any) -> tuple[tuple[str, object], ...] | None:
    """The fields of a dataclass with their defaults; None for another class."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple((each.name, _usual(each)) for each in dataclasses.fields(kind))


def _usual(each: dataclasses.Field[object]) -> object:
    if each.default is not dataclasses.MISSING:
        return each.default
    return _REQUIRED if each.default_factory is dataclasses.MISSING else each.default_factory()
