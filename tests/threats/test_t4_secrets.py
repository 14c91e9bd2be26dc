"""T4: a secret reaches no report, no record, no screen and no message, whatever it passed through."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from pytest_lok.core.events import BackendReplied, StepFinished
from pytest_lok.core.results import Outcome, Reply, StepResult
from pytest_lok.core.trust.redaction import MASK, Redactor
from tests import forks
from tests.cli.projects import Project

CANARY = 'c4nary-&<"é\\x/+=?'
"""Holds what JSON, URLs, XML and shells each spell in their own way."""
SHAPE = "ghp_" + "k3Yk" * 9
"""A token nobody told us of."""

SPELLINGS = {
    CANARY,
    SHAPE,
    json.dumps(CANARY)[1:-1],
    json.dumps(CANARY, ensure_ascii=False)[1:-1],
    quote(CANARY, safe=""),
    quote(CANARY),
    escape(CANARY),
    escape(CANARY, {'"': "&quot;"}),
    *(base64.b64encode(b"x" * shift + CANARY.encode())[4 * bool(shift) : -4].decode() for shift in range(3)),
}

EVERYWHERE = """
description = "leaks in every way a workflow can"
[[steps]]
name = "printed"
shell = 'printf "%s\\n" "$MY_SECRET" "$SHAPE"; printf %s "$MY_SECRET" | base64 -w0; printf "x%s" "$MY_SECRET" | base64 -w0'
[[steps]]
name = "json"
argv = ["cat", "leak.json"]
output_format = "json"
[[steps]]
name = "failing"
shell = 'echo "$MY_SECRET $SHAPE" >&2; exit 3'
continue_on_error = true
[[steps]]
name = "command"
shell = "no-such-command {{ env.MY_SECRET }}"
continue_on_error = true
[[steps]]
name = "asserted"
shell = 'echo "$MY_SECRET"'
assert = ["output == env.SHAPE"]
continue_on_error = true
[[steps]]
name = "items"
for_each = "[1, 2]"
shell = 'echo "$MY_SECRET"; exit 1'
continue_on_error = true
[[steps]]
name = "asked"
prompt = "The key is {{ env.MY_SECRET }}, the token {{ steps.printed.output }}."
output_schema = { required = ["x"] }
continue_on_error = true
[[steps]]
name = "verified"
prompt = "?"
verify = 'echo "$MY_SECRET"; exit 1'
continue_on_error = true
[[steps]]
name = "named"
argv = ["sh", "-c", "ls"]
[[steps]]
name = "edited"
prompt = "?"
apply_edits = true
continue_on_error = true
[[steps]]
name = "red"
shell = 'echo "$MY_SECRET $SHAPE"; exit 1'
"""


@pytest.fixture
def leaking(project: Project) -> Project:
    project.environ |= {"MY_SECRET": CANARY, "SHAPE": SHAPE, "LOK_ENV": "MY_SECRET"}
    project.workflow("leak", EVERYWHERE)
    project.write("leak.json", json.dumps({CANARY: [CANARY, {"x": SHAPE}]}))
    project.write(f"a {SHAPE} file", "")
    project.write("answer", f"I read {CANARY} and {SHAPE}.")
    return project


def leaks(text: str) -> list[str]:
    return [spelling for spelling in SPELLINGS if spelling in text]


@pytest.mark.parametrize("options", [(), ("-v",), ("--json",), ("--dry-run",), ("-o", "out.txt")])
def test_t4_not_on_the_terminal(leaking: Project, options: tuple[str, ...]) -> None:
    done = leaking.lok("leak", *options)
    assert done.code == 1
    assert leaks(done.out + done.err) == []
    if "-o" in options:
        written = (leaking.root / "out.txt").read_text()
        assert leaks(written) == []
    elif options:
        assert MASK in done.out + done.err


def test_t4_not_in_a_plan(leaking: Project) -> None:
    done = leaking.lok("plan", "leak", "-v")
    assert done.code == 0
    assert leaks(done.out + done.err) == []
    assert leaks(leaking.lok("plan", "leak", "--json").out) == []


def session(project: Project, *options: str) -> str:
    """What a session of pytest prints in which not everything passes."""
    command = [sys.executable, "-m", "pytest", "--lok", *options]
    done = forks.run(command, cwd=project.root, env=project.environ)
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_t4_not_in_what_pytest_prints_writes_and_keeps(leaking: Project, tmp_path: Path) -> None:
    before = {path for path in leaking.root.rglob("*") if path.is_file()}
    leaking.environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    printed = session(leaking, "-rA", "-vv", "--junit-xml=junit.xml", "-o", "junit_logging=all")
    assert MASK in printed
    assert leaks(printed) == []
    made = {path for path in leaking.root.rglob("*") if path.is_file()} - before
    assert any(path.name == "junit.xml" for path in made)
    assert any(path.suffix == ".jsonl" for path in made), "the journal of the run"
    for path in [*made, *(path for path in (tmp_path / "state").rglob("*") if path.is_file())]:
        assert leaks(path.read_text(errors="surrogateescape")) == [], path
    runs = leaking.root / ".lok/runs"
    (run,) = (path for path in runs.iterdir() if path.is_dir())
    assert (run.stat().st_mode & 0o777, runs.stat().st_mode & 0o777) == (0o700, 0o700), "and it is private"


def test_t4_a_step_that_needs_the_secret_still_gets_it(leaking: Project) -> None:
    leaking.workflow(
        "use",
        "[[steps]]\nname = 'a'\nshell = 'printf %s \"$MY_SECRET\"'\n"
        "[[steps]]\nname = 'b'\nargv = ['sh', '-c', 'printf %s \"$1\" > got', '-', '{{ steps.a.output }}']\n",
    )
    assert leaking.lok("use").code == 0
    assert (leaking.root / "got").read_text() == CANARY


@pytest.mark.parametrize("secret", [CANARY, SHAPE])
def test_t4_split_between_two_chunks_at_any_offset_it_is_still_masked(secret: str, project: Project) -> None:
    """What a child prints in pieces is masked as a whole: nothing is told before it is complete."""
    project.environ |= {"MY_SECRET": CANARY, "LOK_ENV": "MY_SECRET"}
    project.write(
        "drip.py",
        "import os, sys, time\n"
        f"secret = {secret!r}.encode()\n"
        "for at in range(1, len(secret)):\n"
        "    os.write(1, b'[' + secret[:at]); time.sleep(0.002); os.write(1, secret[at:] + b']\\n')\n",
    )
    project.workflow("drip", f"[[steps]]\nname = 'a'\nargv = ['{sys.executable}', 'drip.py']\n")
    done = project.lok("drip")
    assert done.out == f"[{MASK}]\n" * (len(secret.encode()) - 1)


def test_t4_no_event_says_it_however_deep_it_lies() -> None:
    redactor = Redactor([CANARY])
    result = StepResult(
        name="a", outcome=Outcome.PASSED, output=CANARY, data={CANARY: [[CANARY]]}, has_data=True
    )
    for event in (
        StepFinished(result=result, at=0.0),
        BackendReplied(step="a", reply=Reply(text=CANARY, backend="b", model=SHAPE)),
    ):
        assert leaks(repr(redactor.value(event))) == []


STEPS = (
    f"argv = ['/no/such/{SHAPE}']",
    "argv = ['cat', '{{ env.MY_SECRET }}']",
    "argv = ['true']\ncwd = '{{ env.MY_SECRET }}'",
    "argv = ['true']\nfor_each = 'env.MY_SECRET'",
    "shell = 'cd {{ env.MY_SECRET }}'",
    f"prompt = '?'\nbackend = '{SHAPE}'",
    f"shell = 'echo {{{{ steps.{SHAPE}.output }}}}'",
)


def test_t4_no_message_says_it(leaking: Project) -> None:
    (leaking.root / ".lok/workflows/leak.toml").unlink()
    for number, step in enumerate(STEPS):
        leaking.workflow(f"w{number}", f"[[steps]]\nname = 'a'\n{step}\n")
        done = leaking.lok(f"w{number}")
        assert done.code in (1, 2, 3)
        assert leaks(done.out + done.err) == []
    ran = session(leaking, "--continue-on-collection-errors")
    assert leaks(ran) == []
    assert ran.count(MASK) >= len(STEPS)


def test_t4_no_mistake_on_the_command_line_says_it(leaking: Project) -> None:
    for words in (["run", f"no-{SHAPE}"], ["leak", "--step", SHAPE], ["leak", f"--{CANARY}"], [SHAPE]):
        done = leaking.lok(*words)
        assert done.code == 2
        assert leaks(done.out + done.err) == []
