"""Cases of a directory -> cases that can be run: two commits each, and every place that they name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.backends.cli.environment import search_path
from pytest_lok.core.evaluation.places import ExpectedFindings
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import CaseError, Problem, StepUnableError
from pytest_lok.wiring.judged_change import closed_environment
from pytest_lok.workspace.cases.commits import ChangeCommits, commit_cases, read_files
from pytest_lok.workspace.plumbing import git_output
from pytest_lok.workspace.processes.runner import LocalProcesses

if TYPE_CHECKING:
    from pytest_lok.core.evaluation.case import EvalCase
    from pytest_lok.wiring.project import Project
    from pytest_lok.workspace.cases.shelf import ShelvedCase


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedCase:
    """A case with its commits. ``place`` is the project's directory in its tree, "" = the tree itself."""

    case: EvalCase
    expected: ExpectedFindings
    commits: ChangeCommits
    place: str = ""


async def prepare_cases(project: Project, shelved: Sequence[ShelvedCase], folder: Path) -> list[PreparedCase]:
    """Commit the changes into a repository ``store`` below ``folder``, and look up what the cases expect.

    CaseError with everything in the cases that is not as they say. Nobody is asked anything.
    """
    for name in ("store", "home"):
        (folder / name).mkdir()
    environ = {**project.environ, "PATH": search_path(project.environ)}
    store = LocalProcesses(folder / "store", closed_environment(environ, folder, ()))
    clone, place = None, ""
    if any(it.case.change.base for it in shelved):
        clone = LocalProcesses(project.root, environ)
        place = await _place(clone, project.root)
    commits = await commit_cases(store, folder / "store", shelved, clone)
    places = [place if it.case.change.base else "" for it in shelved]
    contents = await _contents(store, shelved, commits, places)
    problems: list[Problem] = []
    prepared = []
    for number, (it, ids) in enumerate(zip(shelved, commits, strict=True)):
        try:
            expected = ExpectedFindings.of(it.case, contents[number, "before"], contents[number, "after"])
        except CaseError as wrong:
            problems += wrong.problems
            continue
        prepared.append(PreparedCase(case=it.case, expected=expected, commits=ids, place=places[number]))
    if problems:
        raise CaseError(problems)
    return prepared


async def _place(clone: LocalProcesses, root: Path) -> str:
    """Where the project lies in its repository; "" = at its top."""
    try:
        top = await git_output(clone, "rev-parse", "--show-toplevel")
    except StepUnableError as why:
        hint = "give the case directories, or go to the repository"
        raise StepUnableError(
            f"cases name commits, and {root} is in no repository: {why.message}", hint=hint
        ) from why
    return _relative(root, os.fsdecode(top.removesuffix(b"\n")))


def _relative(root: Path, top: str) -> str:
    place = root.relative_to(Path(top).resolve()).as_posix()
    return "" if place == "." else place


async def _contents(
    store: LocalProcesses,
    shelved: Sequence[ShelvedCase],
    commits: Sequence[ChangeCommits],
    places: Sequence[str],
) -> dict[tuple[int, str], Mapping[str, bytes]]:
    """The files that each case names, by its number and the side of the change."""
    wanted: list[tuple[int, str, str]] = []
    for number, it in enumerate(shelved):
        paths = dict.fromkeys(one.path for one in (*it.case.must_block, *it.case.must_not_block))
        wanted += [(number, side, path) for side in ("before", "after") for path in paths]
    specs = []
    for number, side, path in wanted:
        commit = commits[number].base if side == "before" else commits[number].head
        specs.append((commit, f"{places[number]}/{path}" if places[number] else path))
    found: dict[tuple[int, str], dict[str, bytes]] = {
        (number, side): {} for number in range(len(shelved)) for side in ("before", "after")
    }
    for (number, side, path), content in zip(wanted, await read_files(store, specs), strict=True):
        if content is not None:
            found[number, side][path] = content
    return {**found}
