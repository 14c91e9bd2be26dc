"""``lok ask``, with commands that answer."""

import subprocess

import pytest

from tests.cli.projects import Project

BACKENDS = """
[backends.claude]
enabled = false
[backends.codex]
enabled = false
[backends.gemini]
enabled = false
[backends.ollama]
enabled = false
[backends.ann]
type = "command"
command = "sh"
args = ["-c", "cat >/dev/null; sleep 0.3; echo ann says yes"]
[backends.bob]
type = "command"
command = "sh"
args = ["-c", "cat >/dev/null; echo bob says no"]
"""
DOWN = """
[backends.down]
type = "command"
command = "false"
"""


def test_every_available_backend_answers_under_its_name(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    done = project.lok("ask", "yes or {{ no }}?")
    assert done.code == 0
    assert "== ann ==" in done.out
    assert "\nann says yes\n" in done.out
    assert "\nbob says no\n" in done.out
    assert done.out.index("bob says no") < done.out.index("ann says yes"), "as they arrive"
    assert "ask: passed in" in done.err


def test_named_backends_are_asked_and_no_others(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    for args in (("ask", "?", "-b", "bob"), ("-b", "bob", "ask", "?"), ("ask", "--backend", "bob, bob", "?")):
        done = project.lok(*args)
        assert (done.code, done.out.count("==")) == (0, 2)
        assert "bob says no" in done.out


def test_one_that_fails_is_shown_and_hides_nobody(project: Project) -> None:
    project.write("lok.toml", BACKENDS + DOWN)
    done = project.lok("ask", "?")
    assert done.code == 0, "nobody was named, and somebody answered"
    assert "ann says yes" in done.out
    assert "== down ==" in done.out
    assert "no answer: " in done.out


def test_a_named_one_must_answer(project: Project) -> None:
    project.write("lok.toml", BACKENDS + DOWN)
    done = project.lok("ask", "-b", "ann,down", "?")
    assert done.code == 3
    assert "ann says yes" in done.out


def test_nobody_answering_is_an_error(project: Project) -> None:
    project.write(
        "lok.toml",
        BACKENDS.replace("; echo bob", "; exit 1; echo").replace("; echo ann", "; exit 1; echo"),
    )
    done = project.lok("ask", "?", "--json")
    assert done.code == done.document["exit_code"] == 3
    assert done.err == "", "nothing else is printed"
    assert {step["outcome"] for step in done.document["steps"].values()} == {"soft"}


def test_nobody_available_is_an_error_with_each_remedy(project: Project) -> None:
    project.write("lok.toml", BACKENDS.partition("[backends.ann]")[0])
    done = project.lok("ask", "?")
    assert (done.code, done.out) == (3, "")
    assert "no backend can answer (claude, codex, gemini, ollama: switched off)" in done.err
    assert "lok doctor" in done.err


def test_an_unknown_backend_is_a_usage_error(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    done = project.lok("ask", "?", "-b", "anne")
    assert (done.code, done.out) == (2, "")
    assert "anne" in done.err
    assert "ann" in done.err


def test_a_role_stands_for_its_backends(project: Project) -> None:
    project.write("lok.toml", BACKENDS + '[roles.both]\nbackends = ["ann", "bob"]\n')
    done = project.lok("ask", "?", "-b", "both")
    assert "ann says yes" in done.out
    assert "bob says no" in done.out


@pytest.mark.parametrize("prompt", ["", "  "])
def test_nothing_to_ask_is_a_usage_error(project: Project, prompt: str) -> None:
    project.write("lok.toml", BACKENDS)
    assert project.lok("ask", prompt).code == 2


def test_a_prompt_comes_from_standard_input(project: Project) -> None:
    project.write(
        "lok.toml",
        BACKENDS.partition("[backends.ann]")[0] + '[backends.echo]\ntype = "command"\ncommand = "cat"\n',
    )
    with project.started("ask", "-", stdin=subprocess.PIPE) as process:
        out, err = process.communicate("first {{ line }}\nsecond", timeout=60)
    assert process.returncode == 0, err
    assert out.endswith("\nfirst {{ line }}\nsecond\n\n")


def test_json_and_files_hold_every_answer(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    done = project.lok("ask", "?", "--json")
    assert done.document["steps"]["ann"]["output"] == "ann says yes"
    assert done.document["steps"]["bob"]["replies"][0]["backend"] == "bob"
    assert project.lok("ask", "?", "--output", "answers.txt").out == ""
    text = (project.root / "answers.txt").read_text()
    assert text.index("ann says yes") < text.index("bob says no"), "in the order of preference"


def test_answers_are_printed_while_others_are_awaited(project: Project) -> None:
    project.write("lok.toml", BACKENDS.replace("sleep 0.3", "sleep 60"))
    with project.started("ask", "?") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("== bob ==")
        assert process.poll() is None


def test_verbose_shows_the_prompt_and_the_times(project: Project) -> None:
    project.write("lok.toml", '[backends.b]\ntype = "scripted"\nreplies = [{ reply = "yes" }]\n')
    for words in (["-v", "ask", "-b", "b", "Is it?"], ["ask", "-b", "b", "-v", "Is it?"]):
        done = project.lok(*words)
        assert done.code == 0
        assert "    > Is it?\n" in done.err
        assert "times: b 0.0 s" in done.err
    assert "> Is it?" not in project.lok("ask", "-b", "b", "Is it?").err


def test_who_waited_too_short_is_told_the_option(project: Project) -> None:
    project.write("lok.toml", '[backends.b]\ntype = "scripted"\nreplies = [{ reply = "x", delay = 9 }]\n')
    done = project.lok("ask", "-b", "b", "--timeout", "0.1", "x")
    assert done.code == 3
    assert "raise `timeout` in [backends.b], or for this run: --timeout 10m" in done.out
