"""``auto``: a task -> the backends, the best for it first, each with why and whether it can answer."""

from __future__ import annotations

from pytest_lok.core.asking.routing import rank
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import World
from pytest_lok.errors import BackendError, BackendFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A backend that could take a task; ``problem`` is why it cannot answer, None if it can."""

    backend: str
    why: str
    problem: BackendError | None


def routes(task: str, world: World) -> list[Route]:
    """Every backend, the best for the task first.

    ``task`` is a prompt as its author wrote it: text that comes into it from elsewhere must not choose
    who is asked.
    """
    strengths = {name: world.strengths.get(name, ()) for name in world.backends}
    return [
        Route(backend=it.backend, why=it.why, problem=world.backends[it.backend].unavailable())
        for it in rank(task, strengths)
    ]


def route(task: str, world: World) -> Route:
    """The best backend that can answer; BackendError with the reason of each if none can."""
    found = routes(task, world)
    for one in found:
        if one.problem is None:
            return one
    why = "; ".join(one.problem.of(one.backend) for one in found if one.problem)
    raise BackendError(
        "no backend is available" + (f" ({why})" if why else ""),
        kind=BackendFault.NOT_CONFIGURED,
        hint="`lok doctor` shows what is missing; configure one in lok.toml under [backends.NAME]",
    )
