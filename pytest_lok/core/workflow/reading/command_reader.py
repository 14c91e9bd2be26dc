"""The keys of a step that runs a command -> Shell: where values may stand, and where they would be code."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.shell.cursor import NAME
from pytest_lok.core.templates.template import Template
from pytest_lok.core.workflow.model import Shell
from pytest_lok.errors import Fault

if TYPE_CHECKING:
    from pytest_lok.core.workflow.reading.step_keys import StepKeys

_TRUSTED_NAMES = frozenset({"env", "project", "workflow"})
"""Names whose values no answer and no argument can choose."""


def read_shell(keys: StepKeys) -> Shell | None:
    """The command its keys say; None where a text of it is unusable."""
    document, names = keys.document, keys.inner_names
    unsafe = functools.partial(ShellTemplate.parse, unsafe=document.unsafe_shell)
    shell = keys.text(unsafe, document.shell or None, names, "shell")
    # in CI nobody looks at what is about to become code
    if shell is not None and document.unsafe_shell and keys.context.ci:
        _check_unsafe_shell_in_ci(keys, shell)
    # with pipefail no pipe hides a failure
    if shell is not None and not document.pipefail:
        for remark in shell.remarks():
            keys.file.remark_inside(keys.at("shell"), remark)
    argv = [keys.text(Template.parse, word, names, "argv", at) for at, word in enumerate(document.argv or ())]
    _check_command(keys)
    stdin = keys.text(Template.parse, document.stdin, names, "stdin")
    env = {
        name: keys.text(Template.parse, value, names, "env", name)
        for name, value in (document.env or {}).items()
    }
    cwd = keys.text(Template.parse, document.cwd, names, "cwd")
    _check_values(keys, env, stdin)
    if shell is None and None in (argv or [None]):
        return None
    effects = document.effects
    if effects is None:
        from pytest_lok.core.shell.effects import has_effects

        effects = has_effects(document.shell or "", document.argv or ())
    return Shell(
        shell=shell,
        effects=effects,
        pipefail=document.pipefail,
        judges=document.judges,
        argv=tuple(word for word in argv if word is not None),
        stdin=stdin,
        env={name: value for name, value in env.items() if value is not None},
        cwd=cwd,
        artifacts=None if document.artifacts is None else tuple(document.artifacts),
    )


def _check_values(keys: StepKeys, env: Mapping[str, Template | None], stdin: Template | None) -> None:
    """Problems where a value would be code by way of ``argv``, ``env`` or ``stdin``."""
    document = keys.document
    argv = document.argv or ()
    # nothing that can be code: the tables of commands need not be imported
    if not any("{{" in word for word in argv) and not any(it and it.names for it in (*env.values(), stdin)):
        return
    from pytest_lok.core.shell.argv import argv_faults, input_fault
    from pytest_lok.core.shell.safety.options import decides_what_runs

    for number, fault in argv_faults(argv):
        keys.file.report_inside(keys.at("argv", number), fault)
    for name, value in env.items():
        if (
            value is not None
            and value.names - _TRUSTED_NAMES
            and decides_what_runs(name)
            and not document.unsafe_shell
        ):
            keys.report(
                f"a value cannot be in `{name}`, which decides what is run",
                "give it to the command in a variable of your own",
                "env",
                name,
            )
    if stdin is not None and stdin.names - _TRUSTED_NAMES and not document.unsafe_shell:
        command = document.shell or shlex.join(argv)
        if what := input_fault(command):
            keys.report(
                f"a value cannot be {what}",
                "let the command read it as data, or give it in a variable of your own with `env`",
                "stdin",
            )


def _check_unsafe_shell_in_ci(keys: StepKeys, shell: ShellTemplate) -> None:
    for placeholder in shell.placeholders:
        if placeholder.template.names - {"arg"}:
            fault = Fault(
                message="in CI no text but the workflow's arguments may become shell code",
                start=placeholder.start,
                end=placeholder.end,
                hint="pass it by `argv` or `stdin`; `unsafe_shell` is for where you read it first",
            )
            keys.file.report_inside(keys.at("shell"), fault)


def _check_command(keys: StepKeys) -> None:
    document = keys.document
    if document.argv and ("{{" in document.argv[0] or not document.argv[0].strip()):
        keys.report(
            "the first item of `argv` is the program, and must be written out",
            "values may stand in the items after it",
            "argv",
            0,
        )
    if document.argv and document.unsafe_shell:
        keys.report("`unsafe_shell` is about `shell`", "`argv` needs no shell", "unsafe_shell", key=True)
    if document.argv and document.pipefail:
        keys.report("`pipefail` is about `shell`", "`argv` has no pipes", "pipefail", key=True)
    for name in document.env or ():
        if not NAME.fullmatch(name):
            keys.report(
                f"{name!r} cannot be the name of an environment variable",
                "letters, digits and _",
                "env",
                name,
                key=True,
            )
    # what values make of it is checked when it runs
    where = PurePosixPath(document.cwd or "")
    if where.is_absolute() or ".." in where.parts:
        keys.report("`cwd` must lie inside the workspace", "a path relative to its root", "cwd")
