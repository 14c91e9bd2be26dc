"""Request -> the arguments that pytest collects; UsageError for a request that nothing can fulfil."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.errors import UsageError, WorkflowError
from pytest_lok.plugin.request import (
    WorkflowArguments,
    add_step,
    is_ignored,
    is_unfiled_node_id,
    project_above,
)
from pytest_lok.plugin.required_steps import RequiredSteps
from pytest_lok.plugin.selection import UnfiledWorkflow, WorkflowSelection
from pytest_lok.plugin.session import LokSession


def arrange(selection: WorkflowSelection) -> None:
    """Make what was asked for part of pytest's own arguments, or note it where pytest has none for it."""
    session = selection.session
    config, request = session.config, session.request
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    args = [arg for arg in config.args if not is_unfiled_node_id(config, arg)]
    # a named workflow runs alone: without this pytest would collect its testpaths as well
    if not given and not request.whole_project and request.named:
        args = []
    for name in request.named:
        args += _args_of_named(selection, name)
    adds = _adds_workflows_dir(session, given)
    on_the_way = any(_leads_to_workflows_dir(session, arg) for arg in args)
    # pytest gives files outside of rootdir node ids that depend on the arguments, so these become lok/NAME
    if adds and not on_the_way and not request.workflows_dir.is_relative_to(config.rootpath):
        files = [file for file in selection.workflow_files if not selection.exclusion_reason(file)]
        selection.unfiled += [_outside_of_rootdir(session, file) for file in files]
    elif adds and request.workflows_dir.is_dir() and not is_ignored(config, request.workflows_dir):
        args.append(str(request.workflows_dir))
    whole = adds or (request.whole_project and on_the_way)
    files = [*(selection.workflow_files if whole else ()), *selection.files]
    selection.requested_files = list(dict.fromkeys(files))
    selection.is_typed = request.is_typed or (given and request.names_lok_path)
    selection.whole_project = request.whole_project and any(
        _leads_to_workflows_dir(session, arg) and not is_ignored(config, request.workflows_dir)
        for arg in args
    )
    if request.keyword and not given:
        args += _args_of_keyword(selection, request.keyword)
    config.args = args


def _adds_workflows_dir(session: LokSession, given: bool) -> bool:
    """Whether the project's workflows join what pytest was told to collect.

    ``--lok`` that somebody typed asks for them whatever else is named; ``lok = true`` and addopts only
    where nothing is. Who names a workflow means that one.
    """
    request = session.request
    if not given or not request.whole_project:
        return request.whole_project
    return request.is_typed and not request.names_lok_path


def _leads_to_workflows_dir(session: LokSession, arg: str) -> bool:
    """Whether pytest comes past the project's workflows when it collects an argument."""
    path = os.path.normpath(session.config.invocation_params.dir / arg)
    return session.request.workflows_dir.is_relative_to(path)


def _outside_of_rootdir(session: LokSession, file: Path) -> UnfiledWorkflow:
    """A workflow of a project outside of pytest's root directory: pytest's tree has no place for it."""
    try:
        return UnfiledWorkflow(name=file.stem, loaded=session.load(file))
    except WorkflowError as error:
        return UnfiledWorkflow(name=file.stem, loaded=error)


def _args_of_named(selection: WorkflowSelection, wish: str) -> Iterator[str]:
    """The argument for NAME or NAME::STEP, if it has a file in the project; others are noted as unfiled."""
    session = selection.session
    name, _, step = wish.partition("::")
    try:
        workflow = session.find(name)
    except WorkflowError as error:
        path = session.config.invocation_params.dir / name
        file = path if name.endswith(".toml") else session.request.workflows_dir / f"{name}.toml"
        if file.is_file():
            add_step(selection.files, file, "")
            yield str(file)
        else:
            selection.unfiled.append(UnfiledWorkflow(name=name, loaded=error))
        return
    if step:
        _check_step(workflow, step)
    file = session.request.root / workflow.path
    in_project = workflow.origin in (Origin.PROJECT, Origin.PATH)
    if in_project and file.is_relative_to(session.config.rootpath):
        add_step(selection.files, file, step)
        yield f"{file}::{step}" if step else str(file)
    else:
        steps = frozenset([step]) if step else frozenset()
        selection.unfiled.append(UnfiledWorkflow(name=workflow.stem, loaded=workflow, steps=steps))


def _args_of_keyword(selection: WorkflowSelection, keyword: str) -> Iterator[str]:
    """The file of a workflow named by ``-k``, if it is one that ``--lok`` would collect."""
    file = selection.session.request.workflows_dir / f"{keyword}.toml"
    if file.is_file() and not selection.exclusion_reason(file):
        add_step(selection.files, file, "")
        yield str(file)


def _check_step(workflow: Workflow, step: str) -> None:
    known = {known.name for known in workflow.steps}
    if not workflow.named([step]) <= known:
        names = ", ".join(dict.fromkeys(step.written_name for step in workflow.steps))
        raise UsageError(f"workflow {workflow.stem!r} has no step {step!r}", hint=f"it has: {names}")


def check_finds_workflows(selection: WorkflowSelection, required: RequiredSteps) -> None:
    """``--lok`` that somebody typed must find something: a gate that is not there would be green."""
    request = selection.session.request
    if not request.is_typed or selection.files or selection.unfiled:
        return
    root, excluded, files = request.root, selection.excluded, selection.workflow_files
    if files:
        if excluded and not required.ids and len(excluded) == len(files):
            reasons = "; ".join(f"{name}: {reason}" for name, reason in excluded.items())
            hint = "name what is to be run: --lok-workflow NAME, or leave --lok out"
            raise UsageError(f"--lok: it runs no workflow of {request.workflows_dir} ({reasons})", hint=hint)
        return
    # the usual reason: pytest was started above several projects
    others = sorted({str(file.parents[2].relative_to(root)) for file in root.glob("*/.lok/workflows/*.toml")})
    hint = f"run pytest for each project: {', '.join(others)}" if others else "leave --lok out, or write one"
    if not others and (above := project_above(selection.session.config)) not in (None, root):
        hint = f"{above} has workflows, but is another user's: run pytest there if you trust it"
    raise UsageError(f"--lok: there is no workflow in {request.workflows_dir}", hint=hint)


def check_arguments(selection: WorkflowSelection) -> None:
    """Refuse a value that no workflow of this session uses (of the ini file: no workflow of the project)."""
    session = selection.session
    given = session.request.arguments.keys
    if not given:
        return
    typed = WorkflowArguments.of(session.config.getoption("lok_arg")).keys
    declared = _declared(selection.candidates())
    if (
        selection.is_broken
    ):  # which arguments a broken workflow declares is not known, and its error comes first
        return
    for name in sorted(typed - declared):
        raise UsageError(
            f"--lok-arg {name}: no workflow of this session has a use for this argument",
            hint=f"there are: {', '.join(sorted(declared))}" if declared else "none takes any",
        )
    unknown = given - declared
    if unknown and (unknown := unknown - _declared(_readable(selection))):
        raise UsageError(f"lok_args: no workflow of the project has a use for {', '.join(sorted(unknown))!r}")


def _declared(workflows: Iterable[Workflow]) -> set[str]:
    """The arguments that workflows declare, by name and by number."""
    return {
        name
        for workflow in workflows
        for name in (*workflow.args, *map(str, range(1, workflow.positional_count + 1)))
    }


def _readable(selection: WorkflowSelection) -> Iterator[Workflow]:
    for file in selection.workflow_files:
        try:
            yield selection.session.load(file)
        except WorkflowError:
            continue
