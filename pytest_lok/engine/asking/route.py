"""``auto``: a task -> the backends, the best for it first, each with why and whether it can answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.core.asking.routing import rank
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Backend, HasServer, World
from pytest_lok.errors import BackendError, BackendFault

_NEAR = (BackendFault.NETWORK, BackendFault.NOT_CONFIGURED, BackendFault.DISABLED)
"""Kinds of problems, the one that is solved soonest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A backend that could take a task; ``problem`` is why it cannot answer, None if it can."""

    backend: str
    why: str
    problem: BackendError | None


def problem_of(backend: Backend) -> BackendError | None:
    """Why a backend cannot answer, as far as that is known without a question; its server is looked at."""
    problem = backend.unavailable()
    return backend.unreachable() if problem is None and isinstance(backend, HasServer) else problem


def routes(task: str, world: World) -> Iterator[Route]:
    """Every backend, the best for the task first. Whoever stops early lets the others be.

    ``task`` is a prompt as its author wrote it: text that comes into it from elsewhere must not choose
    who is asked.
    """
    strengths = {name: world.strengths.get(name, ()) for name in world.backends}
    for it in rank(task, strengths):
        yield Route(backend=it.backend, why=it.why, problem=_problem(it.backend, world))


def route(task: str, world: World) -> Route:
    """The best backend that can answer; BackendError with the reason of each if none can."""
    found = []
    for one in routes(task, world):
        if one.problem is None:
            return one
        found.append(one)
    raise nobody(found, world)


def everybody(world: World) -> list[Route]:
    """Every backend in the order of preference, whatever the task."""
    return [Route(backend=name, why="", problem=_problem(name, world)) for name in world.backends]


def nobody(found: Iterable[Route], world: World) -> BackendError:
    """The error for a task that none of these can take: what each lacks, and the nearest remedy."""
    problems = {it.backend: it.problem for it in found if it.problem is not None}
    # nobody misses the key of an API that no settings speak of
    told = {name: it for name, it in problems.items() if not _is_idle(name, it, world)}
    near = sorted((it for it in told.values() if it.kind in _NEAR), key=lambda it: _NEAR.index(it.kind))
    keys = ", ".join(provider.keys[0] for provider in PROVIDERS.values())
    remedy = near[0].hint if near else f"install one of them, or export a key ({keys})"
    why = "; ".join(problem.of(name) for name, problem in told.items())
    return BackendError(
        "no backend can answer" + (f" ({why})" if why else ""),
        kind=BackendFault.NOT_CONFIGURED,
        hint=f"{remedy}; `lok doctor` says what else helps",
    )


def _problem(name: str, world: World) -> BackendError | None:
    problem, why = problem_of(world.backends[name]), world.only_by_name.get(name)
    if problem is not None or why is None:
        return problem
    return BackendError(
        f"{name} is asked only where it is named: {why}",
        kind=BackendFault.DISABLED,
        backend=name,
        hint=f'name it: `-b {name}`, or backend = "{name}"',
    )


def _is_idle(name: str, problem: BackendError, world: World) -> bool:
    return name in world.only_by_name and problem.kind is BackendFault.NOT_CONFIGURED
