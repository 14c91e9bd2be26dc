"""Process id + mark -> what a process started and left alive.

Members of its process group are found by that. What left the group (``setsid``, a daemon's double
fork) is found by the mark, an environment variable every descendant inherits. Only Linux shows
other processes (/proc); elsewhere the group is all that can be found.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

MARK = "LOK_PROCESS"
"""Names the chain of runs a process belongs to: ``outer/inner`` where one lok runs inside another."""

_CHUNK = 65536


def left_alive(
    pid: int, mark: str, ours: Collection[int], *, young: bool = False, proc: str = "/proc"
) -> list[int] | None:
    """Live processes of ``pid``'s group or bearing ``mark``; None where that cannot be seen.

    ``pid`` itself counts while it runs. ``ours`` are other processes started by the caller; they are
    not looked at. ``young``: ``pid`` was started so recently that the numbers given out since have not
    gone round, so only those are looked at; for a command that started nothing that is one small read.
    """
    newest = _newest(proc)
    if newest is None:
        return None
    if young and pid <= newest and all(number in ours for number in range(pid + 1, newest + 1)):
        return [pid] if _runs(proc, pid) else []
    needle = mark.encode()
    return [
        number
        for number in _processes(proc)
        if (number == pid or number not in ours)
        and (not young or _since(pid, number, newest))
        and (_group(number) == pid or needle in _read(f"{proc}/{number}/environ"))
        and _runs(proc, number)
    ]


def _newest(proc: str) -> int | None:
    """The process id given out last, or None without a Linux /proc."""
    try:
        return int(_read(f"{proc}/loadavg").split()[-1])
    except (ValueError, IndexError):
        return None


def _since(first: int, number: int, newest: int) -> bool:
    """Whether ``number`` was given out from ``first`` to ``newest``, where they may begin again."""
    if first <= newest:
        return first <= number <= newest
    return number >= first or number <= newest


def _processes(proc: str) -> Iterator[int]:
    return (int(name) for name in os.listdir(proc) if name.isdecimal())  # noqa: PTH208 - the hot path


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:  # it ended meanwhile
        return 0


def _runs(proc: str, pid: int) -> bool:
    """Whether it is there and no zombie (whose parent may never ask for it)."""
    stat = _read(f"{proc}/{pid}/stat")
    return stat.rpartition(b")")[2].split()[:1] not in ([], [b"Z"], [b"X"])


def _read(path: str) -> bytes:
    """All of a file; nothing of one that is gone meanwhile, or another user's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        text = part = os.read(descriptor, _CHUNK)
        while (
            len(part) == _CHUNK
        ):  # these files give all they have: another read takes another turn of the GIL
            part = os.read(descriptor, _CHUNK)
            text += part
        return text
    except OSError:  # it ended while we read
        return b""
    finally:
        os.close(descriptor)
