"""Transactions in processes that die at a chosen system call: jobs in, JSON lines; how each ended out.

A program of its own, without threads, that forks for each job: a Python that starts anew would
take longer than everything it is to do.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from pytest_lok.core.edits.edits import FileChange
from pytest_lok.workspace.files import Files

COUNTED = ("os.", "open", "shutil.")
"""Audit events of what touches files; the process dies before the one it is told to."""


def die_at(number: int) -> None:
    """Kill this process when it is about to touch files for the n-th time from now."""
    left = number

    def count(event: str, _: Any) -> None:
        nonlocal left
        if event.startswith(COUNTED) and event != "os.kill":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


async def edit(job: dict[str, Any]) -> None:
    async with Files(job["root"], job["state"]).transaction() as transaction:
        changes = [
            FileChange(file=file, before=_bytes(before), after=_bytes(after) or b"")
            for file, before, after in job["changes"]
        ]
        transaction.write(changes)
        if job["keep"]:
            transaction.commit()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("latin-1")


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            if job["dies_at"] is not None:
                die_at(job["dies_at"])
            asyncio.run(edit(job))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
