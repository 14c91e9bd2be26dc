"""A fault, as data: what is broken, in which workflow, and whether the work can be done all the same."""

from __future__ import annotations

import enum
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORD = "4711 grün"
"""The true answer: a run has done its work if and only if this has come to its last step."""

SERVER = """
[backends.server]
type = "openai"
base_url = "{url}/v1"
model = "fake"
"""


class Hope(enum.Enum):
    """What may come of a run with this fault."""

    NONE = "the work cannot be done: nothing may be green"
    PROOF = "the work may be done: what is green needs the proof of it"
    DONE = "the work is done all the same: everything is green"
    UNSAID = "the work is done, and what was asked for cannot be said: no exit code may be 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a row of docs/reliability.md.

    ``sign`` is what both commands print where the fault has met them, as a regular expression. ``top``
    are keys of the workflow, ``ask`` those of its question, ``work`` the command that follows, ``keys``
    what else that step says. ``rules`` are those of the fake server, ``settings`` is the text of
    ``lok.toml``. ``around`` is shell text that runs ``"$@"``. ``signals`` come one after the other once
    the work has begun. ``before`` prepares the project; a text that it returns says why the fault cannot
    be tried here. ``earlier_run``: a run before has a damaged record. ``yesterday``: green reports lie
    there before.
    """

    name: str
    row: str
    sign: str = ""
    hope: Hope = Hope.NONE
    rules: tuple[Mapping[str, Any], ...] = ()
    settings: str = SERVER
    top: str = ""
    ask: str = ""
    work: str = "true"
    keys: str = ""
    around: str = 'exec "$@"'
    signals: tuple[signal.Signals, ...] = ()
    options: tuple[str, ...] = ()
    pytest_options: tuple[str, ...] = ()
    report: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Path], str] = lambda _: ""
    earlier_run: bool = False
    yesterday: bool = True

    def workflow(self) -> str:
        """The question, the work, and a last step that writes what it was told into ``proof``."""
        return f"""
{self.top}
[[steps]]
name = "ask"
{"" if "backends" in self.ask else 'backend = "server"'}
prompt = "What is the word?"
timeout = "3s"
{self.ask}
[[steps]]
name = "work"
depends_on = ["ask"]
shell = '''{self.work}'''
{self.keys}
[[steps]]
name = "proof"
depends_on = ["work"]
shell = "cat > proof"
stdin = "{{{{ steps.ask.output }}}}"
"""
