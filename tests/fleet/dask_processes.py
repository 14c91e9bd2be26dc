"""A scheduler and workers of Dask, forked from a process that has imported Dask: a start costs no import.

Each line of stdin is a call, as JSON; the answer is the id of the process. All end when stdin does.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from typing import Any

from distributed import Scheduler, Security, Worker


async def scheduler(port: int, tls: dict[str, str]) -> None:
    address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{port}"
    async with Scheduler(host=address, dashboard=False, security=_security(tls)) as it:
        await it.finished()


async def worker(
    address: str, tls: dict[str, str], name: str, cores: int, memory: int, labels: list[str], folder: str
) -> None:
    while True:
        it = Worker(
            address,
            name=name,
            nthreads=cores,
            memory_limit=memory,
            resources=dict.fromkeys(labels, 1),
            local_directory=folder,
            dashboard=False,
            security=_security(tls),
        )
        try:
            await it
        except RuntimeError as error:
            # the scheduler has not yet noticed that the one before was killed
            if "name taken" not in f"{error} {error.__cause__}":
                raise
            await asyncio.sleep(0.1)
        else:
            await it.finished()
            return


def _security(tls: dict[str, str]) -> Security | None:
    return Security(require_encryption=True, **tls) if tls else None


def serve() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    started = []
    for line in sys.stdin:
        kind, arguments = json.loads(line)
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(2, 1)
            roles: dict[str, Any] = {"scheduler": scheduler, "worker": worker}
            try:
                asyncio.run(roles[kind](**arguments))
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        started.append(pid)
        print(pid, flush=True)
    for pid in started:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    serve()
