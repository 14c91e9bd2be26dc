from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.engine.resume.files_watch import FilesWatch


class Tree:
    """Files whose state is a number; looks wait until they are let go on."""

    def __init__(self) -> None:
        self.state = "0"
        self.told: dict[str, str] = {}
        self.looks = 0

    async def look(self) -> str:
        self.looks += 1
        await asyncio.sleep(0)
        return self.state

    def tell(self, steps: tuple[str, ...], state: str) -> None:
        self.told |= dict.fromkeys(steps, state)


def watched(story: Callable[[Tree, FilesWatch], object]) -> Tree:
    tree = Tree()

    async def run() -> None:
        watch = FilesWatch(look=tree.look, tell=tree.tell)
        await story(tree, watch)  # type: ignore[misc]
        await watch.settle()
        await watch.close()

    asyncio.run(run())
    return tree


def test_steps_that_end_together_share_a_look() -> None:
    async def story(tree: Tree, watch: FilesWatch) -> None:
        for name in "abc":
            await watch.begin(name)
        for name in "abc":
            watch.end(name)

    tree = watched(story)
    assert tree.told == dict.fromkeys("abc", "0")
    assert tree.looks == 2


def test_a_step_during_which_the_files_changed_has_read_no_state_of_them() -> None:
    async def story(tree: Tree, watch: FilesWatch) -> None:
        await watch.begin("a")
        tree.state = "1"
        watch.end("a")
        await watch.settle()
        await watch.begin("b")
        watch.end("b")

    assert watched(story).told == {"b": "1"}


def test_an_unknown_state_is_none_and_nobody_asks_again() -> None:
    async def story(tree: Tree, watch: FilesWatch) -> None:
        tree.state = ""
        for name in "abc":
            await watch.begin(name)
            watch.end(name)
            await watch.settle()

    tree = watched(story)
    assert (tree.told, tree.looks) == ({}, 1)


@given(st.lists(st.sampled_from(["begin", "end", "change", "look", "wait"]), max_size=30))
def test_what_is_told_was_so_all_the_time(moves: list[str]) -> None:
    """Against a record of every state at every time; no state comes back."""
    seen: dict[str, set[str]] = {}
    running: list[str] = []
    count = 0

    async def story(tree: Tree, watch: FilesWatch) -> None:
        nonlocal count
        for move in moves:
            if move == "begin":
                count += 1
                await watch.begin(str(count))
                running.append(str(count))
                seen[str(count)] = {tree.state}
            elif move == "end" and running:
                watch.end(running.pop(0))
            elif move == "change":
                tree.state = str(int(tree.state) + 1)
                for name in running:
                    seen[name].add(tree.state)
            elif move == "look":
                await watch.look_now()
            else:
                await asyncio.sleep(0)

    for name, state in watched(story).told.items():
        assert seen[name] == {state}
