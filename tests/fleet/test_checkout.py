"""The directories of a place: what one attempt does to its own reaches no other, however many states there are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from pytest_lok.fleet.checkout import Checkouts, ShippedTree
from pytest_lok.workspace.processes.runner import LocalProcesses
from pytest_lok.workspace.travel.snapshots import snapshot
from tests.workspace.test_git_state import ENV, git


def test_each_attempt_has_a_repository_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    (root / "one").write_text("1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    checkouts = Checkouts(tmp_path / "place", LocalProcesses(tmp_path, ENV), states=2)

    async def shipped(content: str) -> ShippedTree:
        (root / "new").write_text(content)
        taken = await snapshot(root, LocalProcesses(root, ENV))
        pack = None if checkouts.has(taken.commit) else await taken.pack()
        return ShippedTree(
            commit=taken.commit, diff=taken.diff, tree=taken.tree, folder=taken.folder, pack=pack
        )

    async def story() -> None:
        sent = [await shipped("0")]
        first = await checkouts.make("first", sent[0])
        sent += [await shipped(str(number)) for number in range(1, 4)]
        for repository in (first, await checkouts.make("second", replace(sent[0], pack=None))):
            assert (repository / "new").read_text() == "0"
            git(repository, "diff", "--quiet")
            git(repository, "rm", "-q", "--cached", "one")
            (repository / ".git" / "index").write_bytes(b"")
            (repository / ".git" / "HEAD").write_text("nonsense")
        # several at once, and more states than are kept: those that went are prepared again
        made = await asyncio.gather(
            *(checkouts.make(f"{n}{again}", sent[n]) for again in "ab" for n in range(4))
        )
        assert [(top / "new").read_text() for top in made] == ["0", "1", "2", "3"] * 2
        assert len([*(tmp_path / "place" / "prepared").iterdir()]) == 2

    asyncio.run(story())
