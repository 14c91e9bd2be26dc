"""``[roles.X]`` and ``[tasks.X]`` of lok.toml, as people use them."""

from __future__ import annotations

import pytest

from tests.cli.projects import Project
from tests.plugin.conftest import run_apart

SETTINGS = """
[backends.one]
type = "scripted"
replies = [{ match = "independently", reply = "one sums up" }, { reply = "yes" }]
[backends.two]
type = "scripted"
replies = [{ reply = "Yes." }]
[backends.three]
type = "scripted"
replies = [{ reply = "no" }]
[backends.off]
type = "scripted"
enabled = false
[roles.jury]
backends = ["one", "two", "three"]
consensus = "vote"
[roles.pair]
backends = ["three", "one"]
"""


@pytest.fixture
def staffed(project: Project) -> Project:
    project.environ["PATH"] = "/usr/bin:/bin"
    project.write("lok.toml", SETTINGS)
    return project


def asked(project: Project, keys: str) -> dict[str, object]:
    """What became of a step with these keys, and who answered."""
    project.workflow("w", f"[[steps]]\nname = 'a'\nprompt = 'Ship it?'\n{keys}\n")
    document = project.lok("w", "--json").document["steps"]["a"]
    verdict = document["verdict"] or {}
    return {
        "output": document["output"],
        "who": [reply["backend"] for reply in document["replies"]],
        "how": verdict.get("strategy"),
    }


def test_a_role_is_its_backends_and_how_they_agree(staffed: Project) -> None:
    for keys in ('backend = "jury"', 'backends = ["jury"]'):
        assert asked(staffed, keys) == {"output": "yes", "who": ["one", "two", "three"], "how": "vote"}


def test_a_step_has_the_last_word_about_how(staffed: Project) -> None:
    found = asked(staffed, 'backend = "jury"\nconsensus = "synthesis"\nsynthesizer = "one"')
    assert (found["output"], found["how"]) == ("one sums up", "synthesis")


def test_a_role_without_consensus_is_a_synthesis(staffed: Project) -> None:
    found = asked(staffed, 'backend = "pair"\nsynthesizer = "one"')
    assert (found["who"], found["how"]) == (["three", "one"], "synthesis")


def test_roles_and_backends_may_stand_together(staffed: Project) -> None:
    found = asked(staffed, 'backend = "two, pair"\nconsensus = "vote"')
    assert (found["who"], found["output"]) == (["two", "three", "one"], "Yes.")


@pytest.mark.parametrize("way", ["settings", "option", "environment"])
def test_a_role_may_be_whom_steps_ask_that_name_nobody(staffed: Project, way: str) -> None:
    staffed.workflow("w", "[[steps]]\nname = 'a'\nprompt = 'Ship it?'\n")
    words = ["w", "--json"]
    if way == "settings":
        staffed.write("lok.toml", f'[defaults]\nbackend = "jury"\n{SETTINGS}')
    elif way == "option":
        words += ["--backend", "jury"]
    else:
        staffed.environ["LOK_BACKEND"] = "jury"
    step = staffed.lok(*words).document["steps"]["a"]
    assert (step["output"], step["verdict"]["strategy"]) == ("yes", "vote")


def test_each_member_of_a_role_answers_a_question(staffed: Project) -> None:
    done = staffed.lok("ask", "-b", "jury", "Ship it?")
    assert done.code == 0
    assert [line for line in done.out.splitlines() if line and "==" not in line] == ["yes", "Yes.", "no"]


TASK = """
[tasks.sweep]
description = "Sweeps"
backends = [{}]
prompts = [{{ name = "n+1", prompt = "Queries {{{{ in }}}} loops?" }}, {{ name = "dead code", prompt = "What is dead?" }}]
"""


@pytest.mark.parametrize(
    ("backends", "who", "how"),
    [
        ('"two"', ["two"], None),
        ('"two", "three"', ["two", "three"], "all"),
        ('"jury"', ["one", "two", "three"], "vote"),
    ],
)
def test_a_task_is_a_workflow_with_a_step_per_prompt(
    staffed: Project, backends: str, who: list[str], how: str | None
) -> None:
    staffed.write("lok.toml", SETTINGS + TASK.format(backends))
    document = staffed.lok("sweep", "--json").document
    assert list(document["steps"]) == ["n+1", "dead code"]
    for step in document["steps"].values():
        assert step["outcome"] == "passed"
        assert [reply["backend"] for reply in step["replies"]] == who
        assert (step["verdict"] or {}).get("strategy") == how


@pytest.mark.parametrize("everybody", ["", '"all"'])
def test_a_task_for_everybody_asks_who_is_enabled(staffed: Project, everybody: str) -> None:
    settings = SETTINGS + "".join(
        f"[backends.{name}]\nenabled = false\n" for name in ("claude", "codex", "gemini", "ollama")
    )
    for name in ("ann", "bob"):
        settings += f'[backends.{name}]\ntype = "command"\ncommand = "sh"\nargs = ["-c", "cat >/dev/null; echo {name}"]\n'
    staffed.write("lok.toml", settings + TASK.format(everybody))
    steps = staffed.lok("run", "sweep", "--json").document["steps"]
    replies = steps["n+1"]["replies"]
    assert [reply["backend"] for reply in replies[:2]] == ["ann", "bob"], "rules answer whom names them"


@pytest.mark.parametrize("verb", ["hunt", "audit"])
def test_tasks_of_lok_s_own_lok_toml_take_a_directory(staffed: Project, verb: str) -> None:
    staffed.write("lok.toml", SETTINGS + TASK.format('"two"').replace("sweep", verb))
    staffed.write("src/a.py", "x = 1\n")
    for words in ([verb, "."], ["run", verb, "src"], [verb, "--path", "src/a.py"], [verb]):
        done = staffed.lok(*words, "--json")
        assert (done.code, list(done.document["steps"])) == (0, ["n+1", "dead code"])
    done = staffed.lok(verb, "nope")
    assert (done.code, done.out) == (2, "")
    assert "there is no 'nope' in" in done.err
    done = staffed.lok(verb, staffed.root.parent)
    assert done.code == 2
    assert f"work there instead: lok --dir {staffed.root.parent} {verb}" in done.err


def test_a_task_is_listed_planned_and_shadowed_like_any_workflow(staffed: Project) -> None:
    staffed.write("lok.toml", SETTINGS + TASK.format('"two"').replace("sweep", "hunt"))
    (line,) = [line for line in staffed.lok("workflow", "list").out.splitlines() if line.startswith("hunt ")]
    assert "Sweeps" in line
    assert "Queries {{ in }} loops?" in staffed.lok("plan", "hunt").out
    assert staffed.lok("hunt").out == "== n+1 == two\nYes.\n\n== dead code == two\nYes.\n"
    staffed.workflow("hunt", "[[steps]]\nname = 'a'\nshell = 'echo a file'\n")
    assert staffed.lok("hunt").out == "a file\n"


def test_a_task_s_prompt_is_no_template(staffed: Project) -> None:
    reply = '[backends.two]\ntype = "scripted"\nreplies = [{ match = "{{ in }}", reply = "literal" }]\n'
    text = SETTINGS.replace('[backends.two]\ntype = "scripted"\nreplies = [{ reply = "Yes." }]\n', reply)
    staffed.write("lok.toml", text + TASK.format('"two"'))
    assert staffed.lok("sweep", "-s", "n+1").out == "literal\n"


def test_pytest_runs_a_task_by_name(staffed: Project, pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", lok=SETTINGS + TASK.format('"jury"'))
    done = run_apart(pytester, "--lok-workflow", "sweep", "-v", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*::n+1 PASSED*", "*::dead code PASSED*"])


def test_a_python_test_asks_a_role(staffed: Project, pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", lok=SETTINGS)
    pytester.makepyfile(
        """
        def test_jury(lok):
            result = lok.ask("Ship it?", backend="jury")
            assert result.output == "yes"
            assert result.steps["ask"].verdict.strategy == "vote"

        def test_several(lok):
            result = lok.ask("Ship it?", backend=("pair", "two"))
            assert [reply.backend for reply in result.steps["ask"].replies] == ["three", "one", "two"]
        """
    )
    run_apart(pytester, "-p", "no:cacheprovider").assert_outcomes(passed=2)


@pytest.mark.parametrize(("default", "who"), [("two", ["two"]), ("jury", ["one", "two", "three"])])
def test_a_task_that_names_nobody_asks_whom_the_settings_name(
    staffed: Project, default: str, who: list[str]
) -> None:
    staffed.write("lok.toml", f'[defaults]\nbackend = "{default}"\n{SETTINGS}{TASK.format("")}')
    steps = staffed.lok("sweep", "--json").document["steps"]
    assert [[reply["backend"] for reply in step["replies"]] for step in steps.values()] == [who, who]
