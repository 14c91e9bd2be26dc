"""A row -> the directory that its run works in, fetched where it has none, and gone again afterwards."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.errors import StepUnableError
from pytest_lok.settings import environment_elsewhere, state_dir
from pytest_lok.wiring.project import JudgedChange
from pytest_lok.workspace.clones import clone_commit
from pytest_lok.workspace.files import state_of

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from pytest_lok.each.listing import Row
    from pytest_lok.wiring.project import Project


@asynccontextmanager
async def place_of(row: Row, project: Project) -> AsyncIterator[Project]:
    """The project as it works in the row's repository; StepUnableError where that cannot be had.

    Settings and workflows stay those of the project: nothing that lies in the repository is obeyed, and
    tools of models run in an empty directory. What was fetched is removed in the end.
    """
    environ = environment_elsewhere(project.environ)
    if row.root is not None:
        _require_directory(row.root)
        yield _at(project, row.root, environ)
        return
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="lok-each-", ignore_cleanup_errors=True)
    try:
        root = _root_in(folder)
        root.mkdir()
        await _fetch(row, project, root, environ)
        yield _at(project, root, environ)
    finally:
        # a large clone takes its time, and others run meanwhile
        await asyncio.shield(asyncio.to_thread(_forget, folder, state_dir(project.environ)))


async def _fetch(row: Row, project: Project, root: Path, environ: Mapping[str, str]) -> None:
    limit, listed = project.settings.defaults.timeout, row.repository
    try:
        async with asyncio.timeout(limit if 0 < limit < math.inf else None):
            await clone_commit(project.shared.launcher(root, environ), listed.url, listed.commit)
    except TimeoutError:
        raise StepUnableError(
            f"{listed.url} was not fetched within {limit:g} s", hint="allow more: --timeout 30m"
        ) from None


def _require_directory(root: Path) -> None:
    """StepUnableError where there is none, or it may not be read."""
    try:
        os.scandir(root).close()
    except OSError as failure:
        said = f"there is no directory {root}"
        if not isinstance(failure, FileNotFoundError | NotADirectoryError):
            said = f"the directory {root} cannot be read: {failure.strerror or failure}"
        raise StepUnableError(said, hint="correct the line") from failure


def _root_in(folder: TemporaryDirectory[str]) -> Path:
    # some programs name what they make after the directory, so it has a plain name
    return Path(folder.name).resolve() / "repository"


def _forget(folder: TemporaryDirectory[str], state: Path) -> None:
    """Remove what was fetched, and what is remembered of a workspace that will never be again."""
    import shutil

    shutil.rmtree(state_of(_root_in(folder), state), ignore_errors=True)
    folder.cleanup()


def _at(project: Project, root: Path, environ: Mapping[str, str]) -> Project:
    judged = JudgedChange(root=root, clone=project.root, top=root, commands=environ)
    return replace(project, judged=judged)
