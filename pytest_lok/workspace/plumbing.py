"""A git command -> its output, to the byte, with no program that the repository names run on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.engine.ports import CommandRunner, CommandSpec
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.sides import MAX_BYTES, MAX_TOTAL_BYTES, TOO_LARGE

if TYPE_CHECKING:
    import subprocess

_OFF = "LOK_OFF"
_NOT_FOUND = 127
# nothing is locked, asked or fetched; neither replacements nor grafts say what a commit is
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
_SET_BASE = "set LOK_BASE to the branch or commit that the change is compared with"


async def git_output(
    shell: CommandRunner,
    *arguments: str,
    stdin: bytes = b"",
    ok_codes: Sequence[int] = (0,),
    index: str = "",
    env: Mapping[str, str] | None = None,
) -> bytes:
    """What git prints; StepUnableError if it exits with none of ``ok_codes``.

    ``index`` is a file to use instead of the index, ``env`` more of the environment.
    """
    # through a file: what `CommandRunner` returns of the output is text, and bounded
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="lok-git-") as file:
        # git writes to the file itself, so nothing of its output passes through text
        argv = ("/bin/sh", "-c", 'exec "$@" > "$0"', file.name, *_ARGV, *arguments)
        more = {"GIT_INDEX_FILE": index} if index else {}
        spec = CommandSpec(argv=argv, env={**_ENVIRONMENT, **more, **(env or {})}, stdin=stdin)
        done = await shell.run(spec)
        if done.exit_code == _NOT_FOUND:  # the shell's
            raise StepUnableError("command not found: git", hint="install it, or put it on PATH")
        if done.exit_code not in ok_codes:
            lines = done.stderr.strip().split("\n")
            said = next((line for line in lines if line.startswith("fatal: ")), lines[0]) or done.exit_code
            # the command is the first word that is no option of git itself
            words = arguments[2:] if arguments[0] == "-C" else arguments
            command = next(word for word in words if not word.startswith("-"))
            raise StepUnableError(f"git {command} failed: {said}", hint=_SET_BASE)
        return file.read()


async def git_output_without_filters(shell: CommandRunner, *arguments: str) -> bytes:
    """``git_output`` of a command that reads files, with every filter off: filters are programs."""
    # names of filters come from configuration, so they have to be asked for
    keys = await git_output(
        shell, "config", "-z", "--name-only", "--get-regexp", r"^filter\.", ok_codes=(0, 1)
    )
    names = {os.fsdecode(key).rsplit(".", 1)[0] for key in keys.split(b"\0") if key}
    return await git_output(shell, *_filters_off(names), *arguments)


def git_text(
    root: Path, environ: Mapping[str, str], *arguments: str, ok_codes: Sequence[int] = (0,)
) -> str | None:
    """What git prints of the repository at ``root``, with every filter off, for verbs without a loop.

    None where there is no repository, or no git; StepUnableError if it exits with none of ``ok_codes``.
    Bytes that are no UTF-8 become surrogates.
    """
    keys = _run(root, environ, "config", "-z", "--name-only", "--get-regexp", r"^filter\.").stdout
    names = {os.fsdecode(key).rsplit(".", 1)[0] for key in keys.split(b"\0") if key}
    done = _run(root, environ, *_filters_off(names), *arguments)
    if done.returncode == _NOT_FOUND or (done.returncode and b"not a git repository" in done.stderr):
        return None
    if done.returncode not in ok_codes:
        raise StepUnableError(f"git failed: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _run(root: Path, environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    import subprocess

    words = (*_ARGV, "-C", str(root), *arguments)
    try:
        return subprocess.run(words, env={**environ, **_ENVIRONMENT}, capture_output=True, check=False)
    except OSError:
        return subprocess.CompletedProcess(words, _NOT_FOUND, b"", b"")


def _filters_off(names: Iterable[str]) -> list[str]:
    return [
        f"--config-env={name}.{key}={_OFF}"
        for name in sorted(names)
        for key in ("clean", "process", "required")
    ]


async def with_crlf(shell: CommandRunner, commit: str, paths: Sequence[str]) -> frozenset[str]:
    """The files that a checkout writes with CRLF, by the attributes of that commit alone."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lok-git-") as place:
        # an index of its own: attributes are read from the commit, not from the work tree
        index = f"{place}/index"
        await git_output(shell, "read-tree", commit, index=index)
        names = b"".join(os.fsencode(path) + b"\0" for path in paths)
        listed = await git_output(
            shell, "check-attr", "-z", "--cached", "--stdin", "text", "eol", stdin=names, index=index
        )
    fields = [os.fsdecode(field) for field in listed.split(b"\0")]
    said = {
        (path, key): value for path, key, value in zip(fields[::3], fields[1::3], fields[2::3], strict=False)
    }
    return frozenset(path for path in paths if said[path, "eol"] == "crlf" and said[path, "text"] != "unset")


async def blobs(shell: CommandRunner, oids: Iterable[str]) -> dict[str, bytes | str]:
    """The bytes of each blob, or a text that says why they cannot be had."""
    found, small, left = dict[str, bytes | str](), list[str](), MAX_TOTAL_BYTES
    for oid, size in (await _sizes(shell, sorted(oids))).items():
        if size is None:
            found[oid] = "is not in this clone as the base has it: fetch the files of the base too"
        elif size > MAX_BYTES or size > left:
            found[oid] = TOO_LARGE
        else:
            left -= size
            small.append(oid)
    if not small:
        return found
    content, at = await git_output(shell, "cat-file", "--batch", "--buffer", stdin=_lines(small)), 0
    while at < len(content):
        end = content.index(b"\n", at)
        name, _, length = content[at:end].split()
        at = end + 1 + int(length) + 1
        found[name.decode()] = content[end + 1 : at - 1]
    return found


async def _sizes(shell: CommandRunner, oids: Sequence[str]) -> dict[str, int | None]:
    """The size of each object; None where the clone does not have it."""
    if not oids:
        return {}
    try:
        listed = await git_output(shell, "cat-file", "--batch-check", "--buffer", stdin=_lines(oids))
    except StepUnableError:
        # git gives up at the first object that it would have to fetch: halve until that one is found
        if len(oids) == 1:
            return {oids[0]: None}
        half = len(oids) // 2
        return {**await _sizes(shell, oids[:half]), **await _sizes(shell, oids[half:])}
    rows = [line.split() for line in listed.decode().splitlines()]
    return {row[0]: int(row[2]) if len(row) == 3 else None for row in rows}


def _lines(oids: Iterable[str]) -> bytes:
    return "".join(f"{oid}\n" for oid in oids).encode()
