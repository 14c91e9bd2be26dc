"""In CI the tree does not decide that the tree is replayed, nor how strict its gates are."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite, suite  # noqa: F401 - a fixture

ASK = """
[[steps]]
name = "s"
prompt = "q"
output_format = "json"
assert = ["json.bugs == []"]
"""
SAYS = """
[defaults]
backend = "m"
[backends.m]
type = "scripted"
[[backends.m.replies]]
reply = '{"bugs": ["x"]}'
"""


@pytest.mark.parametrize(
    "tree",
    [
        {"pytest.ini": "[pytest]\nlok_record = none\n"},
        {"pytest.ini": "[pytest]\naddopts = --lok-record=none\n"},
        {
            "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--lok-record', 'none', '-o', 'lok_record=none']\n"
        },
    ],
)
def test_a_recording_of_the_change_is_no_answer(
    suite: Suite,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    tree: dict[str, str],
) -> None:
    suite.write("lok.toml", SAYS)
    suite.workflow("w", ASK)
    suite.run("--lok", "--lok-record=once").assert_outcomes(failed=1)
    cassette = suite.root / ".lok/cassettes/w/s.toml"
    cassette.write_text(cassette.read_text().replace('\\"x\\"', "").replace('"x"', ""))
    for name, text in tree.items():
        suite.write(name, text)
    monkeypatch.setenv("CI", "1")
    suite.run("--lok").assert_outcomes(failed=1)
    suite.run("--lok", "--lok-record=none").assert_outcomes(passed=1)  # who types it means it
    monkeypatch.delenv("CI")
    suite.run("--lok").assert_outcomes(passed=1)  # and so does who runs it at home


@pytest.mark.parametrize(
    "tree",
    [
        "[pytest]\nlok_args = since=HEAD\n",
        "[pytest]\naddopts = --lok-arg since=HEAD -o lok_args=since=HEAD\n",
    ],
)
def test_what_a_workflow_is_given_is_typed(
    suite: Suite,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    tree: str,
) -> None:
    suite.workflow(
        "w",
        '[args]\nsince = { default = "main" }\n[[steps]]\nname = "s"\nshell = "echo {{ arg.since }} >> ran"\n',
    )
    suite.write("pytest.ini", tree)
    suite.run("--lok").assert_outcomes(passed=1)
    monkeypatch.setenv("CI", "1")
    result = suite.run("--lok")
    result.stdout.fnmatch_lines(["*not used in CI, where only the command line says it: lok_args*"])
    suite.run("--lok", "--lok-arg", "since=typed").assert_outcomes(passed=1)
    suite.run("--lok", "-o", "lok_args=since=ini").assert_outcomes(passed=1)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--lok-arg=since=variable")
    suite.run("--lok").assert_outcomes(passed=1)
    assert suite.ran() == ["HEAD", "main", "typed", "ini", "variable"]


def test_a_workflow_whose_argument_nobody_typed_is_not_green(
    suite: Suite,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite.workflow("w", '[args]\nsince = { required = true }\n[[steps]]\nname = "s"\nshell = "true"\n')
    suite.workflow("v", '[[steps]]\nname = "s"\nshell = "true"\n')
    suite.write("pytest.ini", "[pytest]\nlok_args = since=HEAD\n")
    assert suite.run("--lok").ret == 0
    monkeypatch.setenv("CI", "1")
    result = suite.run("--lok")
    result.stdout.fnmatch_lines(["*needs --lok-arg since=VALUE*"])
    assert result.ret == 1
