"""The command ``lok``: arguments -> exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence

import click
from click.shell_completion import shell_complete

from pytest_lok.cli import (
    agents,
    ask,
    backends,
    baseline,
    cache,
    completion,
    conduct,
    debate,
    doctor,
    help,
    init,
    mcp,
    parts,
    plan,
    run,
    schema,
    smart,
    spawn,
    suggest,
    team,
    trust,
    workflow,
)
from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import ALL_OPTIONS, Options
from pytest_lok.cli.terminal import Terminal
from pytest_lok.cli.workflow_command import WorkflowGroup
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.errors import LokError, PlanError, SettingsError, UsageError, WorkflowError
from pytest_lok.version import __version__

VERBS = (
    run,
    ask,
    smart,
    team,
    debate,
    spawn,
    conduct,
    plan,
    parts,
    workflow,
    baseline,
    backends,
    suggest,
    cache,
    doctor,
    init,
    mcp,
    agents,
    trust,
    schema,
    completion,
    help,
)

COMPOSED = frozenset({"smart", "team", "debate", "spawn", "conduct"})
"""The verbs that run a workflow which they write: a file of that name is the user's own version of it."""

_USAGE, _UNABLE, _BUG, _INTERRUPTED = 2, 3, 70, 130


class RootCommand(WorkflowGroup):
    """The root command: verbs, and every workflow that is not named like one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs in the order of their use."""
        return list(self.commands)

    def find_command(self, ctx: click.Context, name: str, rest: Sequence[str]) -> click.Command:
        """The verb of that name, else the workflow; a workflow of one's own replaces a verb that is one."""
        if name in self.commands:
            with contextlib.suppress(UsageError):
                if name in COMPOSED:
                    return super().find_command(ctx, name, rest)
            return self.commands[name]
        try:
            return super().find_command(ctx, name, rest)
        except (WorkflowError, SettingsError, PlanError):
            raise
        except UsageError as unknown:
            # a verb may be meant as well as a workflow
            close = did_you_mean(name, self.commands, spelled="`lok {}`")
            hint = f"{close} {unknown.hint}" if close else unknown.hint
            raise UsageError(unknown.message, hint=hint) from unknown


def root() -> RootCommand:
    """The root command with all of its verbs."""
    lok = RootCommand(
        "lok",
        action=run.run_plan,
        accepts=run.ACCEPTS,
        before=ALL_OPTIONS,
        subcommand_metavar="VERB|WORKFLOW [ARGS]...",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="""Run workflows of shell commands and LLM prompts, and gate on what comes of them.

        Every workflow is a command by itself: `lok NAME` is `lok run NAME`, and `lok NAME --help` shows
        its arguments. `lok workflow list` shows the names. Options stand before or after the verb.
        """,
    )
    for module in VERBS:
        lok.add_command(module.command)
    return click.version_option(
        __version__, "-V", "--version", prog_name="lok", message="%(prog)s %(version)s"
    )(lok)


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    environ = os.environ if environ is None else environ
    terminal = Terminal(environ, sys.stdout, sys.stderr)
    code = _run_guarded(
        sys.argv[1:] if argv is None else argv,
        Invocation(environ=environ, terminal=terminal, options=Options()),
    )
    # a run whose report is lost must not end with 0
    if terminal.out.failure is not None:
        terminal.note(f"lok: error: results are lost: {terminal.out.failure.strerror}")
        return code or _UNABLE
    return code


def _run_guarded(argv: Sequence[str], call: Invocation) -> int:
    """Run the command line; every error becomes a message and an exit code."""
    terminal = call.terminal
    try:
        return _dispatch(argv, call)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as bare:
        terminal.note(bare.format_message())
    except click.UsageError as wrong:
        hint = f"`{wrong.ctx.command_path} --help` shows what there is" if wrong.ctx else ""
        terminal.error(UsageError(wrong.format_message(), hint=hint))
    except UsageError as wrong:
        terminal.error(wrong)
    except LokError as unable:
        terminal.error(unable)
        return _UNABLE
    except KeyboardInterrupt:
        terminal.note("lok: interrupted")
        return _INTERRUPTED
    except BrokenPipeError:  # click's own pages
        return 0
    except Exception as bug:
        if call.environ.get("LOK_DEBUG"):
            terminal.note(traceback.format_exc())
        terminal.error(
            LokError(
                f"this is a bug of lok: {type(bug).__name__}: {bug}",
                hint="set LOK_DEBUG=1 for the traceback, and please report it",
            )
        )
        return _BUG
    return _USAGE


def _dispatch(argv: Sequence[str], call: Invocation) -> int:
    lok = root()
    if instruction := call.environ.get("_LOK_COMPLETE"):
        return shell_complete(lok, {"obj": call}, "lok", "_LOK_COMPLETE", instruction)
    with lok.make_context("lok", list(argv), obj=call) as ctx:
        code: int = lok.invoke(ctx)
        return code


if __name__ == "__main__":
    sys.exit(main())
