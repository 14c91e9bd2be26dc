"""A URL and a commit -> a directory with the files of that commit, and the history behind it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pytest_lok.engine.ports import CommandSpec
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.engine.ports import CommandRunner

_PROTOCOLS = "https:http:ssh:file"
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",  # nobody sits there to answer
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_SSH_VARIANT": "ssh",
    "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
_ARGV = (
    "git", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false",
    "-c", "submodule.recurse=false", "-c", "fetch.recurseSubmodules=false",
    "-c", "fetch.fsckObjects=true", "-c", "http.followRedirects=false", "-c", "gc.auto=0",
)  # fmt: skip
_NOT_FOUND = 127
_LONG_ID = 64  # digits of an id by SHA-256
_USER_IN_URL = re.compile(r"://[^/\s]*@")  # git's `insteadOf` may have put a token there


async def clone_commit(shell: CommandRunner, url: str, commit: str) -> None:
    """Fill the empty directory in which ``shell`` runs with the files of ``commit``; HEAD is detached there.

    ``commit`` is a whole id. ``url`` is the remote ``origin``, and its branches are there as ``origin/…``, so
    that a gate finds its base. No hook and no submodule is fetched. StepUnableError where git cannot, without
    what the server said beyond its first line.
    """
    form = "sha256" if len(commit) == _LONG_ID else "sha1"
    await _git(shell, url, "init", "--quiet", "--template=", f"--object-format={form}")
    # behind `--` nothing of the file is an option
    fetch = ("fetch", "--quiet", "--no-tags", "--", url)
    branches = (*fetch, "+refs/heads/*:refs/remotes/origin/*")
    try:
        # what its HEAD is of is the default branch, whatever the name
        await _git(shell, url, *branches, "+HEAD:refs/remotes/origin/HEAD")
    except StepUnableError as failure:
        if "remote ref HEAD" not in failure.message:
            raise
        await _git(shell, url, *branches)
    try:
        # some servers give no commit by its id, and most commits came with the branches
        await _git(shell, url, "cat-file", "-e", f"{commit}^{{commit}}")
    except StepUnableError:
        await _git(shell, url, *fetch, commit)
    # so that steps and `lok forge` know where it is from
    await _git(shell, url, "remote", "add", "--", "origin", url)
    await _git(shell, url, "checkout", "--quiet", "--detach", commit, "--")
    there = await _git(shell, url, "rev-parse", "--verify", "HEAD^{commit}")
    if there.strip() != commit:
        raise StepUnableError(f"{url} has no commit {commit}: what that id names there is something else")


async def _git(shell: CommandRunner, url: str, *arguments: str) -> str:
    done = await shell.run(CommandSpec(argv=(*_ARGV, *arguments), env=_ENVIRONMENT))
    if done.exit_code == _NOT_FOUND:
        raise StepUnableError("command not found: git", hint="install it, or put it on PATH")
    if done.exit_code:
        lines = done.stderr.strip().split("\n")
        said = next((line for line in lines if line.startswith("fatal: ")), lines[0]) or str(done.exit_code)
        raise StepUnableError(
            f"git {arguments[0]} of {url} failed: {_USER_IN_URL.sub('://', said)}",
            hint="try `git ls-remote` with that URL; git asks for no password here",
        )
    return done.stdout
