"""Settings -> World: processes, files, git, limits and secrets, as the settings and the environment say."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.backends.cli.environment import search_path
from pytest_lok.core.asking.pricing import Price
from pytest_lok.engine.asking.concurrency import ConcurrencyLimiter
from pytest_lok.engine.ports import Backend, Limits, World
from pytest_lok.errors import UsageError
from pytest_lok.settings import Settings, base_refs, in_ci, state_dir
from pytest_lok.wiring.backends import BackendFactory
from pytest_lok.wiring.choice import only_by_name
from pytest_lok.wiring.secrecy import child_environment, redactor_of
from pytest_lok.wiring.shared import SharedResources
from pytest_lok.workspace.files import Files
from pytest_lok.workspace.git import Git, JudgedTree
from pytest_lok.workspace.local_workspace import LocalWorkspace
from pytest_lok.workspace.processes.descendants import MARK
from pytest_lok.workspace.processes.runner import LocalProcesses

if TYPE_CHECKING:
    from pytest_lok.core.events import Event
    from pytest_lok.core.resume.inputs import BackendIdentity
    from pytest_lok.fleet.shell import RemoteShell


def make_world(
    root: Path,
    settings: Settings,
    environ: Mapping[str, str],
    shared: SharedResources,
    backends: BackendFactory | Mapping[str, Backend],
    *,
    commands: Mapping[str, str] | None = None,
) -> World:
    """The world of the project at ``root``. Nothing is started or connected by making one.

    ``backends`` are the ones to ask, or what makes them. ``commands`` is all that commands and texts see of
    the environment; None = what the settings say.
    """
    defaults = settings.defaults
    recorded = isinstance(backends, BackendFactory) and backends.record is not None
    visible = environ if commands is None else commands
    seen = child_environment(settings, visible)
    # backends are looked for in absolute directories alone: a relative one lies in the checkout
    tools = shared.launcher(root, {**seen, "PATH": search_path(visible)})
    workspace = _workspace(root, settings, environ, _git(root, tools, visible))
    here = shared.launcher(root, seen)
    fleet = _fleet(settings, here, workspace, seen, shared)
    return World(
        backends=backends.make(tools) if isinstance(backends, BackendFactory) else backends,
        shell=fleet or here,
        fleet=fleet,
        workspace=workspace,
        env=visible,
        limits=_limits(settings),
        default_backends=settings.members(defaults.backends) if "backend" in defaults.written else (),
        weights={name: backend.weight for name, backend in settings.backends.items()},
        strengths={name: backend.strengths for name, backend in settings.backends.items()},
        options={
            name: backend.answer_options
            for name, backend in settings.backends.items()
            if backend.max_tokens is not None or backend.options
        },
        timeouts={
            name: backend.timeout
            for name, backend in settings.backends.items()
            if backend.timeout is not None
        },
        command_wrapper=defaults.command_wrapper,
        prices={
            pattern: Price(input=price.input, output=price.output)
            for pattern, price in settings.prices.items()
        },
        redactor=redactor_of(settings, environ),
        kill=shared.kill,
        only_by_name=only_by_name(settings, environ, recorded=recorded),
        identity=_identity_of(backends, shared),
        tree_state=functools.partial(_tree_state, tools),
        command_env=seen,
        limiters=_limiters(settings, shared.limiters),
        observer=_observer(settings, environ) if settings.otel.enabled else None,
    )


def _limits(settings: Settings) -> Limits:
    defaults = settings.defaults
    return Limits(
        max_parallel=defaults.max_parallel if defaults.parallel else 1,
        timeout=defaults.timeout,
        is_explicit=not defaults.parallel or "max_parallel" in defaults.written,
    )


def _fleet(
    settings: Settings,
    here: LocalProcesses,
    workspace: LocalWorkspace,
    env: Mapping[str, str],
    shared: SharedResources,
) -> RemoteShell | None:
    """What runs commands at places of the fleet; None where the settings name none."""
    if not settings.fleet.scheduler:
        return None
    from pytest_lok.fleet.address import remote_shell

    return remote_shell(settings.fleet, here, workspace, env, shared.fleets)


def _identity_of(
    backends: BackendFactory | Mapping[str, Backend], shared: SharedResources
) -> Callable[[str], BackendIdentity | None]:
    """What the answers of a backend depend on, by its name; of one that was handed in nobody knows."""
    if isinstance(backends, BackendFactory):
        return functools.cache(backends.identity)
    return functools.cache(lambda name: shared.identity(backends.get(name)))


async def _tree_state(processes: LocalProcesses) -> str:
    from pytest_lok.workspace.git_state import tree_state

    return await tree_state(processes) or ""


def _observer(settings: Settings, environ: Mapping[str, str]) -> Callable[[], Callable[[Event], None]]:
    try:
        from pytest_lok.wiring.tracing import observer_of
    except ImportError as missing:
        if (missing.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise UsageError(
            "`enabled = true` below [otel] needs OpenTelemetry's SDK, which is not installed here",
            hint="pip install 'pytest-lok[otel]'",
        ) from None
    return observer_of(settings, environ)


def local_git(root: Path, environ: Mapping[str, str]) -> Git:
    """The repository that ``root`` lies in, for what needs no settings."""
    return _git(root, SharedResources().launcher(root, environ), environ)


def _workspace(root: Path, settings: Settings, environ: Mapping[str, str], git: Git) -> LocalWorkspace:
    return LocalWorkspace(
        root,
        files=Files(root, state_dir(environ)),
        git=git,
        which=lambda program: _which(program, settings, environ),
        nested=bool(environ.get(MARK)),
    )


def _git(root: Path, processes: LocalProcesses, environ: Mapping[str, str]) -> Git:
    judged = JudgedTree.FILES
    # git names the index to hooks that are about a commit, and only a prefix to the others
    if "GIT_INDEX_FILE" in environ or "GIT_PREFIX" in environ:
        judged = JudgedTree.STAGED if "GIT_INDEX_FILE" in environ else JudgedTree.COMMITTED
    return Git(root, processes, base_refs(environ), judged=judged, ci=in_ci(environ))


def _limiters(
    settings: Settings, made: dict[tuple[str, int, int], ConcurrencyLimiter]
) -> dict[str, ConcurrencyLimiter]:
    """How many questions each backend gets at once, and per minute; without ``parallel`` one for all."""
    single = None if settings.defaults.parallel else made.setdefault(("", 1, 0), ConcurrencyLimiter(1))
    found = {}
    for name, backend in settings.backends.items():
        limit, per_minute = 0 if single else backend.max_concurrent, backend.requests_per_minute
        if limit or per_minute:
            # the first one made for these limits serves all worlds of the project
            own = ConcurrencyLimiter(limit, per_minute=per_minute, parent=single)
            found[name] = made.setdefault((name, limit, per_minute), own)
        elif single:
            found[name] = single
    return found


def _which(program: str, settings: Settings, environ: Mapping[str, str]) -> str | None:
    """Where a verify command will find a program; only a wrapper knows which programs it has inside."""
    if settings.defaults.command_wrapper:
        return program
    import shutil

    return shutil.which(program, path=environ.get("PATH", ""))
