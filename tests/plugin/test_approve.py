"""A step that waits for a person is an error of its item, which names the command that continues."""

from __future__ import annotations

import os
import re

from pytest_lok.cli.main import main
from tests.plugin.conftest import Suite

FLOW = """
[args.env]
default = "test"

[[steps]]
name = "build"
shell = "echo v1"

[[steps]]
name = "go"
approve = "Deploy {{ steps.build.output }} to {{ arg.env }}?"

[[steps]]
name = "deploy"
depends_on = ["go"]
effects = true
shell = "echo done >> deployed"
"""


def test_pytest_says_what_continues_and_goes_on_from_there(suite: Suite) -> None:
    suite.workflow("ship", FLOW)
    first = suite.run_apart("--lok", "-n", "2")
    first.assert_outcomes(passed=1, skipped=1, errors=1)
    found = re.search(r"`lok approve (\S+) go --yes` goes on", first.stdout.str())
    assert found is not None
    again = suite.run_apart("--lok", "--lok-resume")
    again.assert_outcomes(passed=1, skipped=1, errors=1)
    environ = {**os.environ, "LOK_TRUST": "1"}
    assert main(["--dir", str(suite.root), "approve", found[1], "go", "--yes"], environ) == 0
    second = suite.run_apart("--lok", "--lok-resume")
    second.assert_outcomes(passed=3)
    assert (suite.root / "deployed").read_text() == "done\n"
