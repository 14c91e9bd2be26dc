"""A work tree -> how it differs from the branch it goes to, and files as that branch has them.

What is compared with must not be the change's own choice, so it never comes from a file of the tree.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lok.engine.ports import Command, Comparison, Completed, Shell
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.output import DROPPED

_ENVIRONMENT = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
_PLAIN = ("-c", "core.quotePath=false")
_DIFF = (  # neither the user's configuration nor the tree's attributes have a say in it
    "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--text", "--unified=0",
    "--inter-hunk-context=0", "--no-renames", "--submodule=short", "--relative", "--src-prefix=a/",
    "--dst-prefix=b/",
)  # fmt: skip
_WHERE = "set LOK_BASE to the branch or commit that the change is compared with"
_WHOLE = 'fetch the whole history (actions/checkout: "fetch-depth: 0")'


class Git:
    """The repository the workspace lies in, as its root or below.

    ``shell`` runs commands at the workspace's root. ``bases`` are the refs that may be compared
    with; the first that exists is.
    """

    def __init__(self, shell: Shell, bases: Sequence[str]) -> None:
        self._shell = shell
        self._bases = tuple(bases)

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        """See ``engine.ports.Workspace``: from where HEAD left the base to the files as they are now."""
        base, commit = await self._base()
        fork = await self._git("merge-base", commit, "HEAD", fine=(0, 1))
        if fork.exit_code:
            raise StepUnableError(f"HEAD and {base} have no common commit", hint=_WHOLE)
        start = fork.stdout.split()[0]
        about = f"{base} ({start[:12]})"
        if not paths:
            return Comparison(base=about)
        diff = await self._git(*_DIFF, start, "--", *paths)
        if DROPPED.search(diff.stdout):
            raise StepUnableError("the diff of the files with findings is too large")
        new = await self._git("ls-files", "--others", "--exclude-standard", "-z", "--", *paths)
        return Comparison(base=about, diff=diff.stdout, new_files=tuple(filter(None, new.stdout.split("\0"))))

    async def at_base(self, path: str) -> str | None:
        """See ``engine.ports.Workspace``: a file as it is on the base now."""
        _, commit = await self._base()
        if not (await self._git("ls-tree", "-z", commit, "--", path)).stdout:
            return None
        return (await self._git("cat-file", "blob", f"{commit}:./{path}")).stdout

    async def _base(self) -> tuple[str, str]:
        """The ref that is compared with, and its commit."""
        for base in self._bases:
            wanted = f"{base}^{{commit}}"
            found = await self._git(
                "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, fine=(0, 1)
            )
            if found.exit_code == 0:
                return base, found.stdout.strip()
        tried = ", ".join(self._bases)
        hint = f"{_WHERE}, or {_WHOLE}"
        raise StepUnableError(f"there is nothing to compare the change with (tried: {tried})", hint=hint)

    async def _git(self, *arguments: str, fine: Sequence[int] = (0,)) -> Completed:
        argv = ("git", "--literal-pathspecs", *_PLAIN, *arguments)
        done = await self._shell.run(Command(argv=argv, env=_ENVIRONMENT))
        if done.exit_code not in fine:
            said = done.stderr.strip().split("\n")[0] or f"exit code {done.exit_code}"
            raise StepUnableError(f"git {arguments[0]} failed: {said}", hint=_WHERE)
        return done
