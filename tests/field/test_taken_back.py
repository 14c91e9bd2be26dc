"""A judgement stands, whatever the configuration of the change or a hook of its conftest.py makes of it."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Suite
from tests.plugin.test_runner import junit

W = ".lok/workflows/w.toml"
LOOKS = {
    "--collect-only": 1,
    "--co": 1,
    "--setup-only": 1,
    "--setup-plan": 1,
    "--help": 4,
    "--version --version": 4,
    "--fixtures": 1,
    "--fixtures-per-test": 1,
    "--markers": 4,
    "--cache-show": 1,
}


@pytest.fixture
def red(suite: Suite) -> Suite:
    """A project whose workflow has a step that passes and one that fails."""
    suite.shells("w", good="true", bad="echo bad >> ran; false")
    return suite


@pytest.fixture
def ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")


def cached(suite: Suite, *args: str) -> pytest.RunResult:
    """A session with pytest's cache, which ``--cache-show`` is an option of."""
    return suite.pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:anyio", *args)


@pytest.mark.parametrize(
    ("option", "code", "asked"),
    [
        *((option, code, "--lok") for option, code in LOOKS.items()),
        *(
            (option, LOOKS[option], asked)
            for option in ("--co", "--markers")
            for asked in ("--lok-workflow=w", W)
        ),
    ],
)
def test_configuration_that_only_looks_is_red(red: Suite, option: str, code: int, asked: str) -> None:
    red.write("pytest.ini", f"[pytest]\naddopts = {option}\n")
    red.write("r.xml", "old")
    result = cached(red, asked, "--junitxml=r.xml")
    assert result.ret == code
    if code == 1:
        said = r"E   not run: --\S+ of pytest's configuration runs nothing"
        assert re.search(said, result.stdout.str())
        assert {case[0] for case in junit(red.root / "r.xml").values()} == {"error"}
    else:
        result.stderr.fnmatch_lines(["ERROR: no workflow was run: --* of pytest's configuration *"])
        assert not (red.root / "r.xml").exists()


@pytest.mark.parametrize("option", LOOKS)
def test_who_types_it_may_look(red: Suite, ci: None, option: str) -> None:
    assert cached(red, "--lok", *option.split()).ret == pytest.ExitCode.OK
    assert red.ran() == []


@pytest.mark.parametrize("option", ["--co", "--markers"])
def test_the_variable_is_typed_too(
    red: Suite, ci: None, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", option)
    assert cached(red, "--lok").ret == pytest.ExitCode.OK


def test_a_session_that_asks_for_nothing_may_look(red: Suite, ci: None) -> None:
    for option in ("--co", "--markers"):
        red.write("pytest.ini", f"[pytest]\nlok = true\naddopts = {option}\n")
        assert cached(red).ret == pytest.ExitCode.OK


EACH = "import pytest\n"
TAKEN = {
    "no --lok, configure": "def pytest_configure(config): config.option.lok = False",
    "no --lok, main": "def pytest_cmdline_main(config): config.option.lok = False",
    "skip": "def pytest_runtest_call(item): pytest.skip('no')",
    "xfail": """
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xfail(reason='later'))
""",
    "xfail in the call": "def pytest_runtest_call(item): pytest.xfail('later')",
    "no call": """
def pytest_collection_modifyitems(items):
    for item in items:
        item.runtest = lambda: None
""",
    "nothing of it": """
def pytest_collection_modifyitems(items):
    for item in items:
        item.setup = item.runtest = lambda: None
""",
    "makereport": """
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = 'passed', None
    return report
""",
    "makereport, skipped": """
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == 'call':
        report.outcome, report.longrepr = 'skipped', ('f', 1, 'Skipped: no')
    return report
""",
    "logreport": """
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    report.outcome = 'passed'
""",
    "status": "def pytest_sessionfinish(session): session.exitstatus = 0",
    "status, late": """
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session): session.exitstatus = 0
""",
    "exit in the end": "def pytest_sessionfinish(): pytest.exit('fine', returncode=0)",
    "exit in the middle": "def pytest_runtest_teardown(item): pytest.exit('fine', returncode=0)",
    "exit at the start": "def pytest_sessionstart(): pytest.exit('fine', returncode=0)",
    "system exit": "import sys\ndef pytest_unconfigure(): sys.exit(0)",
    "a main of its own": "def pytest_cmdline_main(config): return 0",
    "a loop of its own": "def pytest_runtestloop(session): return True",
    "nobody listens": """
def pytest_sessionstart(session):
    session.config.pluginmanager.unregister(name='lok-final-reports')
def pytest_sessionfinish(session): session.exitstatus = 0
""",
    "shouldstop": """
@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    session.shouldstop = 'enough'
    session.exitstatus = 0
""",
}


@pytest.mark.parametrize("how", TAKEN)
def test_a_hook_takes_no_judgement_away(red: Suite, ci: None, how: str) -> None:
    red.write("conftest.py", EACH + TAKEN[how])
    assert red.run("--lok", "--junitxml=r.xml").ret not in (pytest.ExitCode.OK, None)


@pytest.mark.parametrize("where", ["", "1"], ids=["here", "CI"])
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("skip", "skipped"),
        ("xfail", "xfailed"),
        ("xfail in the call", "xfailed"),
        ("no call", "passed"),
        ("makereport", "passed"),
        ("makereport, skipped", "skipped"),
    ],
)
def test_what_was_reported_and_what_came_of_it_is_said_and_red(
    red: Suite, monkeypatch: pytest.MonkeyPatch, how: str, said: str, where: str
) -> None:
    monkeypatch.setenv("CI", where)
    red.write("conftest.py", EACH + TAKEN[how])
    line = f"reported as {said}, but the step: failed: the command exited with code 1"
    result = red.run("--lok", "--junitxml=r.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"E   {line}"])
    if "makereport" not in how:
        assert junit(red.root / "r.xml")["bad"][0] == "error"


@pytest.mark.parametrize("how", ["no call", "xfail"])
def test_nor_do_those_of_a_worker(red: Suite, ci: None, how: str) -> None:
    red.write("conftest.py", EACH + TAKEN[how])
    assert red.run_apart("--lok", "-n2").ret == pytest.ExitCode.TESTS_FAILED


def test_a_mark_in_a_session_that_promises_nothing_is_the_projects_choice(red: Suite, ci: None) -> None:
    red.write("conftest.py", EACH + TAKEN["xfail"])
    result = red.run("-o", "lok=true")
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes() == {"xfailed": 1, "xpassed": 1}
    red.write("conftest.py", EACH + TAKEN["no call"])
    assert red.run("-o", "lok=true").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_step_that_may_fail_is_as_it_was(suite: Suite, ci: None, options: tuple[str, ...]) -> None:
    suite.workflow(
        "w",
        "[[steps]]\nname = 'a'\nshell = 'true'\n"
        "[[steps]]\nname = 'soft'\ncontinue_on_error = true\nshell = 'false'\n"
        "[[steps]]\nname = 'own'\nwhen = 'false'\nshell = 'false'\n",
    )
    run = suite.run_apart if "-n1" in options else suite.run
    result = run("--lok", *options)
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes() == {"passed": 1, "xfailed": 1, "skipped": 1}
