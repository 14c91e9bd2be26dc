"""A question to the person at the terminal -> the answer: yes or no, who said so, when and why."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
import termios
import time
from typing import TYPE_CHECKING

from pytest_lok.core.approval import Approval
from pytest_lok.settings import in_ci

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.cli.views import RunView

_CI_USERS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN")
_YES, _NO = ("y", "yes"), ("n", "no")
_HOW = "y or n, and why if you like (Ctrl-D: later)"


def caller(call: Invocation) -> str:
    """Who calls: the account, and the name that ``--author`` or CI gives to whoever it is."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as in a container
        account = f"uid {os.getuid()}"
    named = call.options.author or (_in_ci(call.environ) if in_ci(call.environ) else "")
    name = " ".join(named.split())
    return f"{name} ({account})" if name and name != account else account


def _in_ci(environ: Mapping[str, str]) -> str:
    return next((said for name in _CI_USERS if (said := environ.get(name, ""))), "")


def terminal_approver(call: Invocation, view: RunView) -> TerminalApprover | None:
    """Who asks here: nobody where no person is at the terminal, or where that is a program's."""
    from pytest_lok.workspace.processes.descendants import MARK

    is_there = sys.stdin is not None and sys.stdin.isatty() and call.terminal.err.isatty()
    if not is_there or call.json or call.options.quiet or in_ci(call.environ) or call.environ.get(MARK):
        return None
    return TerminalApprover(call, view, sys.stdin.fileno())


class TerminalApprover:
    """Asks on stderr and reads from the terminal, one question at a time."""

    def __init__(self, call: Invocation, view: RunView, source: int) -> None:
        self._call = call
        self._view = view
        self._source = source
        self._turn = asyncio.Lock()

    async def ask(self, step: str, question: str) -> Approval | None:
        """The answer of the person at the terminal; None where they end the line without one."""
        async with self._turn:
            who = caller(self._call)
            with self._view.paused(on_stderr=True):
                self._call.terminal.note(f"{step} asks {who}: {question}")
                # what was typed before the question does not answer it
                termios.tcflush(self._source, termios.TCIFLUSH)
                while True:
                    self._call.terminal.prompt(f"  {_HOW}: ")
                    said = await self._line()
                    if not said:
                        self._call.terminal.note("")
                        return None
                    word, _, reason = said.strip().partition(" ")
                    if word.casefold() in (*_YES, *_NO):
                        break
        return Approval(
            step=step,
            question=question,
            yes=word.casefold() in _YES,
            who=who,
            time=time.time(),
            reason=" ".join(reason.split()),
        )

    async def _line(self) -> str:
        """The next line of the terminal; "" where it ends."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._source, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._source)
        # of a terminal, which gives a line as soon as it is there
        return os.read(self._source, 4096).decode("utf-8", "replace")
