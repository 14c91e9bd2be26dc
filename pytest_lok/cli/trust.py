"""``lok trust``, and the question whether to trust a project's settings before anything is started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import LokError

if TYPE_CHECKING:
    from pytest_lok.wiring import Project

_DECLINED = 2


def require_trust(call: Invocation, project: Project) -> Project:
    """The project, trusted, for a verb that starts something; UsageError where it is not trusted.

    On a terminal the user is asked, and a yes is remembered.
    """
    from pytest_lok.reports.widths import wrapped

    distrust = project.distrust
    if distrust is None:
        return project
    if not _can_ask(call):
        raise distrust
    rows = (row for line in distrust.message.split("\n") for row in wrapped(line, call.terminal.width))
    call.terminal.note("\n".join([*rows, ""]))
    call.terminal.err.write("Trust this until it changes? [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        # no is an answer, not an error
        call.terminal.note(f"{project.settings.restricted.file} is not trusted; nothing was run")
        raise click.exceptions.Exit(_DECLINED)
    _grant(project)
    return replace(project, trusted=True)


def with_distrust_note(call: Invocation, project: Project) -> Project:
    """The project, for a verb that starts nothing; prints a note if it is not trusted."""
    if project.distrust:
        file = project.settings.restricted.file
        call.terminal.note(f"{file} is not trusted: what it says is shown, `lok trust` makes it count")
    return project


def _can_ask(call: Invocation) -> bool:
    from pytest_lok.settings import in_ci

    # where nobody can answer, the question would wait for ever
    here = sys.stdin is not None and sys.stdin.isatty() and call.terminal.err.isatty()
    return here and not in_ci(call.environ)


def _grant(project: Project) -> None:
    try:
        project.trust.grant(project.root, project.settings.restricted.values)
    except OSError as failure:
        raise LokError(f"the trust cannot be remembered: {failure.strerror}", hint="use --trust") from failure


def _trust(listed: bool, revoked: bool) -> int:
    call = Invocation.of(click.get_current_context())
    project = call.project()
    restricted = project.settings.restricted
    said = {"project": str(project.root), "file": str(restricted.file), "trusted": False, "grants": []}
    if listed:
        trusted = list(project.trust.projects())
        _say(call, {"projects": trusted}, "\n".join(trusted))
    elif revoked:
        was = project.trust.revoke(project.root)
        _say(call, said)
        call.terminal.note(f"{project.root} is {'no longer' if was else 'not'} trusted")
    elif not restricted:
        _say(call, said | {"trusted": None})
        call.terminal.note("nothing in the settings of this project needs trust")
    else:
        _grant(project)
        until = f"{project.root} is trusted until {restricted.file} changes what it says:"
        granted = {"trusted": True, "grants": restricted.descriptions}
        _say(call, said | granted, "\n".join([until, *restricted.descriptions]))
    return 0


def _say(call: Invocation, document: Mapping[str, object], text: str = "") -> None:
    if call.json:
        call.deliver_document(document)
    else:
        call.deliver(text)


command = OptionsCommand(
    "trust",
    callback=_trust,
    params=[
        click.Option(["--list", "listed"], is_flag=True, help="Show which projects are trusted."),
        click.Option(["--revoke", "revoked"], is_flag=True, help="Trust this project no longer."),
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Trust the settings of this project: what its lok.toml (or pyproject.toml) says of `command`,
    `args`, `env`, `base_url`, `api_key_env`, `command_wrapper` and files of answers counts from now on. It
    prints what that is, and remembers it for you and this directory alone. When any of it changes, the
    project is not trusted any more.

    Without trust, what would run or ask anything stops with exit code 2 and says what would be run, or
    sent where; on a terminal it asks. `--trust` (in CI LOK_TRUST=1) trusts for one call.
    """,
)
