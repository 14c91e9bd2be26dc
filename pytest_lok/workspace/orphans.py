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


def left_alive(pid: int, mark: str, ours: Collection[int], *, proc: str = "/proc") -> list[int] | None:
    """Live processes of ``pid``'s group or bearing ``mark``; None where that cannot be seen.

    ``pid`` itself counts while it runs. ``ours`` are other processes started by the caller: they are
    not looked at, which makes the usual case (a command that started nothing) one small read.
    """
    newest = _newest(proc)
    if newest is None:
        return None
    wrapped = newest < pid
    if not wrapped and all(number in ours for number in range(pid + 1, newest + 1)):
        return [pid] if _runs(proc, pid) else []
    needle = mark.encode()
    return [
        number
        for number in _processes(proc)
        if (wrapped or number >= pid)
        and (number == pid or number not in ours)
        and (_group(number) == pid or needle in _environ(proc, number))
        and _runs(proc, number)
    ]


def _newest(proc: str) -> int | None:
    """The process id given out last, or None without a Linux /proc."""
    try:
        return int(Path(proc, "loadavg").read_bytes().split()[-1])
    except (OSError, ValueError, IndexError):
        return None


def _processes(proc: str) -> Iterator[int]:
    return (int(name) for name in os.listdir(proc) if name.isdecimal())  # noqa: PTH208 - the hot path


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:  # it ended meanwhile
        return 0


def _environ(proc: str, pid: int) -> bytes:
    try:
        return Path(proc, str(pid), "environ").read_bytes()
    except OSError:  # it ended meanwhile, or is another user's
        return b""


def _runs(proc: str, pid: int) -> bool:
    """Whether it is there and no zombie (whose parent may never ask for it)."""
    try:
        stat = Path(proc, str(pid), "stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")
