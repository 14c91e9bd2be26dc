"""The options that verbs share. They stand before the verb or after it; the later one wins."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from pytest_lok.cli.finite_range import FiniteRange
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lok.core.approval import Approval

_GIVEN_OPTIONS = "pytest_lok.options"
_IMPOSED_OPTIONS = "pytest_lok.imposed_options"


class _PathlibPath(click.Path):
    """What click says of a path, and the path as pathlib has it, which a page of help does without."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; a usage error where it is not as it should be."""
        from pathlib import Path

        return Path(os.fsdecode(super().convert(value, param, ctx)))


class OutputPath(_PathlibPath):
    """A file to be written after the run; that it can be written is checked before."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; a usage error where its directory is missing or not writable."""
        path = super().convert(value, param, ctx)
        from pytest_lok.files import followed

        try:
            folder = followed(path).parent
        except OSError as failure:
            self.fail(f"{path} cannot be written: {failure.strerror}", param, ctx)
        click.Path(exists=True, file_okay=False, writable=True).convert(folder, param, ctx)
        return path


class _RecordMode(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click, not in 8.2
    name = "mode"
    _modes = ("none", "once", "new", "all")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """One of the modes, or ``usual`` for ``--record`` alone."""
        if value not in (*self._modes, "usual"):
            self.fail(
                f"{value!r} is none of {', '.join(self._modes)}: write --record=MODE, or --record alone "
                "after the workflow's name",
                param,
                ctx,
            )
        return str(value)


def _step_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a step of the workflow on the command line."""
    workflow = getattr(ctx.command, "workflow", None)
    steps = workflow.steps if workflow else ()
    # of many cases only one that has been begun is worth a line
    names = [step.name if "[" in incomplete else step.written_name for step in steps]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


class _Spec(NamedTuple):
    declarations: tuple[str, ...]
    help: str
    extra: Mapping[str, Any]


_SPECS: Mapping[str, _Spec] = {
    "directory": _Spec(
        ("-d", "--dir"),
        "Work in this directory.  [default: the nearest parent with .lok/, lok.toml, pyproject.toml or .git]",
        {"type": _PathlibPath(exists=True, file_okay=False), "metavar": "DIR"},
    ),
    "config": _Spec(
        ("-c", "--config"),
        "Read this settings file instead of the project's.",
        {"type": _PathlibPath(exists=True, dir_okay=False), "metavar": "FILE"},
    ),
    "backend": _Spec(
        ("-b", "--backend"),
        "Ask these backends where a step names none: a name, or a,b.",
        {"metavar": "NAMES"},
    ),
    "everybody": _Spec(
        ("--all",),
        "Ask every backend that can answer where a step names none, as -b all does.",
        {"is_flag": True},
    ),
    "steps": _Spec(
        ("-s", "--step"),
        "Run this step and what it needs; repeat for several.",
        {"multiple": True, "metavar": "NAME", "shell_complete": _step_names},
    ),
    "timeout": _Spec(
        ("--timeout",),
        "Limit of one attempt where the workflow sets none: seconds, 90s, 5m; 0 = none.",
        {"metavar": "TIME"},
    ),
    "max_parallel": _Spec(
        ("--max-parallel",),
        "Steps and items running at once, commands and questions alike; a workflow's own limit may be less.",
        {"type": click.IntRange(min=1), "metavar": "N"},
    ),
    "fail_fast": _Spec(("--fail-fast",), "Stop at the first step that fails.", {"is_flag": True}),
    "each": _Spec(
        ("--each",),
        "Run the workflow once in each repository that this file lists: a path or URL@COMMIT a line.",
        {"type": _PathlibPath(), "metavar": "FILE"},
    ),
    "jobs": _Spec(
        ("--jobs",),
        "With --each: so many repositories at once.  [default: 4]",
        {"type": click.IntRange(min=1), "metavar": "N"},
    ),
    "dry_run": _Spec(
        ("--dry-run",),
        "Print edits as a diff instead of making them; steps that need them are not run.",
        {"is_flag": True},
    ),
    "cache": _Spec(
        ("--cache/--no-cache",),
        "Take answers that were given to the same question lately, and keep new ones.  [default: what "
        "[cache] says for `lok ask`, never for workflows]",
        {"default": None},
    ),
    "record": _Spec(
        ("--record",),
        "Answer from .lok/cassettes: none = nothing else, once = ask and record for steps that have no file "
        "yet, new = ask and record what is unknown, all = record anew.  [alone: once; in CI: none]",
        {"is_flag": False, "flag_value": "usual", "type": _RecordMode(), "metavar": "[=MODE]"},
    ),
    "resume": _Spec(
        ("--resume",),
        "Go on from the newest run of this workflow: keep what still holds (see `lok resume --help`).",
        {"is_flag": True, "flag_value": "newest"},
    ),
    "again": _Spec(
        ("--again",),
        "With a run that goes on: run this step in any case, also one whose effects may be done; repeat for "
        "several.",
        {"multiple": True, "metavar": "STEP", "shell_complete": _step_names},
    ),
    "trust": _Spec(
        ("--trust",),
        "Let the project's settings say what is run and where questions go, this once (see `lok trust`).",
        {"is_flag": True},
    ),
    "verbose": _Spec(
        ("-v", "--verbose"), "Print every step's output, and say what starts.", {"is_flag": True}
    ),
    "quiet": _Spec(("-q", "--quiet"), "Print the verdict alone.", {"is_flag": True}),
    "json": _Spec(
        ("--json",),
        "Print one JSON document and nothing else; with -v progress too, on stderr.",
        {"is_flag": True},
    ),
    "output": _Spec(
        ("-o", "--output"),
        "Write to this file what would be printed (JSON if it ends in .json).",
        {"type": OutputPath(), "metavar": "FILE"},
    ),
    "reports": _Spec(
        ("--report",),
        "Write a report of the run to this file; KIND: sarif, junit, html, markdown, gitlab, jsonl or "
        "github. Repeat for several. `none` writes none that GitHub or GitLab would get by itself.",
        {"multiple": True, "metavar": "KIND=PATH"},
    ),
    "reason": _Spec(("--reason",), "Why it is accepted; stands in the file.", {"metavar": "TEXT"}),
    "until": _Spec(
        ("--until",),
        "The last day on which that counts, by UTC, such as 2026-12-31.  [default: it never ends]",
        {"metavar": "DATE"},
    ),
    "author": _Spec(("--author",), "Who accepts it.  [default: git's user.name]", {"metavar": "NAME"}),
    "base": _Spec(
        ("--base",),
        "The commit whose workflows judge, and that the change goes to: an id, a branch or HEAD.  [default: "
        "as LOK_BASE and CI say]",
        {"metavar": "ID"},
    ),
    "head": _Spec(
        ("--head",), "The commit to judge: an id, a branch or HEAD.  [default: HEAD]", {"metavar": "ID"}
    ),
    "staged": _Spec(("--staged",), "Judge what is staged; the base is HEAD.", {"is_flag": True}),
    "reviewed": _Spec(
        ("--reviewed",),
        'For a gate with `since = "reviewed"`: the file with the state of the last review, written anew '
        "after a whole one. Its seal needs LOK_STATE_KEY.",
        {"type": OutputPath(), "metavar": "FILE"},
    ),
    "reviewed_from": _Spec(
        ("--reviewed-from",),
        "Take the state from our own comment on this pull request, and not from the file.",
        {"metavar": "N|URL"},
    ),
    "cases": _Spec(
        ("--cases",),
        "The directory of the cases, or of one case.",
        {"type": _PathlibPath(exists=True, file_okay=False), "metavar": "DIR"},
    ),
    "only": _Spec(
        ("--case",),
        "Run the cases of that name alone, such as python/timing or 'python/*'; repeat for several.",
        {"multiple": True, "metavar": "NAME"},
    ),
    "compare": _Spec(
        ("--compare",),
        "Run this older workflow on the same cases too, and tell what the newer one has mended and broken.",
        {"metavar": "OLDER"},
    ),
    "repeats": _Spec(
        ("--repeat",),
        "Run each case so often.  [default: 1]",
        {"type": click.IntRange(min=1, max=100), "metavar": "N"},
    ),
    "check": _Spec(
        ("--check",), "Read the cases, and say what they would ask. Ask nobody.", {"is_flag": True}
    ),
    "budget_each": _Spec(
        ("--budget-each",),
        "Each run has all of the workflow's [budget], as in a gate.  [default: all runs share it]",
        {"is_flag": True},
    ),
    "min_recall": _Spec(
        ("--min-recall",),
        "The least recall, from 0 to 1, with which the exit code is not 1.",
        {"type": FiniteRange(0, 1), "metavar": "SHARE"},
    ),
    "max_false_greens": _Spec(
        ("--max-false-greens",),
        "In so many cases with a problem the change may pass; in more the exit code is 1.",
        {"type": click.IntRange(min=0), "metavar": "N"},
    ),
    "max_false_reds": _Spec(
        ("--max-false-reds",),
        "In so many cases something may block that must not; in more the exit code is 1.",
        {"type": click.IntRange(min=0), "metavar": "N"},
    ),
    "max_inconclusive": _Spec(
        ("--max-inconclusive",),
        "So many cases may be inconclusive; with more the exit code is 3.  [default: 0]",
        {"type": click.IntRange(min=0), "metavar": "N"},
    ),
    "no_color": _Spec(("--no-color",), "No colours (NO_COLOR does the same).", {"is_flag": True}),
}

COMMON_OPTIONS = ("directory", "config", "no_color")
ALL_OPTIONS = tuple(_SPECS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The values of the options, wherever they stood on the command line."""

    directory: Path | None = None
    config: Path | None = None
    backend: str = ""
    everybody: bool = False
    steps: tuple[str, ...] = ()
    timeout: str = ""
    max_parallel: int | None = None
    fail_fast: bool = False
    each: Path | None = None
    jobs: int | None = None
    dry_run: bool = False
    cache: bool | None = None
    record: str = ""
    resume: str = ""
    again: tuple[str, ...] = ()
    trust: bool = False
    verbose: bool = False
    quiet: bool = False
    json: bool = False
    output: Path | None = None
    reports: tuple[str, ...] = ()
    reason: str = ""
    until: str = ""
    author: str = ""
    base: str | None = None
    head: str | None = None
    staged: bool = False
    reviewed: Path | None = None
    reviewed_from: str = ""
    cases: Path | None = None
    only: tuple[str, ...] = ()
    compare: str = ""
    repeats: int = 1
    check: bool = False
    budget_each: bool = False
    min_recall: float | None = None
    max_false_greens: int | None = None
    max_false_reds: int | None = None
    max_inconclusive: int = 0
    no_color: bool = False
    approval: Approval | None = None
    """No option of its own: what `lok approve` goes on with."""

    @classmethod
    def of(cls, ctx: click.Context) -> Options:
        """The options that were parsed until now."""
        return cls(**{**ctx.meta.get(_GIVEN_OPTIONS, {}), **ctx.meta.get(_IMPOSED_OPTIONS, {})})

    @property
    def settings(self) -> dict[str, Any]:
        """The options that are settings too, by the dotted names of those; UsageError if they contradict."""
        if self.backend and self.everybody:
            raise UsageError("--all asks everybody, and -b only some", hint="leave one of them out")
        given = {
            "defaults.backend": self.backend or ("all" if self.everybody else ""),
            "defaults.timeout": self.timeout,
            "defaults.max_parallel": self.max_parallel,
        }
        return {name: value for name, value in given.items() if value}


def options(
    *names: str, without: Collection[str] = (), helps: Mapping[str, str] | None = None
) -> list[click.Parameter]:
    """The named options as parameters.

    ``without`` are spellings that mean something else here. ``helps`` are texts by name for a verb that the
    usual text does not fit.
    """
    helps = helps or {}
    chosen: list[click.Parameter] = []
    for name in names:
        spec = _SPECS[name]
        spellings = [spelling for spelling in spec.declarations if spelling not in without]
        if spellings:
            chosen.append(
                click.Option(
                    [*spellings, name],
                    help=helps.get(name, spec.help),
                    expose_value=False,
                    callback=_remember,
                    **spec.extra,
                )
            )
    return chosen


def impose(ctx: click.Context, values: Mapping[str, Any]) -> None:
    """Let options have these values, by name, whatever the command line says."""
    ctx.meta[_IMPOSED_OPTIONS] = dict(values)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    assert param.name is not None  # noqa: S101 - an option always has one
    # a default after the verb must not replace a value given before it
    if ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
        ctx.meta.setdefault(_GIVEN_OPTIONS, {})[param.name] = value


class OptionsCommand(click.Command):
    """A command that accepts some of the shared options and refuses the others."""

    def __init__(
        self,
        name: str | None,
        *,
        accepts: Collection[str] = COMMON_OPTIONS,
        without: Collection[str] = (),
        helps: Mapping[str, str] | None = None,
        params: Iterable[click.Parameter] | None = None,
        **kwargs: Any,
    ) -> None:
        shared = options(*accepts, without=without, helps=helps)
        super().__init__(name, params=[*(params or ()), *shared], **kwargs)
        self._accepts = frozenset(accepts)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; UsageError where an option before the verb does not apply to it."""
        # an option that is ignored in silence looks as if it had been obeyed
        imposed = {name for name, value in ctx.meta.get(_IMPOSED_OPTIONS, {}).items() if value}
        for name in {**ctx.meta.get(_GIVEN_OPTIONS, {}), **dict.fromkeys(sorted(imposed))}:
            if name not in self._accepts and name in _SPECS:
                raise UsageError(f"{_SPECS[name].declarations[-1]} does not apply to `{ctx.command_path}`")
        return super().invoke(ctx)
