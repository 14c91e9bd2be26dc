"""Every fault of the matrix: those of servers, of tools, of signals, and of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from tools.faults.fault import SERVER, WORD, Fault, Hope

RETRIES = "retries = 2\nretry_delay = 10"
LONG = "touch begun; sleep 50"
GATE = '[gate]\nfail_on = "high"\nscope = "all"\n'
REVIEW = 'output_format = "findings"'
JSON = 'output_format = "json"'


def _server(
    name: str, row: str, sign: str, hope: Hope = Hope.NONE, *, ask: str = "", top: str = "", **rule: object
) -> Fault:
    return Fault(name=name, row=row, sign=sign, hope=hope, ask=ask, top=top, rules=(rule,))


SERVERS = (
    Fault(name="no fault", row="", hope=Hope.DONE, sign="3 passed"),
    _server("429 for ever", "R17", "429", ask=RETRIES, status=429, retry_after=0),
    _server("429, wait -1 s", "R17", "429", ask=RETRIES, status=429, retry_after=-1),
    _server("500 once", "R18", "passed", Hope.DONE, ask=RETRIES, status=500, times=1),
    _server("500", "R18", "500", status=500),
    _server("502", "R18", "502", status=502),
    _server("529", "R18", "529", status=529),
    _server("TCP reset", "R18", "connection|closed|disconnect", fault="disconnect"),
    _server("hang, no byte", "R18", "timed out|no answer", fault="hang"),
    _server("a byte a second", "R18", "no answer", chunk_chars=1, chunk_delay=1),
    Fault(
        name="nobody listens",
        row="R18",
        sign="connect",
        settings=SERVER.replace("{url}", "http://127.0.0.1:9"),
    ),
    Fault(
        name="no such host",
        row="R18",
        sign="nobody.invalid",
        settings=SERVER.replace("{url}", "http://nobody.invalid"),
    ),
    Fault(
        name="no TLS there",
        row="R18",
        sign="no connection to https",
        settings=SERVER.replace("{url}", "{tls}"),
    ),
    _server("stream cut", "R19", "ended|cut|closed|incomplete", fault="disconnect_mid"),
    _server("stream stands still", "R19", "timed out|silent|no answer", fault="hang_mid"),
    _server("error in the stream", "R19", "injected", fault="error_mid"),
    _server("broken stream", "R19", "JSON|understood|malformed", fault="malformed"),
    _server("empty answer", "R20", "empty", fault="empty"),
    _server("refusal", "R20", "refus|content_filter", stop="refusal", reply="I cannot help with that."),
    _server("cut by length", "R20", "length|max_tokens", stop="length", reply=WORD),
    _server("bad JSON", "R20", "JSON", ask=JSON, reply='{"word": "4711'),
    _server("two JSON answers", "R20", "JSON", ask=JSON, reply='{"word": 4711} {"word": 4712}'),
    _server("a key twice", "R20", "JSON", ask=JSON, reply='{"word": 4711, "word": 4712}'),
    _server("NaN", "R20", "JSON", ask=JSON, reply='{"word": NaN}'),
    _server(
        "prose for findings", "R20", "JSON|findings", ask=REVIEW, top=GATE, reply="I have found nothing."
    ),
    _server("cut findings", "R20", "length|max_tokens", ask=REVIEW, top=GATE, reply="[]", stop="length"),
)

THREE = "".join(
    f'[backends.{name}]\ntype = "openai"\nbase_url = "{url}/v1"\nmodel = "fake"\n'
    for name, url in (("server", "{url}"), ("second", "{url}"), ("third", "http://127.0.0.1:9"))
)
ALL_DOWN = THREE.replace("{url}", "http://127.0.0.1:9")
VOTE = 'backends = ["server", "second", "third"]\nconsensus = "vote"\nquorum = {quorum}'


def _tool(name: str, sign: str, script: str, row: str = "R26") -> Fault:
    settings = f"[backends.server]\ntype = \"command\"\ncommand = \"sh\"\nargs = ['-c', '''{script}''']\n"
    return Fault(name=name, row=row, sign=sign, settings=settings)


TOOLS = (
    Fault(
        name="one of three down",
        row="R25",
        hope=Hope.DONE,
        sign="passed",
        settings=THREE,
        ask=VOTE.format(quorum=2),
    ),
    Fault(name="one down of all", row="R25", sign="third", settings=THREE, ask=VOTE.format(quorum='"all"')),
    Fault(name="all three down", row="R25", sign="third", settings=ALL_DOWN, ask=VOTE.format(quorum=1)),
    Fault(
        name="no such tool",
        row="R26",
        sign="no-such-tool",
        settings='[backends.server]\ntype = "command"\ncommand = "no-such-tool"\n',
    ),
    _tool("tool wants a login", "login", "cat >/dev/null; echo Please run /login >&2; exit 1"),
    _tool(
        "tool asks and waits", "no answer", 'cat >/dev/null; printf "Trust this directory? [y/N] "; sleep 50'
    ),
    _tool("tool asks the tty", "exit|tty", f"cat >/dev/null; read it </dev/tty && echo {WORD}"),
    _tool("banner, no answer", "prompt|answer", "echo A new version is there"),
    _tool("tool prints nothing", "empty", "cat >/dev/null"),
    _tool("tool is killed", "signal|SIGKILL|killed", "cat >/dev/null; kill -9 $$", row="R28"),
)


def _signal(name: str, row: str, *numbers: signal.Signals) -> Fault:
    return Fault(name=name, row=row, work=LONG, signals=numbers)


SIGNALS = (
    _signal("SIGKILL", "R1 R2", signal.SIGKILL),
    _signal("SIGINT", "R3", signal.SIGINT),
    _signal("SIGINT twice", "R4", signal.SIGINT, signal.SIGINT),
    _signal("SIGTERM", "R5", signal.SIGTERM),
    _signal("SIGHUP", "R6", signal.SIGHUP),
    Fault(
        name="worker is killed", row="R7", work="touch begun; kill -9 $PPID; sleep 5", pytest_options=("-n2",)
    ),
)


def _mounts(_: Path) -> str:
    """Whether this machine lets us mount in a namespace of our own."""
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return "" if os.geteuid() == 0 and not done.returncode else "needs the right to mount"


def _mounted(mount: str) -> str:
    return f'exec unshare -m bash -c \'mkdir -p .lok/runs; {mount}; exec "$@"\' bash "$@"'


def _read_only(path: str) -> str:
    return _mounted(f"mount --bind {path} {path}; mount -o remount,bind,ro {path}; cd .")


def _disk(name: str, row: str, sign: str, around: str, hope: Hope = Hope.PROOF) -> Fault:
    return Fault(name=name, row=row, sign=sign, around=around, hope=hope, before=_mounts)


DISKS = (
    Fault(name="report to /dev/full", row="R8", sign="No space left", hope=Hope.UNSAID, report="/dev/full"),
    Fault(
        name="files of 1 KiB",
        row="R8",
        hope=Hope.UNSAID,
        around='set -o pipefail; (ulimit -f 1; exec "$@") 2>&1 | cat',
        sign="File too large",
    ),
    _disk(
        "full disk for runs",
        "R8",
        "No space left",
        _mounted("mount -t tmpfs -o size=4k none .lok/runs"),
        Hope.UNSAID,
    ),
    _disk("state is read-only", "R9", "", _read_only(".lok")),
    # nobody could take yesterday's reports away there
    replace(
        _disk("project is read-only", "R9", "not writable|Read-only", _read_only('"$PWD"'), Hope.NONE),
        yesterday=False,
    ),
    _disk("HOME is read-only", "R9", "", _read_only('"$HOME"')),
    _disk("TMPDIR is read-only", "R9", "", _read_only('"$TMPDIR"')),
    Fault(name="report into nothing", row="R9", sign="no/such", report="/proc/no/such/r.xml"),
    Fault(name="32 descriptors", row="R10", hope=Hope.PROOF, around='ulimit -n 32; exec "$@"'),
    Fault(name="12 descriptors", row="R10", hope=Hope.PROOF, around='ulimit -n 12; exec "$@"'),
    Fault(
        name="record has a flip",
        # pytest goes on without it
        row="R21",
        hope=Hope.PROOF,
        earlier_run=True,
        options=("--resume",),
        pytest_options=("--lok-resume",),
    ),
    Fault(name="record goes away", row="R21", hope=Hope.PROOF, work="rm -r .lok/runs"),
    Fault(
        name="workflow changes",
        row="R22",
        hope=Hope.DONE,
        sign="3 passed",
        work="echo '[[' > .lok/workflows/w.toml",
    ),
)


def _clock(project: Path, change: str) -> str:
    """Every Python of the run has another idea of the time, from its third look on."""
    (project / "clock").mkdir()
    text = (
        "import itertools, time\n"
        "_real, _n = time.time, itertools.count()\n"
        f"time.time = lambda: _real() + ({change})\n"
    )
    (project / "clock" / "sitecustomize.py").write_text(text)
    return ""


def _time(name: str, change: str) -> Fault:
    root = str(Path(__file__).parents[2])
    return Fault(
        name=name,
        row="R11",
        hope=Hope.DONE,
        sign="3 passed",
        environ={"PYTHONPATH": f"clock:{root}"},
        before=lambda project: _clock(project, change),
    )


FLOOD = "head -c 60000000 /dev/zero | tr '\\\\0' x"
STREAMS = (
    _time("clock: back an hour", "-3600 * (next(_n) > 2)"),
    _time("clock: on by a day", "86400 * (next(_n) > 2)"),
    _time("clock: to and fro", "3600 * (-1) ** next(_n)"),
    _time("clock: after 2038", "5e8"),
    Fault(name="stdout closed", row="R12", hope=Hope.PROOF, around='exec "$@" >&-'),
    Fault(name="stderr closed", row="R12", hope=Hope.PROOF, around='exec "$@" 2>&-'),
    Fault(name="both closed", row="R12", hope=Hope.PROOF, around='exec "$@" >&- 2>&-'),
    Fault(name="reader is gone", row="R12", hope=Hope.PROOF, around='exec "$@" > >(true)'),
    Fault(name="stdout is full", row="R12", hope=Hope.PROOF, around='exec "$@" >/dev/full'),
    Fault(name="flood nobody reads", row="R13", hope=Hope.DONE, sign="3 passed", work=FLOOD),
    Fault(name="flood that is read", row="R13", work=FLOOD, keys="assert = [\"output contains 'x'\"]"),
    Fault(
        name="bytes that are no text",
        row="R14",
        hope=Hope.DONE,
        work=r"printf '\377\376\000\033[31m\357\277\276'",
    ),
    Fault(name="child has no memory", row="R28", work="ulimit -v 60000; exec python3 -c 'bytearray(10**9)'"),
    Fault(name="child is killed", row="R28", work="kill -9 $$"),
    Fault(name="lok has 200 MB", row="R28", hope=Hope.PROOF, around='ulimit -v 200000; exec "$@"'),
    Fault(
        name="C locale",
        row="R29",
        hope=Hope.DONE,
        sign="3 passed",
        environ={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ),
    Fault(
        name="directory deleted",
        row="R29",
        hope=Hope.PROOF,
        around='mkdir gone; cd gone; rmdir ../gone; exec "$@"',
        yesterday=False,  # not in that directory
    ),
)

FAULTS = (*SERVERS, *TOOLS, *SIGNALS, *DISKS, *STREAMS)
