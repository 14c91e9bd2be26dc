"""pytest's configuration -> Request: which workflows a session was asked for, with which arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lok.discovery import find_root
from pytest_lok.errors import UsageError
from pytest_lok.plugin.typed import arguments_of, typed_arguments
from pytest_lok.settings import in_ci

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Workflow

PREFIX = "lok/"
"""Node ids of workflows that have no file in the project: ``lok/NAME::STEP``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """``--lok-arg`` and ``lok_args``: values by name, and positional ones in order."""

    named: Mapping[str, str] = field(default_factory=dict)
    positional: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[str]) -> Arguments:
        """Later pairs win. UsageError for what is no KEY=VALUE, or leaves out a position."""
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
        """What is given, by name and by number."""
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

    def for_(self, workflow: Workflow) -> dict[str, Any]:
        """What ``Plan.of`` takes for this workflow: the values it declares, and those it has a place for."""
        named = {name: value for name, value in self.named.items() if name in workflow.args}
        return {"named": named, "positional": self.positional[: workflow.positional_count]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to run. ``named`` are NAME or NAME::STEP; ``everything`` is what is meant to be collected.

    ``files`` are the workflow files among the arguments, with the steps that are named (none = all).
    """

    root: Path
    everything: bool = False
    named: tuple[str, ...] = ()
    files: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    arguments: Arguments = Arguments()

    @property
    def workflows_dir(self) -> Path:
        """Where the project's workflows lie."""
        return self.root / ".lok" / "workflows"

    @classmethod
    def of(cls, config: pytest.Config) -> Request:
        """Read the options, the ini and the arguments; UsageError for those that make no sense together."""
        paths = [] if _nothing_given(config) else [_path(config, arg) for arg in config.args]
        root = _root(config, paths)
        shelves = (root / ".lok", root / ".lok" / "workflows")
        return cls(
            root=root,
            everything=(
                config.getoption("lok") or config.getini("lok") or any(path in shelves for path in paths)
            ),
            named=(
                *config.getoption("lok_workflow"),
                *(arg.removeprefix(PREFIX) for arg in config.args if is_virtual(config, arg)),
            ),
            files=_files(config) if paths else {},
            arguments=Arguments.of(
                typed_arguments(config, os.environ) if in_ci(os.environ) else arguments_of(config)
            ),
        )


def is_workflow(path: Path) -> bool:
    """Whether a path has the shape of a project's workflow file."""
    return path.suffix == ".toml" and path.parts[-3:-1] == (".lok", "workflows")


def is_closed(config: pytest.Config, workflows_dir: Path) -> bool:
    """Whether ``--ignore`` means all of `.lok/workflows`: as an argument of ours it would be collected."""
    ignored = config.getoption("ignore") or ()
    closed = {(config.invocation_params.dir / path).resolve() for path in ignored}
    return bool(closed & {workflows_dir.resolve(), workflows_dir.parent.resolve()})


def add(files: dict[Path, frozenset[str]], file: Path, step: str) -> None:
    """Ask for a step of a file, or for all of it ("")."""
    asked = files.get(file)
    files[file] = (
        frozenset() if not step or asked == frozenset() else frozenset([step]) | (asked or frozenset())
    )


def is_virtual(config: pytest.Config, arg: str) -> bool:
    """Whether an argument is the node id of a workflow that has no file in the project."""
    return arg.startswith(PREFIX) and not os.path.lexists(_path(config, arg))


def _files(config: pytest.Config) -> dict[Path, frozenset[str]]:
    files: dict[Path, frozenset[str]] = {}
    for arg in config.args:
        path = _path(config, arg)
        if is_workflow(path):
            add(files, path, arg.partition("::")[2])
    return files


def _path(config: pytest.Config, arg: str) -> Path:
    return Path(os.path.normpath(config.invocation_params.dir / arg.partition("::")[0]))


def _nothing_given(config: pytest.Config) -> bool:
    return config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR


def _root(config: pytest.Config, paths: Iterable[Path]) -> Path:
    """The project of the workflows among the arguments, else of where pytest runs, else of the arguments.

    Where there is none in pytest's root directory, it is the one that pytest is started in.
    """
    roots = {
        Path(*path.parts[: len(path.parts) - 1 - path.parts[::-1].index(".lok")])
        for path in paths
        if ".lok" in path.parts
    }
    if not roots and (here := _project(config.invocation_params.dir, config.rootpath)):
        return here
    roots = roots or {root for path in paths if (root := _project(path, config.rootpath))}
    above = find_root(config.invocation_params.dir)  # as `lok run` finds it
    if not roots and (above / ".lok").is_dir():
        return above
    if len(roots) > 1:
        places = ", ".join(sorted(map(str, roots)))
        raise UsageError(
            f"these workflows belong to several projects: {places}", hint="run pytest once for each"
        )
    return roots.pop() if roots else config.rootpath


def _project(place: Path, rootdir: Path) -> Path | None:
    """The nearest directory with a ``.lok`` in rootdir, None if there is none."""
    folders = (folder for folder in (place, *place.parents) if folder.is_relative_to(rootdir))
    return next((folder for folder in folders if (folder / ".lok").is_dir()), None)
