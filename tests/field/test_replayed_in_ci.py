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
