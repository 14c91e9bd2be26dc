"""What a session was asked for -> pytest's own arguments, what it promises, and the plugin's parts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.model import Workflow as Model
from pytest_lok.errors import UsageError, WorkflowError
from pytest_lok.plugin.broken_pipe import keep_writing
from pytest_lok.plugin.desk import DESK, LokSession, UnfiledWorkflow
from pytest_lok.plugin.hooks import TYPED, is_ours
from pytest_lok.plugin.request import Arguments, Request, add, is_closed, is_virtual


def install(config: pytest.Config, keyword: str) -> None:
    """Bring in the plugin's parts for a session with workflows; ``keyword`` is the name in ``-k``."""
    from pytest_lok.plugin.collect import Collection, StepItem
    from pytest_lok.plugin.final_reports import FinalReports
    from pytest_lok.plugin.interruption import EarlyExitHooks
    from pytest_lok.plugin.junit import JUnitHooks
    from pytest_lok.plugin.last_failed import LastFailed
    from pytest_lok.plugin.report import Reporting
    from pytest_lok.plugin.thread_output import ThreadOutputCapture
    from pytest_lok.plugin.timeouts import Timeouts

    try:
        here = config.stash[DESK] = LokSession(config, Request.of(config))
        _arrange(here, keyword)
        if not hasattr(config, "workerinput"):
            _check_shelf(here)
            _check_arguments(here)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    config.add_cleanup(here.close)
    keep_writing(config)
    last = FinalReports(here)
    parts = [Collection(here), here.promise, here.running, Reporting(here, lambda: last.left)]
    parts += [EarlyExitHooks(here), ThreadOutputCapture(here), Timeouts(StepItem)]
    if not hasattr(config, "workerinput"):
        parts.insert(0, last)  # after the steps that the end of a session has caught are told
        parts += [LastFailed(config), *JUnitHooks.of(config)]
    for part in parts:
        config.pluginmanager.register(part, f"lok-{type(part).__name__.lower()}")


def _arrange(here: LokSession, keyword: str) -> None:
    """Make what was asked for part of pytest's own arguments, or remember it where pytest has none for it."""
    config, request = here.config, here.request
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    args = [arg for arg in config.args if not is_virtual(config, arg)]
    if not given and not request.everything and request.named:
        args = []
    for name in request.named:
        args += _named(here, name)
    adds = _adds_shelf(here, given)
    on_the_way = any(_leads_to_workflows_dir(here, arg) for arg in args)
    if adds and not on_the_way and not request.workflows_dir.is_relative_to(config.rootpath):
        here.virtual += [_foreign(here, file) for file in here.shelved if not here.why_not(file)]
    elif adds and request.workflows_dir.is_dir() and not is_closed(config, request.workflows_dir):
        args.append(str(request.workflows_dir))
    whole = adds or (request.everything and on_the_way)
    here.promised = list(dict.fromkeys([*(here.shelved if whole else ()), *here.named]))
    here.is_promised = _typed(config) or (given and any(is_ours(config, arg) for arg in config.args))
    here.everything = request.everything and any(_holds_shelf(here, arg) for arg in args)
    if keyword and not given:
        args += _by_keyword(here, keyword)
    config.args = args


def _adds_shelf(here: LokSession, given: bool) -> bool:
    """Whether the project's workflows join what pytest was told to collect.

    ``--lok`` that somebody typed asks for them whatever else is named; ``lok = true`` and addopts only
    where nothing is. Who names a workflow means that one.
    """
    config, request = here.config, here.request
    if not given or not request.everything:
        return request.everything
    return _typed(config) and not any(is_ours(config, arg) for arg in config.args)


def _typed(config: pytest.Config) -> bool:
    typed = config.stash.get(TYPED, None)
    return typed is not None and bool(typed.lok or typed.lok_workflow)


def _leads_to_workflows_dir(here: LokSession, arg: str) -> bool:
    place = os.path.normpath(here.config.invocation_params.dir / arg)
    return here.request.workflows_dir.is_relative_to(place)


def _holds_shelf(here: LokSession, arg: str) -> bool:
    """Whether pytest comes past the project's workflows when it collects an argument."""
    return _leads_to_workflows_dir(here, arg) and not is_closed(here.config, here.request.workflows_dir)


def _foreign(here: LokSession, file: Path) -> UnfiledWorkflow:
    """A workflow of a project that pytest's root directory is not above: it has no place in its tree."""
    try:
        return UnfiledWorkflow(name=file.stem, found=here.load(file))
    except WorkflowError as error:
        return UnfiledWorkflow(name=file.stem, found=error)


def _named(here: LokSession, wish: str) -> Iterator[str]:
    """An argument for a workflow with a file in the project; others are noted as virtual."""
    name, _, step = wish.partition("::")
    try:
        workflow = here.find(name)
    except WorkflowError as error:
        path = here.config.invocation_params.dir / name
        file = path if name.endswith(".toml") else here.request.workflows_dir / f"{name}.toml"
        if file.is_file():
            add(here.named, file, "")
            yield str(file)
        else:
            here.virtual.append(UnfiledWorkflow(name=name, found=error))
        return
    if step:
        _check_step(workflow, step)
    file = here.request.root / workflow.path
    inside = workflow.origin in (Origin.PROJECT, Origin.PATH) and file.is_relative_to(here.config.rootpath)
    if inside:
        add(here.named, file, step)
        yield f"{file}::{step}" if step else str(file)
    else:
        steps = frozenset([step]) if step else frozenset()
        here.virtual.append(UnfiledWorkflow(name=workflow.stem, found=workflow, steps=steps))


def _by_keyword(here: LokSession, keyword: str) -> Iterator[str]:
    """The file of a workflow named by ``-k``, if it is one that ``--lok`` would collect."""
    file = here.request.workflows_dir / f"{keyword}.toml"
    if file.is_file() and not here.why_not(file):
        add(here.named, file, "")
        yield str(file)


def _check_step(workflow: Model, step: str) -> None:
    if step not in {known.name for known in workflow.steps}:
        names = ", ".join(known.name for known in workflow.steps)
        raise UsageError(f"workflow {workflow.stem!r} has no step {step!r}", hint=f"it has: {names}")


def _check_shelf(here: LokSession) -> None:
    """``--lok`` that somebody typed must find something: a gate that is not there would be green."""
    if not _typed(here.config) or here.named or here.virtual:
        return
    root, left_out = here.request.root, here.left_out
    if here.shelved:
        if left_out and not here.promise.steps and len(left_out) == len(here.shelved):
            reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
            hint = "name what is to be run: --lok-workflow NAME, or leave --lok out"
            raise UsageError(
                f"--lok: it runs no workflow of {here.request.workflows_dir} ({reasons})", hint=hint
            )
        return
    others = sorted({str(file.parents[2].relative_to(root)) for file in root.glob("*/.lok/workflows/*.toml")})
    hint = f"run pytest for each project: {', '.join(others)}" if others else "leave --lok out, or write one"
    raise UsageError(f"--lok: there is no workflow in {here.request.workflows_dir}", hint=hint)


def _check_arguments(here: LokSession) -> None:
    """A value that no workflow of this session uses is a mistake (ini: no workflow of the project)."""
    given = here.request.arguments.keys
    if not given:
        return
    typed = Arguments.of(here.config.getoption("lok_arg")).keys
    declared = _declared(here.candidates())
    if here.is_broken:  # in what way, is to be told first
        return
    for name in sorted(typed - declared):
        raise UsageError(
            f"--lok-arg {name}: no workflow of this session has a use for this argument",
            hint=f"there are: {', '.join(sorted(declared))}" if declared else "none takes any",
        )
    unknown = given - declared
    if unknown and (unknown := unknown - _declared(_readable(here, here.shelved))):
        raise UsageError(f"lok_args: no workflow of the project has a use for {', '.join(sorted(unknown))!r}")


def _declared(workflows: Iterable[Model]) -> set[str]:
    """The arguments they have, by name and by number."""
    return {
        name
        for workflow in workflows
        for name in (*workflow.args, *map(str, range(1, workflow.positional_count + 1)))
    }


def _readable(here: LokSession, files: Iterable[Path]) -> Iterator[Model]:
    for file in files:
        try:
            yield here.load(file)
        except WorkflowError:
            continue
