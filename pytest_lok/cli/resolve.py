"""A name on the command line -> the workflow that it means, and its project."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import ALL_OPTIONS, Options, options
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.wiring import Project


def find(ctx: click.Context, name: str, rest: Sequence[str]) -> tuple[Project, Workflow]:
    """The project and the workflow; ``rest`` are the words after the name."""
    call = Invocation.of(ctx)
    moved = _project_options(rest)
    if moved:
        # `--dir` among `rest` says where to look, unless it is an argument of the workflow
        with contextlib.suppress(UsageError):
            project = call.project()
            workflow = project.load(name)
            moved = _project_options(rest, without=[f"--{argument}" for argument in workflow.args])
            if not moved:
                return project, workflow
    project = call.project(**moved)
    return project, project.load(name)


def _project_options(rest: Sequence[str], without: Collection[str] = ()) -> dict[str, Path]:
    """The values of ``--dir`` and ``--config`` among words that are not parsed yet."""
    given = options_among(rest, without)
    return {
        name: path
        for name, path in (("directory", given.directory), ("config", given.config))
        if path is not None
    }


def options_among(rest: Sequence[str], without: Collection[str] = ()) -> Options:
    """The options among words that are not parsed yet."""
    peek = click.Command("peek", params=options(*ALL_OPTIONS, without=without), add_help_option=False)
    with peek.make_context(
        "peek",
        list(rest),
        ignore_unknown_options=True,
        allow_extra_args=True,
        resilient_parsing=True,  # what is wrong with them is said when they are parsed in earnest
    ) as ctx:
        return Options.of(ctx)
