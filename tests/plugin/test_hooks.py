from __future__ import annotations

import sys

import pytest

from tests.plugin.conftest import Suite, items

REVIEW = {"a": "echo a >> ran", "b_after_a": "echo b >> ran"}
SPY = """
import sys

def pytest_unconfigure():
    heavy = {"pydantic", "httpx", "jinja2", "rich", "asyncio", "tomli", "click", "filelock", "jsonschema"}
    loaded = {name for name in sys.modules if name.partition(".")[0] in heavy}
    loaded |= {name for name in sys.modules if name.startswith("pytest_lok")}
    print("LOADED", *sorted(loaded))
"""


def test_a_session_without_workflows_imports_the_entry_module_and_nothing_else(suite: Suite) -> None:
    suite.shells("review", **REVIEW)
    suite.write("conftest.py", SPY)
    suite.write("test_one.py", "def test_one(tmp_path): assert tmp_path")
    result = suite.run_cold("--disable-plugin-autoload", "-p", "pytest_lok.plugin.hooks", "-k", "one")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["LOADED pytest_lok pytest_lok.plugin pytest_lok.plugin.hooks"])
    assert not (suite.root / ".lok" / "runs").exists()


def test_a_session_of_a_shell_step_imports_what_such_a_step_needs(suite: Suite) -> None:
    suite.shells("review", a="true")
    suite.write("conftest.py", SPY)
    alone = ("--disable-plugin-autoload", "-p", "pytest_lok.plugin.hooks", "-p", "no:junitxml")
    result = suite.run_cold(*alone, "--lok")
    result.assert_outcomes(passed=1)
    [line] = [line for line in result.outlines if line.startswith("LOADED")]
    loaded = set(line.split()[1:])
    assert {name for name in loaded if "." not in name} == {"asyncio", "pytest_lok", "tomli"}
    others = "cli. core.answers. core.edits.verification core.findings.evidence core.templates.parser engine.asking.ask"
    assert not [
        name for name in loaded if name.startswith(tuple(f"pytest_lok.{it}" for it in others.split()))
    ]


REWRITTEN = """
import sys
import pytest

pytest.register_assert_rewrite("pytest_lok")  # as pytest does for what is installed from a wheel

def pytest_unconfigure():
    from pytest_lok.testing import contract
    ours = {n: type(m.__spec__.loader).__name__ for n, m in sys.modules.items() if n.startswith("pytest_lok")}
    print("REWRITTEN", *sorted(name for name, loader in ours.items() if loader == "AssertionRewritingHook"))
    print("OURS", len(ours))
"""


def test_pytest_rewrites_no_module_but_the_entry_and_the_shipped_tests(suite: Suite) -> None:
    suite.shells("review", **REVIEW)
    suite.write("spy.py", REWRITTEN)
    result = suite.run_cold(
        *("-p", "spy", "--disable-plugin-autoload", "-p", "pytest_lok.plugin.hooks"), "--lok"
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "REWRITTEN pytest_lok pytest_lok.plugin pytest_lok.plugin.hooks pytest_lok.testing "
            "pytest_lok.testing.asking pytest_lok.testing.contract",
            "OURS [1-9][0-9]*",
        ]
    )


def test_a_program_that_runs_pytest_goes_on_as_before(suite: Suite) -> None:
    suite.shells("review", **REVIEW)
    program = (
        "import sys, pytest; old = list(sys.meta_path); pytest.main(['--lok']); assert sys.meta_path == old"
    )
    result = suite.pytester.run(sys.executable, "-c", program)
    assert result.ret == 0
    result.assert_outcomes(passed=2)


def test_plain_pytest_collects_no_workflow(suite: Suite) -> None:
    suite.shells("review", **REVIEW)
    suite.write("test_one.py", "def test_one(): pass")
    for args in ((), (".",), ("-k", "one"), ("-k", "review or one")):
        assert items(suite.run("--collect-only", "-q", *args).outlines) == ["test_one.py::test_one"]


@pytest.mark.parametrize("how", ["option", "ini"])
def test_workflows_run_beside_the_projects_own_tests(suite: Suite, how: str) -> None:
    suite.shells("review", **REVIEW)
    suite.write("test_one.py", "def test_one(): pass")
    if how == "ini":
        suite.write("pytest.ini", "[pytest]\nlok = true\n")
    result = suite.run(*(["--lok"] if how == "option" else []))
    result.assert_outcomes(passed=3)
    assert suite.ran() == ["a", "b"]


@pytest.mark.parametrize("words", [("-k", "review"), ("-kreview",), ("-k=review",), ("-vk", "review")])
def test_a_workflows_name_as_the_whole_expression_means_that_workflow(
    suite: Suite, words: tuple[str, ...]
) -> None:
    suite.shells("review", **REVIEW)
    suite.shells("review-more", c="echo c >> ran")
    suite.write("test_one.py", "def test_one(): pass")
    suite.run(*words).assert_outcomes(passed=2, deselected=1)
    assert suite.ran() == ["a", "b"]


def test_a_test_of_that_name_still_runs(suite: Suite) -> None:
    suite.shells("review", **REVIEW)
    suite.write("test_one.py", "def test_review(): pass\ndef test_other(): pass")
    suite.run("-k", "review").assert_outcomes(passed=3, deselected=1)


@pytest.mark.parametrize(
    "case",
    ["addopts", "environment", "CI", "longer expression", "part of the name", "not collectable", "paths"],
)
def test_nothing_else_starts_a_workflow_by_its_name(
    suite: Suite, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.shells("review", **REVIEW)
    suite.workflow("deploy", 'collect = false\n[[steps]]\nname = "a"\nshell = "echo deployed >> ran"')
    suite.write("test_one.py", "def test_one(): pass")
    args: tuple[str, ...] = ("-k", "review")
    match case:
        case "addopts":
            suite.write("pytest.ini", "[pytest]\naddopts = -k review\n")
            args = ()
        case "environment":
            monkeypatch.setenv("PYTEST_ADDOPTS", "-k review")
            args = ()
        case "CI":
            monkeypatch.setenv("CI", "true")
        case "longer expression":
            args = ("-k", "review and a")
        case "part of the name":
            args = ("-k", "revie")
        case "not collectable":
            args = ("-k", "deploy")
        case _:
            args = ("test_one.py", "-k", "review")
    result = suite.run(*args)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert suite.ran() == []


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ("lok_fail_on = worst", "*lok_fail_on = 'worst' is no severity*"),
        ("lok_max_parallel = many", "*lok_max_parallel is no number*"),
        ("lok_max_parallel = 0", "*lok_max_parallel = 0: at least 1 step*"),
        ("lok_args = focus", "*'focus' is not KEY=VALUE*"),
        ("lok_args = nobody=1", "*lok_args: no workflow of the project has a use for 'nobody'*"),
    ],
)
def test_an_ini_key_is_obeyed_or_refused(suite: Suite, ini: str, message: str) -> None:
    suite.shells("review", **REVIEW)
    suite.write("pytest.ini", f"[pytest]\n{ini}\n")
    suite.write("test_one.py", "def test_one(): pass")
    suite.run().assert_outcomes(passed=1)
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert suite.ran() == []


def test_max_parallel_limits_how_much_runs_at_once(suite: Suite) -> None:
    suite.shells("w", **{f"s{n}": "echo start >> ran; sleep 0.05; echo end >> ran" for n in range(4)})
    suite.write("pytest.ini", "[pytest]\nlok_max_parallel = 1\n")
    suite.run("--lok").assert_outcomes(passed=4)
    assert suite.ran() == ["start", "end"] * 4


@pytest.mark.parametrize("own", ["", "max_parallel = 3\n"], ids=["", "own"])
def test_max_parallel_is_for_all_workflows_together(suite: Suite, own: str) -> None:
    log = "echo start >> ran; sleep 0.05; echo end >> ran"
    for name in ("u", "v", "w"):
        file = suite.shells(name, a=log, b=log)
        file.write_text(own + file.read_text())
    suite.workflow("x", f"[[steps]]\nname = 'each'\nfor_each = [1, 2, 3]\nshell = '{log}'\n")
    suite.write("pytest.ini", "[pytest]\nlok_max_parallel = 1\n")
    suite.run("--lok").assert_outcomes(passed=7)
    assert suite.ran() == ["start", "end"] * 9


def test_wrong_settings_end_the_session_with_their_place(suite: Suite) -> None:
    suite.shells("review", **REVIEW)
    suite.write("lok.toml", "[defaults]\ntimeuot = 3\n")
    result = suite.run("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*lok.toml:2:1*timeuot*", "*did you mean*timeout*"])


def test_a_system_without_its_locks_is_refused_in_one_sentence(suite: Suite) -> None:
    suite.shells("w", a="true")
    suite.write("test_one.py", "def test_one(): pass")
    suite.write("conftest.py", "import sys\nsys.modules['fcntl'] = None  # as on Windows\n")
    result = suite.run_cold("--lok")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = "pytest-lok runs workflows on Linux and macOS only: it needs their file locks (fcntl)"
    assert [line for line in result.errlines if line] == [f"ERROR: {said}"]
    suite.run_cold().assert_outcomes(passed=1)
    code = "import sys; sys.modules['fcntl'] = None; from pytest_lok.cli.main import main; sys.exit(main(['run', 'w']))"
    ended = suite.pytester.run(sys.executable, "-W", "ignore", "-c", code)
    assert ended.ret == 3
    ended.stderr.fnmatch_lines([f"lok: error: {said}"])


@pytest.mark.parametrize(
    "absent", ["skipping", "setuponly", "subtests", "junitxml", "warnings", "logging", "capture"]
)
def test_parts_of_pytest_may_be_absent(suite: Suite, absent: str) -> None:
    suite.shells("w", a="true")
    suite.workflow("v", '[[steps]]\nname = "each"\nfor_each = [1, 2]\nshell = "exit 1"\n')
    result = suite.run_cold("--lok", "-p", f"no:{absent}")
    assert result.ret == 1
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 1
    assert set(outcomes) == {"passed", "failed"}
