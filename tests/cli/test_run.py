"""``lok run WORKFLOW`` and ``lok WORKFLOW``, called in this process."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.projects import Project

TWO = """
[[steps]]
name = "first"
shell = "echo one"

[[steps]]
name = "second"
shell = "echo two after {{ steps.first.output }}"
"""


def test_the_last_steps_outputs_are_the_result(project: Project) -> None:
    project.workflow("two", TWO)
    done = project.lok("run", "two")
    assert (done.code, done.out) == (0, "two after one\n")
    assert "passed   first" in done.err
    assert "passed   second" in done.err
    assert "two: passed in" in done.err


def test_every_workflow_is_a_command(project: Project) -> None:
    project.workflow("two", TWO)
    assert project.lok("two").out == "two after one\n"


def test_verbose_prints_every_output(project: Project) -> None:
    project.workflow("two", TWO)
    for args in (("-v", "run", "two"), ("run", "-v", "two"), ("run", "two", "-v"), ("two", "-v")):
        done = project.lok(*args)
        assert done.out == "== first ==\none\n\n== second ==\ntwo after one\n"
        assert "started  first" in done.err


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ('shell = "true"', 0),
        ('shell = "false"', 1),
        ('argv = ["no-such-program-anywhere"]', 3),
        ('shell = "false"\ncontinue_on_error = true', 0),
        ('shell = "true"\nwhen = "false"', 0),
        ('shell = "sleep 60"\ntimeout = "200ms"', 3),
    ],
)
def test_the_exit_code_is_the_verdict(project: Project, steps: str, code: int) -> None:
    project.workflow("w", f'[[steps]]\nname = "s"\n{steps}\n')
    assert project.lok("w").code == code


def test_failed_wins_over_error(project: Project) -> None:
    project.workflow(
        "w",
        '[[steps]]\nname = "e"\nargv = ["no-such-program-anywhere"]\n[[steps]]\nname = "f"\nshell = "false"\n',
    )
    assert project.lok("w").code == 1


def test_a_failure_says_why_and_what_did_not_run_for_it(project: Project) -> None:
    project.workflow(
        "w",
        '[[steps]]\nname = "bad"\nshell = "echo some output; echo boom >&2; exit 4"\n'
        '[[steps]]\nname = "after"\ndepends_on = ["bad"]\nshell = "echo never"\n'
        '[[steps]]\nname = "beside"\nshell = "echo still"\n',
    )
    done = project.lok("w")
    assert (done.code, done.out) == (1, "still\n")
    assert "failed   bad" in done.err
    assert "code 4" in done.err
    assert "    boom" in done.err
    assert "    some output" in done.err
    assert "skipped  after" in done.err
    assert "w: failed in" in done.err


def test_fail_fast_stops_the_others(project: Project) -> None:
    project.workflow(
        "w",
        '[[steps]]\nname = "bad"\nshell = "false"\n'
        '[[steps]]\nname = "long"\nshell = "sleep 60"\n'
        '[[steps]]\nname = "last"\ndepends_on = ["long"]\nshell = "true"\n',
    )
    done = project.lok("w", "--fail-fast")
    assert done.code == 1
    assert "skipped  last" in done.err


def test_a_selected_step_brings_what_it_needs(project: Project) -> None:
    project.workflow("two", TWO + '[[steps]]\nname = "third"\nshell = "touch third"\n')
    assert project.lok("two", "--step", "second").out == "two after one\n"
    assert not (project.root / "third").exists()
    wrong = project.lok("two", "--step", "secnd")
    assert wrong.code == 2
    assert "did you mean 'second'" in wrong.err


# --- names


def test_a_verb_wins_over_a_workflow_of_its_name(project: Project) -> None:
    project.workflow("ask", TWO)
    assert project.lok("run", "ask").out == "two after one\n"
    assert project.lok("ask").code == 2


def test_an_unknown_name_gets_a_suggestion_from_verbs_and_workflows(project: Project) -> None:
    project.workflow("review", TWO)
    project.workflow("first", TWO)
    for args, meant in (
        (("doktor",), "`lok doctor`"),
        (("reviw",), "'review'"),
        (("run", "reviw"), "'review'"),
        (("frist",), "'first' or `lok trust`"),
    ):
        done = project.lok(*args)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("lok: error: there is no workflow")
        assert f"did you mean {meant}?" in done.err


def test_a_workflow_of_one_s_own_replaces_a_verb_that_runs_one(project: Project) -> None:
    project.workflow("review", TWO)
    project.write("lok.toml", "[conductor]\nmax_rounds = 3\n")
    assert project.lok("plan", "review").code == 0
    assert "--rounds" in project.lok("conduct", "--help").out
    project.workflow("conduct", TWO)
    assert project.lok("plan", "conduct").code == 0
    shown = project.lok("conduct", "--help")
    assert (shown.code, "--rounds" in shown.out) == (0, False)


def test_a_path_is_what_ends_in_toml(project: Project) -> None:
    project.write("elsewhere/own.toml", TWO)
    assert project.lok("run", "elsewhere/own.toml").out == "two after one\n"
    assert project.lok(project.root / "elsewhere/own.toml").out == "two after one\n"
    assert project.lok("run", "elsewhere/none.toml").code == 2


def test_a_bare_name_is_never_a_file_here(project: Project) -> None:
    project.write("two", TWO)
    assert project.lok("run", "two").code == 2


def test_a_broken_file_runs_nothing_and_shows_every_problem(project: Project) -> None:
    project.workflow(
        "w",
        '[[steps]]\nname = "a"\nshell = "touch ran"\ntimeuot = 5\n[[steps]]\nname = "a"\nshell = "true"\n',
    )
    done = project.lok("w")
    assert (done.code, done.out) == (2, "")
    assert ".lok/workflows/w.toml:4:" in done.err
    assert ".lok/workflows/w.toml:6:" in done.err
    assert "did you mean" in done.err
    assert not (project.root / "ran").exists()


def test_no_workflow_named_is_a_usage_error(project: Project) -> None:
    done = project.lok()
    assert (done.code, done.out) == (2, "")
    assert "Usage: lok" in done.err
    for verb in ("run", "plan"):
        done = project.lok(verb)
        assert (done.code, done.out) == (2, "")
        assert f"Missing argument 'WORKFLOW'.\n  hint: `lok {verb} --help`" in done.err


# --- where

OTHER = '[[steps]]\nname = "s"\nshell = "pwd"\n'


def test_another_directory_by_dir_wherever_it_stands(project: Project, tmp_path: Path) -> None:
    there = tmp_path / "there"
    (there / ".lok/workflows").mkdir(parents=True)
    (there / ".lok/workflows/where.toml").write_text(OTHER)
    for args in (
        ("--dir", there, "where"),
        ("-d", there, "run", "where"),
        ("run", "--dir", there, "where"),
        ("run", "where", "--dir", there),
        ("where", f"--dir={there}"),
        ("where", "-d", there),
    ):
        done = project.lok(*args)
        assert (done.code, done.out) == (0, f"{there}\n"), args


def test_a_project_is_found_from_below(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.workflow("where", OTHER)
    below = project.root / "src" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert project.lok("where").out == f"{project.root}\n"
    assert project.lok("--dir", ".", "where").code == 2, "--dir is exactly that directory"


def test_a_missing_directory_is_a_usage_error(project: Project) -> None:
    done = project.lok("--dir", "nowhere", "where")
    assert done.code == 2
    assert "nowhere" in done.err


def test_a_directory_that_is_gone_is_a_usage_error(project: Project) -> None:
    project.root.rename(project.root.with_name("moved"))
    (gone := project.root).mkdir()
    os.chdir(gone)
    gone.rmdir()
    done = project.lok("doctor", "--json")
    assert done.code == 1
    assert "the current directory is gone" in done.out
    assert "use --dir" in project.lok("two").err


def test_another_settings_file_by_config(project: Project) -> None:
    project.write("other.toml", '[defaults]\ntimeout = "300ms"\n')
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "sleep 60"\n')
    for args in (("--config", "other.toml", "w"), ("w", "--config", "other.toml")):
        done = project.lok(*args)
        assert done.code == 3
        assert "0.3 s" in done.err


def test_an_argument_called_dir_is_the_workflow_s_own(project: Project, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    project.workflow("w", '[args.dir]\n[[steps]]\nname = "s"\nshell = "pwd; printf %s {{ arg.dir }}"\n')
    assert project.lok("w", "--dir", "anything").out == f"{project.root}\nanything\n"
    moved = project.lok("--dir", there, "w", "--dir", "x")
    assert moved.code == 2, "before the name it is lok's, and there is no such workflow there"


# --- arguments

ARGS = """
description = "Look at a range"
[args.range]
description = "what to look at"
default = "HEAD"
position = 1
[args.focus]
description = "what matters"
choices = ["auth", "speed"]
default = "auth"
[args.unstaged]
default = "false"
[args.dry_run]
choices = ["true", "false"]
default = "false"
[[steps]]
name = "s"
argv = ["echo", "{{ arg.range }} {{ arg.focus }} {{ arg.unstaged }} {{ arg.dry_run }}"]
"""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "HEAD auth false false"),
        (["main..HEAD"], "main..HEAD auth false false"),
        (["--range", "main..HEAD", "--focus=speed"], "main..HEAD speed false false"),
        (["main..HEAD", "--focus", "speed"], "main..HEAD speed false false"),
        (["--unstaged"], "HEAD auth true false"),
        (["--unstaged", "main"], "main auth true false"),
        (["--unstaged", "false", "main"], "main auth false false"),
        (["--unstaged=true"], "HEAD auth true false"),
        (["--dry-run"], "HEAD auth false true"),
        (["--dry_run", "--unstaged"], "HEAD auth true true"),
        (["--", "-x"], "-x auth false false"),
        (["--", "--unstaged"], "--unstaged auth false false"),
    ],
)
def test_declared_arguments_are_options_and_positions(project: Project, args: list[str], said: str) -> None:
    project.workflow("w", ARGS)
    done = project.lok("w", *args)
    assert (done.code, done.out) == (0, f"{said}\n"), done.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--focsu", "auth"], "--focus"),
        (["--focus", "taste"], "choose one of: auth, speed"),
        (["a", "--range", "b"], "given twice"),
        (["a", "b", "c"], "uses 1 positional value, 3 were given: nothing reads 'b', 'c'"),
        (["-x"], "-x"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(project: Project, args: list[str], says: str) -> None:
    project.workflow("w", ARGS)
    done = project.lok("w", *args)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_required_argument_is_asked_for(project: Project) -> None:
    project.workflow(
        "w",
        '[args.pr]\nrequired = true\ndescription = "number"\n'
        '[[steps]]\nname = "s"\nargv = ["echo", "{{ arg.pr }}"]\n',
    )
    done = project.lok("w")
    assert done.code == 2
    assert "'pr' (number)" in done.err
    assert project.lok("w", "--pr", "7").out == "7\n"


def test_undeclared_positions_are_there_by_number(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nargv = ["echo", "{{ arg.2 }}{{ arg.1 }}"]\n')
    assert project.lok("w", "a", "b").out == "ba\n"


def test_help_shows_the_arguments_and_runs_nothing(project: Project) -> None:
    project.workflow("w", ARGS.replace('argv = ["echo"', 'argv = ["touch", "ran", "echo"'))
    for args in (("w", "--help"), ("run", "w", "-h")):
        done = project.lok(*args)
        assert done.code == 0
        text = " ".join(done.out.split())
        assert "Look at a range" in text
        assert text.startswith(f"Usage: lok {'run w' if 'run' in args else 'w'} [OPTIONS] [RANGE] ")
        assert "--range VALUE what to look at [default: HEAD; or value 1]" in text
        assert "--focus VALUE what matters [default: auth; one of: auth, speed]" in text
        assert "--unstaged [true|false]" in text
        assert "--fail-fast" in text
    assert not (project.root / "ran").exists()


def test_an_argument_called_like_an_option_is_the_workflow_s(project: Project) -> None:
    project.workflow(
        "w",
        '[args.output]\ndefault = "none"\n[args.help]\ndefault = "none"\n'
        '[[steps]]\nname = "s"\nargv = ["echo", "{{ arg.output }} {{ arg.help }}"]\n',
    )
    assert project.lok("w", "--output", "mine", "--help", "me").out == "mine me\n"
    assert project.lok("--output", "result.txt", "w", "--output", "mine").out == ""
    assert (project.root / "result.txt").read_text() == "mine none\n"
    assert "--output VALUE" in project.lok("w", "-h").out


# --- results


def test_json_is_all_there_is_on_stdout(project: Project) -> None:
    project.workflow("two", TWO)
    for args in (("--json", "two"), ("two", "--json"), ("run", "--json", "two")):
        done = project.lok(*args)
        assert done.document["outcome"] == "passed"
        assert done.document["exit_code"] == 0
        assert done.document["output"] == "two after one"
        assert list(done.document["steps"]) == ["first", "second"]
        assert done.err == "", "nor is there anything on stderr"
    assert "passed   first" in project.lok("two", "--json", "-v").err


def test_quiet_is_the_verdict_alone(project: Project) -> None:
    project.workflow("w", TWO + '[[steps]]\nname = "bad"\nshell = "echo why; exit 9"\n')
    done = project.lok("w", "-q")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"w: failed in .* · 2 passed, 1 failed\n", done.err)
    assert project.lok("w", "-q", "-o", "out.txt").out == ""
    assert "two after one" in (project.root / "out.txt").read_text(), (
        "a file is written because it is asked for"
    )
    both = project.lok("w", "-q", "--json")
    assert (both.document["outcome"], both.err) == ("failed", "")


def test_the_first_line_says_what_runs_and_the_last_one_what_came_of_it(project: Project) -> None:
    project.workflow("w", 'description = "Look closely"\n' + TWO)
    first, *_, last = project.lok("w").err.splitlines()
    assert first == "w: Look closely"
    assert last.startswith("w: passed in ")


def test_a_failure_far_above_is_said_again_below(project: Project) -> None:
    project.workflow(
        "w",
        '[[steps]]\nname = "bad"\nshell = "seq 30; exit 9"\n'
        '[[steps]]\nname = "long"\nshell = "sleep 0.1; seq 40; exit 8"\n'
        '[[steps]]\nname = "last"\ndepends_on = ["bad", "long"]\nshell = "true"\n',
    )
    said = project.lok("w").err
    below = said[said.index("--- what did not pass ---\n") :]
    assert re.fullmatch(
        r"--- .* ---\nfailed   bad    *[0-9.]+ s\n    the command exited with code 9\n"
        r"    26\n    27\n    28\n    29\n    30\nw: failed in .*\n",
        below,
    ), "what stands just above is not said again"


def test_a_reason_is_said_once(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "echo no"\nassert = ["output == \'yes\'"]\n')
    said = project.lok("w").err
    assert said.count("output == 'yes'") == 1
    assert "where output = 'no'" in said


def test_json_of_a_red_run(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "echo no; exit 9"\n')
    done = project.lok("w", "--json")
    assert done.code == done.document["exit_code"] == 1
    assert done.document["steps"]["s"]["exit_code"] == 9


def test_results_go_to_a_file(project: Project) -> None:
    project.workflow("two", TWO)
    done = project.lok("two", "--output", "out.txt")
    assert (done.code, done.out) == (0, "")
    assert (project.root / "out.txt").read_text() == "two after one\n"
    assert project.lok("-o", "out.json", "two").out == ""
    assert json.loads((project.root / "out.json").read_text())["outcome"] == "passed"
    project.lok("two", "--json", "-o", "plain")
    assert json.loads((project.root / "plain").read_text())["outcome"] == "passed"


@pytest.mark.parametrize("file", ["missing/out.txt", "."])
def test_a_file_that_cannot_be_written_is_found_before_anything_runs(project: Project, file: str) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "touch ran"\n')
    done = project.lok("w", "--output", file)
    assert done.code == 2
    assert "--output" in done.err
    assert not (project.root / "ran").exists()


def test_an_option_that_would_be_ignored_is_refused(project: Project) -> None:
    done = project.lok("--fail-fast", "backends")
    assert done.code == 2
    assert "--fail-fast does not apply to `lok backends`" in done.err


def test_settings_can_be_given_as_options(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "sleep 60"\n')
    for args in (("--timeout", "300ms", "w"), ("w", "--timeout=0.3")):
        done = project.lok(*args)
        assert done.code == 3
        assert "0.3 s" in done.err
    assert project.lok("w", "--timeout", "soon").code == 2


def test_wrong_settings_run_nothing(project: Project) -> None:
    project.write("lok.toml", "[defaults]\ntimeuot = 3\n")
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "touch ran"\n')
    done = project.lok("w")
    assert done.code == 2
    assert "lok.toml:2:1" in done.err
    assert not (project.root / "ran").exists()


# --- what must not happen


class Broken(dict[str, str]):
    """An environment that breaks whoever is the first to look through it."""

    whole = False

    def __iter__(self) -> Iterator[str]:
        if not self.whole:
            self.whole = True
            raise RuntimeError("broken environment")
        return super().__iter__()


def test_a_bug_is_one_line_and_a_way_to_see_more(project: Project) -> None:
    project.workflow("two", TWO)
    project.environ = Broken(project.environ)
    done = project.lok("two")
    assert (done.code, done.out) == (70, "")
    assert done.err.startswith("lok: error: this is a bug of lok: RuntimeError: broken environment\n")
    assert "LOK_DEBUG=1" in done.err
    assert "Traceback" not in done.err
    project.environ = Broken(project.environ, LOK_DEBUG="1")
    assert "Traceback" in project.lok("two").err


def test_debugging_is_no_unknown_setting(project: Project) -> None:
    project.workflow("two", TWO)
    project.environ["LOK_DEBUG"] = "1"
    assert project.lok("two").code == 0
