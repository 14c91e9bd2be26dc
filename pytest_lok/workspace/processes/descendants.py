"""Process id and mark -> what a process started and left alive.

Members of the session are found by the session. What left the session (``setsid``, the double fork of a
daemon) is found by the mark, an environment variable that every descendant inherits. Only Linux shows the
environment of other processes (/proc); elsewhere the process group is all that can be found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping

MARK = "LOK_PROCESS"
"""The environment variable with the marks of the runs that a process belongs to, outermost first."""

_CHUNK = 65536
_INIT = 1
_PROBED = 300
"""Asking for each of so many ids takes less time than to list /proc."""


def find_descendants(
    pid: int,
    mark: str,
    ours: Collection[int],
    *,
    has_exited: bool = False,
    recently_started: bool = False,
    proc: str = "/proc",
) -> list[int] | None:
    """Live processes that are in the session of ``pid`` or bear ``mark``; None where /proc cannot be read.

    ``pid`` itself counts unless it ``has_exited``. ``ours`` are other processes of the caller, which are not
    looked at. ``recently_started`` = the ids given out since ``pid`` have not gone round. Then only those are
    looked at, which is one small read for a command that started nothing.
    """
    newest = _newest_pid(proc)
    if newest is None:
        return None
    if not recently_started:
        numbers = _pids(proc)
    elif 0 <= newest - pid < _PROBED:
        numbers = iter(range(pid, newest + 1))
    else:
        numbers = (number for number in _pids(proc) if _is_given_out_since(pid, number, newest))
    # another user's environment cannot be read; such a process cannot be signalled either
    needle = mark.encode()
    return [
        number
        for number in numbers
        if (number not in ours if number != pid else not has_exited)
        and (session := _session_of(number)) is not None
        and (
            session == pid
            # sessions only begin: that of a descendant is no sibling's, and no older than the process
            or (
                session not in ours
                and (not recently_started or _is_given_out_since(pid, session, newest))
                and needle in _read(f"{proc}/{number}/environ")
            )
        )
        and _is_alive(proc, number)
    ]


def is_inside_run(environ: Mapping[str, str], *, proc: str = "/proc") -> bool:
    """Whether a step or a backend of a run has started this process, or one that it descends from.

    Some programs give those that they start few variables. So where the mark is missing the ancestors are
    looked at. A mark that is empty says that this is no part of their run.
    """
    if MARK in environ:
        return bool(environ[MARK])
    pid = os.getppid()
    while pid > _INIT:
        if re.search(rb"(?:^|\0)%s=[^\0]" % MARK.encode(), _read(f"{proc}/{pid}/environ")):
            return True
        pid = _parent_of(pid, proc)
    return False


def _parent_of(pid: int, proc: str) -> int:
    """The id of the parent; 0 of one that is gone, and where there is no /proc."""
    state_and_parent = _read(f"{proc}/{pid}/stat").rpartition(b")")[2].split()
    return int(state_and_parent[1]) if len(state_and_parent) > 1 else 0


def _newest_pid(proc: str) -> int | None:
    """The process id given out last, or None without a Linux /proc."""
    try:
        return int(_read(f"{proc}/loadavg").split()[-1])
    except (ValueError, IndexError):
        return None


def _is_given_out_since(first: int, number: int, newest: int) -> bool:
    """Whether ``number`` was given out from ``first`` to ``newest``; ids may begin again in between."""
    if first <= newest:
        return first <= number <= newest
    return number >= first or number <= newest


def _pids(proc: str) -> Iterator[int]:
    return (int(name) for name in os.listdir(proc) if name.isdecimal())  # noqa: PTH208 - the hot path


def _session_of(pid: int) -> int | None:
    """The session of a process; its own id where that must not be known, None for one that is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
    except PermissionError:
        return pid


def _is_alive(proc: str, pid: int) -> bool:
    """Whether the process is there and no zombie (whose parent may never reap it)."""
    stat = _read(f"{proc}/{pid}/stat")
    return stat.rpartition(b")")[2].split()[:1] not in ([], [b"Z"], [b"X"])


def _read(path: str) -> bytes:
    """The content of a file; nothing of one that is gone, or that belongs to another user."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        text = part = os.read(descriptor, _CHUNK)
        # these files give all they have in one read, and another read takes another turn of the GIL
        while len(part) == _CHUNK:
            part = os.read(descriptor, _CHUNK)
            text += part
        return text
    except OSError:  # it ended while we read
        return b""
    finally:
        os.close(descriptor)
