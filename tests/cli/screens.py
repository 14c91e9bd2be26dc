"""A pseudo-terminal to write on, and what arrives on it."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading

from pytest_lok.core.events import RunStarted, StepFinished
from pytest_lok.core.results import Outcome, StepResult

STARTED = RunStarted(
    run_id="1",
    workflow="w",
    path="",
    sha256="",
    time=0.0,
    steps=("slow", "quick", "last"),
    selected=("last",),
    leaves=("last",),
)


def finished(name: str, outcome: Outcome = Outcome.PASSED, **facts: str) -> StepFinished:
    result = StepResult(name=name, outcome=outcome, seconds=1.0, attempts=1, **facts)  # type: ignore[arg-type]  # text fields
    return StepFinished(result=result, at=1.0)


class Screen:
    """A terminal. ``stream`` writes on it; ``close`` gives what came out."""

    def __init__(self, encoding: str = "utf-8", rows: int = 30, columns: int = 100) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.stream = os.fdopen(slave, "w", encoding=encoding)
        self._encoding = encoding
        self._arrived: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.master, 65_536)
            except OSError:  # Linux says so when the other side is closed; others give an empty read
                return
            if not data:
                return
            self._arrived.append(data)

    def arrived(self) -> str:
        """What came out so far."""
        return b"".join(self._arrived).decode(self._encoding, errors="replace").replace("\r\n", "\n")

    def shown(self) -> list[str]:
        """The lines a person sees, if nothing was ever wider or higher than the screen."""
        lines, row = [""], 0
        for part in re.split(r"(\n|\r|\x1b\[[?\d;]*[A-Za-z])", self.arrived()):
            if part == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif part.endswith("A") and part.startswith("\x1b["):
                row -= int(part[2:-1] or 1)
            elif part == "\x1b[2K":
                lines[row] = ""
            elif part and part != "\r" and not part.startswith("\x1b["):
                lines[row] += part
        return [line for line in lines if line]

    def close(self) -> str:
        """All that came out; the last writer must be gone."""
        self.stream.close()
        self._reader.join(30)
        os.close(self.master)
        return self.arrived()
