"""The command ``lok``: arguments -> exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from pytest_lok.cli import run
from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import ALL_OPTIONS, Options
from pytest_lok.cli.terminal import Terminal
from pytest_lok.cli.workflow_command import COMPOSED, WorkflowGroup
from pytest_lok.errors import LokError, PlanError, SettingsError, UsageError, WorkflowError
from pytest_lok.version import __version__

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Ask": {
        "ask": "Ask backends a question, side by side.",
        "smart": "Ask the backend that suits the task best.",
        "team": "Ask the best backend, and another one for a second opinion.",
        "debate": "Let several backends debate a question.",
        "spawn": "Part a task among agents that work side by side.",
        "conduct": "Let one backend ask the others and answer.",
        "spec": "Plan a task as specs with subtasks.",
        "implement": "Do the subtasks of a spec, each verified or undone.",
        "suggest": "Show whom `backend = auto` would ask for a task, and why.",
    },
    "Workflows": {
        "run": "Run a workflow.",
        "resume": "Go on from a run: keep what still holds.",
        "approve": "Answer a step that waits for a person, and go on.",
        "plan": "Show what a workflow would do. Spends nothing.",
        "graph": "Draw what of a workflow depends on what.",
        "workflow": "List, show, check, run, install and convert workflows.",
        "gate": "Judge a change that nobody trusts, by the base's rules.",
        "eval": "Measure a gate on changes of which the answer is known.",
        "baseline": "Accept what a workflow finds now.",
        "dismiss": "Accept one finding, with a reason.",
        "parts": "Part a project or a diff for one question each.",
        "forge": "Read pull requests and issues of GitHub and GitLab.",
    },
    "Runs": {
        "runs": "List the runs that are recorded here.",
        "show": "Show a recorded run, or one step of it whole.",
        "report": "Write a report of a recorded run, or of several.",
        "comment": "Write what a run came to on a pull request.",
    },
    "Agents": {
        "context": "Print what a model should know before it works here.",
        "mcp": "Serve the workflows to an agent (Model Context Protocol).",
        "agents": "Print one page for agents: run, ask, and read what comes.",
    },
    "Setup": {
        "init": "Write a lok.toml, a first gate, and a job of CI.",
        "doctor": "Check what lok needs, and say what to do.",
        "backends": "Show who can answer, and why somebody cannot.",
        "trust": "Let a project's settings say what is run and asked.",
        "cache": "Show or empty the cache of answers.",
        "fleet": "Start a fleet to try it; show places and what runs.",
        "schema": "Print the JSON Schema of workflow files.",
        "completion": "Print the completion script of a shell.",
        "help": "Show the help of a verb or workflow; `lok help options`.",
    },
}
"""Each verb, which is the module of that name, and what it does."""

VERBS = {name: about for verbs in GROUPS.values() for name, about in verbs.items()}

_MOST_COLUMNS = 80
_USAGE, _UNABLE, _BUG, _INTERRUPTED = 2, 3, 70, 130


class RootCommand(WorkflowGroup):
    """The root command: verbs, and every workflow that is not named like one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs in the order of their use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        """The verb; its module is imported now."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"pytest_lok.cli.{cmd_name}").command
        command.short_help = VERBS[cmd_name]
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the verbs and workflows in groups. The options that verbs share have a page of their own."""
        from pytest_lok.cli.overview import write_overview

        write_overview(formatter, GROUPS, os.getcwd())  # noqa: PTH109 - pathlib is slow to import
        with formatter.section("Options"):
            formatter.write_dl(
                [
                    ("-h, --help", "Also after a verb or a workflow."),
                    ("-V, --version", "Show the version."),
                    (
                        "others",
                        "`lok help options`: those that verbs share, such as --json, -o FILE and -b NAMES.",
                    ),
                ]
            )

    def find_command(self, ctx: click.Context, name: str, rest: Sequence[str]) -> click.Command:
        """The verb of that name, else the workflow; a workflow of one's own replaces a verb that is one."""
        if verb := self.get_command(ctx, name):
            with contextlib.suppress(UsageError):
                if name in COMPOSED:
                    return super().find_command(ctx, name, rest)
            return verb
        try:
            return super().find_command(ctx, name, rest)
        except (WorkflowError, SettingsError, PlanError):
            raise
        except UsageError as unknown:
            from pytest_lok.core.text.suggestions import did_you_mean
            from pytest_lok.discovery import FIRST

            # a verb may be meant as well as a workflow
            close = did_you_mean(name, VERBS, spelled="`lok {}`") if name != FIRST else ""
            hint = f"{close} {unknown.hint}" if close else unknown.hint
            if close and unknown.hint.startswith("did you mean"):
                workflow, _, there = unknown.hint.partition("? ")
                hint = f"{workflow} or {close.removeprefix('did you mean ')} {there}"
            raise UsageError(unknown.message, hint=hint) from unknown


def root() -> RootCommand:
    """The root command with all of its verbs."""
    lok = RootCommand(
        "lok",
        invoke_without_command=False,
        callback=None,
        action=run.run_plan,
        accepts=run.ACCEPTS,
        before=ALL_OPTIONS,
        subcommand_metavar="VERB|WORKFLOW [ARGS]...",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="""Run workflows of shell commands and LLM prompts, and gate on what comes of them.

        Every workflow is a command by itself: `lok NAME` is `lok run NAME`, and `lok NAME --help` shows
        its arguments.
        """,
    )
    return click.version_option(
        __version__, "-V", "--version", prog_name="lok", message="%(prog)s %(version)s"
    )(lok)


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    environ = os.environ if environ is None else environ
    terminal = Terminal(environ, sys.stdout, sys.stderr)
    argv = sys.argv[1:] if argv is None else argv
    call = Invocation(environ=environ, terminal=terminal, options=Options(), words=tuple(argv))
    code = _run_guarded(argv, call)
    if code == _USAGE and (environ.get("GITLAB_CI") or any(word.startswith("--report") for word in argv)):
        # who reads a report after this would take an earlier run's for this one's
        from pytest_lok.cli.reports import remove_old_reports

        remove_old_reports(argv, environ)
    # a run whose report is lost must not end with 0
    if terminal.out.failure is not None:
        terminal.note(f"lok: error: results are lost: {terminal.out.failure.strerror}")
        return code or _UNABLE
    return code


def _run_guarded(argv: Sequence[str], call: Invocation) -> int:
    """Run the command line; every error becomes a message and an exit code, with --json a document too."""
    terminal = call.terminal
    code, error = _outcome(argv, call)
    if error is None and code and not terminal.delivered:
        error = LokError("it ended before there was a result")
        error.where = "lok"
    if error is not None and any("json" in word for word in argv):
        from pytest_lok.cli.error_document import deliver_error

        deliver_error(call, argv, error, code)
    return code


def _outcome(argv: Sequence[str], call: Invocation) -> tuple[int, LokError | None]:
    """Run the command line; the exit code, and the error that was told on stderr, if there was one."""
    terminal = call.terminal
    try:
        return _dispatch(argv, call), None
    except click.exceptions.Exit as done:
        return done.exit_code, None
    except click.exceptions.NoArgsIsHelpError as bare:
        terminal.note(bare.format_message())
        return _USAGE, UsageError("no verb and no workflow is named", hint="`lok --help` shows what there is")
    except click.UsageError as wrong:
        hint = f"`{wrong.ctx.command_path} --help` shows what there is" if wrong.ctx else ""
        error: LokError = UsageError(wrong.format_message(), hint=hint)
        error.where = wrong.ctx.command_path if wrong.ctx else ""
        code = _USAGE
    except UsageError as wrong:
        error, code = wrong, _USAGE
    except LokError as unable:
        error, code = unable, _UNABLE
    except KeyboardInterrupt:
        terminal.note("lok: interrupted")
        return _INTERRUPTED, LokError("interrupted")
    except BrokenPipeError:  # click's own pages
        return 0, None
    except Exception as bug:
        if call.environ.get("LOK_DEBUG"):
            import traceback

            terminal.note(traceback.format_exc())
        error = LokError(
            f"this is a bug of lok: {type(bug).__name__}: {bug}",
            hint="set LOK_DEBUG=1 for the traceback, and please report it",
        )
        code = _BUG
    terminal.error(error)
    return code, error


def _page_width(environ: Mapping[str, str]) -> int:
    """Columns of a page of help, as click counts them; click would import shutil for that."""
    written = environ.get("COLUMNS", "")
    try:
        columns = int(written) if written.isdecimal() else os.get_terminal_size(1).columns
    except OSError:
        columns = 0
    return max(min(columns or _MOST_COLUMNS, _MOST_COLUMNS) - 2, 50)


def _dispatch(argv: Sequence[str], call: Invocation) -> int:
    lok = root()
    if instruction := call.environ.get("_LOK_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(lok, {"obj": call}, "lok", "_LOK_COMPLETE", instruction)
    with lok.make_context("lok", list(argv), obj=call, terminal_width=_page_width(call.environ)) as ctx:
        try:
            code: int = lok.invoke(ctx)
        except LokError as error:
            error.where = error.where or f"lok {ctx.invoked_subcommand or ''}".rstrip()
            raise
        return code


if __name__ == "__main__":
    sys.exit(main())
