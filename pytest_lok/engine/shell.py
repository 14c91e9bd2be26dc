"""A shell step: one command, attempted again as often as the step's ``retries`` allow."""

from __future__ import annotations

import posixpath
import re
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.findings.prior import REVIEWED
from pytest_lok.core.remote import LostError
from pytest_lok.core.shell.compiler import ShellCommand, ShellTemplate
from pytest_lok.core.templates.scope import output_cut_error
from pytest_lok.core.workflow.model import Format, Shell
from pytest_lok.engine.asking.material import check_material
from pytest_lok.engine.asking.retry import with_retries
from pytest_lok.engine.context import time_limit
from pytest_lok.engine.evaluation import evaluate
from pytest_lok.engine.ports import CommandSpec, Completed, Workspace, World
from pytest_lok.errors import LokError, OutputError, StepFailedError, StepUnableError, TemplateError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.engine.execution import StepExecution

NOT_FOUND = 127
"""The exit code by which a shell says that it found no such program."""

# dash: "sh: 1: gh: not found", bash: "sh: line 1: gh: command not found", busybox: "sh: gh: not found"
_MISSING = late_regex(
    r"^(?:\S*/)?(?:ba|da|a|k)?sh: (?:(?:line )?\d+: )?(\S+): "
    r"(?:(?:command )?not found|No such file or directory)$",
    re.MULTILINE,
)
_ADDRESSES = {"gh": "https://cli.github.com", "glab": "https://gitlab.com/gitlab-org/cli"}

OWN_COMMAND = (sys.executable, "-P", "-m", "pytest_lok.cli.main")
"""What ``argv = ["lok", …]`` runs: this lok, wherever PATH leads. -P keeps the project's modules out."""

BASH = ("bash", "--posix", "-o", "pipefail")


async def run_shell(execution: StepExecution, action: Shell) -> None:
    """Run the step's command. Its trimmed stdout is the output; StepFailedError if it exits non-zero."""
    step, context = execution.step, execution.context
    texts = [action.shell, *action.argv, action.stdin, *action.env.values(), action.cwd]
    command = await evaluate(
        execution,
        execution.scope(),
        texts,
        lambda scope: command_of(action, scope, context.world),
    )
    if context.world.prior.state is not None:
        command = _told_what_was_reviewed(execution, command)
    if step.output_format is Format.FINDINGS:
        await check_material(execution, action.stdin)

    async def once(number: int) -> Completed:
        execution.attempts = number
        return await run_command(execution, command, judges=action.judges)

    # of a command that was ended in the middle nobody knows whether it has had its effects
    transient = _has_ended if action.effects else _is_transient
    done = await with_retries(step, context, once, transient, item=execution.item)
    execution.add_section("stderr", done.stderr)
    if action.artifacts:
        from pytest_lok.engine.remote.commands import keep_artifacts

        await keep_artifacts(execution, action.artifacts, done)
    execution.output, execution.cut = done.stdout.strip(), done.cut
    if done.cut and step.output_format is not Format.TEXT:
        raise output_cut_error(step.name)
    if step.output_format is not Format.TEXT:
        from pytest_lok.engine.asking.output import read_output

        data, wrong = await read_output(execution, execution.output, step.output_format)
        execution.data, execution.has_data = data, True
        execution.reported[""] = execution.data
        if wrong:
            raise OutputError("the output does not satisfy output_schema: " + "; ".join(wrong))


class GatheringError(StepUnableError):
    """A command that judges nothing exited non-zero; the message is the last line it wrote to stderr."""


async def run_command(execution: StepExecution, command: CommandSpec, *, judges: bool = True) -> Completed:
    """Run one command within the step's time limit; StepFailedError with its output if it exits non-zero.

    One that does not judge is a GatheringError then. It runs where the step places it.
    """
    context, step = execution.context, execution.step
    if step.placement is not None:
        from pytest_lok.engine.remote.commands import travelling

        command = await travelling(execution, command, step.placement)
    try:
        done = await run_in_slot(execution, command)
    except TimeoutError:
        raise context.timed_out(step, "the command") from None
    execution.exit_code = done.exit_code
    if not done.exit_code:
        return done
    output, cut = _error_text(done), done.cut or done.stderr_cut
    if done.exit_code == NOT_FOUND and (missing := _MISSING.search(done.stderr)):
        raise missing_program(missing[1], output=output, cut=cut)
    # of lok's own exit codes 1 alone is a judgement; 70, for one, is a bug of it
    if done.exit_code != 1 and command.argv[: len(OWN_COMMAND)] == OWN_COMMAND:
        said, _, hint = done.stderr.strip().removeprefix("lok: error: ").partition("\n  hint: ")
        raise StepUnableError(said or _exit_text(done), hint=hint)
    if judges:
        raise StepFailedError(_exit_text(done), output=output, cut=cut)
    said = _reason_in(done.stderr)
    raise GatheringError(said or _exit_text(done), output=output, cut=cut)


def _reason_in(stderr: str) -> str:
    """The line that says why a command failed: the first that calls itself an error, else the last."""
    lines = stderr.strip().split("\n")
    named = (line for line in lines if line.casefold().startswith(("fatal:", "error:")))
    return next(named, lines[-1]).strip()


async def run_in_slot(execution: StepExecution, command: CommandSpec) -> Completed:
    """Run one command in a slot, that of its step or one of its own; TimeoutError after the step's limit.

    Waiting for the slot is no part of the limit.
    """
    step, context = execution.step, execution.context
    if context.holds_slot(step):
        return await _run_limited(execution, command)
    async with context.queue.slot(context.world.limits.total_for(step.max_parallel)):
        return await _run_limited(execution, command)


async def _run_limited(execution: StepExecution, command: CommandSpec) -> Completed:
    # who runs it elsewhere knows when it starts there
    if command.remote is not None:
        return await execution.context.world.shell.run(command)
    execution.begin()
    with time_limit(execution.context.timeout_of(execution.step)):
        return await execution.context.world.shell.run(command)


def _told_what_was_reviewed(execution: StepExecution, command: CommandSpec) -> CommandSpec:
    """The command; `lok parts` is told which commit was reviewed where the engine reads what it prints.

    No other command is told: what it left out nobody would know.
    """
    state = execution.context.world.prior.state
    own = (*OWN_COMMAND, "parts")
    read = execution.step.output_format is Format.JSON and execution.loop is None
    if state is None or not read or command.argv[: len(own)] != own:
        return command
    return replace(command, env={**command.env, REVIEWED: state.head})


def missing_program(name: str, *, output: str = "", cut: bool = False) -> StepUnableError:
    """The error of a command whose program is not on this machine: nothing was judged."""
    where = f": {_ADDRESSES[name]}" if name in _ADDRESSES else ", or put it on PATH"
    hint = "check the path, and the interpreter its first line names" if "/" in name else f"install it{where}"
    return StepUnableError(f"command not found: {name}", hint=hint, output=output, cut=cut)


def command_of(action: Shell, scope: Scope, world: World) -> CommandSpec:
    """The command of a shell step; TemplateError where a value is missing or refused."""
    env = {name: value.render(scope) for name, value in action.env.items()}
    stdin = action.stdin.render(scope).encode("utf-8", "surrogateescape") if action.stdin else b""
    cwd = action.cwd.render(scope) if action.cwd else ""
    if action.shell is not None:
        bash = action.pipefail
        return shell_command(action.shell, scope, world, bash=bash, env=env, stdin=stdin, cwd=cwd)
    argv = tuple(part.render(scope) for part in action.argv)
    if argv[0] == "lok":
        argv = (*OWN_COMMAND, *argv[1:])
    if world.command_wrapper:
        return _wrapped(ShellCommand(text=shlex.join(argv), values=env), world, stdin, cwd)
    return CommandSpec(argv=argv, env=env, cwd=cwd, stdin=stdin)


def shell_command(
    template: ShellTemplate,
    scope: Scope,
    world: World,
    *,
    bash: bool = False,
    env: dict[str, str] | None = None,
    stdin: bytes = b"",
    cwd: str = "",
) -> CommandSpec:
    """Shell text as a command, inside the settings' command wrapper if there is one.

    With ``bash`` a pipe fails if any of its commands fails. ``--posix`` keeps bash from reading the file that
    the variable BASH_ENV names.
    """
    command = template.render(scope)
    for base, name in command.written_files:
        _check_target(base, name, cwd, world.workspace)
    values = {**(env or {}), **command.values}
    argv = (*(BASH if bash else ("sh",)), "-c", command.text)
    if world.command_wrapper:
        text = shlex.join(argv) if bash else command.text
        return _wrapped(ShellCommand(text=text, values=values), world, stdin, cwd)
    return CommandSpec(argv=argv, env=values, cwd=cwd, stdin=stdin)


def _check_target(base: str, name: str, cwd: str, workspace: Workspace) -> None:
    """TemplateError if a value makes the command write outside of the project, or a protected file."""
    from pytest_lok.core.edits.edits import refused_path
    from pytest_lok.core.edits.protected_names import protection_reason

    whole = posixpath.normpath(posixpath.join(workspace.root, cwd, base, name))
    inside = posixpath.relpath(whole, workspace.root)
    why = refused_path(inside)
    if why is None:
        try:
            workspace.read(inside)
        except ValueError as reason:
            why = str(reason)
    if why := f"it {why}" if why else protection_reason(posixpath.normpath(name) if base else inside):
        raise TemplateError(
            f"a value makes the command write to {(base + name)[:80]!r}, and {why}",
            hint="it can name files of the project that do not decide what is run",
        )


def _wrapped(command: ShellCommand, world: World, stdin: bytes, cwd: str) -> CommandSpec:
    from pytest_lok.core.shell.compiler import wrap

    return CommandSpec(argv=("sh", "-c", wrap(command, world.command_wrapper)), cwd=cwd, stdin=stdin)


def _has_ended(failure: LokError) -> bool:
    """True for a non-zero exit."""
    return isinstance(failure, (StepFailedError, GatheringError))


def _is_transient(failure: LokError) -> bool:
    """True for a non-zero exit, a time-out, and where the place was lost.

    A command that cannot be started will not start later.
    """
    return _has_ended(failure) or isinstance(failure, LostError) or "timed out" in failure.message


def _exit_text(done: Completed) -> str:
    if done.exit_code < 0:
        return f"the command was ended by signal {-done.exit_code}"
    return f"the command exited with code {done.exit_code}"


def _error_text(done: Completed) -> str:
    """What the dependents of a failed step with ``continue_on_error`` read: stdout, stderr, the exit code."""
    parts = [done.stdout.strip(), done.stderr.strip(), f"exit code: {done.exit_code}"]
    return "\n".join(part for part in parts if part)
