"""Workflow -> a command with the declared arguments as options; groups that find workflows by name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import ALL_OPTIONS, OptionsCommand, options
from pytest_lok.cli.resolve import find
from pytest_lok.errors import LokError, PlanError, SettingsError, UsageError, WorkflowError
from pytest_lok.reports.escaping import escape_control_chars

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pytest_lok.core.workflow.argument import Argument
    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.wiring import Project

PlanAction: TypeAlias = "Callable[[Invocation, Project, Plan], int]"
"""What to do with a planned workflow; returns the exit code."""

COMPOSED = frozenset({"smart", "team", "debate", "spawn", "conduct"})
"""The verbs that run a workflow which they write: a file of that name is the user's own version of it."""

_POSITIONS_SHOWN = 9
"""The most positional values that the usage line shows."""


class WorkflowCommand(OptionsCommand):
    """One workflow. A declared argument wins over the option of that name, which can be given before."""

    def __init__(self, name: str, workflow: Workflow, action: PlanAction, accepts: Sequence[str]) -> None:
        self.workflow = workflow
        self._action = action
        shorts = _short_options(workflow.args)
        declared = [_option(argument, at, shorts) for at, argument in enumerate(workflow.args.values())]
        super().__init__(
            name,
            params=[*declared, _positional_argument(workflow)],
            accepts=accepts,
            without={spelling for option in declared for spelling in option.opts},
            callback=self._invoke_action,
            help=_about(workflow),
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, with ``--unstaged`` of a true-or-false argument for ``--unstaged=true``."""
        declared = zip(self.workflow.args.values(), self.params, strict=False)
        flags = {spelling for argument, option in declared if argument.is_boolean for spelling in option.opts}
        try:
            return super().parse_args(ctx, _with_bare_flags(args, flags))
        except click.NoSuchOption as unknown:
            _explain_task(self.workflow, unknown)
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments of the workflow above the options of lok."""
        declared = len(self.workflow.args)
        for title, params in (
            ("Arguments", self.params[:declared]),
            ("Options", [*self.params[declared:], self.get_help_option(ctx)]),
        ):
            options = [param for param in params if isinstance(param, click.Option)]
            rows = [row for option in options if (row := option.get_help_record(ctx))]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _project(self, call: Invocation) -> Project:
        """The project that the workflow runs in."""
        return call.project()

    def _invoke_action(self, values: tuple[str, ...], **named: str | None) -> int:
        call = Invocation.of(click.get_current_context())
        project, workflow = self._project(call), self.workflow
        if call.options.backend and self.name:  # a role has a say in what steps mean that name nobody
            workflow = project.load(self.name)
        plan = project.plan(
            workflow,
            select=call.options.steps or None,
            named={
                name: value
                for at, name in enumerate(self.workflow.args)
                if (value := named[_parameter(at)]) is not None
            },
            positional=values,
            elsewhere=call.options.each is not None,
        )
        for warning in workflow.warnings:
            call.terminal.note(f"warning: {warning}")
        return self._action(call, project, plan)


class WorkflowGroup(click.Group):
    """A group whose commands are workflows, which are looked for when they are named."""

    def __init__(
        self,
        name: str,
        *,
        action: PlanAction,
        accepts: Sequence[str],
        before: Sequence[str] = (),
        subcommand_metavar: str = "WORKFLOW [ARGS]...",
        **kwargs: Any,
    ) -> None:
        """``accepts`` are the options of the workflows, ``before`` those of the group (default: the same)."""
        super().__init__(
            name,
            **{"invoke_without_command": True, "callback": _require_workflow, **kwargs},
            params=options(*(before or accepts)),
            subcommand_metavar=subcommand_metavar,
        )
        self._action = action
        self._accepts = accepts

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; the following words may say where to look."""
        name, *rest = args
        if not ctx.resilient_parsing:
            return name, self.find_command(ctx, name, rest), rest
        with contextlib.suppress(LokError, click.ClickException):  # a shell asks for completion
            return name, self.find_command(ctx, name, rest), rest
        return None, None, rest

    def find_command(self, ctx: click.Context, name: str, rest: Sequence[str]) -> click.Command:
        """The command with that name; UsageError if there is none."""
        try:
            _, workflow = find(ctx, name, rest)
        except (WorkflowError, SettingsError, PlanError):
            raise
        except UsageError:
            if name not in COMPOSED:
                raise
            hint = f"`lok {name} … --toml` prints the workflow that it runs"
            raise UsageError(f"{name} is a verb, and no workflow", hint=hint) from None
        return WorkflowCommand(name, workflow, self._action, self._accepts)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete options and verbs as click does, and names of workflows."""
        return [*super().shell_complete(ctx, incomplete), *complete_workflow(ctx, None, incomplete)]


def _require_workflow(**_options: object) -> None:
    """click's error for an argument that is missing where no workflow is named: a group has no arguments."""
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        raise click.MissingParameter(ctx=ctx, param_type="argument", param_hint="'WORKFLOW'")


def _explain_task(workflow: Workflow, unknown: click.NoSuchOption) -> None:
    """UsageError where a task of the settings hides a built-in workflow that has the option."""
    from importlib.resources import files

    from pytest_lok.core.workflow.model import Origin

    if workflow.origin is not Origin.SETTINGS:
        return
    name = unknown.option_name.lstrip("-").replace("-", "_")
    hidden = files("pytest_lok") / "workflows" / f"{workflow.stem}.toml"
    if hidden.is_file() and f"[args.{name}]" in hidden.read_text(encoding="utf-8"):
        raise UsageError(
            f"{workflow.stem} is a task of {workflow.path}, and only the built-in `{workflow.stem}` has "
            f"{unknown.option_name}",
            hint=f"remove or rename [tasks.{workflow.stem}] to get it; it reports findings",
        )


def complete_workflow(
    ctx: click.Context,
    param: click.Parameter | None,  # noqa: ARG001 - click's signature
    incomplete: str,
) -> list[CompletionItem]:
    """Complete names of workflows, or files where a path is typed."""
    from click.shell_completion import CompletionItem

    if "/" in incomplete or incomplete.startswith("."):
        return [CompletionItem(incomplete, type="file")]
    with contextlib.suppress(LokError):
        catalog = Invocation.of(ctx).project().catalog.entries()
        return [CompletionItem(found.stem) for found in catalog if found.stem.startswith(incomplete)]
    return []


def _parameter(at: int) -> str:
    """The name of an argument inside click, which wants names of Python."""
    return f"argument_{at}"


def _short_options(names: Iterable[str]) -> dict[str, str]:
    """``-f`` for the first argument that begins with f, unless lok has an option of that name."""
    taken = {spelling for option in options(*ALL_OPTIONS) for spelling in option.opts} | {"-h"}
    found: dict[str, str] = {}
    for name in names:
        if f"-{name[0]}" not in taken:
            found.setdefault(f"-{name[0]}", name)
    return {name: short for short, name in found.items()}


def _option(argument: Argument, at: int, shorts: Mapping[str, str]) -> click.Option:
    facts = [f"default: {argument.default}"] if argument.default is not None else []
    facts += ["required"] if argument.must_be_given else []
    facts += map(escape_control_chars, argument.values.about)
    facts += [f"or value {argument.position}"] if argument.position is not None else []
    long = (f"--{argument.name}", f"--{argument.name.replace('_', '-')}")
    spellings = dict.fromkeys(filter(None, [shorts.get(argument.name), *long]))

    return click.Option(
        [*spellings, _parameter(at)],
        help="  ".join(
            filter(
                None, [escape_control_chars(argument.description), f"[{'; '.join(facts)}]" if facts else ""]
            )
        ),
        metavar="[true|false]" if argument.is_boolean else (argument.type or "value").upper(),
        shell_complete=lambda *asked: [choice for choice in argument.choices if choice.startswith(asked[-1])],
    )


def _positional_argument(workflow: Workflow) -> click.Argument:
    """The positional values that something reads, named in the usage line where they are declared."""
    # an argument that has a position shows its name there
    placed = {a.position: a for a in workflow.args.values() if a.position is not None}
    positions = sorted({*placed, *range(1, min(workflow.positional_count, _POSITIONS_SHOWN) + 1)})
    return click.Argument(
        ["values"], nargs=-1, metavar=" ".join(_metavar(placed.get(at)) for at in positions)
    )


def _metavar(argument: Argument | None) -> str:
    if argument is None:
        return "[VALUE]"
    required = argument.must_be_given
    return argument.name.upper() if required else f"[{argument.name.upper()}]"


def _about(workflow: Workflow) -> str:
    title = workflow.name if workflow.name != workflow.stem else ""
    where = f"{workflow.origin}: {workflow.path}" if workflow.path else str(workflow.origin)
    return "\n\n".join(
        [*map(escape_control_chars, filter(None, [title, workflow.description])), f"\b\n({where})"]
    )


def _with_bare_flags(args: Sequence[str], flags: Collection[str]) -> list[str]:
    from pytest_lok.core.workflow.argument import BOOLEAN

    # after `--` every word is a value, whatever it looks like
    end = args.index("--") if "--" in args else len(args)
    following = [*args[1:end], None][:end]
    words = [
        (f"{word}=true" if word.startswith("--") else f"{word}true")
        if word in flags and after not in BOOLEAN
        else word
        for word, after in zip(args[:end], following, strict=True)
    ]
    return [*words, *args[end:]]
