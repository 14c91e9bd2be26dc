"""A clone and two commits -> the project of the base, whose workflows run in the tree of the head."""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_lok.backends.cli.environment import allowed_part, search_path
from pytest_lok.core.findings.configuration import ChangedFile, configuration_finding, decision_in
from pytest_lok.dataclass import dataclass
from pytest_lok.discovery import ROOT_MARKERS
from pytest_lok.errors import StepUnableError, UsageError
from pytest_lok.settings import base_refs
from pytest_lok.settings.ci_events import is_from_fork, privileged_event, target_branch
from pytest_lok.wiring.project import JudgedChange, Project
from pytest_lok.workspace.git import Git
from pytest_lok.workspace.judged_trees import FETCH_HISTORY, JudgedTrees, make_trees
from pytest_lok.workspace.plumbing import git_output
from pytest_lok.workspace.processes.runner import LocalProcesses

if TYPE_CHECKING:
    from pytest_lok.core.results import Finding
    from pytest_lok.core.workflow.model import Workflow

_GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # a directory of the tree may look like a repository, with a configuration of its own
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "explicit",
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
}
_FORK_REMEDY = (
    "this change comes from a fork, and forks get no secrets: somebody who may push brings the branch into "
    'this repository, or lets the merge queue ask (docs/ci.md, "Forks")'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeToJudge:
    """What is to be judged. ``base`` and ``head`` are said as `lok gate` takes them; "" = as CI says, HEAD.

    ``staged``: the head is what is staged, and the base is HEAD. ``imported_from`` are the directories that
    this Python imports from.
    """

    base: str = ""
    head: str = ""
    staged: bool = False
    imported_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProject:
    """``project`` is the base's, and its worlds are of the head. ``findings`` are about its configuration.

    ``base`` and ``head`` are ids of commits. ``changed`` are all paths that the change touches, as the
    project names them.
    """

    project: Project
    base: str
    head: str
    findings: tuple[Finding, ...]
    changed: frozenset[str] = frozenset()

    def findings_for(self, workflow: Workflow) -> tuple[Finding, ...]:
        """All findings about configuration, with those about other files that the workflow is read from."""
        known = {finding.path for finding in self.findings}
        named = sorted(self.changed.intersection(self._named_by(workflow)) - known)
        more = (self._finding(path, f"the workflow `{workflow.stem}` is read from it") for path in named)
        return (*self.findings, *more)

    def _named_by(self, workflow: Workflow) -> Iterator[str]:
        """What the base's workflow and backends name, relative to the project."""
        for sources in workflow.sources.in_all():
            yield from (path for path, _ in sources.files)
            for path, name, _ in sources.beside:
                yield posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            yield from (path for _, path, _ in sources.prompts)
            yield from (path for path, _ in sources.instructions)
        for backend in self.project.settings.backends.values():
            program = backend.command.split()[:1]
            for name in (*program, *(reply.file for reply in backend.replies if reply.file)):
                yield os.path.relpath(self.project.root / name, self.project.root)

    def _finding(self, path: str, why: str) -> Finding:
        judged = self.project.judged
        assert judged is not None  # noqa: S101 - that is what this is
        before, after = (_content(root / path) for root in (self.project.root, judged.root))
        file = ChangedFile(path=path, mode_before="100644", mode_after="100644", before=before, after=after)
        return configuration_finding(file, why)


def open_judged(
    start: Path,
    change: ChangeToJudge,
    folder: Path,
    *,
    environ: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
    search_up: bool = True,
    trust: bool = False,
) -> JudgedProject:
    """The project at ``start`` in the base, to judge the change; ``folder`` is empty and gets the trees.

    UsageError where the change could have a say in what is run here; StepUnableError where git lacks it.
    """
    # a gate is as strict wherever it stands
    environ = {**environ, "CI": environ.get("CI") or "true"}
    # git itself must not come from the change
    environ["PATH"] = _path(environ, _work_tree(start.resolve()))
    clone = LocalProcesses(start, environ)
    for name in ("base", "head", "home"):
        (folder / name).mkdir()
    private = LocalProcesses(folder / "head", closed_environment(environ, folder, ()))
    return asyncio.run(
        _Opening(start.resolve(), change, folder, environ, clone, private).opened(
            options or {}, search_up=search_up, trust=trust
        )
    )


class _Opening:
    """One change on its way to a project."""

    def __init__(
        self,
        start: Path,
        change: ChangeToJudge,
        folder: Path,
        environ: Mapping[str, str],
        clone: LocalProcesses,
        private: LocalProcesses,
    ) -> None:
        self._start = start
        self._change = change
        self._folder = folder
        self._environ = environ
        self._clone = clone
        self._private = private

    async def opened(
        self,
        options: Mapping[str, Any],
        *,
        search_up: bool,
        trust: bool,
    ) -> JudgedProject:
        """The project of the base, with its settings; arguments and errors as of ``open_judged``."""
        top, prefix = await self._places()
        base, trees = await self._trees(top)
        root = _project_root(trees.base, prefix, search_up=search_up)
        place = root.relative_to(trees.base)
        _make_directory(trees.head / place)
        project = Project.open(
            root,
            environ=self._environ,
            # what the commands see is decided here, once
            options={**options, "defaults.env_policy": "inherit"},
            search_up=False,
            trust=trust,
        )
        restricted = project.settings.restricted
        trusted = project.trusted or project.trust.covers((top / place).resolve(), restricted.values)
        commands = closed_environment(self._environ, self._folder, project.settings.defaults.env)
        judged = JudgedChange(
            root=trees.head / place,
            clone=top / place,
            top=top,
            commands={**commands, "CI": self._environ["CI"], "LOK_BASE": base},
            remedy=_FORK_REMEDY if is_from_fork(self._environ) else "",
        )
        # what a change says goes to no other machine by the settings alone
        settings = project.settings.replace(fleet=project.settings.fleet.replace(default=False))
        named = (replace(file, shown=_shown(file.path, place)) for file in trees.files)
        return JudgedProject(
            project=replace(project, settings=settings, trusted=trusted, judged=judged),
            base=base,
            head=trees.head_commit,
            findings=tuple(configuration_finding(file, why) for file in named if (why := decision_in(file))),
            changed=frozenset(_shown(path, place) for path in trees.changed),
        )

    async def _trees(self, top: Path) -> tuple[str, JudgedTrees]:
        """The id of the base, and both trees; UsageError where the change could have a say in what is run."""
        change = self._change
        base = await self._commit("HEAD" if change.staged else change.base)
        head = "" if change.staged else await self._commit(change.head or "HEAD")
        if not change.staged:
            await self._refuse_privileged(base)
            await self._refuse_own_code(top)
        branch = target_branch(self._environ)
        branches = [branch] if branch else []
        trees = await make_trees(
            self._clone, self._private, self._folder, base=base, head=head, branches=branches
        )
        return base, trees

    async def _places(self) -> tuple[Path, Path]:
        """The top of the work tree, and where in it the start lies."""
        try:
            top = await git_output(self._clone, "rev-parse", "--show-toplevel")
        except StepUnableError as why:
            hint = "go to a clone of the repository whose change is judged, or name it: -d DIR"
            raise UsageError(f"{self._start} is in no work tree of git: {why.message}", hint=hint) from None
        found = _resolved(os.fsdecode(top.removesuffix(b"\n")))
        return found, self._start.relative_to(found)

    async def _commit(self, said: str) -> str:
        """The commit that is meant; "" = the base, as CI says."""
        bases = (said,) if said else base_refs(self._environ)
        try:
            return await Git(self._start, self._clone, bases).named_commit()
        except StepUnableError as unknown:
            if not said:
                raise
            hint = f"give an id, a branch or HEAD; or {FETCH_HISTORY}"
            raise StepUnableError(f"{said} is no commit of this clone", hint=hint) from unknown

    # --- what must not be

    async def _refuse_privileged(self, base: str) -> None:
        """UsageError where strangers may have started this job with secrets, unless it only has the base."""
        event = privileged_event(self._environ)
        workspace = self._environ.get("GITHUB_WORKSPACE", "")
        places = [self._start, *([Path(workspace)] if workspace and event else [])]
        if not event or all([await self._is_of_base(place, base) for place in places]):
            return
        raise UsageError(
            f"this job runs on {event}, which has secrets, and its work tree is not the base: what is "
            "checked out could run with them",
            hint="let the job run on `pull_request`; or check out the base alone, fetch the change "
            "(git fetch origin refs/pull/N/head), and name it: --head ID",
        )

    async def _is_of_base(self, place: Path, base: str) -> bool:
        """Whether the work tree there is, byte for byte, a commit that the base has in its history."""
        processes = LocalProcesses(place, self._environ)
        try:
            inside = await git_output(processes, "rev-parse", "--is-inside-work-tree", ok_codes=(0, 128))
            # a workspace without a repository has no checkout that could run
            return not inside or (await Git(place, processes, (base,)).comparison([])).same
        except StepUnableError:
            return False

    async def _refuse_own_code(self, top: Path) -> None:
        """UsageError where Python imports from files of the repository: those of the change, in most jobs."""
        entries = [_resolved(entry or ".") for entry in self._change.imported_from]
        for place in (entry for entry in entries if entry.is_relative_to(top)):
            inside = place.relative_to(top).as_posix()
            at_top = LocalProcesses(top, self._environ)
            if place == top or await git_output(at_top, "ls-files", "-z", "--", inside):
                raise UsageError(
                    f"this Python imports from {place}, which belongs to the repository that is judged",
                    hint="install pytest-lok into an environment outside of it, and call `lok` there, not "
                    "`python -m`; unset PYTHONPATH",
                )


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        where = "the change has another thing where the project's directory is"
        raise StepUnableError(f"{where}: {problem.strerror}") from problem


def _resolved(path: str) -> Path:
    return Path(path).resolve()


def closed_environment(environ: Mapping[str, str], folder: Path, extra: Sequence[str]) -> dict[str, str]:
    """The environment of commands in a tree that nobody trusts: a closed list, and those of ``extra``.

    ``folder`` has an empty directory ``home``.
    """
    kept = {
        name: value
        for name, value in allowed_part(environ, extra).items()
        if not name.startswith("XDG_") or name in extra
    }
    return {**kept, "HOME": str(folder / "home"), **_GIT_ENVIRONMENT}


def _work_tree(start: Path) -> Path:
    """The work tree that ``start`` lies in, by the looks of it; nothing is run to find out."""
    return next((it for it in (start, *start.parents) if os.path.lexists(it / ".git")), start)


def _path(environ: Mapping[str, str], without: Path) -> str:
    """PATH without relative directories, and without those in the work tree."""
    parts = search_path(environ).split(os.pathsep)
    return os.pathsep.join(it for it in parts if it and not Path(it).resolve().is_relative_to(without))


def _project_root(tree: Path, prefix: Path, *, search_up: bool) -> Path:
    """The project's directory in the tree of the base; the change has no say in it."""
    start = tree / prefix
    while not start.is_dir():
        start = start.parent
    if not search_up:
        return start
    for folder in (start, *start.parents):
        if folder == tree or any(os.path.lexists(folder / mark) for mark in ROOT_MARKERS):
            return folder
    return tree


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _shown(path: str, place: Path) -> str:
    """A path of the repository as the project names it; that of the repository outside of the project."""
    inside = Path(path)
    return inside.relative_to(place).as_posix() if inside.is_relative_to(place) else path
