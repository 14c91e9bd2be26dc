"""Process id + mark -> what a process started and left alive.

Members of its process group are found by that. What left the group (``setsid``, a daemon's double
fork) is found by the mark, an environment variable every descendant inherits. Only Linux shows
other processes (/proc); elsewhere the group is all that can be found.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

MARK = "LOK_PROCESS"
"""Names the chain of runs a process belongs to: ``outer/inner`` where one lok runs inside another."""

_PROC = "/proc"


def left_alive(pid: int, mark: str, ours: Collection[int]) -> list[int] | None:
    """Live processes of ``pid``'s group or bearing ``mark``; None where that cannot be seen.

    ``pid`` itself counts while it runs. ``ours`` are other processes started by the caller: they are
    not looked at, which makes the usual case (a command that started nothing) one small read.
    """
    newest = _newest()
    if newest is None:
        return None
    wrapped = newest < pid
    if not wrapped and all(number in ours for number in range(pid + 1, newest + 1)):
        return [pid] if _runs(pid) else []
    needle = mark.encode()
    return [
        number
        for number in _processes()
        if (wrapped or number >= pid)
        and (number == pid or number not in ours)
        and (_group(number) == pid or needle in _environ(number))
        and _runs(number)
    ]


def _newest() -> int | None:
    """The process id given out last, or None without a Linux /proc."""
    try:
        return int(Path(_PROC, "loadavg").read_bytes().split()[-1])
    except (OSError, ValueError, IndexError):
        return None


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir(_PROC) if name.isdecimal())  # noqa: PTH208 - the hot path


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:  # it ended meanwhile
        return 0


def _environ(pid: int) -> bytes:
    try:
        return Path(_PROC, str(pid), "environ").read_bytes()
    except OSError:  # it ended meanwhile, or is another user's
        return b""


def _runs(pid: int) -> bool:
    """Whether it is there and no zombie (whose parent may never ask for it)."""
    try:
        stat = Path(_PROC, str(pid), "stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")
