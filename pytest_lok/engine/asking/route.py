"""``auto``: a task -> the backends, the best for it first, each with why and whether it can answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from pytest_lok.core.asking.providers import PROVIDERS
from pytest_lok.core.asking.routing import rank
from pytest_lok.core.workflow.model import AUTO, EVERYBODY
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Backend, HasServer, World
from pytest_lok.errors import BackendError, BackendFault

_NEAR = (BackendFault.NETWORK, BackendFault.NOT_CONFIGURED, BackendFault.DISABLED)
"""Kinds of problems, the one that is solved soonest first."""


class Choosable(Protocol):
    """Whom there is to choose from: a World, or what is known of its backends without one."""

    @property
    def backends(self) -> Mapping[str, Backend]:
        """The backends by name, in the order of preference."""

    @property
    def strengths(self) -> Mapping[str, Sequence[str]]:
        """The kinds of tasks that each is good at, by name."""

    @property
    def only_by_name(self) -> Mapping[str, str]:
        """Why some are asked only where they are named."""

    @property
    def remedy(self) -> str:
        """What to do where nobody can answer; "" = what the backends lack says it."""


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


def routes(task: str, world: Choosable) -> Iterator[Route]:
    """Every backend, the best for the task first. Whoever stops early lets the others be.

    ``task`` is a prompt as its author wrote it: text that comes into it from elsewhere must not choose
    who is asked.
    """
    strengths = {name: world.strengths.get(name, ()) for name in world.backends}
    for it in rank(task, strengths):
        yield Route(backend=it.backend, why=it.why, problem=_problem(it.backend, world))


def route(task: str, world: Choosable) -> Route:
    """The best backend that can answer; BackendError with the reason of each if none can."""
    found = []
    for one in routes(task, world):
        if one.problem is None:
            return one
        found.append(one)
    raise nobody(found, world)


def everybody(world: Choosable) -> list[Route]:
    """Every backend in the order of preference, whatever the task."""
    return [Route(backend=name, why="", problem=_problem(name, world)) for name in world.backends]


def names_of(
    named: tuple[str, ...], task: str, world: World, *, keeps_all: bool = False
) -> tuple[tuple[str, ...], Route | None]:
    """Whom a step asks that names these, and the choice of ``auto`` where that was asked.

    Where it names nobody, the settings do. Where they do not either, ``auto`` chooses one, or, for a step
    that keeps every answer (``keeps_all``), everybody is asked. BackendError if nobody can answer.
    """
    names = named or world.default_backends or ((EVERYBODY,) if keeps_all else (AUTO,))
    if EVERYBODY in names:
        found = everybody(world)
        able = tuple(one.backend for one in found if one.problem is None)
        if not able:
            raise nobody(found, world)
        return able, None
    if AUTO not in names:
        return names, None
    best = route(task, world)
    return (best.backend,), best


def nobody(found: Sequence[Route], world: Choosable) -> BackendError:
    """The error for a task that none of these can take: what each lacks, and the nearest remedy."""
    problems = _missed(found, world)
    reasons: dict[str, list[str]] = {}
    for name, problem in problems.items():
        reasons.setdefault(_reason(name, problem), []).append(name)
    why = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
    return BackendError(
        "no backend can answer" + (f" ({why})" if why else ""),
        kind=BackendFault.NOT_CONFIGURED,
        hint=world.remedy or f"{nearest_remedy(found, world)}; `lok doctor` says what else helps",
    )


def nearest_remedy(found: Sequence[Route], world: Choosable) -> str:
    """What is done soonest so that one of these can answer."""
    problems = [it for name, it in _missed(found, world).items() if name not in world.only_by_name]
    near = sorted((it for it in problems if it.kind in _NEAR), key=lambda it: _NEAR.index(it.kind))
    keys = ", ".join(provider.keys[0] for provider in PROVIDERS.values())
    return near[0].hint if near else f"install a tool, or export a key ({keys})"


def _problem(name: str, world: Choosable) -> BackendError | None:
    problem, why = problem_of(world.backends[name]), world.only_by_name.get(name)
    if problem is not None or why is None:
        return problem
    return BackendError(
        f"{name} is asked only by name, because {why}",
        kind=BackendFault.DISABLED,
        backend=name,
        hint=f'name it: `-b {name}`, or backend = "{name}"',
    )


def _reason(name: str, problem: BackendError) -> str:
    """The problem without the name, so that several backends may have the same one."""
    said = problem.message.removeprefix(name).removeprefix(": ").removeprefix(" is ")
    # the name of the program adds nothing where it is the backend's
    return "not installed" if said == f"command not found: {name}" else said


def _missed(found: Iterable[Route], world: Choosable) -> dict[str, BackendError]:
    """The problems by backend, without APIs that no settings speak of: nobody misses the key of one."""
    problems = {it.backend: it.problem for it in found if it.problem is not None}
    return {
        name: problem
        for name, problem in problems.items()
        if name not in world.only_by_name or problem.kind is not BackendFault.NOT_CONFIGURED
    }
