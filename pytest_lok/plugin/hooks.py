"""What pytest loads: the options, the fixtures, and the question whether workflows are in play.

Everything else of this package is imported when they are; a session without them pays for this file
alone. PYTEST_DONT_REWRITE: there is nothing to rewrite here, and rewriting costs every session time.
"""

from __future__ import annotations

import gc
import itertools
import os
import re
import sys
import threading
import time
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Mapping, Sequence
    from importlib.machinery import ModuleSpec

    from pytest_lok.engine.ports import Backend
    from pytest_lok.plugin.fixtures import Lok
    from pytest_lok.plugin.session import LokSession
    from pytest_lok.settings import Settings

_STARTED: pytest.StashKey[float] = pytest.StashKey()
"""When this process began its session, before any of its tests: seconds since the epoch."""
_TYPED: pytest.StashKey[argparse.Namespace] = pytest.StashKey()
"""The options that somebody typed, where they ask for workflows."""
_SESSION: pytest.StashKey[LokSession] = pytest.StashKey()
"""What the plugin's parts share; set only in a session with workflows."""


class UnrewrittenModules:
    """Finds this package's modules for Python's own import, before pytest's assertion rewriting does.

    pytest rewrites every module of a distribution that has a plugin: it compiles each anew, and does so in
    every session if no bytecode can be written. Only in ``testing`` are assertions whose values are shown.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The module's spec as Python makes it, None for a module that pytest may rewrite."""
        ours = name.startswith("pytest_lok.") and not name.startswith("pytest_lok.testing")
        return PathFinder.find_spec(name, path, target) if ours else None

    @classmethod
    def remove(cls) -> None:
        """Let pytest look first again, as in a program that goes on after its session."""
        if cls in sys.meta_path:
            sys.meta_path.remove(cls)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the command line options and the ini keys."""
    _add_options(parser)
    _add_ini_keys(parser)


def _add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("lok", "LLM workflows (pytest-lok)")
    group.addoption(
        "--lok",
        action="store_true",
        help="run the project's workflows, .lok/workflows/*.toml, beside its tests",
    )
    group.addoption(
        "--lok-workflow",
        action="append",
        default=[],
        metavar="NAME[::STEP]",
        help="run this workflow, also one that is built in, the user's own, a path, or not collected by "
        "--lok; alone, unless --lok or paths are given too (repeatable)",
    )
    group.addoption(
        "--lok-arg",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument of the workflows; 1=VALUE is the first positional one (repeatable)",
    )
    group.addoption(
        "--lok-record",
        choices=("none", "once", "new", "all"),
        default="",
        help="answer from recordings in .lok/cassettes: none = nothing else, once = ask and record for steps "
        "that have no file yet, new = ask and record what is unknown, all = record anew",
    )
    group.addoption(
        "--lok-resume",
        action="store_true",
        help="go on from the newest recorded run of each workflow: keep what still holds",
    )
    group.addoption(
        "--lok-again",
        action="append",
        default=[],
        metavar="STEP",
        help="with --lok-resume: run this step in any case, also one whose effects may be done (repeatable)",
    )
    group.addoption(
        "--lok-cache",
        action="store_true",
        help="take answers that were given to the same question lately, and keep new ones; without it every "
        "question is asked",
    )
    group.addoption(
        "--lok-report",
        action="append",
        default=[],
        metavar="KIND=PATH",
        help="write a report of the workflows to this file; KIND: sarif, junit, markdown, gitlab, jsonl or "
        "github (repeatable); none: none that GitHub or GitLab would get by itself",
    )


def _add_ini_keys(parser: pytest.Parser) -> None:
    parser.addini("lok", "run the project's workflows without --lok", type="bool", default=False)
    parser.addini(
        "lok_args",
        "KEY=VALUE arguments of workflows; --lok-arg wins; not used in CI",
        type="linelist",
        default=[],
    )
    parser.addini("lok_record", "what --lok-record is where it is not given; not used in CI", default="")
    parser.addini(
        "lok_max_parallel", "steps and items running at once, of all workflows", type="int", default=None
    )
    parser.addini(
        "lok_report", "KIND=PATH reports of the workflows, beside --lok-report", type="linelist", default=[]
    )
    parser.addini("lok_fail_on", "the least severity of a finding that fails, over every [gate]", default="")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before pytest takes hold of them
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Replace missing standard streams, import unrewritten, and remove the JUnit file of an earlier session.

    A process that was started without a stream (``>&-``) has None in its place, and pytest breaks on None.
    The old report goes as soon as the options are known, before anything can go wrong: who reads it after a
    session that broke would take it for that session's.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in this order they get 0, 1, 2
        if getattr(sys, name) is None:
            stand_in = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
            setattr(sys, name, stand_in)
            setattr(sys, f"__{name}__", stand_in)
    sys.meta_path.insert(0, UnrewrittenModules)
    early_config.add_cleanup(UnrewrittenModules.remove)
    _remember_typed_options(early_config)
    report = getattr(early_config.known_args_namespace, "xmlpath", None)
    try:
        if report and _has_workflows(early_config):
            from pytest_lok.plugin.junit import remove_old_report

            remove_old_report(Path(os.path.expandvars(report)).expanduser())
    finally:
        _remove_old_reports(early_config)
    yield


def _remove_old_reports(early: pytest.Config) -> None:
    """Remove what ``--lok-report`` and ``lok_report`` have written in an earlier session."""
    asks = early.known_args_namespace.lok_report or early.getini("lok_report") or os.environ.get("GITLAB_CI")
    # workers of xdist do the same, long before their controller writes a report
    if asks and _has_workflows(early):
        from pytest_lok.errors import UsageError
        from pytest_lok.plugin.report_files import asked_for, remove_each

        try:
            for file in asked_for(early):
                file.make_room(lambda _: None)  # said when the session has a terminal
        except UsageError as error:
            remove_each(early)
            raise pytest.UsageError(str(error)) from None


def _remember_typed_options(early: pytest.Config) -> None:
    """Note what was typed, before a conftest.py can change the options."""
    # pytest reads no arguments after --help, so nothing is known of them yet
    if _ask_for_workflows(known := early.known_args_namespace) or known.help:
        from pytest_lok.plugin.typed import typed_options

        typed = typed_options(early, os.environ)
        if _ask_for_workflows(typed):
            early.stash[_TYPED] = typed


def _ask_for_workflows(options: argparse.Namespace) -> bool:
    paths = getattr(options, "file_or_dir", ())
    named = any(arg.startswith("lok/") or ".lok" in Path(arg).parts for arg in paths)
    return bool(options.lok or options.lok_workflow or named)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Let a session end green only if no step is red and workflows that somebody typed have been run."""
    try:
        status = yield
    # a plugin or a conftest.py may end the process with 0 before any step has been run
    except SystemExit as ended:
        if ended.code:
            raise
        status = pytest.ExitCode.OK
    # the process that has the workers decides for all of them
    if status or hasattr(config, "workerinput"):
        return status
    session = config.stash.get(_SESSION, None)
    is_green = session.is_green if session is not None else None
    if is_green is False:
        sys.stderr.write("ERROR: a step is red: a plugin or a conftest.py has called the session green\n")
        return pytest.ExitCode.TESTS_FAILED
    if _TYPED in config.stash and is_green is None:
        from pytest_lok.plugin.typed import option_that_runs_nothing

        if not option_that_runs_nothing(config.stash[_TYPED]):
            shown = option_that_runs_nothing(config.option)
            why = f"{shown} of pytest's configuration" if shown else "a plugin or a conftest.py"
            raise pytest.UsageError(f"no workflow was run: {why} ended the session first; take that out")
    return status


def _has_workflows(early: pytest.Config) -> bool:
    """Whether a session that has just begun asks for workflows, as far as its options say so."""
    known = early.known_args_namespace
    shown = early.stash.get(_TYPED, known)  # what the configuration shows is no session, and an error
    if shown.help or shown.version:
        return False
    return _ask_for_workflows(known) or bool(early.getini("lok"))


@pytest.hookimpl(trylast=True)  # when other plugins have had their say about config.args
def pytest_configure(config: pytest.Config) -> None:
    """Install the rest of the plugin if this session has workflows.

    A workflow that was named on the command line stays an argument, whatever a plugin makes of them.
    """
    config.stash[_STARTED] = time.time()
    if config.option.help:  # no session, and pytest has read no arguments
        return
    # a conftest.py may have reset the options since; what somebody typed holds
    if (typed := config.stash.get(_TYPED, None)) is not None:
        config.option.lok = config.option.lok or typed.lok
        given = config.option.lok_workflow
        config.option.lok_workflow = [*given, *(name for name in typed.lok_workflow if name not in given)]
    # plugins that run only what has changed replace the arguments
    dropped = [arg for arg in config.option.file_or_dir if arg not in config.args]
    config.args = [*config.args, *(arg for arg in dropped if _is_lok_path(config, arg))]
    keyword = _workflow_keyword(config)
    names_lok_path = any(_is_lok_path(config, arg) for arg in config.args)
    by_option = config.getoption("lok") or config.getini("lok") or config.getoption("lok_workflow")
    if not (keyword or names_lok_path or by_option):
        _refuse_options_of_a_run(config)
        return
    # pytest may have been started in a thread of a program that is at its end
    if not threading.main_thread().is_alive():
        raise pytest.UsageError(
            "workflows cannot run: the main thread has ended, and Python starts no more work for the "
            "others; join the thread that runs pytest"
        )
    is_typed = typed is not None and bool(typed.lok or typed.lok_workflow)
    with _no_garbage_collection():
        try:
            from pytest_lok.plugin.install import install
        except ImportError as missing:
            from pytest_lok.errors import PlatformError

            if isinstance(missing, PlatformError):
                raise pytest.UsageError(str(missing)) from None
            raise
        started = config.stash[_STARTED]
        config.stash[_SESSION] = install(
            config, started=started, keyword=keyword, is_typed=is_typed, names_lok_path=names_lok_path
        )


def _refuse_options_of_a_run(config: pytest.Config) -> None:
    """UsageError where a session without workflows was told what to make of them."""
    told = {
        "--lok-report": set(config.option.lok_report)
        - {"none"},  # none may stand in addopts, for every session
        "--lok-resume": config.option.lok_resume,
        "--lok-again": config.option.lok_again,
    }
    for option, value in told.items():
        if value:
            raise pytest.UsageError(f"{option}: this session runs no workflow: add --lok")


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Imports make many objects and no garbage; looking for some costs a twentieth of a session's start."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_lok_path(config: pytest.Config, arg: str) -> bool:
    """Whether an argument lies in a ``.lok`` directory, or is the node id of a workflow without a file."""
    if config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR:
        return False
    return arg.startswith("lok/") or ".lok" in (config.invocation_params.dir / arg.partition("::")[0]).parts


def _workflow_keyword(config: pytest.Config) -> str:
    """The whole ``-k`` expression, if it was typed by a person and a project file has that name; else "".

    An expression out of ``addopts`` never starts a workflow, and none does in CI.
    """
    keyword: str = config.getoption("keyword")
    if not re.fullmatch(r"[\w.-]+", keyword) or os.environ.get("CI"):
        return ""
    if not _is_typed_keyword(config.invocation_params.args, keyword):
        return ""
    here = config.invocation_params.dir
    # the name means a workflow only where the file is one that pytest would collect: in its root directory
    folders = [folder for folder in (here, *here.parents) if folder.is_relative_to(config.rootpath)]
    files = (folder / ".lok" / "workflows" / f"{keyword}.toml" for folder in (*folders, config.rootpath))
    return keyword if any(map(Path.is_file, files)) else ""


def _is_typed_keyword(args: tuple[str | os.PathLike[str], ...], keyword: str) -> bool:
    words = [os.fspath(arg) for arg in args]
    if f"-k{keyword}" in words or f"-k={keyword}" in words:
        return True
    return any(
        re.fullmatch("-[A-Za-z]*k", word) and after == keyword for word, after in itertools.pairwise(words)
    )


@pytest.fixture(scope="session")
def lok_settings(pytestconfig: pytest.Config) -> Settings:
    """The settings workflows run with: lok.toml or [tool.lok], merged over the user's and the defaults."""
    from pytest_lok.plugin.install import session_of

    return session_of(pytestconfig, pytestconfig.stash[_STARTED]).project.settings


@pytest.fixture(scope="session")
def lok_backends(pytestconfig: pytest.Config, lok_settings: Settings) -> Mapping[str, Backend]:
    """The backends workflows ask, by name; override it in a conftest.py to replace or wrap them.

    Session, package and module scope are possible.
    """
    from pytest_lok.plugin.install import session_of

    # a dict: `lok_backends | {"mine": …}` is how it is overridden
    return dict(session_of(pytestconfig, pytestconfig.stash[_STARTED]).world(lok_settings).backends)


@pytest.fixture
def lok(request: pytest.FixtureRequest, lok_backends: Mapping[str, Backend], lok_settings: Settings) -> Lok:
    """Run a workflow or ask a backend: ``lok.run("security-review", focus="auth")``, ``lok.ask("…")``."""
    from pytest_lok.plugin.install import lok_of

    return lok_of(request, lok_backends, lok_settings, request.config.stash[_STARTED])
