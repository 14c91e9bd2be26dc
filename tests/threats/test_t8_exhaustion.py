"""T8: nothing a command, a model or a file does uses up the machine, the night or the purse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.projects import Project

MEASURED = """
import pathlib, resource, sys
from pytest_lok.cli.main import main
code = main(sys.argv[1:])
if sys.platform == "linux":  # ru_maxrss also remembers the process that started this one
    status = pathlib.Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 ** 2
print(code, peak, file=sys.stderr)
"""


def measured(project: Project, *args: str) -> tuple[int, int, str]:
    """Exit code, peak of memory in MB and standard output of lok in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *args],
        cwd=project.root,
        env=project.environ,
        capture_output=True,
        text=True,
    )
    code, peak = done.stderr.split()[-2:]
    return int(code), int(peak), done.stdout


@pytest.mark.parametrize(
    "command",
    ["yes | head -c 200000000", "head -c 200000000 /dev/zero | tr '\\\\0' x", "yes | head -c 200000000 >&2"],
    ids=["many lines", "one line", "stderr"],
)
def test_t8_output_without_end_stays_in_bounds(project: Project, command: str) -> None:
    project.workflow("w", f'[[steps]]\nname = "a"\nshell = "{command}; echo the end"\n')
    code, peak, printed = measured(project, "w")
    assert code == 0
    assert peak < 200
    assert len(printed) < 20_000_000
    assert printed.endswith("the end\n")


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "step",
    [
        "shell = 'cat answer'\noutput_format = 'json'",
        "shell = 'cat answer'\noutput_format = 'jsonl'",
        "shell = 'cat answer'\nassert = ['json.x']",
        "shell = 'cat answer'\nassert = ['is_json(output)']",
        "prompt = '?'\noutput_format = 'json_array'",
        "prompt = '?'\noutput_schema = { type = 'array' }",
        "prompt = '?'\napply_edits = true",
        "prompt = '?'\noutput_format = 'findings'",
    ],
)
@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "[NaN, 1e999]" + DEEP], ids=["deep", "cut", "odd"])
def test_t8_json_of_any_depth_is_an_answer_like_any_other(project: Project, step: str, text: str) -> None:
    project.write("answer", text)
    project.workflow("w", f"[[steps]]\nname = 'a'\n{step}\n")
    done = project.lok("w", "--json")
    assert done.code in (1, 3)
    assert done.document["steps"]["a"]["reason"]


def test_t8_items_are_bounded_at_load(project: Project) -> None:
    project.workflow("w", f"[[steps]]\nname = 'a'\nshell = 'touch ran'\nfor_each = {[0] * 10_001}\n")
    done = project.lok("w")
    assert done.code == 2
    assert "w.toml:4:1: `for_each` has 10,001 items; at most 10,000 are run" in done.err
    project.workflow("w", f"[[steps]]\nname = 'a'\nshell = 'touch ran'\nfor_each = '{[0] * 10_001}'\n")
    assert project.lok("w").code == 2
    assert not (project.root / "ran").exists()


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ("range(1000000000)", ""),
        ("range(1000000000) | list", ""),
        ("([0] * 1000000000)", "too large"),
        ("steps.many.output", "for_each got 1,000,000 items; at most 10,000 are run"),
    ],
)
def test_t8_items_are_bounded_when_they_come(project: Project, items: str, said: str) -> None:
    many = "printf '['; yes 1, | head -999999 | tr -d '\\n'; printf '1]'"
    project.workflow(
        "w",
        f'[[steps]]\nname = "many"\nshell = """{many.replace(chr(92), chr(92) * 2)}"""\n'
        f'[[steps]]\nname = "a"\nshell = "touch ran"\nfor_each = "{items}"\n',
    )
    done = project.lok("w")
    assert done.code == 3
    assert said in done.err
    assert not (project.root / "ran").exists()


def test_t8_as_many_items_as_there_may_be_work(project: Project) -> None:
    project.write("answer", "yes")
    project.workflow(
        "w", "[[steps]]\nname = 'a'\nprompt = '{{ item }}'\nfor_each = '[0" + ", 1" * 9_999 + "]'\n"
    )
    document = project.lok("w", "--json").document
    assert document["outcome"] == "passed"
    assert len(document["steps"]["a"]["items"]) == 10_000


def alive(token: str) -> list[str]:
    """Processes that have a token in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if token.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


BOMB = """
import os, sys, time
depth = int(sys.argv[2])
for _ in range(2 if depth else 0):
    if os.fork() == 0:
        if depth % 2:
            os.setsid()
        os.execv(sys.executable, [sys.executable, "-S", sys.argv[0], sys.argv[1], str(depth - 1)])
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what has left its group can be found in /proc only")
def test_t8_a_fork_bomb_ends_with_its_step(project: Project) -> None:
    """A small one: the real one would need a machine of its own."""
    token = f"bomb-{os.getpid()}-{time.monotonic_ns()}"
    project.write("bomb.py", BOMB)
    project.workflow(
        "w",
        f"[[steps]]\nname = 'a'\nargv = ['{sys.executable}', '-S', 'bomb.py', '{token}', '6']\ntimeout = '2s'\n",
    )
    done = project.lok("w")
    assert done.code == 3
    assert "timed out after 2 s" in done.err
    assert alive(token) == []


def test_t8_no_step_goes_on_for_ever(project: Project) -> None:
    project.workflow(
        "w",
        "timeout = '300ms'\n"
        "[[steps]]\nname = 'a'\nshell = 'sleep 600'\n"
        "[[steps]]\nname = 'b'\nprompt = '?'\nverify = 'sleep 600'\n"
        "[[steps]]\nname = 'c'\nargv = ['sleep', '600']\nretries = 2\nretry_delay = 1\n",
    )
    project.write("answer", "yes")
    document = project.lok("w", "--json").document
    assert {name: step["outcome"] for name, step in document["steps"].items()} == dict.fromkeys(
        "abc", "error"
    )
    assert document["steps"]["c"]["attempts"] == 3


def test_t8_every_attempt_is_paid_from_the_budget(project: Project) -> None:
    project.write(
        "lok.toml",
        '[defaults]\nbackend = "model"\n[backends.model]\ntype = "scripted"\n'
        '[[backends.model.replies]]\nerror = "overload"\n',
    )
    project.workflow(
        "w",
        "[budget]\ncalls = 3\n"
        "[[steps]]\nname = 'a'\nprompt = '?'\nretries = 50\nretry_delay = 1\n"
        "[[steps]]\nname = 'b'\nprompt = '?'\nfor_each = [1, 2, 3]\n",
    )
    document = json.loads(project.lok("w", "--json").out)
    assert document["outcome"] == "error"
    assert sum(step["usage"]["calls"] for step in document["steps"].values()) <= 3
    assert "budget of 3 calls" in document["steps"]["a"]["reason"] + document["steps"]["b"]["reason"]
