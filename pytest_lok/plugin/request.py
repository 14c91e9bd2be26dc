"""pytest's configuration -> Request: which workflows a session was asked for, with which arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.dataclass import dataclass
from pytest_lok.discovery import find_root
from pytest_lok.errors import UsageError
from pytest_lok.plugin.typed import given_arguments, typed_arguments
from pytest_lok.settings import in_ci

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Workflow

UNFILED_PREFIX = "lok/"
"""Node ids of workflows that have no file in the project: ``lok/NAME::STEP``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowArguments:
    """``--lok-arg`` and ``lok_args``: values by name, and positional ones in order."""

    named: Mapping[str, str] = field(default_factory=dict)
    positional: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[str]) -> WorkflowArguments:
        """Read KEY=VALUE pairs; later ones win. UsageError for another form, or a position left out."""
        named: dict[str, str] = {}
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals or not key:
                raise UsageError(
                    f"--lok-arg {pair!r} is not KEY=VALUE", hint="for example: --lok-arg focus=auth"
                )
            named[key.strip()] = value
        places = {int(key): value for key, value in named.items() if key.isdecimal()}
        if sorted(places) != list(range(1, len(places) + 1)):
            given = ", ".join(map(str, sorted(places)))
            raise UsageError(
                f"--lok-arg gives the positional values {given}", hint="they count from 1, with none left out"
            )
        return cls(
            named={key: value for key, value in named.items() if not key.isdecimal()},
            positional=tuple(value for _, value in sorted(places.items())),
        )

    @property
    def keys(self) -> set[str]:
        """The arguments that are given, by name and by number."""
        return {*self.named, *map(str, range(1, len(self.positional) + 1))}

    def missing(self, workflow: Workflow) -> list[str]:
        """The arguments the workflow declares as required that have no value here."""
        return [
            arg.name
            for arg in workflow.args.values()
            if arg.required
            and arg.name not in self.named
            and (arg.position is None or arg.position > len(self.positional))
        ]

    def for_workflow(self, workflow: Workflow) -> dict[str, Any]:
        """The keyword arguments of ``Plan.of``: the named values that a workflow declares, and the positional
        values that it has a position for.
        """
        named = {name: value for name, value in self.named.items() if name in workflow.args}
        return {"named": named, "positional": self.positional[: workflow.positional_count]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a session was asked to run.

    ``root`` is the project. ``whole_project``: every workflow that is collected by default was asked for.
    ``named`` are NAME or NAME::STEP. ``files`` are the workflow files among the arguments, with the steps
    that are named (none means all). ``keyword`` is a workflow's name given by ``-k``, or "". ``is_typed``:
    somebody typed ``--lok`` or ``--lok-workflow``. ``names_lok_path``: an argument lies in ``.lok`` or is
    ``lok/NAME``.
    """

    root: Path
    whole_project: bool = False
    named: tuple[str, ...] = ()
    files: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    arguments: WorkflowArguments = WorkflowArguments()
    keyword: str = ""
    is_typed: bool = False
    names_lok_path: bool = False

    @property
    def workflows_dir(self) -> Path:
        """The directory of the project's workflow files."""
        return self.root / ".lok" / "workflows"

    @classmethod
    def of(
        cls,
        config: pytest.Config,
        *,
        keyword: str = "",
        is_typed: bool = False,
        names_lok_path: bool = False,
    ) -> Request:
        """Read the options, the ini keys and the arguments; UsageError if they make no sense together."""
        paths = [] if _no_args_given(config) else [_path(config, arg) for arg in config.args]
        root = _root(config, paths)
        lok_dirs = (root / ".lok", root / ".lok" / "workflows")
        return cls(
            root=root,
            whole_project=(
                config.getoption("lok") or config.getini("lok") or any(path in lok_dirs for path in paths)
            ),
            named=(
                *config.getoption("lok_workflow"),
                *(arg.removeprefix(UNFILED_PREFIX) for arg in config.args if is_unfiled_node_id(config, arg)),
            ),
            files=_files(config) if paths else {},
            arguments=WorkflowArguments.of(
                typed_arguments(config, os.environ) if in_ci(os.environ) else given_arguments(config)
            ),
            keyword=keyword,
            is_typed=is_typed,
            names_lok_path=names_lok_path,
        )


def is_workflow_file(path: Path) -> bool:
    """Whether a path has the shape of a project's workflow file."""
    return path.suffix == ".toml" and path.parts[-3:-1] == (".lok", "workflows")


def is_ignored(config: pytest.Config, workflows_dir: Path) -> bool:
    """Whether ``--ignore`` names the whole directory; as an argument of ours it would be collected anyway."""
    ignored = config.getoption("ignore") or ()
    ignored_paths = {(config.invocation_params.dir / path).resolve() for path in ignored}
    return bool(ignored_paths & {workflows_dir.resolve(), workflows_dir.parent.resolve()})


def add_step(files: dict[Path, frozenset[str]], file: Path, step: str) -> None:
    """Add a step to those that are named of a file; "" means the whole file, and stays so."""
    before = files.get(file)
    whole = not step or before == frozenset()
    files[file] = frozenset() if whole else frozenset([step]) | (before or frozenset())


def is_unfiled_node_id(config: pytest.Config, arg: str) -> bool:
    """Whether an argument is the node id of a workflow that has no file in the project."""
    return arg.startswith(UNFILED_PREFIX) and not os.path.lexists(_path(config, arg))


def _files(config: pytest.Config) -> dict[Path, frozenset[str]]:
    files: dict[Path, frozenset[str]] = {}
    for arg in config.args:
        path = _path(config, arg)
        if is_workflow_file(path):
            add_step(files, path, arg.partition("::")[2])
    return files


def _path(config: pytest.Config, arg: str) -> Path:
    return Path(os.path.normpath(config.invocation_params.dir / arg.partition("::")[0]))


def _no_args_given(config: pytest.Config) -> bool:
    return config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR


def _root(config: pytest.Config, paths: Iterable[Path]) -> Path:
    """The directory of the project whose workflows may run.

    The workflows among the arguments decide. Else the project of the directory where pytest was started
    counts, then that of the other arguments, as far as they lie in pytest's root directory; then the project
    that ``lok run`` would find, if it is the user's own; then pytest's root directory.
    """
    roots = {
        Path(*path.parts[: len(path.parts) - 1 - path.parts[::-1].index(".lok")])
        for path in paths
        if ".lok" in path.parts
    }
    # a test that is named by its path does not change whose workflows --lok means
    if not roots and (here := _project(config.invocation_params.dir, config.rootpath)):
        return here
    roots = roots or {root for path in paths if (root := _project(path, config.rootpath))}
    if not roots and (above := project_above(config)) and (above / ".lok").stat().st_uid == os.getuid():
        return above
    if len(roots) > 1:
        places = ", ".join(sorted(map(str, roots)))
        raise UsageError(
            f"these workflows belong to several projects: {places}", hint="run pytest once for each"
        )
    return roots.pop() if roots else config.rootpath


def project_above(config: pytest.Config) -> Path | None:
    """The nearest directory with a ``.lok`` above the one where pytest was started, within the repository.

    It may be somebody else's: in /tmp and the like everybody may put a ``.lok`` above other people's files.
    """
    root = find_root(config.invocation_params.dir)
    return root if (root / ".lok").is_dir() else None


def _project(place: Path, rootdir: Path) -> Path | None:
    """The nearest directory with a ``.lok`` in rootdir, None if there is none."""
    folders = (folder for folder in (place, *place.parents) if folder.is_relative_to(rootdir))
    return next((folder for folder in folders if (folder / ".lok").is_dir()), None)
