"""``lok run --report KIND=PATH``: whole files of this run, or none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest

from pytest_lok.reports.formats import KINDS
from tests.cli.projects import Project
from tests.core.reports import said

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


def test_a_run_that_is_killed_leaves_no_report(project: Project) -> None:
    project.workflow("w", ONE.format("touch began; sleep 30"))
    old = project.write("out.sarif", "of an earlier run")
    with project.started("w", "--report", "sarif=out.sarif", start_new_session=True) as run:
        until = time.monotonic() + 60
        while not (project.root / "began").exists() and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(20)
    assert not old.exists()
    assert [it.name for it in project.root.iterdir() if "sarif" in it.name] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_an_error_of_a_green_run(project: Project, kind: str) -> None:
    project.workflow("w", ONE.format("true"))
    if kind in ("jsonl", "gitlab"):  # of a green run they may be empty, which fits on any disk
        project.workflow(
            "w",
            ONE.format("true") + 'continue_on_error = true\n[[steps]]\nname = "t"\n'
            'shell = "false"\ncontinue_on_error = true\n',
        )
    done = project.lok("w", "--report", f"{kind}=/dev/full")
    assert done.code == 3
    assert f"no {kind} report: cannot write /dev/full: No space left on device" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_to_is_an_error_before_anything_is_paid(project: Project) -> None:
    project.workflow("w", ONE.format("touch ran"))
    (project.root / "sub").mkdir(mode=0o500)
    done = project.lok("w", "--report", "sarif=sub/out.sarif")
    assert done.code == 2
    assert "is not writable" in done.err
    assert not (project.root / "ran").exists()


def test_a_place_that_no_file_can_be_made_in_is_an_error_before_anything_is_paid(project: Project) -> None:
    project.workflow("w", ONE.format("touch ran"))
    done = project.lok("w", "--report", "sarif=/proc/out.sarif")  # for root too
    assert done.code == 2
    assert "cannot be written" in done.err
    assert not (project.root / "ran").exists()


# --- reports that nobody asked for


def on_github(project: Project) -> None:
    project.environ |= {"CI": "true", "GITHUB_ACTIONS": "true"}
    project.environ["GITHUB_STEP_SUMMARY"] = str(project.write("summary.md", ""))


def on_gitlab(project: Project) -> None:
    project.environ |= {"CI": "true", "GITLAB_CI": "true", "CI_PROJECT_DIR": str(project.root)}


def annotated(project: Project, *words: str) -> list[str]:
    with project.started(*words) as run:
        _, err = run.communicate(timeout=60)
    return [line for line in err.splitlines() if line.startswith("::")]


def test_github_gets_annotations_and_a_summary_by_itself(project: Project) -> None:
    project.workflow("w", ONE.format("echo no; false"))
    on_github(project)
    with project.started("w") as run:
        out, err = run.communicate(timeout=60)
    assert out == "no\nexit code: 1\n"  # what the run prints is not mixed with it
    assert [
        line for line in err.splitlines() if line.startswith("::error file=.lok/workflows/w.toml,line=1,")
    ]
    assert "reports: annotations in this log, and the summary of the job" in err
    assert (project.root / "summary.md").read_text().startswith("<!-- lok:w -->\n### lok `w`: failed\n")


@pytest.mark.parametrize("words", [("--report", "none"), ("--report", "github=notes.txt")])
def test_nothing_goes_to_github_twice_or_where_it_is_switched_off(
    project: Project, words: tuple[str, ...]
) -> None:
    project.workflow("w", ONE.format("false"))
    on_github(project)
    assert annotated(project, "w", *words) == []
    assert (project.root / "notes.txt").exists() == ("none" not in words)


def test_other_verbs_annotate_nothing(project: Project) -> None:
    project.write("lok.toml", '[backends.one]\ntype = "scripted"\nreplies = [{ reply = "yes" }]\n')
    on_github(project)
    assert annotated(project, "ask", "Is it?") == []
    assert annotated(project, "no-such-verb") == []


def test_a_summary_that_nobody_asked_for_fails_nothing_and_is_as_long_as_there_is_room(
    project: Project,
) -> None:
    project.workflow(
        "w", "".join(ONE.format("echo {n}; false").replace('"s"', f'"s{n}"') for n in range(100))
    )
    on_github(project)
    summary = project.root / "summary.md"
    summary.write_text("x" * (1_048_576 - 4_000))
    assert project.lok("w", "-q").code == 1
    written = summary.read_text()
    assert len(written.encode()) <= 1_048_576
    assert "reasons more" in written
    summary.write_text("x" * 1_048_576)
    project.workflow("w", ONE.format("true"))
    done = project.lok("w")
    assert done.code == 0
    assert "lok: warning: no step summary" in done.err


def test_gitlab_gets_its_code_quality_report_by_itself(project: Project) -> None:
    project.workflow("w", ONE.format("false"))
    on_gitlab(project)
    file = project.write("gl-code-quality-report.json", "of an earlier job")
    done = project.lok("w")
    assert json.loads(file.read_text())[0]["check_name"] == "lok/failed"
    assert "reports: gl-code-quality-report.json, which GitLab shows if the job names it" in done.err
    assert project.lok("w", "--nonsense").code == 2
    assert not file.exists()
    assert project.lok("w", "--report", "none").code == 1
    assert not file.exists()


def test_a_report_that_nobody_asked_for_and_that_cannot_be_written_is_a_warning(project: Project) -> None:
    project.workflow("w", ONE.format("true"))
    on_gitlab(project)
    (project.root / "gl-code-quality-report.json").mkdir()
    done = project.lok("w")
    assert done.code == 0
    assert "lok: warning: " in done.err
    assert "which GitLab shows" not in done.err


def test_paths_begin_where_the_repository_does(project: Project) -> None:
    (project.root / ".git").mkdir()
    part = project.root / "services" / "shop"
    for name, text in (
        ("lok.toml", ""),
        ("db.py", "db.execute(sql)\n"),
        (
            ".lok/workflows/w.toml",
            '[gate]\n[[steps]]\nname = "s"\noutput_format = "findings"\nshell = """cat said.json"""\n',
        ),
        ("said.json", said({"path": "db.py", "line": 1})),
    ):
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        (part / name).write_text(text)
    wanted = [f"--report={kind}=out.{kind}" for kind in ("sarif", "jsonl", "gitlab", "github", "junit")]
    assert project.lok("--dir", part, "w", *wanted).code == 1
    (run,) = json.loads((project.root / "out.sarif").read_text())["runs"]
    (found,) = run["results"]
    places = [it["physicalLocation"]["artifactLocation"]["uri"] for it in found["locations"]]
    assert places == ["services/shop/db.py"]
    assert '"path": "services/shop/db.py"' in (project.root / "out.jsonl").read_text()
    assert '"path": "services/shop/db.py"' in (project.root / "out.gitlab").read_text()
    assert "::error file=services/shop/db.py,line=1," in (project.root / "out.github").read_text()
    written = (project.root / "out.junit").read_text()
    assert 'file="services/shop/db.py"' in written
    assert 'file="services/shop/.lok/workflows/w.toml"' in written


def test_a_report_is_whole_or_absent_wherever_the_run_is_killed(project: Project) -> None:
    project.workflow("w", ONE.format("touch began; sleep 0.2"))
    old = project.write("out.sarif", "of an earlier run")
    for tenths in range(1, 13, 2):
        old.write_text("of an earlier run")
        (project.root / "began").unlink(missing_ok=True)
        with project.started("w", "--report", "sarif=out.sarif", start_new_session=True) as run:
            with suppress(subprocess.TimeoutExpired):
                run.wait(tenths / 10)
            os.killpg(run.pid, signal.SIGKILL) if run.poll() is None else None
            run.wait(20)
        told = old.read_text() if old.exists() else ""
        if told == "of an earlier run":  # killed before lok has read what is asked of it
            assert not (project.root / "began").exists()
        elif told:
            assert invocation(project)["exitCode"] == 0


def test_a_run_that_a_signal_ends_reports_what_was_answered(project: Project) -> None:
    answer = project.write("answer.json", said({"path": "b.py", "severity": "low"}))
    began = project.root / "began"
    script = (
        f"case $(cat) in *'Review c'*) touch {began}; exec sleep 600 ;; *'Review b'*) cat {answer} ;; "
        "*) echo '[]' ;; esac"
    )
    project.write(
        "lok.toml", f'[backends.one]\ntype = "command"\ncommand = "sh"\nargs = ["-c", "{script}"]\n'
    )
    project.write("b.py", "\n\ndb.execute(sql)\n")
    project.workflow(
        "w",
        '[gate]\n[[steps]]\nname = "s"\nfor_each = ["a", "b", "c"]\nbackend = "one"\nprompt = "Review {{ item }}"\n'
        'output_format = "findings"\nmax_parallel = 1\n',
    )
    with project.started("w", "--report=markdown=out.md", "--report=sarif=out.sarif") as run:
        until = time.monotonic() + 60
        while not began.exists() and time.monotonic() < until:
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    assert run.returncode == 130
    text = (project.root / "out.md").read_text()
    assert "2 of 3 items judged" in text
    assert "answered: 2 of 3 items" in text
    (told,) = json.loads((project.root / "out.sarif").read_text())["runs"]
    assert not told["invocations"][0]["executionSuccessful"]
    assert [it["ruleId"] for it in told["results"]] == ["sql-injection"]
