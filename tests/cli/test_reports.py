"""``lok run --report KIND=PATH``: whole files of this run, or none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from pytest_lok.reports.formats import KINDS
from tests.cli.projects import Project

ONE = '[[steps]]\nname = "s"\nshell = "{}"\n'


def invocation(project: Project, name: str = "out.sarif") -> Any:
    return json.loads((project.root / name).read_text())["runs"][0]["invocations"][0]


@pytest.mark.parametrize(("shell", "code"), [("true", 0), ("false", 1), ("exit 0; # \\n", 0)])
def test_the_report_says_what_the_exit_code_says(project: Project, shell: str, code: int) -> None:
    project.workflow("w", ONE.format(shell))
    done = project.lok("run", "w", "--report", "sarif=out.sarif")
    assert done.code == code
    assert invocation(project)["exitCode"] == code


def test_several_reports_before_the_verb_or_after(project: Project) -> None:
    project.workflow("w", ONE.format("true"))
    (project.root / "sub").mkdir()
    assert project.lok("--report", "sarif=a.sarif", "--report", "sarif=sub/b.sarif", "w").code == 0
    assert (project.root / "a.sarif").read_text() == (project.root / "sub" / "b.sarif").read_text()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nonsense=a", "'nonsense' is no kind of report\n  hint: one of: sarif, junit"),
        ("sarif", "has no path\n  hint: write sarif=FILE"),
        ("sarif=", "has no path\n  hint: write sarif=FILE"),
        ("sarif=none/a", "there is no directory"),
        ("sarif=.", "names a directory"),
    ],
)
def test_a_report_that_cannot_be_is_a_usage_error_before_anything_runs(
    project: Project, given: str, told: str
) -> None:
    project.workflow("w", ONE.format("touch ran"))
    done = project.lok("run", "w", "--report", given)
    assert done.code == 2
    assert told in done.err
    assert not (project.root / "ran").exists()


def test_the_help_names_every_kind(project: Project) -> None:
    told = " ".join(project.lok("run", "--help").out.split())
    assert f"KIND: {', '.join(KINDS[:-1])} or {KINDS[-1]}." in told


def test_a_run_without_reports_imports_nothing_of_them(project: Project) -> None:
    project.workflow("w", ONE.format("true"))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pytest_lok.cli.main import main\n"
            f"main(['w', '-q'], {project.environ!r})\n"
            "print([name for name in sys.modules if 'report_files' in name or 'reports.formats' in name])",
        ],
        cwd=project.root,
        env=project.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_two_reports_at_one_path_are_refused(project: Project) -> None:
    project.workflow("w", ONE.format("true"))
    done = project.lok("run", "w", "--report", "sarif=a", "--report", "sarif=./a")
    assert done.code == 2
    assert "two reports name one file" in done.err
    done = project.lok("run", "w", "--report", "sarif=a", "-o", "a")
    assert done.code == 2
    assert "--output and --report name one file" in done.err


@pytest.mark.parametrize(
    "words",
    [("run", "w"), ("run", "w", "--nonsense"), ("run", "unknown"), ("run", "w", "-b", "nobody-of-that-name")],
)
def test_a_report_of_an_earlier_run_is_gone_when_this_one_has_none(
    project: Project, words: tuple[str, ...]
) -> None:
    project.workflow("w", 'nonsense = 1\n[[steps]]\nname = "s"\nprompt = "x"\n')
    old = project.write("out.sarif", "of an earlier run")
    assert project.lok(*words, "--report", "sarif=out.sarif").code == 2
    assert not old.exists()
    old.write_text("of an earlier run")
    assert project.lok(*words, "--report=sarif=out.sarif").code == 2
    assert not old.exists()


def test_the_old_report_is_gone_while_the_run_goes_on(project: Project) -> None:
    project.workflow("w", ONE.format("test ! -e out.sarif"))
    project.write("out.sarif", "of an earlier run")
    assert project.lok("w", "--report", "sarif=out.sarif").code == 0
    assert invocation(project)["executionSuccessful"]


def test_a_report_that_cannot_be_written_makes_a_green_run_an_error(project: Project) -> None:
    (project.root / "sub").mkdir()
    for shell, code in (("rmdir sub", 3), ("rmdir sub; false", 1)):
        (project.root / "sub").mkdir(exist_ok=True)
        project.workflow("w", ONE.format(shell))
        done = project.lok("w", "--report", "sarif=sub/out.sarif", "--report", "sarif=other.sarif")
        assert done.code == code
        assert "no sarif report: cannot write" in done.err
        assert invocation(project, "other.sarif")["exitCode"] == (0 if code == 3 else 1)


@pytest.mark.parametrize("stdout", ["pipe", "file"])
def test_standard_output_can_be_a_report(project: Project, stdout: str) -> None:
    project.workflow("w", ONE.format("echo hello"))
    command = f"{sys.executable} -m pytest_lok.cli.main w --report github=/dev/stdout 2>&1"
    command += " | cat" if stdout == "pipe" else " > log; cat log"
    done = subprocess.run(
        ["bash", "-c", f"echo before; {command}"],
        env=project.environ,
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("lok w: passed: ")] != []
    assert "hello" in lines


def test_annotations_bring_a_summary_where_the_runner_has_one(project: Project) -> None:
    project.workflow("w", ONE.format("false"))
    summary = project.write("summary.md", "of another command\n")
    project.environ["GITHUB_STEP_SUMMARY"] = str(summary)
    assert project.lok("w", "--report", "github=notes.txt").code == 1
    assert summary.read_text().startswith("of another command\n<!-- lok:w -->\n### lok `w`: failed\n")
    summary.write_text("x" * 1_048_500)
    project.workflow("w", ONE.format("true"))
    done = project.lok("w", "--report", "github=notes.txt")
    assert done.code == 3
    assert "longer than 1 MiB" in done.err
    assert summary.read_text() == "x" * 1_048_500


def test_an_interrupted_run_says_so_and_is_never_green(project: Project) -> None:
    project.workflow("w", ONE.format("touch began; sleep 30") + ONE.format("true").replace('"s"', '"t"'))
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest_lok.cli.main", "w", "--report", "sarif=out.sarif"],
        env=project.environ,
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 20
    while not (project.root / "began").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(20) == 143
    told = invocation(project)
    assert not told["executionSuccessful"]
    assert told["exitCode"] == 143
    assert "stopped by SIGTERM" in told["exitCodeDescription"]
    assert "stopped by SIGTERM" in told["toolExecutionNotifications"][0]["message"]["text"]
