"""A typed ``--lok`` is a promise: what keeps one of its steps from being judged is said, and not green in CI."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.projects import Project
from tests.plugin.conftest import Suite, words
from tests.plugin.test_runner import junit

W = ".lok/workflows/w.toml"
DESELECT = """
def pytest_collection_modifyitems(config, items):
    out = [item for item in items if item.nodeid.endswith("w.toml::s")]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)
"""
MARK = """
import pytest
def pytest_collection_modifyitems(items):
    for item in items:
        if item.nodeid.endswith("w.toml::s"):
            item.add_marker(pytest.mark.{mark})
"""
FIXTURE = """
import pytest
@pytest.fixture(autouse=True)
def none_of_it(request):
    if request.node.nodeid.endswith("w.toml::s"):
        pytest.skip("no network")
"""
SWALLOW = """
def pytest_runtest_protocol(item):
    return True if item.nodeid.endswith("w.toml::s") else None
"""


def conftest(text: str) -> Callable[[Suite], object]:
    return lambda suite: suite.write("conftest.py", text)


def ini(text: str) -> Callable[[Suite], object]:
    return lambda suite: suite.write("pytest.ini", f"[pytest]\n{text}\n")


def required(suite: Suite) -> None:
    file = suite.root / W
    file.write_text(f"{file.read_text()}\n[args.x]\nrequired = true\n")


def reading(suite: Suite) -> None:
    file = suite.root / W
    file.write_text(file.read_text().replace("true", "echo {{ arg.x }}") + "\n[args.x]\n")


LEFT_OUT = {
    "collect_ignore_glob": (conftest("collect_ignore_glob = ['*w.toml']"), "*a rule ignores it*"),
    "pytest_ignore_collect": (
        conftest(
            "def pytest_ignore_collect(collection_path): return collection_path.name == 'w.toml' or None"
        ),
        "*a rule ignores it*",
    ),
    "addopts --ignore": (ini("addopts = --ignore .lok/workflows/w.toml"), "*a rule ignores it*"),
    "addopts --ignore-glob": (ini("addopts = --ignore-glob=*w.toml"), "*a rule ignores it*"),
    "addopts -m": (
        ini("addopts = -m 'not slow'\nmarkers = slow"),
        "*-m 'not slow' of pytest's configuration*",
    ),
    "addopts -k": (ini("addopts = -k 'not slow'"), "*-k 'not slow' of pytest's configuration*"),
    "addopts --deselect": (ini("addopts = --deselect .lok/workflows/w.toml::s"), "*deselects it*"),
    "a plugin": (conftest(DESELECT), "*a plugin or a conftest.py deselects it*"),
    "skip": (conftest(MARK.format(mark="skip(reason='why')")), "*skipped: why*"),
    "xfail not to be run": (conftest(MARK.format(mark="xfail(run=False, reason='why')")), "*why*"),
    "a fixture that skips": (conftest(FIXTURE), "*skipped: no network*"),
    "a required argument": (required, "*needs --lok-arg x=VALUE*"),
    "an argument it reads": (reading, "*it reads arguments that have no value*"),
}


@pytest.fixture(params=list(LEFT_OUT))
def left_out(request: pytest.FixtureRequest, suite: Suite) -> tuple[Suite, str]:
    """A project whose workflow ``w`` is left out, and how that is said."""
    suite.workflow("w", "tags = ['slow']\n[[steps]]\nname = 's'\nshell = 'true'\n")
    suite.write("test_a.py", "def test_a(): pass")
    leave_out, said = LEFT_OUT[request.param]
    leave_out(suite)
    return suite, said


def test_a_gate_that_comes_to_no_step_is_red_everywhere(left_out: tuple[Suite, str]) -> None:
    suite, said = left_out
    result = suite.run("--lok", "--junitxml=r.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines([f"E   not run: {said}"])
    assert junit(suite.root / "r.xml")["s"][0] == "error"


def test_where_others_are_judged_it_is_said_and_is_red_in_ci(
    left_out: tuple[Suite, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, said = left_out
    suite.shells("v", other="true")
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"w: *{said}"])
    monkeypatch.setenv("CI", "true")
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"E   not run: {said}"])


def test_an_item_of_which_nothing_is_reported_is_red(suite: Suite) -> None:
    suite.shells("w", s="true")
    suite.write("conftest.py", SWALLOW)
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["E   not run: nothing was reported of it"])


PICKS = "def pytest_configure(config): config.args = ['test_a.py']"


@pytest.mark.parametrize("options", [("--lok",), (W,), (f"{W}::s",), (W, "-n1")], ids=" ".join)
def test_a_plugin_that_chooses_the_arguments_leaves_out_no_gate_that_was_named(
    suite: Suite, options: tuple[str, ...]
) -> None:
    suite.shells("w", s="false")
    suite.write("test_a.py", "def test_a(): pass")
    suite.write("conftest.py", PICKS)
    result = suite.run(*options)
    assert result.parseoutcomes() == {"passed": 1, "failed": 1}
    suite.run("test_a.py").assert_outcomes(passed=1)


@pytest.mark.parametrize("how", ["collect_ignore_glob", "a plugin", "skip", "addopts -m"])
def test_workers_tell_what_they_did_not_come_to(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    suite.workflow("w", "tags = ['slow']\n[[steps]]\nname = 's'\nshell = 'true'\n")
    suite.shells("v", other="true")
    LEFT_OUT[how][0](suite)
    monkeypatch.setenv("CI", "true")
    result = suite.run_apart("--lok", "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"E   not run: {LEFT_OUT[how][1]}"])


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "test_a"),
        ("-ktest_a",),
        ("-qk", "test_a"),
        ("-m", "not slow"),
        ("--deselect", W),
        (f"--deselect={W}::s",),
        (f"{W}::t",),
        ("--collect-only",),
        ("--lok-workflow", "w::t"),
    ],
    ids=" ".join,
)
def test_what_the_command_line_itself_chooses_is_allowed(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    suite.workflow(
        "w",
        "tags = ['slow']\n[[steps]]\nname = 's'\nshell = 'true'\n[[steps]]\nname = 't'\nshell = 'true'\n",
    )
    suite.write("test_a.py", "def test_a(): pass")
    suite.write("pytest.ini", "[pytest]\nmarkers = slow\n")
    monkeypatch.setenv("CI", "true")
    result = suite.run("--lok", *options)
    assert result.ret == pytest.ExitCode.OK
    assert "not run:" not in result.stdout.str()


def test_a_part_of_the_tests_that_another_job_has_the_rest_of_is_allowed(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.shells("w", s="true", t="true")
    split = "def pytest_addoption(parser): parser.addoption('--splits')\n"
    suite.write("conftest.py", split + DESELECT)
    monkeypatch.setenv("CI", "true")
    assert suite.run("--lok", "--splits=2").ret == pytest.ExitCode.OK
    assert suite.run("--lok").ret == pytest.ExitCode.TESTS_FAILED


def test_a_repeated_session_of_what_failed_is_what_it_asks_for(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.shells("w", s="test -e flag", t="true")
    monkeypatch.setenv("CI", "true")

    def run(*args: str) -> pytest.RunResult:
        return suite.pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:anyio", "--lok", *args)

    assert run().ret == pytest.ExitCode.TESTS_FAILED
    suite.write("flag", "")
    result = run("--lf")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "settings"), [((), "lok = true"), ((), "addopts = --lok")], ids=["ini", "addopts"]
)
def test_configuration_that_asks_may_leave_out(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], settings: str
) -> None:
    suite.shells("w", s="true")
    suite.write("test_a.py", "def test_a(): pass")
    suite.write("conftest.py", DESELECT)
    suite.write("pytest.ini", f"[pytest]\n{settings}\n")
    monkeypatch.setenv("CI", "true")
    assert suite.run(*options).ret == pytest.ExitCode.OK


def test_a_workflow_that_says_so_is_not_promised(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.shells("w", s="true")
    suite.workflow(
        "release", "collect = false\n[args.x]\nrequired = true\n[[steps]]\nname = 's'\nprompt = 'x'\n"
    )
    monkeypatch.setenv("CI", "true")
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["release: left out: needs --lok-arg x=VALUE; *"])
    (suite.root / W).unlink()
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--lok: it runs no workflow of *(release: *"])


@pytest.mark.parametrize(
    "rule",
    [
        conftest("collect_ignore = ['.lok']"),
        conftest("collect_ignore_glob = ['.*']"),
        conftest("def pytest_ignore_collect(collection_path): return collection_path.name == '.lok' or None"),
        ini("addopts = --ignore .lok"),
    ],
    ids=["collect_ignore", "glob", "hook", "option"],
)
def test_every_rule_that_ignores_is_heard_and_told(suite: Suite, rule: Callable[[Suite], object]) -> None:
    suite.shells("w", s="echo s >> ran")
    suite.write("test_a.py", "def test_a(): pass")
    rule(suite)
    assert suite.run("-o", "lok=true", ".").ret == pytest.ExitCode.OK
    result = suite.run("--lok", ".")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR *::s - not run: a rule ignores it*"])
    assert suite.ran() == []


@pytest.mark.parametrize("xdist", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_directory_below_the_project_finds_it(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, xdist: tuple[str, ...]
) -> None:
    suite.shells("w", a="echo a >> ran", b_after_a="false")
    suite.workflow("bad", "[[steps]]\nname = 'a'\n")
    suite.write("sub/test_a.py", "def test_a(): pass")
    monkeypatch.chdir(suite.root / "sub")
    run = suite.run_apart if xdist else suite.run
    result = run("--lok", *xdist)
    assert result.ret != pytest.ExitCode.OK, "a broken file is an error, here as there"
    (suite.root / ".lok/workflows/bad.toml").unlink()
    result = run("--lok", "-v", *xdist)
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    assert set(suite.ran()) == {"a"}, "in the project"
    assert words(suite.run("lok/w::a", "-v")) == {"lok/w::a": "PASSED"}


@pytest.mark.parametrize("options", [(), ("--lok",), ("test_a.py", "--lok"), ("-n1",)], ids=str)
def test_a_configuration_elsewhere_does_not_hide_the_project(suite: Suite, options: tuple[str, ...]) -> None:
    suite.shells("w", a="true")
    suite.write("conf/p.ini", "[pytest]\nlok = true\n")
    suite.write("test_a.py", "def test_a(lok): assert lok.ask('x').output == 'hello from echo'")
    run = suite.run_apart if "-n1" in options else suite.run
    result = run("-c", "conf/p.ini", *options)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=2)


@pytest.fixture
def idle(suite: Suite) -> Suite:
    """Every step of its one workflow is skipped by its own condition."""
    steps = "".join(f"[[steps]]\nname = '{name}'\nwhen = 'false'\nshell = 'false'\n" for name in "st")
    suite.workflow("w", steps)
    return suite


@pytest.mark.parametrize(
    "options", [("--lok",), ("-o", "lok=true"), ("--lok", "-n1"), (f"{W}::s",)], ids=" ".join
)
def test_a_workflow_that_judged_nothing_says_so_and_is_red_in_ci(
    idle: Suite, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    run = idle.run_apart if "-n1" in options else idle.run
    result = run(*options)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["w: skipped in * (nothing was judged: *"])
    monkeypatch.setenv("CI", "true")
    result = run(*options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["errors"] == 1
    (idle.root / W).write_text("allow_skip = true\n" + (idle.root / W).read_text())
    assert run(*options).ret == pytest.ExitCode.OK


def test_one_step_that_was_judged_is_enough(idle: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    file = idle.root / W
    file.write_text(f"{file.read_text()}\n[[steps]]\nname = 'judged'\nshell = 'true'\n")
    monkeypatch.setenv("CI", "true")
    assert idle.run("--lok").ret == pytest.ExitCode.OK


@pytest.mark.parametrize(("ci", "key", "code"), [("", "", 0), ("1", "", 3), ("1", "allow_skip = true\n", 0)])
def test_lok_run_of_a_workflow_that_judged_nothing(project: Project, ci: str, key: str, code: int) -> None:
    project.environ["CI"] = ci
    project.write(W, f"{key}[[steps]]\nname = 's'\nwhen = 'false'\nshell = 'false'\n")
    done = project.lok("run", "w")
    assert done.code == code
    assert "nothing was judged: every step was skipped by its own `when`" in done.err


REVIEWS = """[[steps]]
name = "list"
shell = "echo"
[[steps]]
name = "review"
when = "steps.list.output != ''"
shell = "echo []"
output_format = "findings"
[[steps]]
name = "say"
shell = "echo all fine"
"""
NO_REVIEW = "nothing was judged: every step of format `findings` was skipped by its own `when`"


@pytest.mark.parametrize(
    ("ci", "text", "code"),
    [
        ("", REVIEWS, 0),
        ("1", REVIEWS, 3),
        ("1", f"allow_skip = true\n{REVIEWS}", 0),
        ("1", REVIEWS.replace('"echo"', '"echo x"'), 0),
        ("1", REVIEWS.replace('"echo all fine"', '"false"'), 1),
        ("1", REVIEWS.replace("output_format", "#"), 0),
    ],
)
def test_lok_run_of_a_workflow_whose_reviews_were_all_skipped(
    project: Project, ci: str, text: str, code: int
) -> None:
    project.environ["CI"] = ci
    project.write(W, text)
    done = project.lok("run", "w")
    assert done.code == code, done.err
    skipped = "echo x" not in text and "#" not in text and code != 1
    assert (NO_REVIEW in done.err) is skipped


@pytest.mark.parametrize("apart", [False, True])
def test_pytest_of_a_workflow_whose_reviews_were_all_skipped(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, apart: bool
) -> None:
    (run, options) = (suite.run_apart, ("--lok", "-n1")) if apart else (suite.run, ("--lok",))
    suite.workflow("w", REVIEWS)
    assert run(*options).ret == pytest.ExitCode.OK
    monkeypatch.setenv("CI", "true")
    result = run(*options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines([f"*{NO_REVIEW}*"])
    for text in (f"allow_skip = true\n{REVIEWS}", REVIEWS.replace('"echo"', '"echo x"')):
        suite.workflow("w", text)
        assert run(*options).ret == pytest.ExitCode.OK
