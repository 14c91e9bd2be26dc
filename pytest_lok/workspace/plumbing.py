"""A question to git -> what it says, to the byte, with nothing of the repository run or let in between."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence

from pytest_lok.engine.ports import CommandRunner, CommandSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.sides import MOST_BYTES, MOST_TOGETHER, TOO_LARGE

_OFF = "LOK_OFF"
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": f"{os.devnull}/none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # for versions that do not know the one above
    _OFF: "",
}
_ARGV = (  # nothing that the repository's configuration names is run
    "git", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}",
    "-c", f"core.attributesFile={os.devnull}",
)  # fmt: skip
_WHERE = "set LOK_BASE to the branch or commit that the change is compared with"


async def asked(
    shell: CommandRunner, *arguments: str, stdin: bytes = b"", fine: Sequence[int] = (0,), index: str = ""
) -> bytes:
    """What git prints, to the byte: it goes into a file, for what a process prints is text, and bounded.

    ``index`` is a file to take for the index.
    """
    with tempfile.NamedTemporaryFile(prefix="lok-git-") as file:
        argv = ("/bin/sh", "-c", 'exec "$@" > "$0"', file.name, *_ARGV, *arguments)
        env = {**_ENVIRONMENT, "GIT_INDEX_FILE": index} if index else _ENVIRONMENT
        done = await shell.run(CommandSpec(argv=argv, env=env, stdin=stdin))
        if done.exit_code == 127:  # the shell's
            raise StepUnableError("command not found: git", hint="install it, or put it on PATH")
        if done.exit_code not in fine:
            lines = done.stderr.strip().split("\n")
            said = next((line for line in lines if line.startswith("fatal: ")), lines[0]) or done.exit_code
            command = next(word for word in arguments if not word.startswith("-"))
            raise StepUnableError(f"git {command} failed: {said}", hint=_WHERE)
        return file.read()


async def looked(shell: CommandRunner, *arguments: str) -> bytes:
    """The same of a command that looks into files: through no filter, for those are programs."""
    keys = await asked(shell, "config", "-z", "--name-only", "--get-regexp", r"^filter\.", fine=(0, 1))
    names = {os.fsdecode(key).rsplit(".", 1)[0] for key in keys.split(b"\0") if key}
    off = [
        f"--config-env={name}.{key}={_OFF}"
        for name in sorted(names)
        for key in ("clean", "process", "required")
    ]
    return await asked(shell, *off, *arguments)


async def with_crlf(shell: CommandRunner, commit: str, paths: Sequence[str]) -> frozenset[str]:
    """Those of the files that a checkout writes with CRLF, by the attributes of that commit and no others."""
    with tempfile.TemporaryDirectory(prefix="lok-git-") as place:
        index = f"{place}/index"
        await asked(shell, "read-tree", commit, index=index)
        names = b"".join(os.fsencode(path) + b"\0" for path in paths)
        listed = await asked(
            shell, "check-attr", "-z", "--cached", "--stdin", "text", "eol", stdin=names, index=index
        )
    fields = [os.fsdecode(field) for field in listed.split(b"\0")]
    said = {
        (path, key): value for path, key, value in zip(fields[::3], fields[1::3], fields[2::3], strict=False)
    }
    return frozenset(path for path in paths if said[path, "eol"] == "crlf" and said[path, "text"] != "unset")


async def blobs(shell: CommandRunner, oids: Iterable[str]) -> dict[str, bytes | str]:
    """The bytes of each, or why they cannot be had."""
    found, small, left = dict[str, bytes | str](), list[str](), MOST_TOGETHER
    for oid, size in (await _sizes(shell, sorted(oids))).items():
        if size is None:
            found[oid] = "is not in this clone as the base has it: fetch the files of the base too"
        elif size > MOST_BYTES or size > left:
            found[oid] = TOO_LARGE
        else:
            left -= size
            small.append(oid)
    if not small:
        return found
    content, at = await asked(shell, "cat-file", "--batch", "--buffer", stdin=_lines(small)), 0
    while at < len(content):
        end = content.index(b"\n", at)
        name, _, length = content[at:end].split()
        at = end + 1 + int(length) + 1
        found[name.decode()] = content[end + 1 : at - 1]
    return found


async def _sizes(shell: CommandRunner, oids: Sequence[str]) -> dict[str, int | None]:
    """Bytes of each; None where it is not here. git may give up at the first that it would have to fetch."""
    if not oids:
        return {}
    try:
        listed = await asked(shell, "cat-file", "--batch-check", "--buffer", stdin=_lines(oids))
    except StepUnableError:
        if len(oids) == 1:
            return {oids[0]: None}
        half = len(oids) // 2
        return {**await _sizes(shell, oids[:half]), **await _sizes(shell, oids[half:])}
    rows = [line.split() for line in listed.decode().splitlines()]
    return {row[0]: int(row[2]) if len(row) == 3 else None for row in rows}


def _lines(oids: Iterable[str]) -> bytes:
    return "".join(f"{oid}\n" for oid in oids).encode()
