"""``auto``: whom it takes, whom it leaves alone, and what it says where nobody is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lok.core.results import Reply
from pytest_lok.engine.asking.route import route, routes
from pytest_lok.engine.ports import Prompt, World
from pytest_lok.errors import BackendError, BackendFault
from tests.engine.worlds import world as make_world


class Server:
    """A backend whose server is there or not; it counts how often that was asked."""

    def __init__(
        self, name: str, problem: BackendFault | None = None, down: BackendFault | None = None
    ) -> None:
        self.name = name
        self.looks = 0
        self._problem, self._down = problem, down

    def unavailable(self) -> BackendError | None:
        return self._error(self._problem)

    def unreachable(self) -> BackendError | None:
        self.looks += 1
        return self._error(self._down)

    def usual_model(self) -> str:
        return ""

    async def ask(self, prompt: Prompt) -> Reply:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass

    def _error(self, kind: BackendFault | None) -> BackendError | None:
        return (
            None
            if kind is None
            else BackendError(f"{self.name}: {kind}", kind=kind, backend=self.name, hint=f"mend {self.name}")
        )


def within(tmp_path: Path, *servers: Server, **only_by_name: str) -> World:
    return replace(make_world(tmp_path, *servers), only_by_name=only_by_name)


def test_who_comes_after_one_that_can_is_not_looked_at(tmp_path: Path) -> None:
    down, up, other = Server("down", down=BackendFault.NETWORK), Server("up"), Server("other")
    assert route("anything", within(tmp_path, down, up, other)).backend == "up"
    assert (down.looks, up.looks, other.looks) == (1, 1, 0)


def test_nobody_gets_one_that_is_asked_only_by_name(tmp_path: Path) -> None:
    world = within(tmp_path, Server("rules"), Server("up"), rules="its answers are written")
    assert route("anything", world).backend == "up"
    found = {it.backend: it.problem for it in routes("anything", world)}
    assert found["rules"] is not None
    assert found["rules"].message == "rules is asked only by name, because its answers are written"


@pytest.mark.parametrize(
    ("kinds", "hint"),
    [
        ((BackendFault.NOT_INSTALLED,), "install a tool, or export a key (ANTHROPIC_API_KEY, "),
        ((BackendFault.DISABLED, BackendFault.NOT_CONFIGURED, BackendFault.NETWORK), "mend s2; "),
        ((BackendFault.NOT_INSTALLED, BackendFault.DISABLED, BackendFault.NOT_CONFIGURED), "mend s2; "),
        ((BackendFault.NOT_INSTALLED, BackendFault.DISABLED), "mend s1; "),
    ],
)
def test_where_nobody_can_the_nearest_remedy_is_told(
    tmp_path: Path, kinds: tuple[BackendFault, ...], hint: str
) -> None:
    servers = [Server(f"s{number}", problem=kind) for number, kind in enumerate(kinds)]
    with pytest.raises(BackendError) as caught:
        route("anything", within(tmp_path, *servers))
    assert caught.value.hint.startswith(hint)
    assert all(f"s{number}: {kind}" in caught.value.message for number, kind in enumerate(kinds))


def test_nobody_misses_the_key_of_what_is_only_built_in(tmp_path: Path) -> None:
    keyless = Server("keyless", problem=BackendFault.NOT_CONFIGURED)
    gone = Server("gone", problem=BackendFault.NOT_INSTALLED)
    with pytest.raises(BackendError) as caught:
        route("anything", within(tmp_path, keyless, gone, keyless="KEY is not set"))
    assert caught.value.message == "no backend can answer (gone: not installed)"
    assert "mend" not in caught.value.hint
